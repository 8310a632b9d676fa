"""Stages that are brought up while earlier tests run: most of the time that this takes is spent waiting."""

from __future__ import annotations

import contextlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from tests.e2e.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.lab import Lab

_AHEAD = 2


class Ahead:
    """Use it in a with statement. Gives `number` stages, each as `bring_up` leaves it."""

    def __init__(self, lab: Lab, number: int, bring_up: Callable[[Delivery], None]) -> None:
        self._lab = lab
        self._left = number
        self._bring_up = bring_up
        self._threads = ThreadPoolExecutor(_AHEAD, thread_name_prefix="ahead")
        self._prepared: deque[Future[Delivery]] = deque()

    def __enter__(self) -> Self:
        self._begin(_AHEAD)
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._prepared:
            if not future.cancel():
                future.result().close()
        self._threads.shutdown()

    @contextlib.contextmanager
    def take(self) -> Iterator[Delivery]:
        """The next one, closed at the end."""
        self._begin(1)
        delivery = self._prepared.popleft().result()
        with contextlib.closing(delivery):
            yield delivery

    def _begin(self, number: int) -> None:
        for _ in range(min(number, self._left)):
            self._left -= 1
            self._prepared.append(self._threads.submit(self._prepare))

    def _prepare(self) -> Delivery:
        delivery = Delivery(self._lab)
        with delivery.closed_on_error():
            self._bring_up(delivery)
        return delivery
