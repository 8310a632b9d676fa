"""The state machine of a roll: a table of situations, and a model of a fleet that is disturbed at random."""

import dataclasses
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api.connection import RolloutPhase
from milvus_embedding.domain.conditions import Truth, false
from milvus_embedding.domain.delivery.rollout import Decision, Part, Policy, Progress, Seen, decide
from milvus_embedding.domain.delivery.workload import Component
from milvus_embedding.domain.reasons import Reason

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
POLICY = Policy(
    needs_approval=False,
    approved=frozenset(),
    debounce=timedelta(seconds=30),
    min_interval=timedelta(seconds=300),
    settle=timedelta(seconds=15),
    timeout=timedelta(seconds=1800),
    allow_outage=False,
)
PROXY = Part(name="Deployment m-proxy", component=Component.PROXY, hash="old", is_complete=True)
DATA_NODE = Part(name="Deployment m-datanode", component=Component.DATA_NODE, hash="old", is_complete=True)
ROLLING = Progress(phase=RolloutPhase.ROLLING, hash="new", rolled="new", since=NOW - timedelta(seconds=60))
DEBOUNCED = Progress(phase=RolloutPhase.DEBOUNCING, hash="new", since=NOW - timedelta(seconds=60))
FAILED = Progress(phase=RolloutPhase.TIMED_OUT, hash="new", since=NOW - timedelta(seconds=60), failed="new")


def seen(*parts: Part, target: str = "new", changed: datetime = LONG_AGO, delivered: bool = False) -> Seen:
    return Seen(target=target, changed=changed, parts=parts or (PROXY, DATA_NODE), is_delivered=delivered)


def policy(**changes: object) -> Policy:
    return dataclasses.replace(POLICY, **changes)  # type: ignore[arg-type]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def done(part: Part) -> Part:
    return dataclasses.replace(part, hash="new")


def rolling(part: Part, trouble: str = "") -> Part:
    return dataclasses.replace(part, hash="new", is_complete=False, is_rolling=True, trouble=trouble)


RECENT = dataclasses.replace(DEBOUNCED, recent=(at(-100),))
THREE = dataclasses.replace(DEBOUNCED, recent=(at(-3000), at(-2000), at(-1000)))
RECREATED = dataclasses.replace(PROXY, interrupts=True)

