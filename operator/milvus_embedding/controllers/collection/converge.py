"""Creates a collection with all that belongs to it in one go: observe, act, read back.

Every act is one external call. After a crash at any point the next pass finds what is there, and changing.py goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import ConnectionLost, Milvus, MilvusError, OutcomeUnknown
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.collection.observe import observe
from milvus_embedding.controllers.collection.pending import Pending, write_horizon
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.domain.acts import (
    Act,
    CreateAlias,
    CreateIndex,
    CreatePartition,
    Load,
    builds_index,
    is_unsettled,
    missing,
)
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import Description, LoadState, Schema

POLLS = 8
GLANCES = 3
"""Polls for what was begun by others or earlier: a Milvus that loads thousands of collections is not waited for."""
FIRST_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is worked on: who asks, where, and what for. `circuit` names the credentials and models it depends on."""

    key: Key
    milvus: Milvus
    want: Desired
    schema: Schema
    circuit: tuple[object, ...]


class Converge:
    """`sleep` is asyncio.sleep but for tests."""

    def __init__(
        self, *, gate: ProviderGate, pending: Pending, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._gate = gate
        self._pending = pending
        self._sleep = sleep

    async def create(self, subject: Subject) -> tuple[Key, ...]:
        """CreateCollection with our stamp. Returns the objects that waited for the same provider. Raises Blocked."""
        want, key = subject.want, subject.key
        if self._pending.remaining(key) > 0:
            text = (
                f"creating {want.name}: an earlier call may still happen until {write_horizon(want):.0f} s after it; "
                "looking for it"
            )
            raise Blocked(Reason.CREATE_OUTCOME_UNKNOWN, text, retry_after=2)
        self._gate.enter(subject.circuit, key)
        try:
            await subject.milvus.create_collection(want.database, want.name, subject.schema)
        except MilvusError as error:
            if isinstance(error, OutcomeUnknown) and not isinstance(error, ConnectionLost):
                self._pending.add(key, write_horizon(want))
            cause = blocked_by(error, doing=f"creating collection {want.name}")
            raise self._gate.failed(subject.circuit, key, cause) from None
        self._pending.settle(key)
        return self._gate.succeeded(subject.circuit, key)

    async def complete(self, subject: Subject, have: Observed) -> Observed:
        """Makes what is missing and reads back. Raises Blocked; whatever was done by then stays."""
        for act in missing(subject.want, have):
            await self._perform(act, subject)
        again = await self.settled(subject)
        if not missing(subject.want, again):
            return again
        raise Blocked(Reason.MILVUS_ERROR, "Milvus took the calls, and what they made is not there", retry_after=2)

    async def _perform(self, act: Act, subject: Subject) -> None:
        milvus, database, name = subject.milvus, subject.want.database, subject.want.name
        doing = f"collection {name}"
        try:
            match act:
                case CreatePartition(partition):
                    doing = f"creating partition {partition}"
                    await milvus.create_partition(database, name, partition)
                case CreateIndex(index):
                    doing = f"creating the index on {index.field}"
                    await milvus.create_index(database, name, index)
                case Load(replicas, groups):
                    await self._finished_indexes(subject)
                    doing = f"loading {name}"
                    await milvus.load(database, name, replicas=replicas, resource_groups=groups)
                case CreateAlias(alias):
                    doing = f"creating alias {alias}"
                    await self._create_alias(subject, alias)
        except MilvusError as error:
            raise blocked_by(error, doing=doing) from None

    async def _create_alias(self, subject: Subject, alias: str) -> None:
        database, name = subject.want.database, subject.want.name
        target = await subject.milvus.alias_target(database, alias)
        if target == name:
            return
        if target is not None:
            raise Blocked(
                Reason.ALIAS_TAKEN,
                f"spec.aliases: {alias} points to another collection already; choose another, or drop it in Milvus",
                retry_after=30,
            )
        await subject.milvus.create_alias(database, name, alias)

    async def _finished_indexes(self, subject: Subject) -> None:
        pause = FIRST_POLL_SECONDS
        for _ in range(POLLS):
            indexes = await subject.milvus.list_indexes(subject.want.database, subject.want.name)
            if all(index.finished for index in indexes):
                return
            await self._sleep(pause)
            pause *= 2
        raise Blocked(Reason.INDEX_BUILDING, "Milvus builds the index; loading comes after it", retry_after=2)

    async def settled(self, subject: Subject, *, polls: int = POLLS) -> Observed:
        """Reads back, and gives building and loading a moment. Raises Blocked."""
        pause, building = FIRST_POLL_SECONDS, False
        for _ in range(polls):
            have = await self.observe(subject)
            if have is None:
                raise Blocked(Reason.MILVUS_ERROR, "the collection is not there any more", retry_after=2)
            if not is_unsettled(have):
                return have
            building = builds_index(have)
            await self._sleep(pause)
            pause *= 2
        reason = Reason.INDEX_BUILDING if building else Reason.LOADING
        raise Blocked(reason, "Milvus builds the index" if building else "Milvus loads the collection", retry_after=1)

    async def observe(self, subject: Subject) -> Observed | None:
        """Raises Blocked."""
        want = subject.want
        try:
            return await observe(subject.milvus, want.database, want.name)
        except MilvusError as error:
            raise blocked_by(error, doing=f"looking at collection {want.name}") from None


def newborn(schema: Schema, name: str) -> Observed:
    """What a collection is right after CreateCollection, without asking: the read-back comes after the acts."""
    return Observed(
        description=Description(name=name, id="", schema=schema),
        indexes=(),
        partitions=(),
        aliases=(),
        load=LoadState.NOT_LOADED,
    )
