"""The collection's pass: resolve, observe, make what is missing, read back, report."""

import dataclasses
from dataclasses import dataclass
from functools import partial

from milvus_embedding.api.collection import ChangeMode, DriftPolicy, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.absence import Absences
from milvus_embedding.controllers.collection.converge import GLANCES, Converge, Subject, newborn
from milvus_embedding.controllers.collection.database import observed
from milvus_embedding.controllers.collection.deletion.deletions import Deletions
from milvus_embedding.controllers.collection.ownership import NotMatching, require_ours
from milvus_embedding.controllers.collection.patience import Patience
from milvus_embedding.controllers.collection.pending import Pending
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.controllers.embedding import embeddings
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.paused import paused_ready
from milvus_embedding.controllers.references import admits, connection_for_collections
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.domain.acts import Act, CreateAlias, CreateIndex, CreatePartition, Load, is_unsettled, missing
from milvus_embedding.domain.compare import ABSENT, Difference, index_differences, other_differences, schema_differences
from milvus_embedding.domain.conditions import Draft
from milvus_embedding.domain.desired import Desired, DimensionDiffers, InvalidSpec, desired
from milvus_embedding.domain.ownership import Owner, stamp
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import FunctionKind, Observation, Schema
from milvus_embedding.domain.versions import lacks_functions


@dataclass(frozen=True, slots=True)
class _Resolved:
    connection: MilvusConnection
    want: Desired
    circuit: tuple[object, ...]


