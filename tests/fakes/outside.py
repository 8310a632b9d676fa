"""The calls that leave the process, and a way to end it at any of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Killed(BaseException):
    """The process ended here: nothing after this ran."""


@dataclass(slots=True)
class Outside:
    """Every call that leaves the process, in order; `refuse` answers a method with an error until it is removed."""

    calls: list[str] = field(default_factory=list)
    refuse: dict[str, Exception] = field(default_factory=dict)
    _end: int = 0
    _after: bool = False
    _error: BaseException = field(default_factory=Killed)

    def end_at(self, call: int, *, after: bool = False, error: BaseException | None = None) -> None:
        """Raises `error` (default: Killed) at the nth call from now, before it is done or after; 0: never."""
        self._end = len(self.calls) + call if call else 0
        self._after = after
        self._error = error or Killed()

    @contextmanager
    def call(self, method: str, what: str) -> Iterator[None]:
        """Around what is done by one call."""
        self.calls.append(f"{method} {what}")
        number = len(self.calls)
        if number == self._end and not self._after:
            raise self._error
        if method in self.refuse:
            raise self.refuse[method]
        yield
        if number == self._end:
            raise self._error
