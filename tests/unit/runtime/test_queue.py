"""The work queue on a fake clock: what is added is taken, once at a time, and nobody starves."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from milvus_embedding.runtime.queue import JITTER, LONGEST_DELAY, Priority, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(clock: Clock | None = None, random: float = 0.5) -> WorkQueue[str]:
    return WorkQueue(clock=clock or Clock(), random=lambda: random)


def drain(q: WorkQueue[str], lane: str = "a") -> list[str]:
    taken = []
    while (key := q.take(lane)) is not None:
        taken.append(key)
        q.done(key)
    return taken


def test_a_key_added_twice_is_taken_once() -> None:
    q = queue()
    q.add("x", "a")
    q.add("x", "a")
    assert drain(q) == ["x"]
    assert q.lanes() == ()


def test_a_key_added_while_it_is_worked_on_is_taken_again_only_when_it_is_done() -> None:
    q = queue()
    q.add("x", "a")
    assert q.take("a") == "x"
    q.add("x", "a")
    assert q.take("a") is None
    q.done("x")
    assert drain(q) == ["x"]


def test_new_keys_overtake_resyncs() -> None:
    q = queue()
    q.add("old", "a", Priority.RESYNC)
    q.add("new", "a", Priority.NEW)
    assert drain(q) == ["new", "old"]


def test_a_resync_that_becomes_new_overtakes_too_and_is_taken_once() -> None:
    q = queue()
    for key in ("x", "y"):
        q.add(key, "a", Priority.RESYNC)
    q.add("y", "a", Priority.NEW)
    assert drain(q) == ["y", "x"]


def test_a_resync_is_not_starved_by_an_endless_stream_of_new_keys() -> None:
    q = queue()
    q.add("resync", "a", Priority.RESYNC)
    taken = []
    for number in range(20):
        q.add(f"new{number}", "a")
        key = q.take("a")
        assert key is not None
        q.done(key)
        taken.append(key)
    assert "resync" in taken[:8]


def test_lanes_do_not_see_each_other() -> None:
    q = queue()
    q.add("x", "a")
    q.add("y", "b")
    assert drain(q, "b") == ["y"]
    assert q.lanes() == ("a",)


def test_a_delayed_key_is_taken_when_it_is_due_and_not_before() -> None:
    clock = Clock()
    q = queue(clock)
    q.add_after("x", "a", 10)
    assert q.advance() == 110
    assert drain(q) == []
    clock.now = 110
    assert q.advance() is None
    assert drain(q) == ["x"]


def test_of_two_delays_the_earlier_counts() -> None:
    clock = Clock()
    q = queue(clock)
    q.add_after("x", "a", 10)
    q.add_after("x", "a", 2)
    q.add_after("x", "a", 5)
    assert q.scheduled == 1
    clock.now = 102
    assert q.advance() is None
    assert drain(q) == ["x"]


def test_being_taken_cancels_the_delay() -> None:
    clock = Clock()
    q = queue(clock)
    q.add_after("x", "a", 10)
    q.add("x", "a")
    assert drain(q) == ["x"]
    clock.now = 200
    assert q.advance() is None
    assert drain(q) == []


def test_a_dropped_key_has_no_delay_any_more() -> None:
    clock = Clock()
    q = queue(clock)
    q.add_after("x", "a", 10)
    q.drop("x")
    clock.now = 200
    assert q.advance() is None
    assert drain(q) == []


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        pytest.param(1, 1.0, id="the first failure waits a second"),
        pytest.param(3, 4.0, id="each further one twice as long"),
        pytest.param(20, LONGEST_DELAY, id="but never more than five minutes"),
        pytest.param(500, LONGEST_DELAY, id="however often it fails"),
    ],
)
def test_backoff(failures: int, expected: float) -> None:
    q = queue()
    delays = [q.fail("x") for _ in range(failures)]
    assert delays[-1] == pytest.approx(expected)


def test_a_ceiling_limits_the_backoff_and_forgetting_starts_it_anew() -> None:
    q = queue()
    assert [q.fail("x", 3) for _ in range(4)] == pytest.approx([1, 2, 3, 3])
    q.forget("x")
    assert q.fail("x") == pytest.approx(1)


@given(random=st.floats(0, 1), failures=st.integers(1, 40))
def test_jitter_stays_within_a_fifth(random: float, failures: int) -> None:
    q = queue(random=random)
    delay = [q.fail("x") for _ in range(failures)][-1]
    exact = min(2.0 ** (failures - 1), LONGEST_DELAY)
    assert exact * (1 - JITTER) <= delay <= exact * (1 + JITTER) + 1e-9


def test_age_and_depth_tell_what_waits() -> None:
    clock = Clock()
    q = queue(clock)
    q.add("x", "a")
    clock.now += 7
    q.add("y", "a")
    assert (q.depth("a"), q.depth("b"), q.waiting()) == (2, 0, [("a", 2, 7)])


def test_a_key_that_is_taken_tells_how_long_it_waited_also_if_it_became_urgent_meanwhile() -> None:
    clock = Clock()
    taken: list[tuple[Priority, float]] = []
    q: WorkQueue[str] = WorkQueue(clock=clock, on_take=lambda priority, waited: taken.append((priority, waited)))
    q.add("x", "a", Priority.RESYNC)
    clock.now += 3
    q.add("x", "a")
    clock.now += 4
    q.take("a")
    assert taken == [(Priority.NEW, 7)]


def test_keys_that_failed_are_counted_until_they_succeed_or_go() -> None:
    q = queue()
    q.fail("x")
    q.fail("y")
    assert q.retrying == 2
    q.forget("x")
    q.drop("y")
    assert q.retrying == 0


def test_cancelled_delays_do_not_pile_up() -> None:
    q = queue()
    for _ in range(1000):
        q.add_after("x", "a", 600)
        q.add("x", "a")
        drain(q)
    assert len(q._heap) < 200


KEYS = st.sampled_from([f"k{n}" for n in range(6)])
LANES = st.sampled_from(["a", "b"])
PRIORITIES = st.sampled_from(list(Priority))


class QueueMachine(RuleBasedStateMachine):
    """Whatever the order of calls: each add is followed by a take, and no key is worked on twice at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue: WorkQueue[str] = WorkQueue(clock=self.clock, random=lambda: 0.5)
        self.owed: Counter[str] = Counter()
        self.due: dict[str, float] = {}
        self.busy: set[str] = set()

    @rule(key=KEYS, lane=LANES, priority=PRIORITIES)
    def add(self, key: str, lane: str, priority: Priority) -> None:
        self.queue.add(key, lane, priority)
        self.owed[key] = 1

    @rule(key=KEYS, lane=LANES, delay=st.floats(0.1, 50))
    def add_after(self, key: str, lane: str, delay: float) -> None:
        self.queue.add_after(key, lane, delay)
        self.due[key] = min(self.due.get(key, float("inf")), self.clock.now + delay)

    @rule(lane=LANES)
    def take(self, lane: str) -> None:
        key = self.queue.take(lane)
        if key is not None:
            assert key not in self.busy
            assert self.owed[key] == 1
            self.owed[key] = 0
            self.due.pop(key, None)
            self.busy.add(key)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.busy)))
        self.busy.discard(key)
        self.queue.done(key)

    @rule(seconds=st.floats(0.1, 60))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.queue.advance()
        for key, when in list(self.due.items()):
            if when <= self.clock.now:
                del self.due[key]
                self.owed[key] = 1

    @invariant()
    def depth_is_what_is_owed_and_not_busy(self) -> None:
        waiting = {key for key, owed in self.owed.items() if owed and key not in self.busy}
        assert sum(self.queue.depth(lane) for lane in ("a", "b")) == len(waiting)

    def teardown(self) -> None:
        for key in sorted(self.busy):
            self.queue.done(key)
        taken = {key for lane in ("a", "b") for key in drain(self.queue, lane)}
        assert taken == {key for key, owed in self.owed.items() if owed}


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
