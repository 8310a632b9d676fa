"""The pass of an object that is deleted, and the finalizer of one that is not.

It runs before any look-up that can fail. What we may not or cannot drop is let go at once, and an Event names what
stays; only a Milvus that is there and does not answer, or is paused, makes the object wait.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from milvus_embedding.api.annotations import FORCE_RELEASE
from milvus_embedding.api.collection import DeletionPolicy, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError, OutcomeUnknown
from milvus_embedding.controllers.base import Note, Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.deletion import evidence, finalizer
from milvus_embedding.controllers.collection.deletion.brake import Brake
from milvus_embedding.controllers.collection.deletion.connection import connection_of, milvus_of
from milvus_embedding.controllers.collection.deletion.evidence import place_of
from milvus_embedding.controllers.collection.deletion.outcome import Again, Stays, held_up
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.collection.pending import Pending
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.domain.ownership import Owner, Standing, standing
from milvus_embedding.domain.schema import Description

DROP_SECONDS: Final = 3.0
"""A drop is waited for no longer than the lease was seen to last."""
HORIZON_SECONDS: Final = 10.0
"""For so long a drop whose answer did not come may still happen; until then nothing of that name may be made."""
BETWEEN_LOOKS: Final = 2.0

RELEASED: Final = "ReleasedNotDeleted"
DROPPED: Final = "CollectionDropped"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A drop that was sent, and what is to be told of it. `certain`: Milvus said that it happened."""

    text: str
    until: float
    certain: bool


