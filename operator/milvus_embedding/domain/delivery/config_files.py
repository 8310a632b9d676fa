"""The configuration files that Milvus reads, and which keys of ConfigMaps a pod template mounts as them.

Only where they come from: their texts are read elsewhere and judged in `shadows`. Files out of Secrets are left out,
because nobody but Milvus should read those.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from milvus_embedding.domain.delivery.workload import Container, Mount, Template, Volume

FILE_NAMES: Final = ("milvus.yaml", "_test.yaml", "default.yaml", "user.yaml")
"""In Milvus' order: a later file wins."""

OPERATOR_DIRECTORY: Final = "operator"
"""Where milvus-operator mounts its ConfigMap, below the directory of the configuration files."""

_LINKED: Final = "user.yaml"
"""The key that milvus-operator's start script links to the file of that name."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    config_map: str
    key: str
    file_name: str


def config_files(template: Template) -> tuple[ConfigFile, ...]:
    """The lowest precedence first. Of a ConfigMap that is mounted with all its keys, the key need not exist."""
    found = {
        file
        for container in template.containers
        for mount in container.mounts
        for volume in template.volumes
        if volume.name == mount.volume and volume.config_map
        for file in _of_mount(container, mount, volume, template.volumes)
    }
    return tuple(sorted(found, key=lambda file: (FILE_NAMES.index(file.file_name), file.config_map, file.key)))


def _of_mount(container: Container, mount: Mount, volume: Volume, volumes: Sequence[Volume]) -> Iterator[ConfigFile]:
    path, directory = posixpath.normpath(mount.path), posixpath.normpath(container.config_dir)
    if mount.sub_path:
        name = posixpath.basename(path)
        sub_path = posixpath.normpath(mount.sub_path)
        if posixpath.dirname(path) != directory or name not in FILE_NAMES:
            return
        key = _key(volume, sub_path)
        if key and not _is_of_other(volume, sub_path, volumes):
            yield ConfigFile(volume.config_map, key, name)
        return
    names: Mapping[str, Sequence[str]] = {directory: FILE_NAMES, f"{directory}/{OPERATOR_DIRECTORY}": (_LINKED,)}
    for name in names.get(path, ()):
        if (key := _key(volume, name)) and not _is_of_other(volume, name, volumes):
            yield ConfigFile(volume.config_map, key, name)


def _key(volume: Volume, path: str) -> str:
    if volume.items is None:
        return path
    return next((key for key, place in volume.items.items() if posixpath.normpath(place) == path), "")


def _is_of_other(volume: Volume, path: str, volumes: Sequence[Volume]) -> bool:
    """Whether another source of the same projected volume claims the path by name."""
    others = (other for other in volumes if other.name == volume.name and other is not volume)
    return volume.items is None and any(other.items is not None and _key(other, path) for other in others)
