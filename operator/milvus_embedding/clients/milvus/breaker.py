"""Keeps a dead Milvus from slowing anybody: while it is open calls fail at once, and one probe each two seconds asks.

Knows nothing of what is called, nor of time beyond the monotonic clock that it is given. Not for threads: one event
loop.
"""

from collections.abc import Callable

PROBE_INTERVAL = 2.0
"""Seconds between two probes of an open breaker, at least."""


class Breaker:
    """Closed at first."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._reason = ""
        self._last_probe = float("-inf")

    @property
    def reason(self) -> str:
        """Why it is open, "" while it is closed."""
        return self._reason

    def trip(self, reason: str) -> None:
        """No connection. The next probe is due an interval after this failure, not at once."""
        if not self._reason:
            self._last_probe = self._monotonic()
        self._reason = reason

    def reset(self) -> None:
        """The server has answered, with whatever."""
        self._reason = ""

    def take_probe(self) -> bool:
        """True at most once per interval while open, always while closed. The caller then has to probe."""
        now = self._monotonic()
        if self._reason and now - self._last_probe < PROBE_INTERVAL:
            return False
        self._last_probe = now
        return True
