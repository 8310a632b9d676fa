"""What the operator knows of its objects, and which events tell something new.

The cache holds parsed objects and their raw status; it never goes back in time and never proves that an object exists
or is absent. An event that shows nothing but our own status write is recognised by comparing what users may change
with what the last finished reconcile started from.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import Metadata, Resource
from milvus_embedding.api.model import InvalidObjectError
from milvus_embedding.api.references import Key

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_TOMBSTONES: Final = 4096
_NO_STATUS: Final[Mapping[str, object]] = MappingProxyType({})

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One object. `resource` is None if it cannot be parsed, and `problem` says why.

    `essence` identifies what users may change. `watched` is the resource version that a watch or list showed last:
    behind `version` while only our own write told of it.
    """

    metadata: Metadata
    resource: Resource | None
    problem: str
    status: Mapping[str, object]
    essence: int
    version: int
    watched: int

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def generation(self) -> int:
        return self.metadata.generation


@dataclass(frozen=True, slots=True)
class Change:
    """What an event meant. `essence`: reconcile the object. `signal`: wake those who rely on it."""

    entry: Entry | None
    essence: bool
    signal: bool


NOTHING: Final = Change(None, essence=False, signal=False)


class Cache:
    """Objects by key. `signal` is what others may rely on in an object; wholly replaced with each version."""

    def __init__(self, signal: Callable[[Resource], Hashable]) -> None:
        self._signal = signal
        self._entries: dict[str, dict[Key, Entry]] = {kind: {} for kind in KINDS}
        self._finished: dict[Key, tuple[str, int]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    def get(self, key: Key) -> Entry | None:
        """The object as last seen."""
        return self._entries[key.kind].get(key) if key.kind in self._entries else None

    def of_kind(self, kind: str) -> Sequence[Entry]:
        """All objects of a kind, sorted by namespace and name."""
        entries = self._entries[kind]
        return [entries[key] for key in sorted(entries)]

    def entries(self, kind: str) -> Sequence[Entry]:
        """The same unsorted; may be called from any thread."""
        return list(self._entries[kind].values())

    def keys(self, kind: str) -> Iterator[Key]:
        """The keys of a kind, unsorted; of a copy."""
        return iter(tuple(self._entries[kind]))

    def size(self, kind: str) -> int:
        """How many objects of a kind are known."""
        return len(self._entries[kind])

    def put(self, key: Key, body: Body, *, watched: bool) -> Change:
        """Takes an object from a watch, list or GET (`watched`), or from the answer to our own write.

        Older versions and known ones change nothing, nor does a late sight of an object that was removed.
        """
        if uid_of(body) in self._gone:
            return NOTHING
        before = self.get(key)
        version = version_of(body)
        if before is not None and version <= before.version:
            if watched and version > before.watched and before.uid == uid_of(body):
                self._entries[key.kind][key] = replace(before, watched=version)
            return NOTHING
        entry = _entry(key, body, version, version if watched else (before.watched if before else 0))
        self._entries[key.kind][key] = entry
        reborn = before is None or before.uid != entry.uid
        signal = reborn or self._signal_of(before) != self._signal_of(entry)
        essence = reborn or self._finished.get(key) != (entry.uid, entry.essence)
        return Change(entry, essence=essence, signal=signal)

    def remove(self, key: Key, uid: str | None = None) -> Entry | None:
        """Drops the object, of that uid only if one is given, and returns what was dropped."""
        before = self.get(key)
        if before is None or (uid is not None and before.uid != uid):
            return None
        self._finished.pop(key, None)
        self._gone[before.uid] = None
        if len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)
        return self._entries[key.kind].pop(key)

    def finished(self, key: Key, started_from: Entry) -> None:
        """A reconcile that started from that version came to its end; echoes of it need no other."""
        if self.get(key) is not None:
            self._finished[key] = (started_from.uid, started_from.essence)

    def unfinished(self, key: Key) -> None:
        """A reconcile did not come to its end after all: no event of this object is an echo."""
        self._finished.pop(key, None)

    def _signal_of(self, entry: Entry | None) -> Hashable:
        return self._signal(entry.resource) if entry is not None and entry.resource is not None else None


def key_of(kind: str, body: Body) -> Key:
    """The key of an object of that kind."""
    metadata = _metadata(body)
    return Key(kind, str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def version_of(body: Body) -> int:
    """The resource version as a number: versions of one kind are comparable since Kubernetes 1.35, and always were."""
    text = str(_metadata(body).get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0


def uid_of(body: Body) -> str:
    """The uid; "" if there is none."""
    return str(_metadata(body).get("uid", ""))


def _metadata(body: Body) -> Mapping[str, object]:
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _entry(key: Key, body: Body, version: int, watched: int) -> Entry:
    slim = {**body, "metadata": _slim(_metadata(body))}
    status = body.get("status")
    raw_status = status if isinstance(status, Mapping) else _NO_STATUS
    resource: Resource | None = None
    problem = ""
    try:
        resource = KINDS[key.kind].parse(slim)
        metadata = resource.metadata
    except InvalidObjectError as error:
        problem = str(error)
        metadata = Metadata.model_validate(slim["metadata"])
    return Entry(metadata, resource, problem, raw_status, _essence(metadata), version, watched)


def _slim(metadata: Mapping[str, object]) -> dict[str, object]:
    """Without what nobody reads and what doubles the object's size in memory."""
    slim = {name: value for name, value in metadata.items() if name != "managedFields"}
    annotations = slim.get("annotations")
    if isinstance(annotations, Mapping) and _LAST_APPLIED in annotations:
        slim["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
    return slim


def _essence(metadata: Metadata) -> int:
    return hash(
        (
            metadata.uid,
            metadata.generation,
            metadata.deletion_timestamp,
            metadata.finalizers,
            frozenset(metadata.annotations.items()),
            frozenset(metadata.labels.items()),
        )
    )
