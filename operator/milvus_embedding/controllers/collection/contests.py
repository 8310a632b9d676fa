"""How often drift was repaired on one path: who repairs it again and again fights with somebody.

Kept in memory only: a new process may repair some times more.
"""

from collections.abc import Callable, Iterable

from milvus_embedding.api.references import Key

WINDOW = 3600.0
REPAIRS = 3


class Contests:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._repairs: dict[Key, dict[str, list[float]]] = {}

    def repaired(self, key: Key, paths: Iterable[str]) -> None:
        now = self._clock()
        for path in paths:
            self._repairs.setdefault(key, {}).setdefault(path, []).append(now)

    def contested(self, key: Key) -> frozenset[str]:
        """Paths that were repaired REPAIRS times within the last hour."""
        since = self._clock() - WINDOW
        known = self._repairs.get(key, {})
        for path in list(known):
            known[path] = [moment for moment in known[path] if moment > since]
            if not known[path]:
                del known[path]
        return frozenset(path for path, moments in known.items() if len(moments) >= REPAIRS)

    def next_chance(self, key: Key) -> float | None:
        """Seconds until a contested path may be repaired again; None if there is none."""
        known, contested = self._repairs.get(key, {}), self.contested(key)
        waits = [known[path][-REPAIRS] + WINDOW - self._clock() for path in contested]
        return min(waits, default=None)

    def forget(self, key: Key) -> None:
        self._repairs.pop(key, None)
