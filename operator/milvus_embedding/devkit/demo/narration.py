"""What people see: numbered steps with their duration, and blocks of output below them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class DemoFailed(Exception):
    """Something is not as it should be; the text is one sentence for people."""


class Narrator:
    """Prints through `say`; `clock` is in seconds."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._number = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step: its title now, its duration when it is done."""
        self._number += 1
        self._say(f"\n{self._number}. {title}")
        start = self._clock()
        yield
        self._say(f"   done in {self._clock() - start:.1f} s")

    def show(self, text: str) -> None:
        """Output that belongs to the step, indented."""
        for line in text.splitlines():
            self._say(f"     {line}".rstrip())

    def tell(self, text: str) -> None:
        """A remark of its own."""
        self._say(text)


def expect(is_so: bool, otherwise: str) -> None:
    """Raises DemoFailed with that sentence if it is not so."""
    if not is_so:
        raise DemoFailed(otherwise)
