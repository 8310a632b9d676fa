"""Whether a pod template gives Milvus the rendered Secret in a way that Milvus can read.

Each way to get it wrong is told apart, because the fix differs. Looks at the template alone: whether the Secret exists
and what else Milvus reads is checked elsewhere, and nothing here proposes a whole snippet.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from milvus_embedding.domain.delivery.config_files import FILE_NAMES, OPERATOR_DIRECTORY
from milvus_embedding.domain.delivery.workload import Container, Mount, Template, Variable, Volume

_IMAGE_FILE: Final = "milvus.yaml"
_MEMORY_KEY: Final = "state.json"
_QUOTED: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """As it should be. `path` and `file_name` are empty for variables, `file_name` also for a directory."""

    container: str
    path: str = ""
    file_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Nothing of the Secret reaches a container."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Something of the Secret does, and Milvus could not use it, or would lose its own configuration."""

    sentence: str


Mounting = Mounted | Absent | Broken


def check(
    template: Template,
    *,
    secret: str,
    file_key: str,
    environment: Sequence[str] | None,
    live: bool,
    milvus_resource: bool,
) -> Mounting:
    """Pure and total.

    file_key: the key of the Secret that is a configuration file. environment: for delivery by variables, their names,
    each also a key of the Secret; None for delivery by file. live: the file is to be re-read, so a directory is wanted.
    milvus_resource: milvus-operator made the template.
    """
    if environment is not None:
        return _variables(template, secret, environment)
    wanted = _Wanted(secret=secret, key=file_key, live=live, milvus_resource=milvus_resource)
    volumes = {volume.name: volume for volume in template.volumes if volume.secret == secret}
    if not volumes:
        return Absent(sentence=f"no volume of the pod template is of Secret {secret}")
    found = [
        verdict
        for container in template.containers
        if (verdict := _files(_looks(container, template.volumes, volumes, wanted))) is not None
    ]
    return _best(found) or Absent(
        sentence=f"volume {next(iter(volumes))} is of Secret {secret}, and no container mounts it"
    )


