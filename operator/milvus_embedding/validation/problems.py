"""What validation reports. A problem never quotes a value that may be secret (quoting.py)."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where in a document: names of fields and positions in lists, from the document's root."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Check(StrEnum):
    """Which check found it. SYNTAX is kubectl's, SCHEMA and RULE are the API server's, the others the operator's."""

    SYNTAX = "syntax"
    SCHEMA = "schema"
    RULE = "rule"
    LIMITS = "limits"
    ANNOTATIONS = "annotations"
    REFERENCES = "references"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem at one place; lines count from 1. `subject` is "MilvusCollection search/docs", empty if unknown.

    `instead`: whose line is shown if the field at `path` is not written, the first that is.
    """

    check: Check
    message: str
    file: str = ""
    line: int = 1
    subject: str = ""
    path: Path = ()
    severity: Severity = Severity.ERROR
    instead: tuple[Path, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.file}:{self.line}", str(self.severity), self.subject, dotted(self.path), self.message]
        return ": ".join(part for part in parts if part)

    def at(self, *, file: str, line: int, subject: str) -> "Problem":
        """Return the problem with its place filled in."""
        return dataclasses.replace(self, file=file, line=line, subject=subject)


def dotted(path: Path) -> str:
    """Return the path as people write it: `spec.fields[2].dim`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
