"""The labels of namespaces, for grants by selector: nothing else of a Namespace is kept, and none is ever reconciled.

A namespace that was not seen has no labels here, not even its name: to a grant its labels are then unknown. With ten
thousand of them this is a few megabytes, so equal texts are shared and the label that repeats the name is not stored.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from milvus_embedding.api.references import METADATA_NAME, Key
from milvus_embedding.clients.kube.port import NAMESPACES
from milvus_embedding.runtime.cache import Body, version_of

_UNKNOWN: Final[Mapping[str, str]] = {}


def namespace_key(name: str) -> Key:
    """Under which key reads of a namespace's labels are remembered."""
    return Key(NAMESPACES.kind, "", name)


@dataclass(frozen=True, slots=True)
class _Seen:
    labels: Mapping[str, str]
    version: int
    watched: int


class Namespaces:
    """Labels by namespace. `watched` is what a watch told last, which a list may be ahead of."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def put(self, body: Body, *, watched: bool) -> bool:
        """Takes a version of a Namespace; tells whether its labels are others than before. Never goes back in time."""
        name, version = str(_mapping(body.get("metadata")).get("name", "")), version_of(body)
        before = self._seen.get(name)
        if before is not None and version <= before.version:
            if watched and version > before.watched:
                self._seen[name] = replace(before, watched=version)
            return False
        labels = _labels(body)
        told = version if watched else (before.watched if before is not None else 0)
        self._seen[name] = _Seen(labels, version, told)
        return before is None or before.labels != labels

    def remove(self, name: str) -> bool:
        """The namespace is gone; whether it was known."""
        return self._seen.pop(name, None) is not None

    def labels(self, name: str) -> Mapping[str, str]:
        """All labels of the namespace with the one that every namespace has; empty if they are not known."""
        seen = self._seen.get(name)
        return {**seen.labels, METADATA_NAME: name} if seen is not None else _UNKNOWN

    def watched(self, name: str) -> int:
        """The version that a watch told last; 0 if none did."""
        seen = self._seen.get(name)
        return seen.watched if seen is not None else 0

    def keys(self) -> Iterator[Key]:
        """The namespaces known; of a copy."""
        return iter([namespace_key(name) for name in self._seen])

    def __contains__(self, name: str) -> bool:
        return name in self._seen


def _labels(body: Body) -> Mapping[str, str]:
    labels = _mapping(_mapping(body.get("metadata")).get("labels"))
    return {sys.intern(str(k)): sys.intern(str(v)) for k, v in labels.items() if k != METADATA_NAME}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
