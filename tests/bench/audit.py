"""Counts what a user wrote, from the API server's audit log."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_NOT_COUNTED = frozenset({"leases", "selfsubjectaccessreviews"})
"""Being there costs these, whatever there is to do."""


class AuditTail:
    """Reads on from where it stood when it was made."""

    def __init__(self, path: Path, user: str) -> None:
        self._path = path
        self._user = user
        self._offset = path.stat().st_size
        self.writes: Counter[str] = Counter()
        self.by_object: Counter[str] = Counter()

    def read(self) -> int:
        """Takes what came since; returns the number of writes in all, refused ones included."""
        for entry in self._entries():
            target = entry.get("objectRef") or {}
            mine = entry["user"]["username"] == self._user
            if mine and entry["verb"] in _WRITES and target.get("resource") not in _NOT_COUNTED:
                self.writes[_name(entry["verb"], target)] += 1
                self.by_object[target.get("name", "")] += 1
        return self.writes.total()

    def _entries(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)


def _name(verb: str, target: dict[str, str]) -> str:
    resource = "/".join(filter(None, (target.get("resource", ""), target.get("subresource", ""))))
    return f"{verb} {resource}"
