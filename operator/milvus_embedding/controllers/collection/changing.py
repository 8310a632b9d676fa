"""Carries out the plan for a collection that exists: plan, decide, one external call, read back, and again.

What takes something away is written to the status first and done in the next pass, so that a process that was killed
in between knows what it was allowed to do. What nobody notices needs no such memory: it is found again by looking.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import (
    ConnectionLost,
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    Rejected,
    Unimplemented,
)
from milvus_embedding.controllers.base import Note, Stale, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.contests import Contests
from milvus_embedding.controllers.collection.converge import FIRST_POLL_SECONDS, GLANCES, POLLS, Converge, Subject
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.collection.observe import look_around
from milvus_embedding.controllers.collection.pending import Pending, write_horizon
from milvus_embedding.controllers.collection.performing import asks_provider, doing, is_record, perform
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.domain.acts import is_unsettled
from milvus_embedding.domain.limits.breach import Breach
from milvus_embedding.domain.planning.acting import next_act
from milvus_embedding.domain.planning.acts import Act, AddFunction, AlterAlias, AlterFunction, DropAlias
from milvus_embedding.domain.planning.approval import UnderWay, completes
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.deciding import STEPS_SHOWN, Decision, decide
from milvus_embedding.domain.planning.limited import limited
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.steps import Generations
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import Description

ACTS_IN_A_PASS = STEPS_SHOWN - 1
"""So that what a status has no room for is not begun before it is shown."""
LOOKS = 4
"""At a server that still tells what was before a call."""


@dataclass(slots=True)
class Told:
    """What a pass found out for others, and did; also if it fails afterwards."""

    woken: list[Key] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    said: list[Note] = field(default_factory=list)
    is_drift: bool = False
    looked: bool = False

    @property
    def notes(self) -> tuple[Note, ...]:
        if not self.done:
            return tuple(self.said)
        reason = "DriftRepaired" if self.is_drift else "Changed"
        return (
            *self.said,
            Note(reason, f"{'; '.join(self.done[:8])}: done"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A collection and everything that is decided by. `known_id`: the id that counts as ours, None if it never had one.
    `is_newborn`: made and read back in this very pass. `require_delivered` raises Blocked while the key of a function
    is not in Milvus yet. `breaches`: what no Milvus takes of the spec.
    """

    collection: MilvusCollection
    connection: MilvusConnection
    subject: Subject
    world: World
    capabilities: Capabilities
    known_id: str | None
    creating: bool
    is_newborn: bool = False
    was_equal: bool
    approved: Collection[str]
    is_ours: Callable[[Description], bool]
    require_delivered: Callable[[str], None]
    breaches: tuple[Breach, ...] = ()

    async def confirm(self) -> None:
        """Directly before an act: neither the object nor its connection was changed or paused. Raises Stale or
        KubeError.
        """
        await self.world.confirm(self.collection)
        await self.world.confirm(self.connection)


@dataclass(frozen=True, slots=True)
class Result:
    """`written_first`: the decision has to be in the status before anything of it is done."""

    decision: Decision
    have: Observed
    written_first: bool = False


