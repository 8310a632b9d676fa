"""What a user adds, once, to let Milvus have the rendered Secret: the exact YAML for the installation at hand.

Short enough for a condition. Only the part to add: what is there already is not known here.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import yaml

from milvus_embedding.domain.delivery.workload import Component
from milvus_embedding.domain.rendering.document import FILE_KEY, VARIABLES

_VOLUME: Final = "embedding-config"
_PLAIN: Final = re.compile(r"[a-z][a-z0-9.-]*[a-z0-9]")
_HELM_LIVE: Final = (
    "# Milvus' Helm chart has no way to link a mounted directory to a configuration file:\n"
    "# set spec.embedding.rollout.strategy of the MilvusConnection to Restart.\n"
)
_SCRIPT: Final = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: embedding-start}
data:
  start.sh: |
    ln -sf /milvus/embedding/%s /milvus/configs/default.yaml
    exec "$@"
---
"""


class Target(StrEnum):
    """What the user edits."""

    HELM = "values of the Helm chart"
    MILVUS = "Milvus resource"


class Way(StrEnum):
    """How the Secret gets in: a file read at the start, variables, or a directory that is re-read."""

    FILE = "File"
    ENVIRONMENT = "Environment"
    LIVE = "Live"


def snippet(target: Target, *, secret: str, components: Sequence[Component], way: Way) -> str:
    """YAML (two documents for Live with a Milvus resource), some 1,000 characters at most.

    components: those of one Milvus that compute embeddings, at least one.
    """
    name = _scalar(secret)
    if way is Way.ENVIRONMENT:
        return _environment(target, name, components)
    if target is Target.HELM:
        return _HELM_LIVE if way is Way.LIVE else _helm_file(name)
    return _milvus_live(name, components) if way is Way.LIVE else _milvus_file(name, components)


def _helm_file(secret: str) -> str:
    # The chart's volumes go to all components; only proxy has its own, and bulk import is the data node's.
    return f"""\
volumes:
  - name: {_VOLUME}
    secret: {{secretName: {secret}, items: [{{key: {FILE_KEY}, path: {FILE_KEY}}}]}}
volumeMounts:
  - {{name: {_VOLUME}, mountPath: /milvus/configs/_test.yaml, subPath: {FILE_KEY}, readOnly: true}}
"""


def _milvus_file(secret: str, components: Sequence[Component]) -> str:
    block = f"""\
volumes:
  - name: {_VOLUME}
    secret: {{secretName: {secret}, items: [{{key: {FILE_KEY}, path: {FILE_KEY}}}]}}
volumeMounts:
  - {{name: {_VOLUME}, mountPath: /milvus/configs/default.yaml, subPath: {FILE_KEY}, readOnly: true}}
"""
    return "spec:\n  components:\n" + _indent(_same(components, block), 4)


def _environment(target: Target, secret: str, components: Sequence[Component]) -> str:
    names = sorted(VARIABLES)
    references = (
        f"  - {{name: {name}, valueFrom: {{secretKeyRef: {{name: {secret}, key: {name}}}}}}}\n" for name in names
    )
    entry = "env" if target is Target.MILVUS else "extraEnv"
    block = _same(components, f"{entry}:\n{''.join(references)}")
    return block if target is Target.HELM else "spec:\n  components:\n" + _indent(block, 4)


def _milvus_live(secret: str, components: Sequence[Component]) -> str:
    first, *rest = components
    # The command is each component's own, so that lists are repeated and not the whole block.
    lists = f"""\
volumes: &volumes
  - {{name: {_VOLUME}, secret: {{secretName: {secret}, items: [{{key: {FILE_KEY}, path: {FILE_KEY}}}]}}}}
  - {{name: embedding-start, configMap: {{name: embedding-start}}}}
volumeMounts: &mounts
  - {{name: {_VOLUME}, mountPath: /milvus/embedding, readOnly: true}}
  - {{name: embedding-start, mountPath: /milvus/start}}
"""
    blocks = [f"{first.in_milvus_resource}:\n{_indent(_start(first) + lists, 2)}"]
    again = "volumes: *volumes\nvolumeMounts: *mounts\n"
    blocks += [f"{component.in_milvus_resource}:\n{_indent(_start(component) + again, 2)}" for component in rest]
    return _SCRIPT % FILE_KEY + "spec:\n  components:\n" + _indent("".join(blocks), 4)


def _start(component: Component) -> str:
    return f"commands: [/bin/bash, /milvus/start/start.sh, milvus, run, {component.value}]\n"


def _same(components: Sequence[Component], block: str) -> str:
    """The block under each component, written once."""
    first, *rest = (component.in_milvus_resource for component in components)
    head = f"{first}: &embedding\n" if rest else f"{first}:\n"
    return head + _indent(block, 2) + "".join(f"{name}: *embedding\n" for name in rest)


def _indent(block: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}\n" for line in block.splitlines())


def _scalar(name: str) -> str:
    """A name of a Secret as YAML reads it back: "1e5" and "on" are names, too."""
    is_plain = _PLAIN.fullmatch(name) is not None and yaml.safe_load(name) == name
    return name if is_plain else f'"{name}"'
