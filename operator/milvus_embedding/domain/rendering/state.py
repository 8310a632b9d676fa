"""What the rendered Secret remembers beside the document: per label its owner, since when, two values, and how far the
present one has come; and which contents the Secret had.

`proven` has embedded; `candidate` is a newer value that nobody could prove yet. The file holds keys: it lives in the
Secret and nowhere else.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from milvus_embedding.domain.conditions import parse_time, timestamp
from milvus_embedding.domain.labels import PATTERN
from milvus_embedding.domain.rendering.documents import Document
from milvus_embedding.domain.rendering.rotation import FIRST, Rotation

KEY: Final = "state.json"
_VERSION: Final = 1
_TIMES: Final = frozenset({"changed", "delivered_at", "cleared_at", "revocable", "effective_at"})
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMemory:
    """Times are RFC 3339 text. `proven_at` is the time of the last probe that the proven value passed, `proven_url` the
    endpoint that it passed it at, None for the provider's default one. With neither value the label had one that was
    lost, and collections may name it still.
    """

    owner: str
    since: str
    proven: str | None = dataclasses.field(default=None, repr=False)
    proven_at: str | None = None
    proven_url: str | None = None
    candidate: str | None = dataclasses.field(default=None, repr=False)
    rotation: Rotation = FIRST

    @property
    def value(self) -> str | None:
        """The value that is rendered."""
        return self.candidate or self.proven


Memory = Mapping[str, LabelMemory]


@dataclass(frozen=True, slots=True)
class State:
    """`documents`: the oldest first; none if the Secret is new or was written by an earlier version."""

    labels: Memory = dataclasses.field(default_factory=dict)
    documents: tuple[Document, ...] = ()


class UnreadableState(ValueError):
    """state.json is damaged or of a newer version. The message quotes nothing of it."""


def load(text: bytes | None) -> State:
    """The memory; empty if there is none. Raises UnreadableState."""
    if not text or not text.strip():
        return State()
    try:
        return _state(_mapping(json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, UnreadableState):
            raise
        raise UnreadableState(f"{KEY} cannot be read ({type(error).__name__})") from None


def dump(state: State) -> bytes:
    """Stable bytes: sorted, and without what is unset. What an earlier version does not know is not below `labels`."""
    rotations = {label: kept for label, entry in state.labels.items() if (kept := _plain(entry.rotation))}
    labels = {label: _plain(dataclasses.replace(entry, rotation=FIRST)) for label, entry in state.labels.items()}
    document: dict[str, object] = {"version": _VERSION, "labels": labels}
    if rotations:
        document["rotations"] = rotations
    if state.documents:
        document["documents"] = _differences(state.documents)
    return json.dumps(document, sort_keys=True, indent=1).encode()


def _state(document: Mapping[str, object]) -> State:
    version = document["version"]
    if type(version) is int and version != _VERSION:
        raise UnreadableState(f"{KEY} has version {version}; this operator knows {_VERSION}")
    rotations = _mapping(document.get("rotations", {}))
    labels = {
        _label(label): _entry(_mapping(entry), _rotation(_mapping(rotations.get(label, {}))))
        for label, entry in _mapping(document["labels"]).items()
    }
    return State(labels, _documents(document.get("documents", ())))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("not a map")
    return value


def _label(text: str) -> str:
    if not PATTERN.fullmatch(text):
        raise ValueError("not a label")
    return text


def _entry(entry: Mapping[str, object], rotation: Rotation) -> LabelMemory:
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    if len(texts) != len(entry):
        raise TypeError("not text")
    memory = LabelMemory(**texts, rotation=rotation)
    namespace, _, name = memory.owner.partition("/")
    if not namespace or not name:
        raise ValueError("not namespace/name")
    for moment in (memory.since, memory.proven_at or memory.since):
        _moment(moment)
    return memory


def _rotation(entry: Mapping[str, object]) -> Rotation:
    """What a later version adds is left out."""
    count, moment = _optional(entry, int), {name: _moment(entry[name]) for name in _TIMES & entry.keys()}
    return Rotation(
        generation=count.get("generation", 1),
        changed=moment.get("changed"),
        delivered=count.get("delivered"),
        delivered_at=moment.get("delivered_at"),
        cleared_at=moment.get("cleared_at"),
        revocable=moment.get("revocable"),
        effective=count.get("effective"),
        effective_at=moment.get("effective_at"),
        refused=_optional(entry, str).get("refused"),
        returned=_optional(entry, bool).get("returned", False),
    )


def _optional(entry: Mapping[str, object], kind: type[V]) -> dict[str, V]:
    return {name: value for name, value in entry.items() if isinstance(value, kind)}


def _documents(listed: object) -> tuple[Document, ...]:
    """Of each but the newest only the difference to the next newer one is kept: they are many, with many labels."""
    documents: list[Document] = []
    digests: dict[str, str] = {}
    for entry in reversed(listed if isinstance(listed, list) else []):
        for label, digest in _mapping(entry.get("digests", {})).items():
            if isinstance(digest, str):
                digests[label] = digest
            else:
                digests.pop(label, None)
        documents.append(
            Document(
                hash=str(entry.get("hash", "")),
                written=_moment(entry["written"]),
                digests=dict(digests),
                url=str(entry.get("url", "")),
                default=str(entry.get("default", "")),
                replaced=_moment(entry["replaced"]) if "replaced" in entry else None,
                alias=str(entry.get("alias", "")),
            )
        )
    return tuple(reversed(documents))


def _differences(documents: tuple[Document, ...]) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = []
    newer: Mapping[str, str] = {}
    for document in reversed(documents):
        changed = {
            label: document.digests.get(label)
            for label in {*document.digests, *newer}
            if document.digests.get(label) != newer.get(label)
        }
        entry = {name: value for name, value in _plain(document).items() if name != "digests" and value != ""}
        listed.append({**entry, "digests": changed} if changed else entry)
        newer = document.digests
    return listed[::-1]


def _plain(entry: LabelMemory | Rotation | Document) -> dict[str, object]:
    """Without what is as it would be if left out."""
    fields = ((f, getattr(entry, f.name)) for f in dataclasses.fields(entry))
    return {
        f.name: timestamp(value) if isinstance(value, datetime) else value for f, value in fields if value != f.default
    }


def _moment(text: object) -> datetime:
    found = parse_time(str(text))
    if found is None:
        raise ValueError("no time with a zone")
    return found
