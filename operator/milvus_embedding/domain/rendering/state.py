"""What the rendered Secret remembers beside the document: per label its owner, since when, and two values.

`proven` has embedded; `candidate` is a newer value that nobody could prove yet. The file holds keys: it lives in the
Secret and nowhere else.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milvus_embedding.domain.labels import PATTERN

KEY: Final = "state.json"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMemory:
    """Times are RFC 3339 text. `proven_at` is the time of the last probe that the proven value passed, `proven_url` the
    endpoint that it passed it at, None for the provider's default one.
    """

    owner: str
    since: str
    proven: str | None = dataclasses.field(default=None, repr=False)
    proven_at: str | None = None
    proven_url: str | None = None
    candidate: str | None = dataclasses.field(default=None, repr=False)

    @property
    def value(self) -> str | None:
        """The value that is rendered."""
        return self.candidate or self.proven


Memory = Mapping[str, LabelMemory]


class UnreadableState(ValueError):
    """state.json is damaged or of a newer version. The message quotes nothing of it."""


def load(text: bytes | None) -> dict[str, LabelMemory]:
    """The memory; empty if there is none. Raises UnreadableState."""
    if not text or not text.strip():
        return {}
    try:
        document = json.loads(text)
        version = document["version"]
        if type(version) is int and version != _VERSION:
            raise UnreadableState(f"{KEY} has version {version}; this operator knows {_VERSION}")
        return {_label(label): _entry(entry) for label, entry in document["labels"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, UnreadableState):
            raise
        raise UnreadableState(f"{KEY} cannot be read ({type(error).__name__})") from None


def _label(text: str) -> str:
    if not PATTERN.fullmatch(text):
        raise ValueError("not a label")
    return text


def _entry(entry: Mapping[str, object]) -> LabelMemory:
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    if len(texts) != len(entry):
        raise TypeError("not text")
    memory = LabelMemory(**texts)
    namespace, _, name = memory.owner.partition("/")
    if not namespace or not name:
        raise ValueError("not namespace/name")
    for moment in (memory.since, memory.proven_at or memory.since):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError("a time without a zone")
    return memory


def dump(memory: Memory) -> bytes:
    """Stable bytes: sorted, and without what is unset."""
    labels = {
        label: {name: value for name, value in dataclasses.asdict(entry).items() if value is not None}
        for label, entry in memory.items()
    }
    return json.dumps({"version": _VERSION, "labels": labels}, sort_keys=True, indent=1).encode()
