"""Rows and searches: texts become vectors here, in front of the engine, as they do in Milvus' proxy.

The embedding call is made without any lock and before the collection's name is resolved for the write, so a held call
behaves as in a cluster: it may land after its client has died, or in the collection that an alias points to by then.
"""

import json
import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_embedding.devkit.milvus import engine
from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.catalog import CollectionRecord
from milvus_embedding.devkit.milvus.proto import Message
from milvus_embedding.devkit.milvus.provider import Target
from milvus_embedding.devkit.milvus.rules import embedding_targets, parse_bool
from milvus_embedding.devkit.milvus.status import PARTITION_NOT_LOADED, RefusedError, invalid_parameter, success

ALLOW_OUTPUT_PROPERTY = "collection.function.allowInsertNonBM25FunctionOutputs"
_EMPTY = "There is an empty string in the {where}, TextEmbedding function does not support empty text"
_COUNT = "count(*)"
# An InsertRequest or an UpsertRequest; a QueryRequest, a SearchRequest or a HybridSearchRequest.
Write: TypeAlias = Message
Read: TypeAlias = Message


class RowOperations(Base):
    """See the module."""

    def Insert(self, request: milvus_pb2.InsertRequest, context: grpc.ServicerContext) -> milvus_pb2.MutationResult:
        return self._write(request, context, super().Insert)

    def Upsert(self, request: milvus_pb2.UpsertRequest, context: grpc.ServicerContext) -> milvus_pb2.MutationResult:
        record = self.record(request, context)
        if any(field.autoID for field in record.schema.fields):
            return self._write(request, context, self._renumber)
        return self._write(request, context, super().Upsert)

    def _renumber(self, request: Write, context: grpc.ServicerContext) -> milvus_pb2.MutationResult:
        """An upsert on generated keys: the row is deleted and comes back under a new key, as in Milvus."""
        record = self.record(request, context)
        keys = next((column for column in request.fields_data if column.field_name == record.primary_field()), None)
        if keys is not None:
            rows = self.rows(record)
            rows.delete([*keys.scalars.long_data.data, *keys.scalars.string_data.data])
            request.fields_data.remove(keys)
        insert = milvus_pb2.InsertRequest(
            db_name=request.db_name,
            collection_name=record.name,
            partition_name=request.partition_name,
            fields_data=request.fields_data,
            num_rows=request.num_rows,
        )
        result = super().Insert(insert, context)
        result.upsert_cnt, result.insert_cnt = result.insert_cnt, 0
        return result

    def Delete(self, request: milvus_pb2.DeleteRequest, context: grpc.ServicerContext) -> milvus_pb2.MutationResult:
        with self.engine.lock:
            return super().Delete(request, context)

    def _write(
        self,
        request: Write,
        context: grpc.ServicerContext,
        write: Callable[[Write, grpc.ServicerContext], milvus_pb2.MutationResult],
    ) -> milvus_pb2.MutationResult:
        complete = type(request)()
        complete.CopyFrom(request)
        self._embed_rows(self.record(request, context), complete)
        with self.engine.lock:
            result = write(complete, context)
        result.timestamp = self.timestamp()
        return result

    def _embed_rows(self, record: CollectionRecord, request: Write) -> None:
        columns = {column.field_name: column for column in request.fields_data}
        allowed = parse_bool(ALLOW_OUTPUT_PROPERTY, record.properties.get(ALLOW_OUTPUT_PROPERTY, "false"))
        for function, target in embedding_targets(record.schema):
            source = function.input_field_names[0]
            if target.output_field in columns:
                if not allowed:
                    raise invalid_parameter(
                        f"the field {target.output_field} is function output field, no need to provide data"
                    )
            elif source in columns:
                texts = list(columns[source].scalars.string_data.data)
                request.fields_data.append(self._vectors(target, texts))
            elif not getattr(request, "partial_update", False):
                raise invalid_parameter(f"fieldSchema({source}) has no corresponding fieldData pass in")

    def _vectors(self, target: Target, texts: Sequence[str]) -> schema_pb2.FieldData:
        provider = self.providers.open(target)
        if len(texts) > provider.max_rows:
            raise RefusedError(
                f"numRows [{len(texts)}] > function [{target.function}]'s max batch [{provider.max_rows}]"
            )
        if "" in texts:
            raise RefusedError(_EMPTY.format(where="input data"))
        vectors = provider.embed(texts, text_type="document")
        return schema_pb2.FieldData(
            type=schema_pb2.DataType.FloatVector,
            field_name=target.output_field,
            vectors=schema_pb2.VectorField(
                dim=target.dimension,
                float_vector=schema_pb2.FloatArray(data=[number for vector in vectors for number in vector]),
            ),
        )

    def Search(self, request: milvus_pb2.SearchRequest, context: grpc.ServicerContext) -> milvus_pb2.SearchResults:
        record = self.record(request, context)
        complete = milvus_pb2.SearchRequest()
        complete.CopyFrom(request)
        self._embed_queries(record, complete)
        _visible(record, complete, self.rows(record).list_partitions())
        return _search(complete, context, super().Search, record)

    def HybridSearch(
        self, request: milvus_pb2.HybridSearchRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.SearchResults:
        record = self.record(request, context)
        complete = milvus_pb2.HybridSearchRequest()
        complete.CopyFrom(request)
        for part in complete.requests:
            self._embed_queries(record, part)
        _visible(record, complete, self.rows(record).list_partitions())
        return _search(complete, context, super().HybridSearch, record)

    def _embed_queries(self, record: CollectionRecord, request: milvus_pb2.SearchRequest) -> None:
        """A search on a function's output opens all functions of the collection, whatever the query is."""
        field = _searched_field(record, request)
        functions = embedding_targets(record.schema)
        if field not in {target.output_field for _, target in functions}:
            return
        providers = {target.output_field: self.providers.open(target) for _, target in functions}
        group = common_pb2.PlaceholderGroup.FromString(request.placeholder_group)
        for queries in group.placeholders:
            if queries.type != common_pb2.PlaceholderType.VarChar:
                continue
            texts = [value.decode() for value in queries.values]
            provider = providers[field]
            if len(texts) > provider.max_rows:
                name = provider.target.function
                raise RefusedError(f"Nq [{len(texts)}] > function [{name}]'s max batch [{provider.max_rows}]")
            if "" in texts:
                raise RefusedError(_EMPTY.format(where="queries"))
            vectors = provider.embed(texts, text_type="query")
            queries.type = common_pb2.PlaceholderType.FloatVector
            queries.values[:] = [struct.pack(f"<{len(vector)}f", *vector) for vector in vectors]
        request.placeholder_group = group.SerializeToString()

    def Query(self, request: milvus_pb2.QueryRequest, context: grpc.ServicerContext) -> milvus_pb2.QueryResults:
        record = self.record(request, context)
        complete = milvus_pb2.QueryRequest()
        complete.CopyFrom(request)
        _visible(record, complete, self.rows(record).list_partitions())
        if _COUNT in request.output_fields:
            return self._count(record, complete)
        if not request.output_fields:
            complete.output_fields.append(record.primary_field())
        # The engine orders pages by key only for iterators; Milvus always does.
        complete.query_params.append(common_pb2.KeyValuePair(key="iterator", value="True"))
        return super().Query(complete, context)

    def _count(self, record: CollectionRecord, request: milvus_pb2.QueryRequest) -> milvus_pb2.QueryResults:
        number = engine.count(self.rows(record), request.expr, request.partition_names)
        column = schema_pb2.FieldData(
            field_name=_COUNT,
            type=schema_pb2.DataType.Int64,
            scalars=schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=[number])),
        )
        return milvus_pb2.QueryResults(
            status=success(), fields_data=[column], collection_name=record.name, output_fields=[_COUNT]
        )


def _search(
    request: Read,
    context: grpc.ServicerContext,
    search: Callable[[Read, grpc.ServicerContext], milvus_pb2.SearchResults],
    record: CollectionRecord,
) -> milvus_pb2.SearchResults:
    """Without output fields Milvus gives keys and distances only; the engine would give everything."""
    if request.output_fields:
        return search(request, context)
    request.output_fields.append(record.primary_field())
    result = search(request, context)
    result.results.ClearField("fields_data")
    result.results.ClearField("output_fields")
    return result


def _searched_field(record: CollectionRecord, request: milvus_pb2.SearchRequest) -> str:
    for pair in request.search_params:
        if pair.key == "anns_field" and pair.value:
            return _unquoted(pair.value)
    vectors = record.vector_fields()
    return vectors[0] if len(vectors) == 1 else ""


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _visible(record: CollectionRecord, request: Read, partitions: Sequence[str]) -> None:
    """Leaves released partitions out; naming one is an error."""
    if not record.released_partitions:
        return
    for name in request.partition_names:
        if name in record.released_partitions:
            raise RefusedError(f"partition not loaded[partition={name}]", PARTITION_NOT_LOADED)
    if not request.partition_names:
        request.partition_names.extend(name for name in partitions if name not in record.released_partitions)