class CollectionController:
    """Implements controllers.base.Controller. `owner_id` and the former ids in `accepted_ids` make a stamp ours."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        converge: Converge,
        pending: Pending,
        gate: ProviderGate,
        absences: Absences,
        patience: Patience,
        deletions: Deletions,
        owner_id: str,
        accepted_ids: tuple[str, ...] = (),
    ) -> None:
        self._gateway = gateway
        self._converge = converge
        self._pending = pending
        self._gate = gate
        self._absences = absences
        self._patience = patience
        self._deletions = deletions
        self._owner_id = owner_id
        self._accepted_ids = accepted_ids

    async def reconcile(self, resource: MilvusCollection, world: World) -> Outcome:
        if self._deletions.concerns(resource):
            return await self._deletions.reconcile(resource, world)
        try:
            resolved = self._resolve(resource, world)
        except _Held as held:
            return Outcome(status=report.held(resource, held.ready))
        except Blocked as cause:
            draft = report.blocked(resource, cause, resolved=_resolves_functions(cause))
            return Outcome(status=draft, requeue_after=cause.retry_after)
        woken: list[Key] = []
        try:
            return await self._pursue(resource, resolved, world, woken)
        except Blocked as cause:
            differences = cause.differences if isinstance(cause, NotMatching) else ()
            return Outcome(
                status=report.blocked(resource, cause, resolved=True, differences=differences),
                requeue_after=self._patience.retry_after(resource.key, resource.metadata.generation, cause),
                backoff=cause.retry_after is not None and not cause.shared,
                wake=(*woken, *_to_wake(cause, resource, resolved.connection.key)),
            )

    async def forget(self, key: Key) -> None:
        self._pending.settle(key)
        self._gate.forget(key)
        self._absences.forget(key)
        self._patience.forget(key)
        self._deletions.forget(key)

    def _resolve(self, collection: MilvusCollection, world: World) -> _Resolved:
        refuse_unsupported(collection)
        connection = connection_for_collections(world, collection.spec.connection_ref, holder=collection.namespace)
        _require_supported(connection)
        if collection.spec.paused or connection.spec.paused:
            whose = "spec.paused" if collection.spec.paused else f"spec.paused of connection {connection.name}"
            raise _Held(collection, f"{whose} is true: nothing is changed until it is removed")
        if reserved := collection.spec.reserved_properties:
            text = f"spec.properties: {', '.join(reserved)} belong(s) to the operator; remove it"
            raise Blocked(Reason.INVALID_SPEC, text)
        resolved = embeddings(collection, connection, world)
        try:
            want = desired(collection.spec, name=collection.effective_collection_name, embeddings=resolved)
        except InvalidSpec as error:
            reason = Reason.DIMENSION_MISMATCH if isinstance(error, DimensionDiffers) else Reason.INVALID_SPEC
            raise Blocked(reason, f"spec.{error}") from None
        keys = sorted((embedding.label or "", embedding.model.name) for embedding in resolved.values())
        return _Resolved(connection, want, (connection.key, connection.status.config.hash, *keys))

    async def _pursue(
        self, collection: MilvusCollection, resolved: _Resolved, world: World, woken: list[Key]
    ) -> Outcome:
        """`woken` gets the objects that waited for what this pass found out, also if the pass fails afterwards."""
        connection, want = resolved.connection, resolved.want
        _require_reachable(connection)
        _require_functions(connection, want)
        subject = Subject(
            key=collection.key,
            milvus=await self._gateway.client(connection, world),
            want=want,
            schema=self._stamped(collection, want),
            circuit=resolved.circuit,
        )
        have = await observed(collection, subject.milvus, partial(self._converge.observe, subject))
        if (held := await self._deletions.hold(collection, have.description if have else None, world)) is not None:
            return held
        if have is None:
            await self._absences.require_new(collection, subject.milvus, want)
            woken += await self._converge.create(subject)
            have = newborn(subject.schema, want.name)
            have = await self._converge.complete(subject, have)
        self._pending.settle(collection.key)
        self._absences.forget(collection.key)
        grant = connection.spec.allowed_adoption
        may_adopt = admits(world, grant, collection.namespace, own_namespace=connection.namespace)
        self._require_ours(collection, want, have, may_adopt=may_adopt)
        if _repairs(collection) and missing(want, have):
            have = await self._converge.complete(subject, have)
        elif is_unsettled(have):
            have = await self._converge.settled(subject, polls=GLANCES)
        self._patience.forget(collection.key)
        return Outcome(status=_judge(collection, want, have), wake=tuple(woken))

    def _require_ours(self, collection: MilvusCollection, want: Desired, have: Observation, *, may_adopt: bool) -> None:
        owner = Owner(self._owner_id, collection.namespace, collection.name)
        require_ours(collection, want, have, owner=owner, accepted_ids=self._accepted_ids, may_adopt=may_adopt)

    def _stamped(self, collection: MilvusCollection, want: Desired) -> Schema:
        owner = Owner(self._owner_id, collection.namespace, collection.name)
        properties = stamp(owner, uid=collection.metadata.uid, identities=want.identities)
        return dataclasses.replace(want.schema, properties={**want.schema.properties, **properties})


class _Held(Exception):
    def __init__(self, collection: MilvusCollection, message: str) -> None:
        super().__init__(message)
        self.ready = paused_ready(collection, message)


def _judge(collection: MilvusCollection, want: Desired, have: Observation) -> Draft:
    wanted = {f.name for f in want.schema.functions}
    if wanted and not have.description.schema.functions and not _was_equal(collection):
        raise Blocked(
            Reason.UNSUPPORTED_SERVER,
            f"Milvus keeps no functions: collection {want.name} came back without {', '.join(sorted(wanted))}; "
            "Milvus 2.6 or newer is needed",
        )
    differences: tuple[Difference, ...] = (
        *schema_differences(want.schema, have.description.schema),
        *index_differences(want.indexes, have.indexes),
        *other_differences(want, have),
        *_unrepaired(want, have),
    )
    if not differences:
        return report.in_sync(collection, want, have)
    if not _was_equal(collection):
        return report.unapplied(collection, want, have, differences)
    if collection.spec.drift_policy is DriftPolicy.IGNORE:
        return report.in_sync(collection, want, have, ignored=True)
    return report.drifted(collection, want, have, differences)


def _repairs(collection: MilvusCollection) -> bool:
    """Whether what is missing may be made by itself: always to finish a creation, then as the policies say."""
    spec = collection.spec
    if not collection.status.collection.id:
        return True
    if spec.change_policy.in_place is not ChangeMode.AUTOMATIC:
        return False
    return not _was_equal(collection) or spec.drift_policy is DriftPolicy.ENFORCE


def _unrepaired(want: Desired, have: Observation) -> tuple[Difference, ...]:
    return tuple(_difference(act) for act in missing(want, have))


def _difference(act: Act) -> Difference:
    match act:
        case CreatePartition(partition):
            return Difference(f"partitions[{partition}]", "present", ABSENT)
        case CreateIndex(index):
            return Difference(f"indexes[{index.name or index.field}]", f"{index.type} on {index.field}", ABSENT)
        case CreateAlias(alias):
            return Difference(f"aliases[{alias}]", "present", ABSENT)
        case Load():
            return Difference("load.enabled", "true", "false")


def _was_equal(collection: MilvusCollection) -> bool:
    """Whether this generation of the spec was seen equal to Milvus before: a difference is drift from then on.

    Drifted remembers it: the report gives it these two reasons for such a generation alone, and drops it otherwise.
    """
    drifted = collection.status.condition("Drifted")
    if drifted is None or drifted.observed_generation != collection.metadata.generation:
        return False
    return drifted.reason in (Reason.NO_DRIFT, Reason.DRIFTED)


def _require_reachable(connection: MilvusConnection) -> None:
    reachable = connection.status.condition("Reachable")
    if reachable is not None and reachable.status == "False":
        known = {str(reason): reason for reason in Reason}
        reason = known.get(reachable.reason, Reason.UNREACHABLE)
        raise Blocked(reason, f"connection {connection.name}: {reachable.reason}")


def _require_functions(connection: MilvusConnection, want: Desired) -> None:
    version = connection.status.server_version
    embedding = any(f.kind is FunctionKind.TEXT_EMBEDDING for f in want.schema.functions)
    if embedding and lacks_functions(version):
        raise Blocked(
            Reason.UNSUPPORTED_SERVER,
            f"Milvus {version} drops embedding functions silently; spec.functions needs Milvus 2.6 or newer",
        )


def _require_supported(connection: MilvusConnection) -> None:
    try:
        refuse_unsupported(connection)
    except Blocked as blocked:
        text = f"connection {connection.name} asks for what this version does not support; its status has the fields"
        raise Blocked(blocked.reason, text) from None


def _resolves_functions(cause: Blocked) -> bool | None:
    """Whether the functions resolved, None if the pass did not come to them."""
    if cause.message.startswith("spec.functions"):
        return False
    return True if cause.reason is Reason.DIMENSION_MISMATCH else None


def _to_wake(cause: Blocked, collection: MilvusCollection, connection: Key) -> tuple[Key, ...]:
    """The connection looks for itself as soon as one of its collections gets no answer; once for each of them."""
    if cause.reason not in (Reason.UNREACHABLE, Reason.AUTHENTICATION_FAILED):
        return ()
    ready = collection.status.condition("Ready")
    return () if ready is not None and ready.reason == cause.reason else (connection,)
