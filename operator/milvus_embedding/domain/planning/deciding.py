"""`decide`: which steps of a plan may be made now, which wait for an approval, which are refused, and why.

Precedence: read-only and paused > Observe > changePolicy by class > driftPolicy. Pure: what was approved, and whether a
difference is drift, is told by the caller.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from milvus_embedding.api.collection import ChangeClass, ChangeMode, ChangePolicy, DriftPolicy, PlanStatus, PlanStep
from milvus_embedding.domain.planning.approval import MORE, UnderWay, completes, interrupts
from milvus_embedding.domain.planning.steps import RANK, Action, Plan, Step, digest

STEPS_SHOWN: Final = 64

_LOST: Final = frozenset({Action.RECREATE_COLLECTION, Action.ACCEPT_COLLECTION})
_LEFT_OPEN: Final = frozenset({Action.CREATE_PARTITION, Action.CREATE_INDEX, Action.LOAD, Action.CREATE_ALIAS})
"""What CreateCollection leaves to be made; any other difference came later."""
_OF_MIGRATION: Final = frozenset({Action.REBUILD, Action.RENAME_COLLECTION})


class Permission(StrEnum):
    """What a step may do. Only RUN leads to a call of this planner's own."""

    RUN = "Run"
    MIGRATION = "Migration"
    APPROVAL = "Approval"
    NEVER = "Never"
    UNSUPPORTED = "Unsupported"
    REPORTED = "Reported"
    IGNORED = "Ignored"
    CONTESTED = "Contested"
    OBSERVED = "Observed"
    PAUSED = "Paused"
    READ_ONLY = "ReadOnly"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is a sentence for people; empty for RUN."""

    step: Step
    permission: Permission
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`under_way` is to be remembered for the next pass. `keeps_record`: the record of what is declared may be
    written; it is no step, as it changes nothing for users. `finished`: the hash of an approved plan that is done, to
    be written to the collection.
    """

    plan: Plan
    verdicts: tuple[Verdict, ...]
    under_way: UnderWay | None
    keeps_record: bool
    finished: str = ""

    def having(self, *permissions: Permission) -> tuple[Step, ...]:
        return tuple(v.step for v in self.verdicts if v.permission in permissions)

    @property
    def runs(self) -> tuple[Step, ...]:
        return self.having(Permission.RUN)

    @property
    def migrates(self) -> bool:
        """Whether the rebuild may begin: all of its steps are allowed."""
        rebuilds = [v for v in self.verdicts if v.step.action in _OF_MIGRATION]
        return bool(rebuilds) and all(v.permission is Permission.MIGRATION for v in rebuilds)

    @property
    def status(self) -> PlanStatus | None:
        """What status.plan shows; `UnderWay.of` reads it again. While an approved plan is carried out it shows what is
        left of it under its own hash, and any later difference after that.
        """
        if not self.plan.steps:
            return None
        begun, steps, hash_ = self.under_way, self.plan.steps, self.plan.hash
        if begun is not None and begun.steps:
            steps, hash_ = tuple(s for s in steps if s.key in begun.steps), begun.hash
        classes = [s.class_ for s in steps]
        if begun is not None and begun.interrupted:
            classes.append(ChangeClass.DISRUPTIVE)
        return PlanStatus(
            hash=hash_,
            class_=max(classes, key=RANK.__getitem__),
            approved=begun is not None or self.migrates,
            steps=self._room_for(steps),
        )

    def _room_for(self, steps: Sequence[Step]) -> tuple[PlanStep, ...]:
        if len(steps) <= STEPS_SHOWN:
            return tuple(_shown(s) for s in steps)
        shown = steps[: STEPS_SHOWN - 1]
        keys = {s.key for s in shown}
        rest = [s for s in self.plan.steps if s.key not in keys and not completes(s)]
        more = PlanStep(
            action=MORE,
            path=f"{len(steps) - len(shown)} more steps",
            class_=max((s.class_ for s in rest), key=RANK.__getitem__, default=shown[-1].class_),
            to=digest(rest, collection_id=self.plan.collection_id),
        )
        return (*(_shown(s) for s in shown), more)

    def permits(self, step: Step) -> bool:
        """Whether a step of a plan made later, of the same collection, is one of those that may run."""
        if self.under_way is not None and self.under_way.interrupted and completes(step):
            return True
        return any(s.key == step.key and RANK[step.class_] <= RANK[s.class_] for s in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    plan: Plan
    policy: ChangePolicy
    drift: DriftPolicy | None
    approved: Collection[str]
    creating: bool
    contested: Collection[str]
    under_way: UnderWay | None
    held: tuple[Permission, str] | None

    @property
    def is_approved(self) -> bool:
        return bool(self.plan.hash) and self.plan.hash in self.approved


def decide(
    plan: Plan,
    change_policy: ChangePolicy,
    *,
    drift_policy: DriftPolicy,
    was_ready_at_generation: bool,
    approved: Collection[str],
    observe_only: bool,
    paused: bool,
    read_only: bool,
    creating: bool = False,
    contested: Collection[str] = (),
    under_way: UnderWay | None = None,
) -> Decision:
    """`approved`: hashes from the spec and the annotation. `was_ready_at_generation`: differences are drift.
    `creating`: our own creation is not finished yet, which needs no permission. `contested`: paths that were repaired
    too often.
    """
    case = _Case(
        plan=plan,
        policy=change_policy,
        drift=drift_policy if was_ready_at_generation else None,
        approved=approved,
        creating=creating,
        contested=contested,
        under_way=under_way.whole(plan) if under_way is not None else None,
        held=_held(observe_only=observe_only, paused=paused, read_only=read_only),
    )
    verdicts = _deferred([_verdict(step, case) for step in plan.steps])
    under_way = _remembered(verdicts, case)
    return Decision(
        plan=plan,
        verdicts=tuple(verdicts),
        under_way=under_way,
        finished=_finished(under_way, case),
        keeps_record=case.held is None
        and change_policy.in_place is ChangeMode.AUTOMATIC
        and case.drift in (None, DriftPolicy.ENFORCE),
    )


def _shown(step: Step) -> PlanStep:
    path, before, after = step.key
    return PlanStep(action=step.action, path=path, class_=step.class_, from_=before, to=after)


def _held(*, observe_only: bool, paused: bool, read_only: bool) -> tuple[Permission, str] | None:
    if read_only:
        return Permission.READ_ONLY, "the operator runs with --read-only: nothing is changed"
    if paused:
        return Permission.PAUSED, "paused: nothing is changed until spec.paused is removed"
    if observe_only:
        return Permission.OBSERVED, "adoptionPolicy Observe: nothing is ever changed"
    return None


def _verdict(step: Step, case: _Case) -> Verdict:
    permission, reason = _judged(step, case)
    if permission is Permission.RUN and step.action in _OF_MIGRATION:
        return Verdict(step, Permission.MIGRATION, "made by the rebuild")
    return Verdict(step, permission, reason)


def _judged(step: Step, case: _Case) -> tuple[Permission, str]:
    if case.held is not None:
        return case.held
    if step.unsupported:
        return Permission.UNSUPPORTED, step.unsupported
    run = (Permission.RUN, "")
    if step.action in _LOST:
        return run if case.is_approved else (Permission.APPROVAL, _waits(case.plan, "the collection is lost"))
    if step.action is Action.CREATE_COLLECTION or (case.creating and _completes_creation(step)):
        return run
    if _is_begun(step, case):
        return run
    return _by_policy(step, case) or run


def _completes_creation(step: Step) -> bool:
    return step.action in _LEFT_OPEN and step.class_ is ChangeClass.IN_PLACE


def _is_begun(step: Step, case: _Case) -> bool:
    begun = case.under_way
    if begun is None:
        return False
    return (begun.interrupted and completes(step)) or _still_approved(step, case)


def _still_approved(step: Step, case: _Case) -> bool:
    """Never outranks an approval that was given earlier."""
    begun = case.under_way
    if begun is None or _mode(step, case.policy) == "Never":
        return False
    return begun.hash in case.approved and step.key in begun.steps


def _by_policy(step: Step, case: _Case) -> tuple[Permission, str] | None:
    """None: it may run."""
    mode, drift = _mode(step, case.policy), case.drift
    word = _policy_word(step.class_)
    if drift is DriftPolicy.IGNORE:
        return Permission.IGNORED, "driftPolicy is Ignore"
    if mode == "Never":
        return Permission.NEVER, f"changePolicy.{word} is Never: set it to Manual and approve the plan, or take it back"
    if case.is_approved:
        return None
    if drift is DriftPolicy.REPORT:
        return Permission.REPORTED, "driftPolicy is Report: " + _waits(case.plan, "drift")
    if mode == "Manual":
        return Permission.APPROVAL, _waits(case.plan, f"changePolicy.{word} is Manual")
    if drift is None:
        return None
    if step.class_ is not ChangeClass.IN_PLACE:
        return Permission.APPROVAL, _waits(case.plan, "drift that cannot be repaired unnoticed")
    if step.path in case.contested:
        return Permission.CONTESTED, "somebody changes it again each time it is repaired: find out who"
    return None


def _waits(plan: Plan, why: str) -> str:
    return f"{why}: approve the plan {plan.hash} in changePolicy.approvedPlan or by the annotation approved-plan"


def _mode(step: Step, policy: ChangePolicy) -> str:
    return {
        ChangeClass.IN_PLACE: policy.in_place,
        ChangeClass.DISRUPTIVE: policy.disruptive,
        ChangeClass.DESTRUCTIVE: policy.destructive,
        ChangeClass.REBUILD: policy.rebuild,
    }[step.class_].value


def _policy_word(class_: ChangeClass) -> str:
    return class_[0].lower() + class_[1:]


def _deferred(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """The new generation has everything already: what would interrupt or lose something in the old one is left out."""
    if not any(v.permission is Permission.MIGRATION and v.step.action is Action.REBUILD for v in verdicts):
        return verdicts
    return [
        Verdict(v.step, Permission.MIGRATION, "the new generation has it")
        if v.permission is Permission.RUN and v.step.class_ is not ChangeClass.IN_PLACE
        else v
        for v in verdicts
    ]


def _completes_approved(step: Step, case: _Case) -> bool:
    """What has to be put back is the last of an approved plan, and goes by its hash."""
    begun = case.under_way
    return begun is not None and begun.interrupted and begun.hash in case.approved and completes(step)


def _finished(under_way: UnderWay | None, case: _Case) -> str:
    begun = case.under_way
    if begun is None or not begun.steps or under_way is not None or case.held is not None:
        return ""
    return begun.hash if begun.hash in case.approved else ""


def _remembered(verdicts: Sequence[Verdict], case: _Case) -> UnderWay | None:
    """Never more than what was approved, and nothing once it is done."""
    begun = case.under_way
    if case.held is not None:
        return begun
    runs = [v.step for v in verdicts if v.permission is Permission.RUN]
    allowed = [v.step for v in verdicts if v.permission in (Permission.RUN, Permission.MIGRATION)]
    takes_away = any(interrupts(s.class_, s.action) for s in runs)
    before = begun is not None and begun.interrupted
    if case.is_approved and allowed:
        return UnderWay(case.plan.hash, frozenset(s.key for s in allowed), takes_away or before)
    covered = frozenset(s.key for s in allowed if _still_approved(s, case) or _completes_approved(s, case))
    if begun is not None and covered:
        return UnderWay(begun.hash, covered, takes_away or before)
    if takes_away or (before and any(completes(s) for s in runs)):
        return UnderWay(case.plan.hash, frozenset(), interrupted=True)
    return None
