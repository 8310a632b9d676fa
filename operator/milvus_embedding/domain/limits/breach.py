"""One limit that a collection's spec exceeds."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from milvus_embedding.domain.versions import Version

Path: TypeAlias = tuple[str | int, ...]
"""From the spec on: names of fields and positions in lists."""

_QUOTED = 60


class Grade(Enum):
    """How bad it is."""

    INVALID = auto()
    """No Milvus takes it."""
    UNSUPPORTED = auto()
    """The version of this server does not take it, or loses it without a word."""
    DOUBTFUL = auto()
    """It depends on the server or is no use: told, and tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """`message` begins with the name of the field and tells value and fix; `place` is the part of the spec that has the
    field, as users name it (fields[rank]; empty for the spec itself). `since`: the first version that takes it.
    """

    path: Path
    place: str
    message: str
    grade: Grade = Grade.INVALID
    since: Version | None = None

    def __str__(self) -> str:
        return f"spec.{self.place}.{self.message}" if self.place else f"spec.{self.message}"


def quoted(value: object) -> str:
    """A value of the spec for a message, cut if it is long."""
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
