"""The work queue: which key is reconciled next, in which lane, and when.

The semantics of client-go's queue (a key is queued at most once, is never worked on twice at the same time, and what
is added while it is worked on is not lost), plus lanes, two priorities and delays. Pure bookkeeping: it neither waits
nor starts anything (dispatch.py does), and the clock is given.
"""

import heapq
import random as random_module
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 300.0
JITTER: Final = 0.2
_TURN = 8
"""While both are waiting, each eighth key taken is a resync: new work overtakes, but starves nobody."""


class Priority(IntEnum):
    """NEW: something changed, or progress is awaited. RESYNC: a look whether all is as it was."""

    NEW = 0
    RESYNC = 1


@dataclass(slots=True)
class _Queued:
    lane: str
    priority: Priority
    since: float


@dataclass(frozen=True, slots=True)
class _Due:
    when: float
    order: int
    lane: str
    priority: Priority


@dataclass(slots=True)
class _Lane(Generic[K]):
    waiting: tuple[deque[K], deque[K]] = field(default_factory=lambda: (deque(), deque()))
    count: int = 0
    taken_new: int = 0


class WorkQueue(Generic[K]):
    """Keys to work on. Times and delays are seconds of the clock given."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random: Callable[[], float] = random_module.random,
        on_change: Callable[[str | None], None] = lambda lane: None,
        on_take: Callable[[Priority, float], None] = lambda priority, waited: None,
    ) -> None:
        """`on_change` is called with a lane that got work, or with None when the next due time moved forward; `on_take`
        with how long a key waited that is taken.
        """
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._on_take = on_take
        self._lanes: dict[str, _Lane[K]] = {}
        self._queued: dict[K, _Queued] = {}
        self._busy: set[K] = set()
        self._again: dict[K, _Queued] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, _Due] = {}
        self._order = 0
        self._failures: dict[K, int] = {}

    def add(self, key: K, lane: str, priority: Priority = Priority.NEW) -> None:
        """Queues the key now, or again after the present work on it is done."""
        if key in self._busy:
            before = self._again.get(key)
            urgent = min(priority, before.priority) if before else priority
            self._again[key] = _Queued(lane, urgent, before.since if before else self._clock())
            return
        queued = self._queued.get(key)
        if queued is not None and queued.priority <= priority:
            return
        if queued is not None:
            self._lanes[queued.lane].count -= 1
        self._enqueue(key, _Queued(lane, priority, queued.since if queued else self._clock()))

    def add_after(self, key: K, lane: str, delay: float, priority: Priority = Priority.NEW) -> None:
        """Queues the key in `delay` seconds. Of several delays the earliest counts; being taken earlier cancels it."""
        if delay <= 0:
            self.add(key, lane, priority)
            return
        when = self._clock() + delay
        known = self._due.get(key)
        if known is not None and known.when <= when:
            return
        self._order += 1
        self._due[key] = _Due(when, self._order, lane, priority)
        heapq.heappush(self._heap, (when, self._order, key))
        self._compact()
        if self._heap[0][2] == key:
            self._on_change(None)

    def take(self, lane: str) -> K | None:
        """The next key of the lane, now busy; None if there is none."""
        state = self._lanes.get(lane)
        if state is None:
            return None
        new, resync = state.waiting
        turn = state.taken_new >= _TURN - 1
        for source in (resync, new) if turn else (new, resync):
            priority = Priority.NEW if source is new else Priority.RESYNC
            while source:
                key = source.popleft()
                queued = self._queued.get(key)
                if queued is None or queued.lane != lane or queued.priority is not priority:
                    continue  # it was moved to another deque
                state.taken_new = state.taken_new + 1 if source is new and resync else 0
                self._start(key, state)
                return key
        self._release(lane)
        return None

    def done(self, key: K) -> None:
        """The work on the key is over. What was added meanwhile is queued now."""
        self._busy.discard(key)
        again = self._again.pop(key, None)
        if again is not None:
            self._enqueue(key, again)

    def fail(self, key: K, ceiling: float | None = None) -> float:
        """Counts a failure and returns the delay to wait: 1 s doubling to 5 min (or the ceiling), ±20 %."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        longest = LONGEST_DELAY if ceiling is None else min(LONGEST_DELAY, max(ceiling, FIRST_DELAY))
        delay = min(FIRST_DELAY * 2.0 ** min(failures, 30), longest)
        return delay * (1 - JITTER + 2 * JITTER * self._random())

    def forget(self, key: K) -> None:
        """The key succeeded, changed or is gone: the next failure is its first."""
        self._failures.pop(key, None)

    def drop(self, key: K) -> None:
        """The key is gone: forgets failures and delays. What is queued stays and is taken as usual."""
        self._failures.pop(key, None)
        self._due.pop(key, None)

    def advance(self) -> float | None:
        """Queues what is due, and returns the time of the next one; None if nothing is scheduled."""
        now = self._clock()
        while self._heap:
            when, order, key = self._heap[0]
            known = self._due.get(key)
            if known is None or known.order != order:
                heapq.heappop(self._heap)
            elif when > now:
                return when
            else:
                heapq.heappop(self._heap)
                del self._due[key]
                self.add(key, known.lane, known.priority)
        return None

    def depth(self, lane: str) -> int:
        """How many keys wait in the lane."""
        state = self._lanes.get(lane)
        return state.count if state else 0

    def lanes(self) -> tuple[str, ...]:
        """The lanes with waiting keys."""
        return tuple(name for name, lane in list(self._lanes.items()) if lane.count)

    def waiting(self) -> list[tuple[str, int, float]]:
        """Each lane with waiting keys: how many, and for how many seconds the longest-waiting one waits. Any thread."""
        now = self._clock()
        lanes: dict[str, tuple[int, float]] = {}
        for queued in list(self._queued.values()):
            depth, since = lanes.get(queued.lane, (0, now))
            lanes[queued.lane] = depth + 1, min(since, queued.since)
        return [(lane, depth, now - since) for lane, (depth, since) in lanes.items()]

    @property
    def scheduled(self) -> int:
        """How many keys wait for their time."""
        return len(self._due)

    @property
    def retrying(self) -> int:
        """How many keys failed when they were worked on last."""
        return len(self._failures)

    @property
    def busy(self) -> frozenset[K]:
        """The keys that are worked on."""
        return frozenset(self._busy)

    def _enqueue(self, key: K, queued: _Queued) -> None:
        state = self._lanes.setdefault(queued.lane, _Lane())
        self._queued[key] = queued
        state.waiting[queued.priority].append(key)
        state.count += 1
        self._on_change(queued.lane)

    def _start(self, key: K, state: _Lane[K]) -> None:
        queued = self._queued.pop(key)
        self._on_take(queued.priority, self._clock() - queued.since)
        state.count -= 1
        self._due.pop(key, None)
        self._busy.add(key)

    def _release(self, lane: str) -> None:
        state = self._lanes.get(lane)
        if state is not None and state.count == 0:
            del self._lanes[lane]

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(due.when, due.order, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)
