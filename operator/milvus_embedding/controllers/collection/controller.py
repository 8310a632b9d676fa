"""The collection's pass: resolve, observe, make or change it, read back, report."""

import dataclasses
from functools import partial

from milvus_embedding.api.annotations import APPROVED_PLAN
from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.absence import Absences, Unproven
from milvus_embedding.controllers.collection.changing import Case, Changes, Told
from milvus_embedding.controllers.collection.converge import Converge, Subject, newborn
from milvus_embedding.controllers.collection.database import observed
from milvus_embedding.controllers.collection.deletion.deletions import Deletions
from milvus_embedding.controllers.collection.glance import Glance
from milvus_embedding.controllers.collection.judging import AT_ONCE, judged, was_equal
from milvus_embedding.controllers.collection.losing import accepts, is_replacing, loss
from milvus_embedding.controllers.collection.losses import Losses, Toll
from milvus_embedding.controllers.collection.observing import Observing
from milvus_embedding.controllers.collection.ownership import NotMatching, Ownership, Stamped, may_adopt
from milvus_embedding.controllers.collection.partition_rows import rows_lost
from milvus_embedding.controllers.collection.patience import Patience
from milvus_embedding.controllers.collection.pending import Pending
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.controllers.collection.releasing import hand_over, heir_of, nothing_to_hand_over
from milvus_embedding.controllers.collection.resolving import (
    Held,
    Resolved,
    require_functions,
    require_reachable,
    resolve,
    resolves_functions,
)
from milvus_embedding.controllers.embedding import require_delivered
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.replaced import ABSENT, is_gone
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.limits.breach import Grade
from milvus_embedding.domain.limits.check import sentences
from milvus_embedding.domain.ownership import ADOPTED, UID, Owner
from milvus_embedding.domain.planning.approval import UnderWay, approvals
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import Schema


