"""Indexes with the names and parameters of the request; one per field (per path of a JSON field), created
anew only after a drop.

Building is the engine's and done when CreateIndex returns, so the state is always Finished.
"""

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_embedding.devkit.milvus import engine
from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.catalog import CollectionRecord, IndexRecord, key_values
from milvus_embedding.devkit.milvus.index_rules import check_index
from milvus_embedding.devkit.milvus.rules import BM25, pairs
from milvus_embedding.devkit.milvus.status import INDEX_NOT_FOUND, RefusedError, invalid_parameter, success

_WHILE_RELEASED = ("mmap.enabled", "warmup")
_SCALARS_WHILE_LOADED_SINCE = (3,)
_JSON_PATH = "json_path"


def build_index(base: Base, record: CollectionRecord, name: str, field_name: str, params: dict[str, str]) -> None:
    """An equal one that is there is left alone. The record is not saved. Raises RefusedError."""
    field = record.field(field_name)
    if field is None:
        raise invalid_parameter(f"cannot create index on non-exist field: {field_name}")
    check_index(field, params)
    parameters = _with_defaults(record, field, params)
    index = IndexRecord(name=name or field.name, field_name=field.name, index_id=0, parameters=parameters)
    if _exists(record, index):
        return
    engine.create_index(base.rows(record), field, key_values(index.parameters))
    index.index_id = base.catalog.next_id()
    record.indexes.append(index)


class Indexes(Base):
    """See the module."""

    def CreateIndex(self, request: milvus_pb2.CreateIndexRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        with self.engine.lock:
            record = self.record(request, context)
            build_index(self, record, request.index_name, request.field_name, pairs(request.extra_params))
            self.catalog.save(record)
        return success()

    def DescribeIndex(
        self, request: milvus_pb2.DescribeIndexRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.DescribeIndexResponse:
        record = self.record(request, context)
        found = _select(record, request.index_name, request.field_name)
        if not found:
            raise RefusedError(f"index not found[indexName={request.index_name}]", INDEX_NOT_FOUND)
        rows = self.rows(record).num_entities
        return milvus_pb2.DescribeIndexResponse(
            status=success(),
            index_descriptions=[
                milvus_pb2.IndexDescription(
                    index_name=index.name,
                    indexID=index.index_id,
                    field_name=index.field_name,
                    params=key_values(index.flat()),
                    indexed_rows=rows,
                    total_rows=rows,
                    state=common_pb2.IndexState.Finished,
                )
                for index in found
            ],
        )

    def DropIndex(self, request: milvus_pb2.DropIndexRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        with self.engine.lock:
            record = self.record(request, context)
            found = _select(record, request.index_name, request.field_name)
            if record.loaded and not self._droppable_while_loaded(record, found):
                raise RefusedError("index cannot be dropped, collection is loaded, please release it first")
            rows = self.rows(record)
            engine.set_loaded(rows, False)
            for index in found:
                engine.drop_index(rows, index.field_name)
                record.indexes.remove(index)
            engine.set_loaded(rows, record.loaded)
            self.catalog.save(record)
        return success()

    def _droppable_while_loaded(self, record: CollectionRecord, indexes: list[IndexRecord]) -> bool:
        """Which release came to let go of scalar indexes is not known for sure; 3.0 does."""
        vectors = record.vector_fields()
        return not indexes or (
            self.version >= _SCALARS_WHILE_LOADED_SINCE and all(index.field_name not in vectors for index in indexes)
        )

    def AlterIndex(self, request: milvus_pb2.AlterIndexRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        changed, removed = pairs(request.extra_params), list(request.delete_keys)
        for key in (*changed, *removed):
            if key not in _WHILE_RELEASED:
                raise invalid_parameter(f"{key} is not a configable index property")
        with self.engine.lock:
            record = self.record(request, context)
            if record.loaded:
                raise RefusedError("can't alter index on loaded collection, please release the collection first")
            found = _select(record, request.index_name, "")
            if not found:
                raise RefusedError(f"index not found[indexName={request.index_name}]", INDEX_NOT_FOUND)
            for index in found:
                kept = {key: value for key, value in index.parameters.items() if key not in removed}
                index.parameters = {**kept, **changed}
            self.catalog.save(record)
        return success()

    def GetIndexState(
        self, request: milvus_pb2.GetIndexStateRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.GetIndexStateResponse:
        return milvus_pb2.GetIndexStateResponse(status=success(), state=common_pb2.IndexState.Finished)


def _exists(record: CollectionRecord, index: IndexRecord) -> bool:
    """True if the very same index is there. Raises RefusedError if another one is in its way."""
    path = index.flat().get(_JSON_PATH)
    on_field = (other for other in record.indexes if other.field_name == index.field_name)
    present = next((other for other in on_field if other.flat().get(_JSON_PATH) == path), None)
    if present is not None:
        if present.same_as(index) and present.name == index.name:
            return True
        raise RefusedError("CreateIndex failed: at most one distinct index is allowed per field")
    if any(other.name == index.name for other in record.indexes):
        raise RefusedError(f"CreateIndex failed: creating multiple indexes with the same name {index.name}")
    return False


def _select(record: CollectionRecord, name: str, field_name: str) -> list[IndexRecord]:
    return [
        index
        for index in record.indexes
        if (not name or index.name == name) and (not field_name or index.field_name == field_name)
    ]


def _with_defaults(
    record: CollectionRecord, field: schema_pb2.FieldSchema, parameters: dict[str, str]
) -> dict[str, str]:
    """Index type and, for vectors, metric: what Milvus takes if the client says nothing."""
    result = {"index_type": "AUTOINDEX", **parameters}
    if field.data_type == schema_pb2.DataType.SparseFloatVector:
        scored = any(f.type == BM25 and field.name in f.output_field_names for f in record.schema.functions)
        result.setdefault("metric_type", "BM25" if scored else "IP")
    elif field.data_type >= schema_pb2.DataType.BinaryVector:
        is_binary = field.data_type == schema_pb2.DataType.BinaryVector
        result.setdefault("metric_type", "HAMMING" if is_binary else "COSINE")
    return result
