"""What was approved, and how far it still reaches.

A plan shrinks while it is carried out, and so has another hash after each step. `UnderWay` is what the caller keeps in
the status for that: the approved hash and the steps that it still covers. It never grows, and counts only as long as
the approval stands. Once something was interrupted, building and loading again need no further permission.
"""

from dataclasses import dataclass
from typing import Final

from milvus_embedding.api.collection import ChangeClass, ChangePolicy, PlanStatus
from milvus_embedding.domain.planning.steps import Action, Plan, Step, digest

MORE: Final = "More"
"""The action of the last step that a status shows, if there are more than it has room for; `to` stands for them."""

_COMPLETING: Final = frozenset({Action.CREATE_INDEX, Action.LOAD})


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What was begun under the plan with this hash. `steps` are keys of steps; `interrupted`: something is taken away
    that has to be put back. `rest`: the digest of further steps, for which a status has no room.
    """

    hash: str
    steps: frozenset[tuple[str, str, str]]
    interrupted: bool
    rest: str = ""

    @classmethod
    def of(cls, status: PlanStatus | None) -> "UnderWay | None":
        """From a status written before the first act, and after each pass since."""
        if status is None or not status.hash or not status.approved:
            return None
        keys = {(s.path, s.from_ or "", s.to or "") for s in status.steps if s.action != MORE}
        rest = next((s.to or "" for s in status.steps if s.action == MORE), "")
        interrupted = interrupts(status.class_, "") or any(interrupts(s.class_, s.action) for s in status.steps)
        return cls(status.hash, frozenset(keys), interrupted, rest)

    def whole(self, plan: Plan) -> "UnderWay":
        """With the keys of the rest, if that stands in the plan just as it was approved."""
        further = [step for step in plan.steps if step.key not in self.steps and not completes(step)]
        if not self.rest or digest(further, collection_id=plan.collection_id) != self.rest:
            return self
        return UnderWay(self.hash, self.steps | {step.key for step in further}, self.interrupted)


def approvals(policy: ChangePolicy, annotation: str | None, *, was_ready_at_generation: bool) -> frozenset[str]:
    """The hashes that count. The spec's one is spent once its generation was Ready: the same difference may come again
    by other hands, and must not be taken for approved.
    """
    in_spec = None if was_ready_at_generation else policy.approved_plan
    return frozenset(h for h in (in_spec, annotation) if h)


def interrupts(class_: ChangeClass | None, action: str) -> bool:
    return class_ not in (None, ChangeClass.IN_PLACE) or action == Action.REPLACE_INDEX


def completes(step: Step) -> bool:
    return step.action in _COMPLETING and step.class_ is ChangeClass.IN_PLACE