def _best(found: Sequence[Mounted | Broken]) -> Mounted | Broken | None:
    """A container that has it is the one that runs Milvus; the others are sidecars."""
    mounted = (verdict for verdict in found if isinstance(verdict, Mounted))
    return next(mounted, None) or next(iter(found), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    secret: str
    key: str
    live: bool
    milvus_resource: bool

    @property
    def free_name(self) -> str:
        """The configuration file that the installation leaves free."""
        return "default.yaml" if self.milvus_resource else "_test.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One mount of the Secret, and all that is needed to judge it."""

    container: Container
    mount: Mount
    volume: Volume
    wanted: _Wanted

    @property
    def path(self) -> str:
        return posixpath.normpath(self.mount.path)

    @property
    def directory(self) -> str:
        return posixpath.normpath(self.container.config_dir)

    @property
    def hides_configuration(self) -> bool:
        return self.path == "/" or f"{self.directory}/".startswith(f"{self.path}/")

    @property
    def touches_configuration(self) -> bool:
        return self.hides_configuration or self.path.startswith(f"{self.directory}/")

    @property
    def file_name(self) -> str:
        """The name of the configuration file at which this is mounted, "" if it is none that Milvus reads."""
        directory, name = posixpath.split(self.path)
        return name if directory == self.directory and name in FILE_NAMES else ""

    @property
    def good_path(self) -> str:
        return f"{self.directory}/{self.wanted.free_name}"

    @property
    def key_path(self) -> str:
        """Where in the volume the wanted key is, "" if it is not there."""
        return next((path for path, key in _paths(self.volume, self.wanted).items() if key == self.wanted.key), "")

    def broken(self, text: str) -> Broken:
        return Broken(sentence=f"container {self.container.name}, volumeMount {self.mount.volume}: {text}")


def _paths(volume: Volume, wanted: _Wanted) -> Mapping[str, str]:
    """The volume's paths and their keys, as far as they are known."""
    if volume.items is None:
        return {key: key for key in (wanted.key, _MEMORY_KEY)}
    return {posixpath.normpath(path): key for key, path in volume.items.items()}


def _looks(
    container: Container, volumes: Sequence[Volume], ours: Mapping[str, Volume], wanted: _Wanted
) -> Iterator[_Look]:
    for mount in container.mounts:
        if (volume := ours.get(mount.volume)) is None:
            continue
        is_shared = any(other.name == volume.name and other.secret != volume.secret for other in volumes)
        # A projected volume has files of others, too: a subPath that is none of ours is one of those.
        if is_shared and mount.sub_path and posixpath.normpath(mount.sub_path) not in _paths(volume, wanted):
            continue
        yield _Look(container=container, mount=mount, volume=volume, wanted=wanted)


def _files(looks: Iterator[_Look]) -> Mounted | Broken | None:
    """Of one container. What is wrong among the configuration files counts even if a good mount is beside it."""
    verdicts = [(look.touches_configuration, _verdict(look)) for look in looks]
    harmful = (verdict for touches, verdict in verdicts if touches and isinstance(verdict, Broken))
    return next(harmful, None) or _best([verdict for _, verdict in verdicts])


def _verdict(look: _Look) -> Mounted | Broken:
    checks = (_live_path, _live_sub_path) if look.wanted.live else (_path, _whole_secret, _sub_path)
    for problem in (*checks, _optional):
        if (text := problem(look)) is not None:
            return look.broken(text)
    return Mounted(container=look.container.name, path=look.path, file_name=look.file_name)


def _path(look: _Look) -> str | None:
    wrong = f"mountPath is {_quote(look.path)}"
    fix = f"set it to {look.good_path}"
    if look.hides_configuration:
        return f"{wrong}, which hides all of Milvus' own configuration: {fix} with subPath {look.wanted.key}"
    if look.path == f"{look.directory}/{_IMAGE_FILE}":
        return f"{wrong}, which replaces the image's own {_IMAGE_FILE}: {fix}"
    if not look.file_name:
        return f"{wrong}, where Milvus reads no configuration: {fix}"
    if look.wanted.milvus_resource and look.file_name == "user.yaml":
        return f"{wrong}, which the start script of milvus-operator takes for spec.config: {fix}"
    return None


def _whole_secret(look: _Look) -> str | None:
    if look.mount.sub_path:
        return None
    return (
        f"subPath is not set, so the whole Secret becomes a directory at {_quote(look.path)} and Milvus then reads no "
        f"configuration file at all: set subPath to {look.key_path or look.wanted.key}"
    )


def _sub_path(look: _Look) -> str | None:
    if (text := _items(look)) is not None:
        return text
    sub_path = posixpath.normpath(look.mount.sub_path)
    key = _paths(look.volume, look.wanted).get(sub_path)
    if key == look.wanted.key:
        return None
    wrong = f"subPath is {_quote(look.mount.sub_path)}"
    fix = f"set it to {look.key_path}"
    if key is not None:
        return f"{wrong}, which is the key {_quote(key)} of the Secret and no configuration of Milvus: {fix}"
    return f"{wrong}, which the volume does not have, so that an empty directory is mounted in its place: {fix}"


def _items(look: _Look) -> str | None:
    if look.key_path:
        return None
    key = look.wanted.key
    has = ", ".join(sorted(look.volume.items or ())) or "none"
    return (
        f"volume {look.volume.name} has items for the keys {_quote(has)} and not for {key}: "
        f"add {{key: {key}, path: {key}}} to its items"
    )


def _optional(look: _Look) -> str | None:
    if not look.volume.optional:
        return None
    effect = "start without the file and never look for it again" if look.wanted.live else "find a directory there"
    return (
        f"volume {look.volume.name} is optional: true, so a pod that starts before the Secret exists would {effect}: "
        "remove optional, and pods wait for the Secret"
    )


def _live_path(look: _Look) -> str | None:
    fix = "set it to a directory of its own, such as /milvus/embedding"
    wrong = f"mountPath is {_quote(look.path)}"
    if look.hides_configuration:
        return f"{wrong}, which hides all of Milvus' own configuration: {fix}"
    if look.wanted.milvus_resource and look.path == f"{look.directory}/{OPERATOR_DIRECTORY}":
        return f"{wrong}, where milvus-operator mounts its own configuration: {fix}"
    if look.file_name and not look.mount.sub_path:
        return f"{wrong}, and a directory there keeps Milvus from reading any configuration file: {fix}"
    return None


def _live_sub_path(look: _Look) -> str | None:
    if look.mount.sub_path:
        return (
            f"subPath is {_quote(look.mount.sub_path)}, and such a mount is never refreshed: for rollout.strategy Live "
            "remove subPath and mount the volume as a directory of its own, or set rollout.strategy to Restart"
        )
    return _items(look) or _more_than_the_file(look)


def _more_than_the_file(look: _Look) -> str | None:
    key = look.wanted.key
    if look.volume.items is not None and set(look.volume.items) == {key}:
        return None
    return (
        f"volume {look.volume.name} has more of the Secret than {key}, also {_MEMORY_KEY} with former API keys: "
        f"set its items to [{{key: {key}, path: {key}}}]"
    )


def _variables(template: Template, secret: str, names: Sequence[str]) -> Mounting:
    found = [
        verdict for container in template.containers if (verdict := _variables_of(container, secret, names)) is not None
    ]
    return _best(found) or Absent(sentence=f"no container takes {' or '.join(names)} from Secret {secret}")


def _variables_of(container: Container, secret: str, names: Sequence[str]) -> Mounted | Broken | None:
    variables = {variable.name: variable for variable in container.variables if variable.name in names}
    for variable in variables.values():
        if (text := _variable(variable, secret, names)) is not None:
            fix = f"set its valueFrom.secretKeyRef to {{name: {secret}, key: {variable.name}}}"
            return Broken(sentence=f"container {container.name}, env {variable.name}: {text}: {fix}")
    if any(source.secret == secret for source in container.sources):
        return Broken(
            sentence=f"container {container.name}, envFrom of Secret {secret}: it takes all keys of the Secret, also "
            f"{_MEMORY_KEY} with former API keys: remove it, and set env {names[0]} with valueFrom.secretKeyRef"
        )
    return Mounted(container=container.name) if variables else None


def _variable(variable: Variable, secret: str, names: Sequence[str]) -> str | None:
    if variable.is_literal:
        return "its value is written into the pod template"
    if not variable.secret:
        return "its value does not come from a Secret"
    if variable.secret != secret:
        return f"its value comes from Secret {_quote(variable.secret)}, which this connection does not write"
    if variable.key not in names:
        return f"its value is the key {_quote(variable.key)} of the Secret, which is not an API key"
    return None


def _quote(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
