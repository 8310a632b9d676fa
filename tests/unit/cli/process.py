"""What the tests of the command line share: how a run looks to them, and where the examples are."""

from pathlib import Path
from typing import NamedTuple, Protocol

ROOT = Path(__file__).resolve().parents[3]
QUICKSTART = ROOT / "examples" / "quickstart"
KEYS = {"REPLACE-WITH-YOUR-DEV-KEY", "REPLACE-WITH-YOUR-PROD-KEY"}
"""Of the quickstart."""


class Ended(NamedTuple):
    status: int
    out: str
    err: str


class Command(Protocol):
    def __call__(self, *arguments: object, stdin: str = "") -> Ended: ...
