"""The port over Milvus' own protocol: one RPC per method (two where the answer would else be ambiguous).

Not over pymilvus' MilvusClient: of a broken connection that sends CreateCollection again by itself (each time paying
the provider), hides whether anything was sent, needs a channel per database and TLS files on disk, and logs every
"not found" as an error. The messages, the service and the names of types are pymilvus'.
"""

import time
from collections.abc import Sequence
from typing import TypeVar

from milvus_embedding.clients.milvus import decode, encode
from milvus_embedding.clients.milvus.channel import Clock
from milvus_embedding.clients.milvus.connection import Connection
from milvus_embedding.clients.milvus.errors import ALIAS_NOT_FOUND, COLLECTION_NOT_FOUND, INDEX_NOT_FOUND
from milvus_embedding.clients.milvus.port import (
    DatabaseNotFound,
    Milvus,
    PermissionDenied,
    Rejected,
    Unimplemented,
)
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.domain.schema import Description, Index, LoadState, Schema
from milvus_embedding.domain.scrub import Scrubber

DEFAULT_DATABASE = "default"
_INVALID_PARAMETER = 1100
R = TypeVar("R")


class PymilvusClient(Milvus):
    """One server as one user; connects at the first call. For one event loop."""

    def __init__(
        self, target: Target, *, scrubber: Scrubber, monotonic: Clock = time.monotonic, workers: int = 8
    ) -> None:
        """`workers` calls at most are under way at once."""
        self.target = target
        self._connection = Connection(target, scrubber=scrubber, monotonic=monotonic, workers=workers)

    async def server_version(self) -> str:
        return await self._connection.server_version()

    async def list_databases(self) -> Sequence[str]:
        pb = await load()
        request = pb.milvus.ListDatabasesRequest()
        response = await self._read("ListDatabases", request, "", pb.milvus.ListDatabasesResponse)
        return tuple(sorted(response.db_names))

    async def list_collections(self, database: str) -> Sequence[str]:
        pb = await load()
        request = pb.milvus.ShowCollectionsRequest(db_name=database)
        response = await self._read("ShowCollections", request, database, pb.milvus.ShowCollectionsResponse)
        return tuple(sorted(response.collection_names))

    async def describe(self, database: str, name: str) -> Description | None:
        pb = await load()
        request = pb.milvus.DescribeCollectionRequest(db_name=database, collection_name=name)
        try:
            response = await self._read("DescribeCollection", request, database, pb.milvus.DescribeCollectionResponse)
        except Rejected as error:
            if error.code != COLLECTION_NOT_FOUND:
                raise
            await self._check_database(database)
            return None
        return decode.description(response)

    async def list_indexes(self, database: str, name: str) -> Sequence[Index]:
        pb = await load()
        request = pb.milvus.DescribeIndexRequest(db_name=database, collection_name=name)
        try:
            response = await self._read("DescribeIndex", request, database, pb.milvus.DescribeIndexResponse)
        except Rejected as error:
            if error.code == INDEX_NOT_FOUND:
                return ()
            raise
        return decode.indexes(response)

    async def list_partitions(self, database: str, name: str) -> Sequence[str]:
        pb = await load()
        request = pb.milvus.ShowPartitionsRequest(db_name=database, collection_name=name)
        response = await self._read("ShowPartitions", request, database, pb.milvus.ShowPartitionsResponse)
        return tuple(sorted(response.partition_names))

    async def list_aliases(self, database: str, name: str) -> Sequence[str]:
        pb = await load()
        request = pb.milvus.ListAliasesRequest(db_name=database, collection_name=name)
        response = await self._read("ListAliases", request, database, pb.milvus.ListAliasesResponse)
        return tuple(sorted(response.aliases))

    async def load_state(self, database: str, name: str) -> LoadState:
        pb = await load()
        request = pb.milvus.GetLoadStateRequest(db_name=database, collection_name=name)
        response = await self._read("GetLoadState", request, database, pb.milvus.GetLoadStateResponse)
        state = decode.load_state(response)
        if state is None:
            raise Rejected(f"Milvus has no collection {name} to tell the load state of.", COLLECTION_NOT_FOUND)
        return state

    async def alias_target(self, database: str, alias: str) -> str | None:
        pb = await load()
        request = pb.milvus.DescribeAliasRequest(db_name=database, alias=alias)
        try:
            response = await self._read("DescribeAlias", request, database, pb.milvus.DescribeAliasResponse)
        except Rejected as error:
            if error.code in (ALIAS_NOT_FOUND, COLLECTION_NOT_FOUND):
                return None
            raise
        return response.collection or None

    async def create_collection(self, database: str, name: str, schema: Schema) -> None:
        await load()
        try:
            request = encode.create_collection_request(database, name, schema)
        except ValueError as error:
            raise Rejected(str(error), _INVALID_PARAMETER) from None
        await self._change("CreateCollection", request, database)

    async def create_partition(self, database: str, name: str, partition: str) -> None:
        pb = await load()
        request = pb.milvus.CreatePartitionRequest(db_name=database, collection_name=name, partition_name=partition)
        await self._change("CreatePartition", request, database)

    async def create_index(self, database: str, name: str, index: Index) -> None:
        await load()
        await self._change("CreateIndex", encode.create_index_request(database, name, index), database)

    async def load(self, database: str, name: str, *, replicas: int, resource_groups: Sequence[str]) -> None:
        pb = await load()
        request = pb.milvus.LoadCollectionRequest(
            db_name=database, collection_name=name, replica_number=replicas, resource_groups=resource_groups
        )
        await self._change("LoadCollection", request, database)

    async def create_alias(self, database: str, name: str, alias: str) -> None:
        pb = await load()
        request = pb.milvus.CreateAliasRequest(db_name=database, collection_name=name, alias=alias)
        await self._change("CreateAlias", request, database)

    async def retire(self) -> None:
        """Refuses new calls and closes when those under way have ended."""
        await self._connection.drain()

    async def close(self) -> None:
        await self._connection.close()

    async def _read(self, method: str, request: object, database: str, response_type: type[R]) -> R:
        response = await self._connection.call(method, request, database=database or self.target.database)
        if not isinstance(response, response_type):
            raise TypeError(f"{method} answered with {type(response).__name__}")
        return response

    async def _change(self, method: str, request: object, database: str) -> None:
        await self._connection.call(method, request, database=database, changing=True)

    async def _check_database(self, database: str) -> None:
        """Some servers say "collection not found" of a database that does not exist. Who may not list is believed."""
        if database in ("", DEFAULT_DATABASE):
            return
        try:
            databases = await self.list_databases()
        except (PermissionDenied, Unimplemented):
            return
        if database not in databases:
            raise DatabaseNotFound(f"The database {database} does not exist in Milvus at {self.target.uri}.")