class CollectionController:
    """Implements controllers.base.Controller."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        converge: Converge,
        changes: Changes,
        pending: Pending,
        gate: ProviderGate,
        absences: Absences,
        patience: Patience,
        deletions: Deletions,
        ownership: Ownership,
        losses: Losses,
    ) -> None:
        self._gateway = gateway
        self._converge = converge
        self._changes = changes
        self._pending = pending
        self._gate = gate
        self._absences = absences
        self._patience = patience
        self._deletions = deletions
        self._ownership = ownership
        self._losses = losses
        self._glance = Glance(gateway=gateway, absences=absences)
        self._observing = Observing(converge=converge, changes=changes, absences=absences, ownership=ownership)

    async def reconcile(self, resource: MilvusCollection, world: World) -> Outcome:
        if self._deletions.concerns(resource):
            return await self._deletions.reconcile(resource, world)
        try:
            resolved = resolve(resource, world)
        except Held as held:
            return Outcome(status=report.held(resource, held.ready))
        except Blocked as cause:
            return await self._blind(resource, world, cause, resolved=resolves_functions(cause))
        told = Told()
        try:
            outcome = await self._pursue(resource, resolved, world, told)
            return dataclasses.replace(outcome, wake=(*told.woken, *outcome.wake), notes=told.notes)
        except Blocked as cause:
            if not told.looked:
                outcome = await self._blind(resource, world, cause, resolved=True)
                again = self._patience.retry_after(resource.key, resource.metadata.generation, cause)
                return dataclasses.replace(
                    outcome,
                    requeue_after=again if outcome.requeue_after == cause.retry_after else outcome.requeue_after,
                    backoff=cause.retry_after is not None and not cause.shared,
                    wake=(*_to_wake(cause, resource, resolved.connection.key), *outcome.wake),
                )
            unequal = cause.differences if isinstance(cause, NotMatching) else ()
            lost = self._lost_by(resource, resolved.connection.key, cause, world)
            return Outcome(
                status=report.blocked(resource, cause, resolved=True, unequal=unequal),
                requeue_after=self._patience.retry_after(resource.key, resource.metadata.generation, cause),
                backoff=cause.retry_after is not None and not cause.shared and not isinstance(cause, Stamped),
                notes=told.notes,
                wake=(*told.woken, *_to_wake(cause, resource, resolved.connection.key), *lost.wake),
                quiet=lost.quiet,
            )

    async def _blind(
        self, collection: MilvusCollection, world: World, cause: Blocked, *, resolved: bool | None
    ) -> Outcome:
        """Blocked before anything was looked at."""
        seen = await self._glance.look(collection, world)
        toll = Toll()
        if seen.connection is not None and seen.cause is not None:
            toll = self._lost_by(collection, seen.connection, seen.cause, world)
        elif seen.connection is not None:
            self._losses.present(collection.key, seen.connection)
        again = [seconds for seconds in (cause.retry_after, seen.retry_after) if seconds is not None]
        return Outcome(
            status=report.blocked(collection, cause, resolved=resolved, available=seen.available),
            requeue_after=min(again, default=None),
            wake=toll.wake,
            quiet=toll.quiet,
        )

    async def forget(self, key: Key) -> None:
        self._pending.settle(key)
        self._changes.forget(key)
        self._gate.forget(key)
        self._absences.forget(key)
        self._patience.forget(key)
        self._deletions.forget(key)
        self._ownership.forget(key)
        self._losses.forget(key)

    async def _pursue(self, collection: MilvusCollection, resolved: Resolved, world: World, told: Told) -> Outcome:
        """`told` gets what this pass did and found out for others, also if it fails afterwards."""
        connection, want = resolved.connection, resolved.want
        require_reachable(connection)
        subject = Subject(
            key=collection.key,
            milvus=await self._gateway.client(connection, world),
            want=want,
            schema=self._stamped(collection, want),
            circuit=resolved.circuit,
        )
        case = self._case(collection, resolved, world, subject)
        heir = heir_of(collection, self._ownership)
        if collection.spec.adoption_policy is AdoptionPolicy.OBSERVE:
            told.looked = True
            outcome = await self._observing.look(case, connection)
            self._losses.present(collection.key, connection.key)
            return outcome
        require_functions(connection, want)
        told.looked = True
        if heir is not None:
            return await self._hand_over(case, heir, connection)
        have = await self._observed(collection, subject, resolved)
        if (held := await self._deletions.hold(collection, have.description if have else None, world)) is not None:
            return held
        if have is None:
            await self._absences.require_proof(collection, subject.milvus)
            if case.known_id is not None and not is_replacing(collection, case.approved):
                return self._lost(case, None)
            have = await self._create(case, resolved, told)
            case = dataclasses.replace(case, known_id=None, creating=True, is_newborn=True)
        self._pending.settle(collection.key)
        self._absences.forget(collection.key)
        self._ownership.require_claim(case, have, may_adopt=may_adopt(collection, connection, world))
        if case.known_id not in (None, have.id):
            if is_replacing(collection, case.approved):
                case = dataclasses.replace(case, known_id=None, creating=True)
            elif accepts(self._changes.decide(case, have, None)):
                case = dataclasses.replace(case, known_id=have.id)
            else:
                return self._lost(case, have)
        told.said += await self._ownership.take(case, have)
        if case.creating and not _is_own_creation(collection, have):
            case = dataclasses.replace(case, creating=False)
        _require_kept_functions(case, have)
        self._losses.present(collection.key, connection.key)
        if is_gone(collection):
            told.woken.append(connection.key)
        result = await self._changes.carry_out(case, have, told)
        self._patience.forget(collection.key)
        rows = await rows_lost(case, result)
        return judged(case, result, rows=rows, next_chance=self._changes.next_chance)

    async def _observed(self, collection: MilvusCollection, subject: Subject, resolved: Resolved) -> Observed | None:
        """No database is made for a collection that cannot be. Raises Blocked."""
        observe = partial(self._converge.observe, subject)
        if not resolved.invalid:
            return await observed(collection, subject.milvus, observe)
        try:
            return await observe()
        except Blocked as cause:
            if cause.reason is Reason.DATABASE_NOT_FOUND and not collection.status.collection.id:
                _require_valid(resolved)
            raise

    async def _create(self, case: Case, resolved: Resolved, told: Told) -> Observed:
        subject = case.subject
        _require_valid(resolved)
        if resolved.is_unsure:
            text = f"connection {resolved.connection.name} does not know the version of its Milvus yet"
            raise Blocked(Reason.UNREACHABLE, text, retry_after=2)
        if resolved.lacks:
            raise Blocked(Reason.UNSUPPORTED_SERVER, resolved.lacks)
        if case.known_id is not None:
            # In place of one that is lost: by an approval, which may be withdrawn by now.
            await case.confirm()
        told.woken += await self._converge.create(subject)
        return await self._converge.complete(subject, newborn(subject.schema, subject.want.name))

    def _case(self, collection: MilvusCollection, resolved: Resolved, world: World, subject: Subject) -> Case:
        connection, equal = resolved.connection, was_equal(collection)
        annotation = collection.metadata.annotations.get(APPROVED_PLAN)
        policy = collection.spec.change_policy
        return Case(
            collection=collection,
            connection=connection,
            subject=subject,
            world=world,
            capabilities=capabilities(connection.status.server_version),
            known_id=collection.status.collection.owned_id,
            creating=collection.status.collection.owned_id is None,
            was_equal=equal,
            approved=approvals(policy, annotation, was_ready_at_generation=equal),
            is_ours=partial(self._ownership.is_ours, collection),
            require_delivered=partial(require_delivered, collection=collection, connection=connection, world=world),
            breaches=resolved.invalid,
        )

    def _lost(self, case: Case, have: Observed | None) -> Outcome:
        decision = self._changes.decide(case, have, UnderWay.of(case.collection.status.plan))
        draft = report.lost(case.collection, loss(case.known_id, case.subject.want, have), decision)
        told = self._losses.lost(case.collection, _connection_of(case.collection), case.world)
        return Outcome(status=draft, requeue_after=AT_ONCE if decision.runs else None, wake=told.wake, quiet=told.quiet)

    def _lost_by(self, collection: MilvusCollection, connection: Key, cause: Blocked, world: World) -> Toll:
        if isinstance(cause, Unproven):
            return self._losses.missing(collection, connection)
        if cause.reason in ABSENT and collection.status.collection.id:
            return self._losses.lost(collection, connection, world)
        return Toll()

    async def _hand_over(self, case: Case, heir: Owner, connection: MilvusConnection) -> Outcome:
        have = await self._converge.observe(case.subject)
        if have is None:
            await self._absences.require_proof(case.collection, case.subject.milvus)
            raise nothing_to_hand_over(case.collection)
        self._absences.forget(case.collection.key)
        if case.known_id not in (None, have.id) and case.is_ours(have.description):
            return self._lost(case, have)
        return await hand_over(case, have, heir, self._ownership, connection)

    def _stamped(self, collection: MilvusCollection, want: Desired) -> Schema:
        marks = self._ownership.marks(collection, want)
        return dataclasses.replace(want.schema, properties={**want.schema.properties, **marks})


def _connection_of(collection: MilvusCollection) -> Key:
    namespace, name = collection.spec.connection_ref.resolve(collection.namespace)
    return Key(MilvusConnection.KIND, namespace, name)


def _require_valid(resolved: Resolved) -> None:
    if text := sentences(resolved.invalid, Grade.INVALID):
        raise Blocked(Reason.INVALID_SPEC, text)


def _is_own_creation(collection: MilvusCollection, have: Observed) -> bool:
    """False if it was adopted or handed over, if an earlier life of this object finished it, or if a backup brought it
    back: nothing is left to create.
    """
    properties = have.schema.properties
    return ADOPTED not in properties and properties.get(UID) == collection.metadata.uid


def _require_kept_functions(case: Case, have: Observed) -> None:
    """Servers before 2.6 take a collection with functions and forget them."""
    want = case.subject.want
    wanted = {f.name for f in want.schema.functions}
    if case.creating and wanted and not have.schema.functions:
        raise Blocked(
            Reason.UNSUPPORTED_SERVER,
            f"Milvus keeps no functions: collection {want.name} came back without {', '.join(sorted(wanted))}; "
            "Milvus 2.6 or newer is needed",
        )


def _to_wake(cause: Blocked, collection: MilvusCollection, connection: Key) -> tuple[Key, ...]:
    """The connection looks for itself as soon as one of its collections gets no answer; once for each of them."""
    if cause.reason not in (Reason.UNREACHABLE, Reason.OUTCOME_UNKNOWN, Reason.AUTHENTICATION_FAILED):
        return ()
    ready = collection.status.condition("Ready")
    return () if ready is not None and ready.reason == cause.reason else (connection,)
