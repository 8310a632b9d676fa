"""Runs the work of the queue: workers per lane on demand, and one timer for everything that is due later.

A lane has as many workers as it has work, up to its limit; an idle lane has none. Nothing runs before `start`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from milvus_embedding.runtime.queue import Priority, WorkQueue

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)

_CANCEL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Running(Generic[K]):
    """A key that is worked on, and since when (seconds of the clock)."""

    key: K
    since: float


class Dispatcher(Generic[K]):
    """Takes keys from a queue whose `on_change` is `Dispatcher.changed`.

    work: what to do with a key; an exception out of it is logged and the key is lost, so it must not raise.
    limit: how many workers a lane may have.
    on_take: told of each key that is taken: its priority, and for how many seconds it waited.
    """

    def __init__(
        self,
        *,
        work: Callable[[K], Awaitable[None]],
        limit: Callable[[str], int],
        clock: Callable[[], float],
        on_take: Callable[[Priority, float], None] = lambda priority, waited: None,
    ) -> None:
        self.queue: WorkQueue[K] = WorkQueue(clock=clock, on_change=self.changed, on_take=on_take)
        self._work = work
        self._limit = limit
        self._clock = clock
        self._workers: dict[str, set[asyncio.Task[None]]] = {}
        self._running: dict[asyncio.Task[None], Running[K]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._started = False

    def start(self) -> None:
        """Begins with what was queued before."""
        self._started = True
        self._advance()
        for lane in self.queue.lanes():
            self._spawn(lane)

    def changed(self, lane: str | None) -> None:
        """A lane got work, or (None) the next due time moved forward."""
        if not self._started:
            return
        if lane is None:
            self._arm()
        else:
            self._spawn(lane)

    def running(self) -> tuple[Running[K], ...]:
        """What is worked on; may be called from any thread."""
        return tuple(self._running.copy().values())

    async def stop(self, grace: float) -> bool:
        """Takes no more keys, lets those being worked on finish for `grace` seconds, then cancels them.

        Returns whether all of them finished by themselves.
        """
        self._started = False
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for tasks in self._workers.values() for task in tasks]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=grace)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=_CANCEL_SECONDS)
        return not pending

    def _spawn(self, lane: str) -> None:
        workers = self._workers.setdefault(lane, set())
        wanted = min(self.queue.depth(lane), self._limit(lane) - len(workers))
        for _ in range(wanted):
            task = asyncio.create_task(self._worker(lane), name=f"lane {lane}")
            workers.add(task)
            task.add_done_callback(lambda ended, lane=lane: self._ended(ended, lane))  # type: ignore[misc]

    def _ended(self, task: asyncio.Task[None], lane: str) -> None:
        workers = self._workers.get(lane)
        if workers is None:
            return
        workers.discard(task)
        if self._started and self.queue.depth(lane):
            self._spawn(lane)
        if not workers:
            del self._workers[lane]

    async def _worker(self, lane: str) -> None:
        task = asyncio.current_task()
        if task is None:  # impossible, but the type says so
            return
        while self._started and (key := self.queue.take(lane)) is not None:
            self._running[task] = Running(key, self._clock())
            try:
                await self._work(key)
            except Exception:
                _log.exception("work on a key failed", extra={"key": str(key)})
            finally:
                self._running.pop(task, None)
                self.queue.done(key)

    def _advance(self) -> None:
        self.queue.advance()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        when = self.queue.advance()
        if when is not None:
            delay = max(0.0, when - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._advance)
