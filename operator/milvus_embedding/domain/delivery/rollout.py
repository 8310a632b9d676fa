"""When a roll starts, goes on and ends: a pure state machine over what was seen and what the status remembers.

A change of phase comes back as progress to be written first; the act belongs to the pass that finds the phase written.
So an operator that dies anywhere goes on where it stood, and nothing is rolled twice: what the workloads bear decides.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from milvus_embedding.api.annotations import APPROVED_ROLLOUT, RECONCILE_REQUESTED_AT
from milvus_embedding.api.connection import RolloutPhase
from milvus_embedding.domain.conditions import Assertion, false, timestamp, true
from milvus_embedding.domain.delivery.workload import Component
from milvus_embedding.domain.reasons import Reason

CONDITION: Final = "ConfigDelivered"
ROLLS_AN_HOUR: Final = 3
HOUR: Final = timedelta(hours=1)
DEBOUNCE_CEILING: Final = 5
POLL_SECONDS: Final = 2.0
BUSY_SECONDS: Final = 5.0
FAILED_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 60.0
_ORDER: Final = (Component.PROXY, Component.DATA_NODE, Component.STANDALONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is rolled as one. `name` is how users know it. `hash` is what its new pods bear, None if nothing.

    is_complete: all of its pods are those of its template, and available. is_rolling: they are being replaced.
    trouble: why that does not come to an end, if anything tells.
    """

    name: str
    component: Component
    hash: str | None
    is_complete: bool
    is_rolling: bool = False
    interrupts: bool = False
    is_paused: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the spec and the annotations say. Lengths are timedeltas; `approved` are hashes.

    retry_at: when somebody asked for another look.
    """

    needs_approval: bool
    approved: frozenset[str]
    debounce: timedelta
    min_interval: timedelta
    settle: timedelta
    timeout: timedelta
    allow_outage: bool
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the status remembers. `since`: when the phase began, or the part under way. `rolled`: the hash of the
    last roll. `recent`: when the last ones began.
    """

    phase: RolloutPhase = RolloutPhase.IDLE
    hash: str | None = None
    since: datetime | None = None
    failed: str | None = None
    rolled: str | None = None
    recent: tuple[datetime, ...] = ()

    def starts(self, now: datetime) -> tuple[datetime, ...]:
        """When the rolls of the last hour began, the first first."""
        return tuple(sorted(start for start in self.recent if now - start < HOUR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`target`: the hash that all parts should bear. `changed`: when the Secret got that content.

    is_delivered: every pod that serves has it. hold: why no part may be rolled now although one should be.
    """

    target: str
    changed: datetime
    parts: tuple[Part, ...]
    is_delivered: bool
    hold: Assertion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`roll`: the one part that gets the target now; `progress` is then what it is once that is done. `wait`: seconds
    until the next look.
    """

    progress: Progress
    condition: Assertion
    roll: Part | None = None
    wait: float = LOOK_SECONDS


def decide(seen: Seen, progress: Progress, policy: Policy, now: datetime) -> Decision:
    """Pure and total. `now` is aware."""
    parts = sorted(seen.parts, key=lambda part: (_ORDER.index(part.component), part.name))
    if progress.phase is RolloutPhase.ROLLING and (decision := _go_on(seen, parts, progress, policy, now)) is not None:
        return decision
    if progress.phase is RolloutPhase.ROLLING:
        progress = dataclasses.replace(progress, phase=RolloutPhase.IDLE, since=now)
    if all(part.hash == seen.target for part in parts):
        return _rolled(seen, parts, progress, now)
    if seen.target == progress.failed:
        stuck = _enter(progress, RolloutPhase.TIMED_OUT, seen.target, now)
        if not _is_retried(progress, policy):
            return _failed(seen, parts, stuck)
        progress = dataclasses.replace(stuck, phase=RolloutPhase.IDLE, failed=None)
    return _start(seen, parts, progress, policy, now)


def _go_on(seen: Seen, parts: Sequence[Part], progress: Progress, policy: Policy, now: datetime) -> Decision | None:
    """The roll under way; None if it has come to its end."""
    under_way = next((part for part in parts if part.hash == progress.hash and not part.is_complete), None)
    rest = [part for part in parts if part.hash != progress.hash] if seen.target == progress.hash else []
    if under_way is None and not rest:
        return None
    if under_way is None:
        against = seen.hold or _not_now(parts, progress)
        if against is not None:
            return Decision(progress=progress, condition=against, wait=FAILED_SECONDS)
        begun = dataclasses.replace(progress, since=now)
        return Decision(progress=begun, condition=_in_progress(rest[0], begun), roll=rest[0], wait=POLL_SECONDS)
    if now - (progress.since or now) >= policy.timeout:
        failed = dataclasses.replace(progress, phase=RolloutPhase.TIMED_OUT, since=now, failed=progress.hash)
        return _failed(seen, parts, failed)
    return Decision(progress=progress, condition=_in_progress(under_way, progress), wait=POLL_SECONDS)


def _rolled(seen: Seen, parts: Sequence[Part], progress: Progress, now: datetime) -> Decision:
    """Nothing is left to be rolled; whether all pods have come to it is another matter."""
    incomplete = next((part for part in parts if not part.is_complete), None)
    if progress.failed == seen.target and incomplete is not None:
        stuck = _enter(progress, RolloutPhase.TIMED_OUT, seen.target, now)
        condition = _timed_out(incomplete, seen.target)
        return Decision(progress=stuck, condition=condition, wait=FAILED_SECONDS)
    idle = _enter(progress, RolloutPhase.IDLE, seen.target, now)
    if seen.is_delivered:
        done = dataclasses.replace(idle, failed=None if idle.failed == seen.target else idle.failed)
        return Decision(progress=done, condition=true(CONDITION, Reason.DELIVERED, f"all pods run {seen.target}"))
    text = (
        f"{incomplete.name} bears {seen.target}, and not all of its pods are ready with it yet"
        + (f" ({incomplete.trouble})" if incomplete.trouble else "")
        if incomplete
        else f"all workloads bear {seen.target}, and some pods have something else"
    )
    wait = POLL_SECONDS if incomplete else FAILED_SECONDS
    return Decision(progress=idle, condition=false(CONDITION, Reason.NOT_DELIVERED, text), wait=wait)


def _failed(seen: Seen, parts: Sequence[Part], progress: Progress) -> Decision:
    hash_ = progress.hash or seen.target
    stuck = next((part for part in parts if part.hash == hash_ and not part.is_complete), None)
    stuck = stuck or next((part for part in parts if part.hash != hash_), parts[0])
    return Decision(progress=progress, condition=_timed_out(stuck, hash_), wait=FAILED_SECONDS)


def _start(seen: Seen, parts: Sequence[Part], progress: Progress, policy: Policy, now: datetime) -> Decision:
    """A roll is due. The first thing that is against it tells why it waits."""
    if seen.hold is not None:
        # What holds is not a change that goes on: when it ends, the wait for further changes begins anew.
        idle = _enter(progress, RolloutPhase.IDLE, progress.hash, now)
        return Decision(progress=idle, condition=seen.hold, wait=FAILED_SECONDS)
    if progress.phase not in (RolloutPhase.DEBOUNCING, RolloutPhase.AWAITING_APPROVAL):
        progress = dataclasses.replace(progress, phase=RolloutPhase.DEBOUNCING, since=now)
    progress = dataclasses.replace(progress, hash=seen.target)
    for against in _GATES:
        if (decision := against(seen, parts, progress, policy, now)) is not None:
            return decision
    rolling = dataclasses.replace(
        progress,
        phase=RolloutPhase.ROLLING,
        since=now,
        failed=None if progress.failed == seen.target else progress.failed,
        rolled=seen.target,
        recent=(*progress.starts(now), now),
    )
    due = next(part for part in parts if part.hash != seen.target)
    return Decision(progress=rolling, condition=_in_progress(due, rolling), wait=0.0)


def _still_changing(
    seen: Seen, parts: Sequence[Part], progress: Progress, policy: Policy, now: datetime
) -> Decision | None:
    began = progress.since or now
    quiet = min(seen.changed + policy.debounce, began + DEBOUNCE_CEILING * policy.debounce)
    at = max(quiet, seen.changed + policy.settle)
    text = f"a roll to {seen.target} begins at {timestamp(at)} unless something changes"
    return _until(at, Reason.ROLLOUT_PENDING, text, progress, now)


def _unapproved(
    seen: Seen, parts: Sequence[Part], progress: Progress, policy: Policy, now: datetime
) -> Decision | None:
    if seen.target in policy.approved:
        return None
    how = f"set the annotation {APPROVED_ROLLOUT}, or spec.embedding.rollout.approvedHash, to {seen.target}"
    interrupted = [part for part in parts if part.hash != seen.target and part.interrupts]
    if policy.needs_approval:
        condition = false(CONDITION, Reason.AWAITING_APPROVAL, f"a roll to {seen.target} waits for approval: {how}")
    elif interrupted and not policy.allow_outage:
        text = f"rolling {interrupted[0].name} would take all its pods away at once: {how}, or allowOutage: true"
        condition = false(CONDITION, Reason.WOULD_INTERRUPT, text)
    else:
        return None
    waiting = _enter(progress, RolloutPhase.AWAITING_APPROVAL, seen.target, now)
    return Decision(progress=waiting, condition=condition)


def _too_soon(seen: Seen, parts: Sequence[Part], progress: Progress, policy: Policy, now: datetime) -> Decision | None:
    starts = progress.starts(now)
    # An approval that stays in Git must not lift the limits for ever: it is for a hash that was not rolled last.
    if not starts or (seen.target in policy.approved and progress.rolled != seen.target):
        return None
    last = starts[-1]
    text = f"the last roll began at {timestamp(last)}, and minIntervalSeconds puts the next at"
    if decision := _until(last + policy.min_interval, Reason.ROLLOUT_PENDING, text, progress, now, at_the_end=True):
        return decision
    if len(starts) < ROLLS_AN_HOUR:
        return None
    text = (
        f"{len(starts)} rolls began within an hour, so this one to {seen.target} waits: see what changes so "
        f"often, or set the annotation {APPROVED_ROLLOUT} to the hash; it begins at"
    )
    return _until(starts[-ROLLS_AN_HOUR] + HOUR, Reason.ROLL_STORM, text, progress, now, at_the_end=True)


def _busy(seen: Seen, parts: Sequence[Part], progress: Progress, policy: Policy, now: datetime) -> Decision | None:
    condition = _not_now(parts, progress)
    return None if condition is None else Decision(progress=progress, condition=condition, wait=BUSY_SECONDS)


_Gate = Callable[[Seen, Sequence[Part], Progress, Policy, datetime], Decision | None]
_GATES: Final[tuple[_Gate, ...]] = (_still_changing, _unapproved, _too_soon, _busy)


def _not_now(parts: Sequence[Part], progress: Progress) -> Assertion | None:
    """Why no part can be rolled at the moment. What bears the hash of our failed roll is there to be replaced."""
    for part in parts:
        if part.is_paused:
            text = f"{part.name} is paused, so a roll would not begin: resume it"
            return false(CONDITION, Reason.TARGET_PAUSED, text)
        if part.is_rolling and (part.hash is None or part.hash != progress.failed):
            why = f" ({part.trouble})" if part.trouble else ""
            text = f"{part.name} is in the middle of another rollout{why}; ours begins when that has come to an end"
            return false(CONDITION, Reason.ROLLOUT_BUSY, text)
    return None


def _until(
    at: datetime, reason: Reason, text: str, progress: Progress, now: datetime, *, at_the_end: bool = False
) -> Decision | None:
    if now >= at:
        return None
    message = f"{text} {timestamp(at)}" if at_the_end else text
    # Approval may come, so that a wait that is long is looked after now and then.
    wait = min((at - now).total_seconds(), LOOK_SECONDS)
    waiting = dataclasses.replace(progress, phase=RolloutPhase.DEBOUNCING)
    return Decision(progress=waiting, condition=false(CONDITION, reason, message), wait=wait)


def _is_retried(progress: Progress, policy: Policy) -> bool:
    if progress.phase is not RolloutPhase.TIMED_OUT or progress.since is None:
        return False
    return policy.retry_at is not None and policy.retry_at > progress.since


def _enter(progress: Progress, phase: RolloutPhase, hash_: str | None, now: datetime) -> Progress:
    if progress.phase is phase and progress.hash == hash_:
        return progress
    return dataclasses.replace(progress, phase=phase, hash=hash_, since=now)


def _in_progress(part: Part, progress: Progress) -> Assertion:
    why = f" ({part.trouble})" if part.trouble else ""
    return false(CONDITION, Reason.ROLLOUT_IN_PROGRESS, f"rolling {part.name} to {progress.hash}{why}")


def _timed_out(part: Part, hash_: str) -> Assertion:
    why = f" ({part.trouble})" if part.trouble else ""
    return false(
        CONDITION,
        Reason.ROLLOUT_TIMED_OUT,
        f"{part.name} did not come to run {hash_} in time{why}; it is not rolled again by itself: mend it, then set "
        f"the annotation {RECONCILE_REQUESTED_AT} to the present time if anything is left to be rolled",
    )
