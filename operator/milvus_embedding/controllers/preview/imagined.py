"""A Milvus as it would be: databases that would be made and stamps that would be written are there for those who look.

Only what the rest of a pass depends on is imagined. All else goes to a client that changes nothing and refuses it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import DatabaseNotFound, Milvus, MilvusClients
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.controllers.preview.previews import Previews, Stamping
from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.schema import Description


@dataclasses.dataclass(frozen=True, slots=True)
class ImaginedClients:
    """MilvusClients over others, which have to be read-only."""

    clients: MilvusClients
    previews: Previews
    properties: dict[tuple[Key, str, str], dict[str, str]] = dataclasses.field(default_factory=dict)

    async def get(self, connection: Key, target: Target) -> Milvus:
        # Everything that it does not define itself is the client's own.
        return cast("Milvus", _Imagined(await self.clients.get(connection, target), connection, self))

    async def forget(self, connection: Key) -> None:
        await self.clients.forget(connection)


class _Imagined:
    def __init__(self, client: Milvus, connection: Key, shared: ImaginedClients) -> None:
        self._client = client
        self._connection = connection
        self._shared = shared
        self._made = shared.previews.databases.setdefault(connection, set())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def list_databases(self) -> Sequence[str]:
        return sorted({*await self._client.list_databases(), *self._made})

    async def list_collections(self, database: str) -> Sequence[str]:
        return () if database in self._made else await self._client.list_collections(database)

    async def create_database(self, database: str) -> None:
        self._made.add(database)

    async def describe(self, database: str, name: str) -> Description | None:
        try:
            described = await self._client.describe(database, name)
        except DatabaseNotFound:
            if database in self._made:
                return None
            raise
        added = self._shared.properties.get((self._connection, database, name), {}) if described is not None else {}
        if described is None or not added:
            return described
        schema = described.schema
        schema = dataclasses.replace(schema, properties={**schema.properties, **added})
        return dataclasses.replace(described, schema=schema)

    async def alter_properties(self, database: str, name: str, properties: Mapping[str, str]) -> None:
        if OWNER not in properties:
            await self._client.alter_properties(database, name, properties)
            return
        place = (self._connection, database, name)
        described = await self._client.describe(database, name)
        before = described.schema.properties.get(OWNER, "") if described is not None else ""
        self._shared.previews.stampings[place] = Stamping(database, name, before, properties[OWNER])
        self._shared.properties.setdefault(place, {}).update(properties)