# sentence: (what is seen, progress, policy, expected phase, expected reason, part that is rolled)
SITUATIONS: dict[str, tuple[Seen, Progress, Policy, RolloutPhase, Reason, str | None]] = {
    "a change is waited for first": (
        seen(changed=NOW), Progress(), POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_PENDING, None,
    ),
    "a change during the wait makes it longer": (
        seen(changed=at(-10)), DEBOUNCED, POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_PENDING, None,
    ),
    "changes that go on make the wait five times as long at most": (
        seen(changed=at(-16)),
        dataclasses.replace(DEBOUNCED, since=at(-151)),
        POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "the ceiling does not cut the time that nodes need to see the Secret": (
        seen(changed=at(-14)),
        dataclasses.replace(DEBOUNCED, since=at(-1000)),
        POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_PENDING, None,
    ),
    "the phase is written before the first part is rolled": (
        seen(), DEBOUNCED, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "the proxy is rolled first": (
        seen(DATA_NODE, PROXY), ROLLING, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, PROXY.name,
    ),
    "the data node waits for the proxy": (
        seen(rolling(PROXY), DATA_NODE), ROLLING, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "the data node follows the proxy": (
        seen(done(PROXY), DATA_NODE), ROLLING, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, DATA_NODE.name,
    ),
    "when all have come to it, it is delivered": (
        seen(done(PROXY), done(DATA_NODE), delivered=True), ROLLING, POLICY, RolloutPhase.IDLE, Reason.DELIVERED, None,
    ),
    "a pod that may have something else is not delivered": (
        seen(done(PROXY), done(DATA_NODE)), ROLLING, POLICY, RolloutPhase.IDLE, Reason.NOT_DELIVERED, None,
    ),
    "a workload in the middle of another rollout is waited for": (
        seen(dataclasses.replace(PROXY, is_complete=False, is_rolling=True), DATA_NODE),
        DEBOUNCED, POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_BUSY, None,
    ),
    "so is one that bears what was rolled last": (
        seen(dataclasses.replace(PROXY, is_complete=False, is_rolling=True), DATA_NODE),
        dataclasses.replace(DEBOUNCED, rolled="old"), POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_BUSY, None,
    ),
    "a paused workload is told, and not touched": (
        seen(dataclasses.replace(PROXY, is_paused=True)),
        DEBOUNCED, POLICY, RolloutPhase.DEBOUNCING, Reason.TARGET_PAUSED, None,
    ),
    "a workload paused in mid roll is told, and not touched": (
        seen(done(PROXY), dataclasses.replace(DATA_NODE, is_paused=True)),
        ROLLING, POLICY, RolloutPhase.ROLLING, Reason.TARGET_PAUSED, None,
    ),
    "Manual waits for the hash": (
        seen(), DEBOUNCED, policy(needs_approval=True), RolloutPhase.AWAITING_APPROVAL, Reason.AWAITING_APPROVAL, None,
    ),
    "Manual with the hash goes on": (
        seen(), DEBOUNCED, policy(needs_approval=True, approved=frozenset({"new"})),
        RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "the approval of another hash approves nothing": (
        seen(), DEBOUNCED, policy(needs_approval=True, approved=frozenset({"old"})),
        RolloutPhase.AWAITING_APPROVAL, Reason.AWAITING_APPROVAL, None,
    ),
    "what would interrupt waits": (
        seen(RECREATED), DEBOUNCED, POLICY, RolloutPhase.AWAITING_APPROVAL, Reason.WOULD_INTERRUPT, None,
    ),
    "what would interrupt goes on with allowOutage": (
        seen(RECREATED), DEBOUNCED, policy(allow_outage=True), RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "what would interrupt goes on with the hash": (
        seen(RECREATED), DEBOUNCED, policy(approved=frozenset({"new"})),
        RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "allowOutage is no approval": (
        seen(RECREATED), DEBOUNCED, policy(allow_outage=True, needs_approval=True),
        RolloutPhase.AWAITING_APPROVAL, Reason.AWAITING_APPROVAL, None,
    ),
    "two rolls have the minimum interval between them": (
        seen(), RECENT, POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_PENDING, None,
    ),
    "a fourth roll in an hour is a storm": (
        seen(), THREE, POLICY, RolloutPhase.DEBOUNCING, Reason.ROLL_STORM, None,
    ),
    "an approval that was used lifts no limit again": (
        seen(), dataclasses.replace(THREE, rolled="new"), policy(approved=frozenset({"new"})),
        RolloutPhase.DEBOUNCING, Reason.ROLL_STORM, None,
    ),
    "pods that are not available, without a rollout, do not hold up a roll": (
        seen(dataclasses.replace(PROXY, is_complete=False, trouble="Unschedulable"), DATA_NODE),
        DEBOUNCED, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "what our failed roll left behind is replaced by the next configuration": (
        seen(rolling(PROXY, "CrashLoopBackOff"), DATA_NODE, target="newer"),
        FAILED, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "and by the former one": (
        seen(rolling(PROXY, "CrashLoopBackOff"), DATA_NODE, target="old"),
        dataclasses.replace(FAILED, phase=RolloutPhase.ROLLING, hash="old", rolled="old"),
        POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, PROXY.name,
    ),
    "a storm can be approved": (
        seen(), THREE, policy(approved=frozenset({"new"})), RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "a roll that does not come to its end times out": (
        seen(rolling(PROXY, "ImagePullBackOff"), DATA_NODE),
        dataclasses.replace(ROLLING, since=at(-1800)), POLICY, RolloutPhase.TIMED_OUT, Reason.ROLLOUT_TIMED_OUT, None,
    ),
    "what timed out is not rolled again": (
        seen(), FAILED, POLICY, RolloutPhase.TIMED_OUT, Reason.ROLLOUT_TIMED_OUT, None,
    ),
    "the rest of what timed out is not rolled either": (
        seen(done(PROXY), DATA_NODE), FAILED, POLICY, RolloutPhase.TIMED_OUT, Reason.ROLLOUT_TIMED_OUT, None,
    ),
    "what timed out goes on when it is asked for": (
        seen(done(PROXY), DATA_NODE), FAILED, policy(retry_at=NOW),
        RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "a request from before the failure asks for nothing": (
        seen(done(PROXY), DATA_NODE), FAILED, policy(retry_at=at(-61)),
        RolloutPhase.TIMED_OUT, Reason.ROLLOUT_TIMED_OUT, None,
    ),
    "what timed out and came up later is delivered": (
        seen(done(PROXY), done(DATA_NODE), delivered=True), FAILED, POLICY, RolloutPhase.IDLE, Reason.DELIVERED, None,
    ),
    "a new configuration after a failure is rolled": (
        seen(target="newer", changed=NOW), FAILED, POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_PENDING, None,
    ),
    "back to what failed is still not rolled": (
        seen(), dataclasses.replace(FAILED, phase=RolloutPhase.IDLE, hash="newer"),
        POLICY, RolloutPhase.TIMED_OUT, Reason.ROLLOUT_TIMED_OUT, None,
    ),
    "a change during a roll waits for the part under way": (
        seen(rolling(PROXY), DATA_NODE, target="newer"),
        ROLLING, POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
    "a change during a roll ends it after the part under way": (
        seen(done(PROXY), DATA_NODE, target="newer", changed=at(-5)),
        ROLLING, POLICY, RolloutPhase.DEBOUNCING, Reason.ROLLOUT_PENDING, None,
    ),
    "an annotation that somebody removed is put back by a roll of its own": (
        seen(dataclasses.replace(PROXY, hash=None), done(DATA_NODE)),
        Progress(hash="new", since=LONG_AGO), POLICY, RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None,
    ),
}  # fmt: skip


def phases(decision: Decision) -> tuple[RolloutPhase, Reason, str | None]:
    return decision.progress.phase, decision.condition.reason, decision.roll.name if decision.roll else None


@pytest.mark.parametrize("sentence", SITUATIONS)
def test_in_this_situation(sentence: str) -> None:
    what, progress, rules, phase, reason, part = SITUATIONS[sentence]

    decision = decide(what, progress, rules, NOW)

    assert phases(decision) == (phase, reason, part)


def test_a_hold_is_told_and_nothing_is_rolled_while_it_lasts() -> None:
    hold = false("ConfigDelivered", Reason.CONFIG_INCOMPLETE, "no key for a")
    held = dataclasses.replace(seen(), hold=hold)

    assert phases(decide(held, DEBOUNCED, POLICY, NOW)) == (RolloutPhase.IDLE, Reason.CONFIG_INCOMPLETE, None)
    assert decide(held, ROLLING, POLICY, NOW).roll is None


def test_a_hold_in_mid_roll_is_no_failure_and_each_part_has_the_whole_time() -> None:
    hold = false("ConfigDelivered", Reason.PAUSED, "spec.paused is true")
    between = seen(done(PROXY), DATA_NODE)
    late = at(100_000)

    held = decide(dataclasses.replace(between, hold=hold), ROLLING, POLICY, late)
    resumed = decide(between, held.progress, POLICY, late)
    begun = decide(seen(done(PROXY), rolling(DATA_NODE)), resumed.progress, POLICY, late)

    assert phases(held) == (RolloutPhase.ROLLING, Reason.PAUSED, None)
    assert resumed.roll == DATA_NODE
    assert phases(begun) == (RolloutPhase.ROLLING, Reason.ROLLOUT_IN_PROGRESS, None)


def test_nothing_is_rolled_while_somebody_else_rolls_another_part() -> None:
    theirs = dataclasses.replace(DATA_NODE, name="Deployment m-datanode-2", is_complete=False, is_rolling=True)

    assert phases(decide(seen(done(PROXY), DATA_NODE, theirs), ROLLING, POLICY, NOW)) == (
        RolloutPhase.ROLLING,
        Reason.ROLLOUT_BUSY,
        None,
    )


def test_a_hold_does_not_hide_that_all_is_delivered() -> None:
    hold = false("ConfigDelivered", Reason.PAUSED, "spec.paused is true")
    held = dataclasses.replace(seen(done(PROXY), delivered=True), hold=hold)

    assert decide(held, Progress(), POLICY, NOW).condition.status is Truth.TRUE


def test_a_message_tells_a_time_and_not_a_countdown() -> None:
    first = decide(seen(changed=NOW), Progress(), POLICY, NOW)
    later = decide(seen(changed=NOW), first.progress, POLICY, at(7))

    assert first.condition == later.condition
    assert "2026-01-01T12:00:30Z" in first.condition.message


@dataclass
class Fleet:
    """Two Deployments whose rolls take `needs` looks; what was rolled to what is kept."""

    needs: int = 2
    hashes: dict[str, str] = field(default_factory=lambda: {"proxy": "c0", "datanode": "c0"})
    left: dict[str, int] = field(default_factory=dict)
    rolls: list[tuple[str, str]] = field(default_factory=list)

    def parts(self) -> tuple[Part, ...]:
        return tuple(
            Part(
                name=name,
                component=Component(name),
                hash=hash_,
                is_complete=self.left.get(name, 0) == 0,
                is_rolling=self.left.get(name, 0) > 0,
            )
            for name, hash_ in self.hashes.items()
        )

    def roll(self, name: str, hash_: str) -> None:
        assert all(left == 0 for left in self.left.values()), "two workloads are rolled at one time"
        assert self.hashes[name] != hash_, "rolled to what it has already"
        self.hashes[name], self.left[name] = hash_, self.needs
        self.rolls.append((name, hash_))

    def work(self) -> None:
        self.left = {name: max(0, left - 1) for name, left in self.left.items()}


STEP = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 400)),
    st.tuples(st.just("change"), st.integers(1, 4)),
    st.tuples(st.just("die before the status is written"), st.just(0)),
    st.tuples(st.just("die after the act"), st.just(0)),
)


@given(st.lists(STEP, max_size=40))
def test_a_disturbed_fleet_comes_to_the_last_configuration_with_few_rolls(steps: list[tuple[str, int]]) -> None:
    fleet, progress, now, target, changed = Fleet(), Progress(), NOW, "c0", LONG_AGO
    starts: list[datetime] = []

    def look(*, write: bool = True) -> None:
        nonlocal progress
        what = Seen(
            target=target,
            changed=changed,
            parts=fleet.parts(),
            is_delivered=all(p.hash == target and p.is_complete for p in fleet.parts()),
        )
        decision = decide(what, progress, POLICY, now)
        if decision.roll is not None:
            assert progress.phase is RolloutPhase.ROLLING, "an act before its phase was written"
            fleet.roll(decision.roll.name, progress.hash or "")
        if write:
            if decision.progress.phase is RolloutPhase.ROLLING and progress.phase is not RolloutPhase.ROLLING:
                starts.append(now)
            progress = decision.progress
        fleet.work()

    for what, number in steps:
        if what == "change" and f"c{number}" != target:
            target, changed = f"c{number}", now
        look(write=what not in ("die before the status is written", "die after the act"))
        now += timedelta(seconds=number if what == "wait" else 1)
    for _ in range(2000):
        look()
        now += timedelta(seconds=5)

    assert set(fleet.hashes.values()) == {target}
    assert progress.phase is RolloutPhase.IDLE
    for one, following in itertools.pairwise(starts):
        assert following - one >= POLICY.min_interval
    for start in starts:
        assert sum(start <= other < start + timedelta(hours=1) for other in starts) <= 3
