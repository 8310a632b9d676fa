"""Where the passes of a preview leave what they found, and the two collaborators that stop before the first call.

Everything up to the decision is the operator's own: resolving, looking, ownership, the plan, what may be done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from milvus_embedding.api.collection import AdoptionPolicy, ChangeClass, ChangePolicy, DriftPolicy, PlanEstimate
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.changing import Case, Changes, Result, Told
from milvus_embedding.controllers.collection.contests import Contests
from milvus_embedding.controllers.collection.converge import Converge, Subject
from milvus_embedding.controllers.collection.partition_rows import rows_by_partition
from milvus_embedding.controllers.collection.pending import Pending
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.approval import UnderWay
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.deciding import Decision, decide
from milvus_embedding.domain.planning.estimate import estimate
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.steps import Generations
from milvus_embedding.domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would become of one collection. `have` None: it is not there, and would be created. `rows`: by partition
    that would be dropped, None where Milvus does not tell.
    """

    want: Desired
    decision: Decision
    have: Observed | None
    estimate: PlanEstimate | None = None
    rows: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stamping:
    """The owner that would be written into a collection; `before` is empty where it has none."""

    database: str
    name: str
    before: str
    after: str


@dataclass(slots=True)
class Previews:
    """What the passes found, by object; besides, what they would do that is no step of any plan."""

    found: dict[Key, Preview] = field(default_factory=dict)
    databases: dict[Key, set[str]] = field(default_factory=dict)
    stampings: dict[tuple[Key, str, str], Stamping] = field(default_factory=dict)

    def note(
        self,
        case: Case,
        decision: Decision,
        have: Observed,
        *,
        costs: PlanEstimate | None = None,
        rows: Mapping[str, int | None] | None = None,
    ) -> None:
        want = case.subject.want
        self.found[case.collection.key] = Preview(
            want=want, decision=decision, have=have, estimate=costs, rows=rows or {}
        )


class PreviewConverge(Converge):
    """Creates nothing: it notes what would be created."""

    def __init__(self, previews: Previews, *, gate: ProviderGate, pending: Pending) -> None:
        super().__init__(gate=gate, pending=pending)
        self._previews = previews

    async def create(self, subject: Subject) -> tuple[Key, ...]:
        steps = plan(subject.want, None, capabilities(None), generations=Generations())
        decision = decide(
            steps,
            ChangePolicy(),
            drift_policy=DriftPolicy.ENFORCE,
            was_ready_at_generation=False,
            approved=(),
            observe_only=False,
            paused=False,
            read_only=False,
        )
        self._previews.found[subject.key] = Preview(want=subject.want, decision=decision, have=None)
        raise Blocked(Reason.READ_ONLY, f"collection {subject.want.name} would be created")


class PreviewChanges(Changes):
    """Changes nothing: it notes what would be done, and what waits."""

    def __init__(
        self,
        previews: Previews,
        *,
        converge: Converge,
        gate: ProviderGate,
        pending: Pending,
        contests: Contests,
        read_only: bool,
    ) -> None:
        """read_only is of the clients alone: what is asked for is what somebody would do who may write."""
        super().__init__(converge=converge, gate=gate, pending=pending, contests=contests)
        self._previews = previews

    async def carry_out(self, case: Case, have: Observed, told: Told) -> Result:
        have = await self._looked_around(case, have)
        decision = self.decide(case, have, None)
        want, milvus = case.subject.want, case.subject.milvus
        rows = await _rows(milvus, want, have) if decision.plan.class_ is ChangeClass.REBUILD else None
        costs = estimate(decision.plan, have, rows=rows)
        lost = await rows_by_partition(milvus, decision.plan, have.name)
        self._previews.note(case, decision, have, costs=costs, rows=lost)
        return Result(decision, have)

    def decide(self, case: Case, have: Observed | None, under_way: UnderWay | None) -> Decision:
        """What is only observed is never carried out: this is all that there is to note."""
        decision = super().decide(case, have, under_way)
        if have is not None and case.collection.spec.adoption_policy is AdoptionPolicy.OBSERVE:
            self._previews.note(case, decision, have)
        return decision


async def _rows(milvus: Milvus, want: Desired, have: Observed) -> int | None:
    """By the statistics: an estimate needs no evidence."""
    try:
        return await milvus.estimate_rows(want.database, have.name)
    except MilvusError:
        return None
