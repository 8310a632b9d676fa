"""The half of the adapter that alters what a collection consists of: properties, fields, functions and indexes.

One RPC per method, as in changes.py. Which of them a server knows is the planner's business, not known here.
"""

from collections.abc import Mapping, Sequence

from milvus_embedding.clients.milvus import encode
from milvus_embedding.clients.milvus.encode import pairs
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.rpc import Rpc, named, refusing
from milvus_embedding.domain.schema import Field, Function, Index


class Alterations(Rpc):
    """See the port for what each method does to data."""

    async def alter_properties(self, database: str, name: str, properties: Mapping[str, str]) -> None:
        pb = await load()
        request = pb.milvus.AlterCollectionRequest(db_name=database, collection_name=name, properties=pairs(properties))
        await self._change("AlterCollection", request, database)

    async def drop_properties(self, database: str, name: str, keys: Sequence[str]) -> None:
        pb = await load()
        request = pb.milvus.AlterCollectionRequest(db_name=database, collection_name=name, delete_keys=sorted(keys))
        await self._change("AlterCollection", request, database)

    async def alter_field(self, database: str, name: str, field: str, params: Mapping[str, str]) -> None:
        pb = await load()
        request = pb.milvus.AlterCollectionFieldRequest(
            db_name=database, collection_name=name, field_name=field, properties=pairs(params)
        )
        await self._change("AlterCollectionField", request, database)

    async def drop_field_params(self, database: str, name: str, field: str, keys: Sequence[str]) -> None:
        pb = await load()
        request = pb.milvus.AlterCollectionFieldRequest(
            db_name=database, collection_name=name, field_name=field, delete_keys=sorted(keys)
        )
        await self._change("AlterCollectionField", request, database)

    async def add_field(self, database: str, name: str, field: Field) -> None:
        await load()
        with refusing():
            request = encode.add_field_request(database, name, field)
        await self._change("AddCollectionField", request, database)

    async def drop_field(self, database: str, name: str, field: str) -> None:
        await load()
        request = encode.drop_field_request(database, name, named(field, "field"))
        await self._change("AlterCollectionSchema", request, database)

    async def drop_function_field(self, database: str, name: str, function: str) -> None:
        await load()
        request = encode.drop_function_field_request(database, name, named(function, "function"))
        await self._change("AlterCollectionSchema", request, database)

    async def add_function(self, database: str, name: str, function: Function) -> None:
        await load()
        request = encode.add_function_request(database, name, function)
        await self._change("AddCollectionFunction", request, database)

    async def add_function_field(
        self, database: str, name: str, function: Function, *, field: Field, index: Index
    ) -> None:
        await load()
        with refusing():
            request = encode.add_function_field_request(database, name, function, field=field, index=index)
        await self._change("AlterCollectionSchema", request, database)

    async def alter_function(self, database: str, name: str, function: Function) -> None:
        await load()
        request = encode.alter_function_request(database, name, function)
        await self._change("AlterCollectionFunction", request, database)

    async def drop_function(self, database: str, name: str, function: str) -> None:
        pb = await load()
        request = pb.milvus.DropCollectionFunctionRequest(
            db_name=database, collection_name=name, function_name=named(function, "function")
        )
        await self._change("DropCollectionFunction", request, database)

    async def create_index(self, database: str, name: str, index: Index) -> None:
        await load()
        await self._change("CreateIndex", encode.create_index_request(database, name, index), database)

    async def alter_index(self, database: str, name: str, index: str, params: Mapping[str, str]) -> None:
        pb = await load()
        request = pb.milvus.AlterIndexRequest(
            db_name=database, collection_name=name, index_name=named(index, "index"), extra_params=pairs(params)
        )
        await self._change("AlterIndex", request, database)

    async def drop_index_params(self, database: str, name: str, index: str, keys: Sequence[str]) -> None:
        pb = await load()
        request = pb.milvus.AlterIndexRequest(
            db_name=database, collection_name=name, index_name=named(index, "index"), delete_keys=sorted(keys)
        )
        await self._change("AlterIndex", request, database)

    async def drop_index(self, database: str, name: str, index: str) -> None:
        pb = await load()
        request = pb.milvus.DropIndexRequest(db_name=database, collection_name=name, index_name=named(index, "index"))
        await self._change("DropIndex", request, database)
