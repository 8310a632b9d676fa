"""From a decision to the reason and the sentence that a user sees.

Which verdict speaks for all: what no approval can change comes before what waits for one.
"""

from dataclasses import dataclass
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.planning.deciding import Decision, Permission, Verdict
from milvus_embedding.domain.planning.estimate import about, dropped_partitions
from milvus_embedding.domain.planning.steps import Action, Step
from milvus_embedding.domain.reasons import Reason

PATHS_SHOWN: Final = 8

_NOT_BUILT = (
    "it needs a new collection with all rows embedded or copied anew, which this version does not make: "
    "take the change back, or declare a new MilvusCollection under another name"
)


@dataclass(frozen=True, slots=True)
class Answer:
    reason: Reason
    message: str


def answer(decision: Decision, *, is_drift: bool, rows: int | None = None) -> Answer:
    """For a plan with steps. `is_drift`: the spec was equal before, so somebody else changed something. `rows`: of the
    partitions that would be dropped, None if that is not known.
    """
    reason, why = _for_all(decision, is_drift=is_drift)
    if is_drift and reason not in (Reason.DRIFT_CONTESTED, Reason.CHANGING):
        reason = Reason.DRIFTED
    said = (_listed(decision), _loses(decision, rows), why)
    return Answer(reason, "; ".join(part for part in said if part))


def approval(decision: Decision, *, is_drift: bool) -> Answer:
    """What PlanApproved says."""
    rebuilds = [v.step for v in decision.verdicts if _is_rebuild(v.step.action)]
    offered = (Permission.MIGRATION, Permission.APPROVAL)
    if any(v.step in rebuilds and v.permission in offered for v in decision.verdicts):
        return Answer(Reason.REBUILD_NEEDED, f"plan {decision.plan.hash} cannot be approved: {_NOT_BUILT}")
    status = decision.status
    if status is not None and status.approved:
        return Answer(Reason.APPROVED, f"plan {status.hash}")
    if decision.having(Permission.OBSERVED):
        return Answer(Reason.OBSERVED, "adoptionPolicy Observe: no plan is carried out, and none can be approved")
    if decision.having(Permission.APPROVAL):
        return Answer(Reason.AWAITING_APPROVAL, f"plan {decision.plan.hash}")
    return answer(decision, is_drift=is_drift)


def _for_all(decision: Decision, *, is_drift: bool) -> tuple[Reason, str]:
    by = {permission: [v for v in decision.verdicts if v.permission is permission] for permission in Permission}
    if read_only := by[Permission.READ_ONLY]:
        return Reason.READ_ONLY, read_only[0].reason
    if observed := by[Permission.OBSERVED]:
        return Reason.DRIFTED, observed[0].reason
    if unable := by[Permission.UNSUPPORTED]:
        return _unsupported(unable[0]), unable[0].reason
    if contested := by[Permission.CONTESTED]:
        return Reason.DRIFT_CONTESTED, contested[0].reason
    if never := by[Permission.NEVER]:
        return Reason.CHANGE_NOT_ALLOWED, never[0].reason
    waiting = by[Permission.APPROVAL]
    if by[Permission.MIGRATION] or any(_is_rebuild(v.step.action) for v in waiting):
        return Reason.REBUILD_NEEDED, _NOT_BUILT
    if waiting:
        return Reason.AWAITING_APPROVAL, waiting[0].reason
    if reported := by[Permission.REPORTED]:
        return Reason.DRIFTED, reported[0].reason
    return Reason.CHANGING, "it is carried out"


def _loses(decision: Decision, rows: int | None) -> str:
    if decision.having(Permission.OBSERVED) or not (dropped := dropped_partitions(decision.plan)):
        return ""
    return f"{about(rows)} would go with partition{'' if len(dropped) == 1 else 's'} {', '.join(dropped[:PATHS_SHOWN])}"


def _unsupported(verdict: Verdict) -> Reason:
    if verdict.step.action is Action.CREATE_ALIAS:
        return Reason.ALIAS_TAKEN
    return Reason.UNSUPPORTED_SERVER if verdict.reason.startswith("Milvus ") else Reason.INVALID_SPEC


def _is_rebuild(action: Action) -> bool:
    return action in (Action.REBUILD, Action.RENAME_COLLECTION)


def differences(decision: Decision) -> tuple[Step, ...]:
    """The steps that differ themselves; going behind an alias is only the way to a rebuild."""
    return tuple(step for step in decision.plan.steps if step.action is not Action.RENAME_COLLECTION)


def _listed(decision: Decision) -> str:
    steps = differences(decision)
    paths = ", ".join(step.path for step in steps[:PATHS_SHOWN])
    heaviest = decision.plan.class_ or ChangeClass.IN_PLACE
    return f"{len(steps)} difference(s) between spec and Milvus ({heaviest}): {paths}; status.plan has the values"