class Changes:
    """`pending` are the calls that may still happen and ask the provider. `sleep` is asyncio.sleep but for tests."""

    def __init__(
        self,
        *,
        converge: Converge,
        gate: ProviderGate,
        pending: Pending,
        contests: Contests,
        read_only: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._converge = converge
        self._gate = gate
        self._pending = pending
        self._contests = contests
        self._read_only = read_only
        self._sleep = sleep

    def forget(self, key: Key) -> None:
        self._pending.settle(key)
        self._contests.forget(key)

    def next_chance(self, key: Key) -> float | None:
        return self._contests.next_chance(key)

    def decide(self, case: Case, have: Observed | None, under_way: UnderWay | None) -> Decision:
        spec = case.collection.spec
        known = Generations(known_id=case.known_id)
        return decide(
            limited(plan(case.subject.want, have, case.capabilities, generations=known), case.breaches),
            spec.change_policy,
            drift_policy=spec.drift_policy,
            was_ready_at_generation=case.was_equal,
            approved=case.approved,
            observe_only=spec.adoption_policy is AdoptionPolicy.OBSERVE,
            paused=spec.paused,
            read_only=self._read_only,
            creating=case.creating,
            contested=self._contests.contested(case.collection.key),
            under_way=under_way,
        )

    async def carry_out(self, case: Case, have: Observed, told: Told) -> Result:
        """As far as it is allowed. Raises Blocked, Stale or KubeError; whatever was done by then stays."""
        told.is_drift = case.was_equal
        written = under_way = UnderWay.of(case.collection.status.plan)
        if not case.is_newborn:
            have = await self._looked_around(case, have)
        for _ in range(ACTS_IN_A_PASS):
            decision = self.decide(case, have, under_way)
            if not is_covered(decision, written):
                return Result(decision, have, written_first=True)
            act = next_act(decision, have)
            if act is None:
                if not is_unsettled(have):
                    return Result(decision, have)
                polls = POLLS if told.done else GLANCES
                have = await self._looked_around(case, await self._converge.settled(case.subject, polls=polls))
                continue
            if not await self._act(case, act, have, told):
                return Result(decision, have)
            under_way = decision.under_way
            have = await self._read_back(case, act, under_way)
            self._count_repairs(case, decision, self.decide(case, have, under_way))
        return Result(self.decide(case, have, under_way), have, written_first=True)

    async def _act(self, case: Case, act: Act, have: Observed, told: Told) -> bool:
        """False: it was no more than a note of ours, and Milvus does not take it."""
        await case.confirm()
        await self._require_same(case, have, act)
        subject = case.subject
        what = doing(act, have.name)
        if asks_provider(act):
            self._require_turn(case, act)
        try:
            await perform(act, subject.milvus, subject.want.database, have.name)
        except MilvusError as error:
            if is_record(act) and isinstance(error, PermissionDenied | Rejected | Unimplemented):
                return False
            cause = blocked_by(error, doing=what)
            if asks_provider(act):
                if isinstance(error, OutcomeUnknown) and not isinstance(error, ConnectionLost):
                    self._pending.add(subject.key, write_horizon(subject.want))
                cause = self._gate.failed(subject.circuit, subject.key, cause)
            raise cause from None
        if asks_provider(act):
            told.woken += self._gate.succeeded(subject.circuit, subject.key)
        if not is_record(act):
            told.done.append(what)
        return True

    async def _require_same(self, case: Case, have: Observed, act: Act) -> None:
        """Milvus goes by names alone: directly before a call they have to mean what they meant, and be ours."""
        milvus, database = case.subject.milvus, case.subject.want.database
        try:
            described = await milvus.describe(database, have.name)
            target = await milvus.describe(database, act.alias) if isinstance(act, AlterAlias) else described
        except MilvusError as error:
            raise blocked_by(error, doing=f"looking at collection {have.name}") from None
        if described is None or (described.name, described.id) != (have.name, have.id) or not case.is_ours(described):
            raise Stale(f"collection {have.name} is not the one that was decided on")
        if isinstance(act, DropAlias | AlterAlias) and not (target and _has_alias(target, act.alias, case)):
            raise Stale(f"alias {act.alias} was moved or dropped meanwhile")

    def _require_turn(self, case: Case, act: Act) -> None:
        if isinstance(act, AlterFunction | AddFunction):
            case.require_delivered(act.function.name)
        if self._pending.remaining(case.subject.key) > 0:
            seconds = write_horizon(case.subject.want)
            text = f"an earlier change of a function may still happen until {seconds:.0f} s after it; looking for it"
            raise Blocked(Reason.CREATE_OUTCOME_UNKNOWN, text, retry_after=2)
        self._gate.enter(case.subject.circuit, case.subject.key)

    async def _read_back(self, case: Case, act: Act, under_way: UnderWay | None) -> Observed:
        """Raises Blocked if Milvus took the call and the same would have to be made again."""
        pause = FIRST_POLL_SECONDS
        for _ in range(LOOKS):
            seen = await self._converge.observe(case.subject)
            if seen is None or not case.is_ours(seen.description):
                raise Stale(f"collection {case.subject.want.name} is not there any more")
            have = await self._looked_around(case, seen)
            if next_act(self.decide(case, have, under_way), have) != act:
                return have
            await self._sleep(pause)
            pause *= 2
        text = f"{doing(act, have.name)}: Milvus took the call, and what it changes is as before"
        raise Blocked(Reason.MILVUS_ERROR, text, retry_after=4)

    async def _looked_around(self, case: Case, have: Observed) -> Observed:
        subject = case.subject
        try:
            return await look_around(subject.milvus, subject.want, have, is_ours=case.is_ours)
        except MilvusError as error:
            raise blocked_by(error, doing=f"looking at collection {have.name}") from None

    def _count_repairs(self, case: Case, before: Decision, after: Decision) -> None:
        if case.was_equal:
            left = {step.path for step in after.plan.steps}
            self._contests.repaired(case.collection.key, {s.path for s in before.runs} - left)


def _has_alias(target: Description, alias: str, case: Case) -> bool:
    """Whether it is an alias of this collection, which is ours. Milvus describes the target of an alias."""
    return alias in target.aliases and target.name != alias and case.is_ours(target)


def is_covered(decision: Decision, written: UnderWay | None) -> bool:
    """Whether the status already says all that a decision wants to be remembered."""
    wants, shown = decision.under_way, UnderWay.of(decision.status)
    if wants is None or shown is None:
        return True
    if written is None or (wants.interrupted and not written.interrupted):
        return False
    put_back = {s.key for s in decision.plan.steps if written.interrupted and completes(s)}
    said = written.whole(decision.plan).steps | put_back
    return not wants.steps or (shown.hash == written.hash and shown.steps <= said)
