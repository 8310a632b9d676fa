"""Whether a collection still serves, for a pass that something keeps from following its spec.

A reference that does not resolve says nothing about the collection that exists: Available is what applications wait
for, and may neither be frozen nor taken back for it.
"""

from dataclasses import dataclass

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.absence import Absences, Unproven
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.collection.resolving import require_reachable
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.references import connection_for_collections
from milvus_embedding.controllers.replaced import ABSENT, ANOTHER
from milvus_embedding.domain.conditions import Assertion, Truth, false, true, unknown
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import LoadState


@dataclass(frozen=True, slots=True)
class Glimpse:
    """`available` None: as it was told before. `connection`: the Milvus that was looked at. `cause`: what was found to
    be wrong there, for who counts losses.
    """

    available: Assertion | None = None
    connection: Key | None = None
    cause: Blocked | None = None

    @property
    def retry_after(self) -> float | None:
        return self.cause.retry_after if isinstance(self.cause, Unproven) else None


class Glance:
    """Looks by name and id alone, which needs nothing of the spec that may be wrong. Changes nothing."""

    def __init__(self, *, gateway: Gateway, absences: Absences) -> None:
        self._gateway = gateway
        self._absences = absences

    async def look(self, collection: MilvusCollection, world: World) -> Glimpse:
        """Of an object that never had a collection there is nothing to say."""
        told = collection.status.condition("Available")
        if not collection.status.collection.id or (told is not None and told.reason in ANOTHER):
            return Glimpse()
        try:
            ref = collection.spec.connection_ref
            connection = connection_for_collections(world, ref, holder=collection.namespace)
            require_reachable(connection)
            milvus = await self._gateway.client(connection, world)
        except Blocked as cause:
            if cause.reason is Reason.NOT_ALLOWED:
                # A grant that is withdrawn cuts nothing that runs: what was seen last stands, as nobody may look.
                return Glimpse()
            return Glimpse(unknown("Available", cause.reason, cause.message))
        try:
            return Glimpse(await self._available(collection, milvus), connection.key)
        except Unproven as cause:
            return Glimpse(None, connection.key, cause)
        except Blocked as cause:
            truth = Truth.FALSE if cause.reason in ABSENT else Truth.UNKNOWN
            return Glimpse(Assertion("Available", truth, cause.reason, cause.message), connection.key, cause)

    async def _available(self, collection: MilvusCollection, milvus: Milvus) -> Assertion:
        """Raises Blocked."""
        database, name = collection.spec.database, collection.effective_collection_name
        known = collection.status.collection.id
        try:
            described = await milvus.describe(database, name)
            if described is None:
                await self._absences.require_proof(collection, milvus)
                raise Blocked(Reason.LOST, f"collection {name} (id {known}) is gone from Milvus")
            load = await milvus.load_state(database, name)
        except MilvusError as error:
            raise blocked_by(error, doing=f"looking at collection {name}") from None
        self._absences.forget(collection.key)
        if described.id != known:
            raise Blocked(Reason.LOST, f"another collection stands in the place of id {known}")
        if load is not LoadState.LOADED:
            text = "it is not loaded in Milvus: the collection cannot be searched"
            return false("Available", Reason.LOADING if load is LoadState.LOADING else Reason.DRIFTED, text)
        lacking = {f.name for f in collection.status.functions} - {f.name for f in described.schema.functions}
        if lacking:
            return false("Available", Reason.DRIFTED, f"function(s) {', '.join(sorted(lacking))} are not there")
        return true("Available", Reason.AVAILABLE)
