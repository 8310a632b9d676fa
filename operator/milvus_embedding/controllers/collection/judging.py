"""What is reported of a collection that was looked at and changed as far as it may, and when it is looked at again."""

from collections.abc import Callable

from milvus_embedding.api.collection import DriftPolicy, MilvusCollection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Outcome
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.changing import Case, Result
from milvus_embedding.domain.conditions import Draft
from milvus_embedding.domain.limits.breach import Grade
from milvus_embedding.domain.limits.check import sentences
from milvus_embedding.domain.reasons import Reason

AT_ONCE = 0.01
UNFINISHED = 4.0
ALIAS_AGAIN = 30.0


def was_equal(collection: MilvusCollection) -> bool:
    """Whether this generation of the spec was seen equal to Milvus before: a difference is drift from then on.

    Drifted remembers it: the report gives it these two reasons for such a generation alone, and drops it otherwise.
    """
    drifted = collection.status.condition("Drifted")
    if drifted is None or drifted.observed_generation != collection.metadata.generation:
        return False
    return drifted.reason in (Reason.NO_DRIFT, Reason.DRIFTED)


def judged(case: Case, result: Result, *, rows: int | None, next_chance: Callable[[Key], float | None]) -> Outcome:
    """`rows` are those of the partitions that the plan drops, None if unknown. `next_chance`: the seconds after which
    a contested path may be repaired again.
    """
    collection, want, have, decision = case.collection, case.subject.want, result.have, result.decision
    if not decision.plan.steps:
        remark = sentences(case.breaches, Grade.INVALID)
        return Outcome(status=report.in_sync(collection, want, have, remark=remark))
    if case.was_equal and collection.spec.drift_policy is DriftPolicy.IGNORE:
        return Outcome(status=report.in_sync(collection, want, have, as_=Reason.DRIFT_IGNORED))
    draft = report.planned(collection, want, have, decision, is_drift=case.was_equal, rows=rows)
    return Outcome(status=draft, requeue_after=_again(case, result, draft, next_chance))


def _again(case: Case, result: Result, draft: Draft, next_chance: Callable[[Key], float | None]) -> float | None:
    if result.written_first:
        # A status that cannot hold what it is given (a value that had to be scrubbed) is no reason to spin.
        written, plan = case.collection.status.plan, result.decision.status
        is_new = written is None or plan is None or (written.hash, written.approved) != (plan.hash, plan.approved)
        return AT_ONCE if is_new else UNFINISHED
    match draft.conditions[0].reason:
        case Reason.CHANGING:
            return UNFINISHED
        case Reason.ALIAS_TAKEN:
            return ALIAS_AGAIN
        case Reason.DRIFT_CONTESTED:
            return next_chance(case.collection.key)
    return None