class Deletions:
    """`owner_id` and the former ids in `accepted_ids` make a stamp ours; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        pending: Pending,
        clock: Callable[[], float],
        owner_id: str,
        accepted_ids: tuple[str, ...] = (),
        read_only: bool = False,
    ) -> None:
        self._gateway = gateway
        self._pending = pending
        self._clock = clock
        self._owner_id = owner_id
        self._accepted_ids = accepted_ids
        self._read_only = read_only
        self._brake = Brake(clock)
        self._attempts: dict[Key, _Attempt] = {}
        self._first_look: dict[Key, float] = {}

    def concerns(self, collection: MilvusCollection) -> bool:
        """Whether the pass is ours: a deleted object, or one whose finalizer has to go."""
        unwanted = finalizer.bears(collection) and not finalizer.drops(collection)
        return collection.is_deleted or (unwanted and not self._read_only)

    async def reconcile(self, collection: MilvusCollection, world: World) -> Outcome:
        """Raises Conflict, Stale or KubeError."""
        if not finalizer.bears(collection):
            return Outcome(status=None)
        try:
            note = await self._end(collection, world) if collection.is_deleted else None
            await finalizer.remove(collection, world)
        except Blocked as cause:
            status = report.blocked(collection, cause, resolved=None)
            return Outcome(status=status, requeue_after=cause.retry_after, backoff=cause.retry_after is not None)
        except Again as again:
            return Outcome(status=None, requeue_after=again.seconds)
        return Outcome(status=None, notes=(note,)) if note else Outcome(status=None, requeue_after=0)

    async def hold(self, collection: MilvusCollection, have: Description | None, world: World) -> Outcome | None:
        """Before the collection is made, or when ours is found: has the object bear the finalizer first.

        The pass ends with the Outcome. None: nothing to do. Raises Blocked, Conflict or KubeError.
        """
        if self._read_only or not finalizer.drops(collection) or finalizer.bears(collection):
            return None
        if have is not None and not self._is_ours(collection, have):
            return None
        await finalizer.add(collection, world)
        return Outcome(status=None, requeue_after=0)

    def forget(self, key: Key) -> None:
        self._attempts.pop(key, None)
        self._first_look.pop(key, None)
        self._brake.forget(key)

    async def _end(self, collection: MilvusCollection, world: World) -> Note:
        """What is to be told when the finalizer is gone. Raises Again, Blocked, Stale or KubeError."""
        if self._read_only:
            raise held_up("the operator runs with --read-only; it cannot remove its finalizer either")
        try:
            return await self._drop(collection, world)
        except Stays as stays:
            return Note(RELEASED, f"the object is gone, and what is in Milvus stays: {stays}", warning=True)

    async def _drop(self, collection: MilvusCollection, world: World) -> Note:
        _require_asked(collection)
        connection = await connection_of(collection, world)
        if collection.spec.paused:
            raise held_up("spec.paused is true")
        milvus = await milvus_of(collection, connection, self._gateway, world)
        try:
            found = await evidence.look(milvus, collection)
            if found is None:
                return self._absent(collection)
            self._first_look.pop(collection.key, None)
            return await self._drop_found(collection, connection, found, milvus, world)
        except MilvusError as error:
            raise held_up(blocked_by(error, doing=f"dropping {place_of(collection)}").message) from None

    async def _drop_found(
        self,
        collection: MilvusCollection,
        connection: MilvusConnection,
        found: Description,
        milvus: Milvus,
        world: World,
    ) -> Note:
        if self._may_still_happen(collection.key):
            raise held_up(f"Milvus was told to drop {place_of(collection)}; looking for it", retry_after=BETWEEN_LOOKS)
        self._require_droppable(collection, found)
        self._brake.require(collection, connection, world)
        if collection.spec.deletion_policy is DeletionPolicy.DELETE_IF_EMPTY:
            await evidence.require_empty(milvus, collection)
        for alias in found.aliases:
            await _confirm(collection, connection, world)
            if alias in (await self._looked_again(collection, found, milvus)).aliases:
                await milvus.drop_alias(collection.spec.database, alias)
        rows = await evidence.rows_if_loaded(milvus, collection)
        await _confirm(collection, connection, world)
        again = await self._looked_again(collection, found, milvus)
        if again.aliases:
            raise Again(BETWEEN_LOOKS)
        if collection.spec.deletion_policy is DeletionPolicy.DELETE_IF_EMPTY:
            await evidence.require_empty(milvus, collection)
        return await self._send(collection, connection.key, again, milvus, rows)

    async def _looked_again(self, collection: MilvusCollection, found: Description, milvus: Milvus) -> Description:
        """Directly before a call that takes something away. Raises Again, Stays, Blocked or MilvusError."""
        again = await evidence.look(milvus, collection)
        if again is None or again.id != found.id:
            raise Again(BETWEEN_LOOKS)
        self._require_droppable(collection, again)
        return again

    async def _send(
        self, collection: MilvusCollection, connection: Key, found: Description, milvus: Milvus, rows: int | None
    ) -> Note:
        told = f"{rows} row(s)" if rows is not None else "rows that were not counted, as it was not loaded"
        text = f"{place_of(collection)} (id {found.id}) was dropped with {told}"
        until = self._clock() + HORIZON_SECONDS
        self._attempts[collection.key] = _Attempt(text, until, certain=False)
        self._brake.dropped(collection, connection)
        try:
            async with asyncio.timeout(DROP_SECONDS):
                await milvus.drop_collection(collection.spec.database, collection.effective_collection_name)
        except TimeoutError:
            raise held_up(f"dropping {place_of(collection)}: no answer in time; looking for it") from None
        except OutcomeUnknown:
            raise
        except MilvusError:
            del self._attempts[collection.key]
            raise
        self._attempts[collection.key] = _Attempt(text, until, certain=True)
        if await evidence.look(milvus, collection) is None:
            return self._absent(collection)
        raise Again(BETWEEN_LOOKS)

    def _absent(self, collection: MilvusCollection) -> Note:
        """It was seen to be absent once more. Raises Again or Blocked until that may be believed."""
        key, place = collection.key, place_of(collection)
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.certain:
            return Note(DROPPED, attempt.text)
        horizon = attempt.until - self._clock() if attempt is not None else 0.0
        if max(horizon, self._pending.remaining(key)) > 0:
            raise held_up(f"{place} is gone, and a call under way may still touch it", retry_after=BETWEEN_LOOKS)
        first = self._first_look.setdefault(key, self._clock())
        if self._clock() - first < BETWEEN_LOOKS:
            raise Again(BETWEEN_LOOKS)
        return Note(DROPPED, attempt.text) if attempt is not None else Note(RELEASED, f"{place} is not in Milvus")

    def _may_still_happen(self, key: Key) -> bool:
        """Whether a drop was sent whose effect may not show yet."""
        attempt = self._attempts.get(key)
        return attempt is not None and self._clock() < attempt.until

    def _require_droppable(self, collection: MilvusCollection, found: Description) -> None:
        evidence.require_droppable(collection, found, owner=self._owner(collection), accepted_ids=self._accepted_ids)

    def _is_ours(self, collection: MilvusCollection, found: Description) -> bool:
        named = found.name == collection.effective_collection_name
        whose = standing(found.schema.properties, self._owner(collection), accepted_ids=self._accepted_ids)
        return named and whose is Standing.OURS

    def _owner(self, collection: MilvusCollection) -> Owner:
        return Owner(self._owner_id, collection.namespace, collection.name)


def _require_asked(collection: MilvusCollection) -> None:
    """Raises Stays if nobody asks for a drop, or somebody wants the object gone at any price."""
    place = place_of(collection)
    if collection.metadata.annotations.get(FORCE_RELEASE) == "true":
        raise Stays(f"{place}, as the annotation {FORCE_RELEASE} says")
    if not finalizer.drops(collection):
        raise Stays(f"{place}, as its policy says")


async def _confirm(collection: MilvusCollection, connection: MilvusConnection, world: World) -> None:
    """Raises Stale or KubeError."""
    await world.confirm(collection)
    await world.confirm(connection)
