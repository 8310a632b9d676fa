"""Which labels the collections in a Milvus name: a full look through all databases, needed only before a label without
a credential may go. Whatever cannot be seen counts as in use.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.domain.schema import FunctionKind

LOOK_STANDS_SECONDS = 15.0
BY_DEFAULT = ""
"""Stands for whatever label is the provider's default: functions that name none use that."""


class LabelUsage:
    """Remembers a look for 15 s, so that a burst of changes costs one."""

    def __init__(self, gateway: Gateway, *, clock: Callable[[], float]) -> None:
        self._gateway = gateway
        self._clock = clock
        self._looks: dict[Key, tuple[float, Mapping[str, int]]] = {}

    async def count(self, connection: MilvusConnection, world: World) -> Mapping[str, int] | None:
        """Label -> number of collections whose functions name it (BY_DEFAULT: name none); None if any part of Milvus
        could not be seen.
        """
        before = self._looks.get(connection.key)
        if before is not None and self._clock() - before[0] < LOOK_STANDS_SECONDS:
            return before[1]
        try:
            counted = await look(await self._gateway.client(connection, world))
        except (MilvusError, Blocked):
            return None
        self._looks[connection.key] = (self._clock(), counted)
        return counted

    def forget(self, connection: Key) -> None:
        self._looks.pop(connection, None)


async def look(milvus: Milvus) -> Mapping[str, int]:
    """Raises MilvusError if anything cannot be read, also a collection that vanishes meanwhile (look again)."""
    counted: Counter[str] = Counter()
    for database in await milvus.list_databases():
        for name in await milvus.list_collections(database):
            described = await milvus.describe(database, name)
            if described is None:
                raise MilvusError(f"collection {name} of database {database} went away while its labels were looked up")
            functions = (f for f in described.schema.functions if f.kind is FunctionKind.TEXT_EMBEDDING)
            counted.update({f.params.get("credential") or BY_DEFAULT for f in functions})
    return counted
