"""Which labels the collections in a Milvus name: a full look through all databases, needed only before a label without
a credential may go. Whatever cannot be seen counts as in use.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import KubeError
from milvus_embedding.clients.milvus.port import Milvus, MilvusError
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.eligibility import credential_key, default_label
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.domain.canary import NAME_PREFIX, is_marked
from milvus_embedding.domain.labels import fold
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering.state import Memory
from milvus_embedding.domain.schema import FunctionKind

LOOK_STANDS_SECONDS = 15.0
LOOK_STANDS_TIMES = 10.0
"""A look stands ten times as long as it took: a Milvus full of collections is not looked through all the time."""
AT_ONCE = 4
LABELS_AGAIN_SECONDS = 60.0
BY_DEFAULT = ""
"""Stands for whatever label is the provider's default: functions that name none use that."""


@dataclass(frozen=True, slots=True)
class Look:
    """`counts`: folded label -> number of collections whose functions name it (BY_DEFAULT: name none).

    remembered: it is not of now.
    """

    counts: Mapping[str, int]
    remembered: bool

    def count(self, label: str) -> int:
        """In whatever spelling the collections name it: to Milvus they are one."""
        return self.counts.get(fold(label), 0)


class LabelUsage:
    """Remembers a look for 15 s at least, so that a burst of changes costs one. What is remembered may keep a label
    but not drop it.
    """

    def __init__(self, gateway: Gateway, *, clock: Callable[[], float]) -> None:
        self._gateway = gateway
        self._clock = clock
        self._looks: dict[Key, tuple[float, Mapping[str, int]]] = {}

    async def look(self, connection: MilvusConnection, world: World, *, now: bool = False) -> Look | None:
        """None if any part of Milvus could not be seen. now: nothing remembered will do."""
        stands = self._looks.get(connection.key)
        if stands is not None and self._clock() < stands[0] and not now:
            return Look(stands[1], remembered=True)
        began = self._clock()
        try:
            counted = await look(await self._gateway.client(connection, world))
        except (MilvusError, Blocked):
            return None
        ended = self._clock()
        until = ended + max(LOOK_STANDS_SECONDS, LOOK_STANDS_TIMES * (ended - began))
        self._looks[connection.key] = (until, counted)
        return Look(counted, remembered=False)

    async def of_orphans(
        self,
        connection: MilvusConnection,
        world: World,
        memory: Memory,
        living: Container[str],
    ) -> Mapping[str, int] | None:
        """Collections per label for the labels without a living credential; None while that cannot be known."""
        orphans = {label: entry.owner for label, entry in memory.items() if label not in living}
        if not orphans:
            return {}
        look = await self.look(connection, world)
        uses = uses_of(orphans, look, connection, world)
        if look is not None and look.remembered and uses is not None and not all(uses.values()):
            uses = uses_of(orphans, await self.look(connection, world, now=True), connection, world)
        return uses and {label: count or await _unseen(orphans[label], world) for label, count in uses.items()}

    async def of_lost(
        self, connection: MilvusConnection, world: World, owners: Mapping[str, str]
    ) -> Mapping[str, int] | None:
        """Collections in Milvus per label, for labels that have no value; None while that cannot be known. Specs do not
        count: what was never created cannot break. owners: label -> owner.
        """
        if not owners:
            return {}
        look = await self.look(connection, world)
        if look is not None and look.remembered and not all(_counts(owners, look, connection).values()):
            look = await self.look(connection, world, now=True)
        return _counts(owners, look, connection) if look is not None else None

    async def refuse_to_lose_labels(self, connection: MilvusConnection, world: World, memory: Memory) -> None:
        """Delivery was File until now, and Environment has no labels."""
        look = await self.look(connection, world, now=True)
        uses = uses_of({label: entry.owner for label, entry in memory.items()}, look, connection, world, named=True)
        used = sorted(label for label in memory if uses is None or uses[label])
        if used:
            raise Blocked(
                Reason.LABELS_IN_USE,
                f"spec.embedding.delivery: collections name {', '.join(used[:8])}, or may; Environment has no labels: "
                "set delivery back to File",
                retry_after=LABELS_AGAIN_SECONDS,
            )

    def forget(self, connection: Key) -> None:
        self._looks.pop(connection, None)


async def look(milvus: Milvus) -> Mapping[str, int]:
    """Raises MilvusError if anything cannot be read, also a collection that vanishes meanwhile (look again)."""
    counted: Counter[str] = Counter()
    for database in await milvus.list_databases():
        names = await milvus.list_collections(database)
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            for labels in await asyncio.gather(*(_labels(milvus, database, name) for name in some)):
                counted.update(labels)
    return counted


async def _labels(milvus: Milvus, database: str, name: str) -> set[str]:
    described = await milvus.describe(database, name)
    if described is None:
        if name.startswith(NAME_PREFIX):
            return set()
        raise MilvusError(f"collection {name} of database {database} went away while its labels were looked up")
    if is_marked(described.schema.properties):
        return set()
    # Of kinds that this version does not know some may use a key too.
    users = (f for f in described.schema.functions if f.kind is FunctionKind.TEXT_EMBEDDING or "credential" in f.params)
    return {fold(f.params.get("credential") or BY_DEFAULT) for f in users}


def uses_of(
    orphans: Mapping[str, str], look: Look | None, connection: MilvusConnection, world: World, *, named: bool = False
) -> dict[str, int] | None:
    """orphans: label -> owner. By the specs that name a label or by what Milvus has, whichever is more.

    named: functions that name no label do not count for the default one.
    """
    if look is None:
        return None
    counts = _counts(orphans, look, connection, named=named)
    return {label: max(world.used_by(credential_key(owner)), counts[label]) for label, owner in orphans.items()}


def _counts(
    owners: Mapping[str, str], look: Look, connection: MilvusConnection, *, named: bool = False
) -> dict[str, int]:
    default = None if named else default_label(connection, owners.items())
    return {label: look.count(label) + (look.count(BY_DEFAULT) if label == default else 0) for label in owners}


async def _unseen(owner: str, world: World) -> int:
    """1 if the credential is there and the cache does not know of it (yet): a cache proves no absence."""
    key = credential_key(owner)
    if world.get(EmbeddingCredential, key.namespace, key.name) is not None:
        return 0
    try:
        return int(await world.exists(key))
    except KubeError:
        return 1
