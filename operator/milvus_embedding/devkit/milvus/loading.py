"""Load states that survive a restart, and partitions that can be released one by one.

As in Milvus the state of a collection says Loaded while one of its partitions is not, and a search or query over the
whole collection then leaves that partition out without a word.
"""

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.catalog import CollectionRecord
from milvus_embedding.devkit.milvus.engine import set_loaded
from milvus_embedding.devkit.milvus.rules import check_partition_name
from milvus_embedding.devkit.milvus.status import PARTITION_NOT_FOUND, RefusedError, invalid_parameter, success

DEFAULT_RESOURCE_GROUP = "__default_resource_group"


class Loading(Base):
    """See the module."""

    def LoadCollection(
        self, request: milvus_pb2.LoadCollectionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        with self.engine.lock:
            record = self.record(request, context)
            self._load(record, released=[])
            record.replicas = request.replica_number or record.replicas
            record.resource_groups = list(request.resource_groups)
            self.catalog.save(record)
        return success()

    def ReleaseCollection(
        self, request: milvus_pb2.ReleaseCollectionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        with self.engine.lock:
            self._release(self.record(request, context))
        return success()

    def LoadPartitions(
        self, request: milvus_pb2.LoadPartitionsRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        with self.engine.lock:
            record = self.record(request, context)
            names = self._known(record, request.partition_names)
            everything = self.rows(record).list_partitions()
            absent = record.released_partitions if record.loaded else everything
            self._load(record, released=[name for name in absent if name not in names])
            self.catalog.save(record)
        return success()

    def ReleasePartitions(
        self, request: milvus_pb2.ReleasePartitionsRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        with self.engine.lock:
            record = self.record(request, context)
            names = self._known(record, request.partition_names)
            released = {*record.released_partitions, *names}
            if not record.loaded or released.issuperset(self.rows(record).list_partitions()):
                self._release(record)
            else:
                record.released_partitions = sorted(released)
                self.catalog.save(record)
        return success()

    def _load(self, record: CollectionRecord, *, released: list[str]) -> None:
        missing = [name for name in record.vector_fields() if record.index_of(name) is None]
        if missing:
            raise RefusedError(f"there is no vector index on field: {missing}, please create index firstly")
        self.rows(record).load()
        record.loaded, record.released_partitions = True, released

    def _release(self, record: CollectionRecord) -> None:
        set_loaded(self.rows(record), False)
        record.loaded, record.released_partitions = False, []
        self.catalog.save(record)

    def _known(self, record: CollectionRecord, names: list[str]) -> list[str]:
        present = self.rows(record).list_partitions()
        for name in names:
            if name not in present:
                raise RefusedError(f"partition not found[partition={name}]", PARTITION_NOT_FOUND)
        return list(names)

    def GetLoadState(
        self, request: milvus_pb2.GetLoadStateRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.GetLoadStateResponse:
        record = self.find(self.database(request, context), request.collection_name)
        states = common_pb2.LoadState
        if record is None:
            return milvus_pb2.GetLoadStateResponse(status=success(), state=states.LoadStateNotExist)
        hidden = any(name in record.released_partitions for name in request.partition_names)
        loaded = record.loaded and not hidden
        return milvus_pb2.GetLoadStateResponse(
            status=success(), state=states.LoadStateLoaded if loaded else states.LoadStateNotLoad
        )

    def GetLoadingProgress(
        self, request: milvus_pb2.GetLoadingProgressRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.GetLoadingProgressResponse:
        progress = 100 if self.record(request, context).loaded else 0
        return milvus_pb2.GetLoadingProgressResponse(status=success(), progress=progress, refresh_progress=progress)

    def GetReplicas(
        self, request: milvus_pb2.GetReplicasRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.GetReplicasResponse:
        record = self.record(request, context)
        groups = record.resource_groups or [DEFAULT_RESOURCE_GROUP]
        replicas = [
            milvus_pb2.ReplicaInfo(
                replicaID=record.collection_id + number + 1,
                collectionID=record.collection_id,
                resource_group_name=groups[number % len(groups)],
            )
            for number in range(record.replicas if record.loaded else 0)
        ]
        return milvus_pb2.GetReplicasResponse(status=success(), replicas=replicas)

    def ListResourceGroups(
        self, request: milvus_pb2.ListResourceGroupsRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.ListResourceGroupsResponse:
        return milvus_pb2.ListResourceGroupsResponse(status=success(), resource_groups=[DEFAULT_RESOURCE_GROUP])

    def CreatePartition(
        self, request: milvus_pb2.CreatePartitionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        check_partition_name(request.partition_name)
        with self.engine.lock:
            record = self.record(request, context)
            if record.num_partitions:
                raise invalid_parameter("disable create partition if partition key mode is used")
            if request.partition_name in self.rows(record).list_partitions():
                return success()
            return super().CreatePartition(request, context)

    def DropPartition(
        self, request: milvus_pb2.DropPartitionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        with self.engine.lock:
            record, name = self.record(request, context), request.partition_name
            if record.num_partitions:
                raise invalid_parameter("disable drop partition if partition key mode is used")
            if name not in self.rows(record).list_partitions():
                return success()
            if record.loaded and name not in record.released_partitions:
                raise RefusedError("partition cannot be dropped, partition is loaded, please release it first")
            response = super().DropPartition(request, context)
            record.released_partitions = [other for other in record.released_partitions if other != name]
            self.catalog.save(record)
            return response

    def ShowPartitions(
        self, request: milvus_pb2.ShowPartitionsRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.ShowPartitionsResponse:
        record = self.record(request, context)
        names = self.rows(record).list_partitions()
        if record.num_partitions:
            names = [f"_default_{number}" for number in range(record.num_partitions)]
        if request.partition_names:
            names = [name for name in names if name in request.partition_names]
        loaded = [record.loaded and name not in record.released_partitions for name in names]
        return milvus_pb2.ShowPartitionsResponse(
            status=success(),
            partition_names=names,
            partitionIDs=[record.collection_id + number + 1 for number in range(len(names))],
            inMemory_percentages=[100 if state else 0 for state in loaded],
        )
