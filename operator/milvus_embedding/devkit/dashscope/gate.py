"""A gate that a test closes in front of a call and opens when it has seen enough.

Held calls wait on an event, never on a clock: a test decides when they go on. It does not order the calls it holds.
"""

import threading
from types import TracebackType
from typing import Self


class Gate:
    """Callers of `pass_through` wait until `release`. As a context manager it releases at the end of the block."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._changed = threading.Condition()
        self._arrived = 0

    def pass_through(self) -> None:
        """Waits until the gate is open."""
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
        self._open.wait()

    def wait_for_arrivals(self, count: int = 1, *, timeout: float = 10.0) -> bool:
        """True as soon as `count` calls have arrived at the gate; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._arrived >= count, timeout)

    @property
    def arrivals(self) -> int:
        with self._changed:
            return self._arrived

    def release(self) -> None:
        self._open.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
