"""The half of the adapter that looks: each method is one RPC, two where the answer would else be ambiguous."""

from collections.abc import Sequence

from milvus_embedding.clients.milvus import decode
from milvus_embedding.clients.milvus.errors import (
    ALIAS_NOT_FOUND,
    COLLECTION_NOT_FOUND,
    INDEX_NOT_FOUND,
    UNCLASSIFIED,
)
from milvus_embedding.clients.milvus.port import NOT_LOADED, Rejected
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.rpc import Rpc
from milvus_embedding.domain.schema import Description, Index, LoadState

_COUNT = "count(*)"
_ROW_COUNT = "row_count"
_REPLICA_NOT_FOUND = 400
_NO_REPLICA = NOT_LOADED | {_REPLICA_NOT_FOUND}


class Reads(Rpc):
    """See the port for what each method promises."""

    async def server_version(self) -> str:
        return await self._connection.server_version()

    async def list_databases(self) -> Sequence[str]:
        return await self._databases()

    async def list_collections(self, database: str) -> Sequence[str]:
        return await self._collections(database)

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

    async def load_state(self, database: str, name: str, *, partitions: Sequence[str] = ()) -> LoadState:
        pb = await load()
        request = pb.milvus.GetLoadStateRequest(db_name=database, collection_name=name, partition_names=partitions)
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

    async def count_rows(self, database: str, name: str, *, partitions: Sequence[str] = ()) -> int:
        pb = await load()
        request = pb.milvus.QueryRequest(
            db_name=database,
            collection_name=name,
            partition_names=partitions,
            output_fields=[_COUNT],
            consistency_level=pb.common.ConsistencyLevel.Strong,
            use_default_consistency=False,
        )
        response = await self._read("Query", request, database, pb.milvus.QueryResults)
        number = decode.count(response, _COUNT)
        if number is None:
            raise Rejected(f"Milvus answered a count of {name} without a number.", UNCLASSIFIED)
        return number

    async def estimate_rows(self, database: str, name: str, *, partition: str | None = None) -> int:
        pb = (await load()).milvus
        if partition is None:
            request = pb.GetCollectionStatisticsRequest(db_name=database, collection_name=name)
            reply_type = pb.GetCollectionStatisticsResponse
            response = await self._read("GetCollectionStatistics", request, database, reply_type)
        else:
            request = pb.GetPartitionStatisticsRequest(db_name=database, collection_name=name, partition_name=partition)
            reply_type = pb.GetPartitionStatisticsResponse
            response = await self._read("GetPartitionStatistics", request, database, reply_type)
        told = {pair.key: pair.value for pair in response.stats}.get(_ROW_COUNT, "")
        if not told.isdigit():
            raise Rejected(f"Milvus has no row count in the statistics of {name}.", UNCLASSIFIED)
        return int(told)

    async def list_replicas(self, database: str, name: str) -> Sequence[str]:
        pb = await load()
        request = pb.milvus.GetReplicasRequest(db_name=database, collection_name=name)
        try:
            response = await self._read("GetReplicas", request, database, pb.milvus.GetReplicasResponse)
        except Rejected as error:
            if error.code in _NO_REPLICA:
                return ()
            raise
        return tuple(sorted(replica.resource_group_name for replica in response.replicas))

    async def list_resource_groups(self) -> Sequence[str]:
        pb = await load()
        request = pb.milvus.ListResourceGroupsRequest()
        response = await self._read("ListResourceGroups", request, "", pb.milvus.ListResourceGroupsResponse)
        return tuple(sorted(response.resource_groups))
