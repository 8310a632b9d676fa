"""The half of the adapter that changes collections, databases, aliases, partitions and load: one RPC per method.

Nothing is looked at before and nothing is repeated after: who calls decides by a describe whether it happened.
"""

from collections.abc import Sequence

from milvus_embedding.clients.milvus import encode
from milvus_embedding.clients.milvus.errors import COLLECTION_NOT_FOUND
from milvus_embedding.clients.milvus.port import Rejected
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.rpc import DEFAULT_DATABASE, Rpc, refusing
from milvus_embedding.domain.schema import Schema


class Changes(Rpc):
    """See the port for what each method does to data."""

    async def create_database(self, database: str) -> None:
        pb = await load()
        request = pb.milvus.CreateDatabaseRequest(db_name=database)
        await self._change("CreateDatabase", request, DEFAULT_DATABASE)

    async def create_collection(self, database: str, name: str, schema: Schema) -> None:
        await load()
        with refusing():
            request = encode.create_collection_request(database, name, schema)
        await self._change("CreateCollection", request, database)

    async def drop_collection(self, database: str, name: str) -> None:
        pb = await load()
        request = pb.milvus.DropCollectionRequest(db_name=database, collection_name=name)
        try:
            await self._change("DropCollection", request, database)
        except Rejected as error:
            if error.code != COLLECTION_NOT_FOUND:
                raise
            await self._check_database(database)

    async def rename_collection(self, database: str, name: str, new: str) -> None:
        pb = await load()
        request = pb.milvus.RenameCollectionRequest(db_name=database, oldName=name, newName=new)
        await self._change("RenameCollection", request, database)

    async def create_partition(self, database: str, name: str, partition: str) -> None:
        pb = await load()
        request = pb.milvus.CreatePartitionRequest(db_name=database, collection_name=name, partition_name=partition)
        await self._change("CreatePartition", request, database)

    async def drop_partition(self, database: str, name: str, partition: str) -> None:
        pb = await load()
        request = pb.milvus.DropPartitionRequest(db_name=database, collection_name=name, partition_name=partition)
        await self._change("DropPartition", request, database)

    async def load(self, database: str, name: str, *, replicas: int, resource_groups: Sequence[str]) -> None:
        pb = await load()
        request = pb.milvus.LoadCollectionRequest(
            db_name=database, collection_name=name, replica_number=replicas, resource_groups=resource_groups
        )
        await self._change("LoadCollection", request, database)

    async def release(self, database: str, name: str) -> None:
        pb = await load()
        request = pb.milvus.ReleaseCollectionRequest(db_name=database, collection_name=name)
        await self._change("ReleaseCollection", request, database)

    async def release_partitions(self, database: str, name: str, partitions: Sequence[str]) -> None:
        pb = await load()
        request = pb.milvus.ReleasePartitionsRequest(db_name=database, collection_name=name, partition_names=partitions)
        await self._change("ReleasePartitions", request, database)

    async def create_alias(self, database: str, name: str, alias: str) -> None:
        pb = await load()
        request = pb.milvus.CreateAliasRequest(db_name=database, collection_name=name, alias=alias)
        await self._change("CreateAlias", request, database)

    async def alter_alias(self, database: str, name: str, alias: str) -> None:
        pb = await load()
        request = pb.milvus.AlterAliasRequest(db_name=database, collection_name=name, alias=alias)
        await self._change("AlterAlias", request, database)

    async def drop_alias(self, database: str, alias: str) -> None:
        pb = await load()
        request = pb.milvus.DropAliasRequest(db_name=database, alias=alias)
        await self._change("DropAlias", request, database)
