"""Credential labels: which one a credential bears, and which of two that Milvus cannot tell apart gets it.

Milvus lower-cases labels and drops `_`, `.` and `/` when it looks one up, so `a_b` and `ab` would share a key.
"""

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milvus_embedding.api.metadata import seniority

PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@functools.lru_cache(maxsize=65536)
def derived(namespace: str, name: str) -> str:
    """The label of a credential that chose none: the same in files, in every cluster and after a restore."""
    return "k" + hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:16]


def effective(chosen: str | None, *, namespace: str, name: str, connection_namespace: str) -> str | None:
    """The label of a credential, None if it chose one and may not: only the connection's own namespace may choose."""
    if chosen is None:
        return derived(namespace, name)
    return chosen if namespace == connection_namespace else None


@functools.lru_cache(maxsize=65536)
def fold(label: str) -> str:
    """What Milvus makes of a label when it looks up its key."""
    return re.sub(r"[_./]", "", label.lower())


@dataclass(frozen=True, slots=True)
class Claim:
    """A credential that wants a label. `owner` is namespace/name."""

    label: str
    owner: str
    created: datetime | None

    @property
    def seniority(self) -> tuple[bool, str, str]:
        return seniority(self.created, self.owner)


def assign(holders: Mapping[str, str], claims: Iterable[Claim]) -> dict[str, str]:
    """Who gets which label: owner -> label, for the winners only.

    holders: label -> owner as the rendered Secret has it; a holder that still claims its label keeps it, and a label
    whose holder is gone goes to nobody else but a credential of that very name. Another spelling of a held label goes
    to nobody: the Secret would have both. Among newcomers the older one wins.
    """
    taken = {fold(label): (label, owner) for label, owner in sorted(holders.items())}
    winners: dict[str, str] = {}
    for claim in sorted(claims, key=lambda claim: claim.seniority):
        wanted = (claim.label, claim.owner)
        if taken.setdefault(fold(claim.label), wanted) == wanted:
            winners[claim.owner] = claim.label
    return winners
