"""Our schema types as Milvus' protobuf messages. Nothing is sent here.

Parameters are strings already and are passed on as they are: pymilvus' own conversion makes `True` of true and drops
what it does not know.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from milvus_embedding.clients.milvus.protocol import protocol
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index, Schema

if TYPE_CHECKING:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

_TEXTS = frozenset({"VARCHAR", "STRING", "TEXT", "JSON", "GEOMETRY", "TIMESTAMPTZ"})
_INTEGERS = frozenset({"INT8", "INT16", "INT32"})


def create_collection_request(database: str, name: str, schema: Schema) -> "milvus_pb2.CreateCollectionRequest":
    """Raises ValueError if the schema names a type or consistency level that Milvus' protocol does not know."""
    pb = protocol()
    return pb.milvus.CreateCollectionRequest(
        db_name=database,
        collection_name=name,
        schema=collection_schema(name, schema).SerializeToString(deterministic=True),
        shards_num=schema.shards,
        consistency_level=_consistency(schema.consistency),
        num_partitions=schema.partitions_count or 0,
        properties=pairs(schema.properties),
    )


def collection_schema(name: str, schema: Schema) -> "schema_pb2.CollectionSchema":
    """The message that CreateCollection carries as bytes."""
    outputs = {output for function in schema.functions for output in function.outputs}
    return protocol().schema.CollectionSchema(
        name=name,
        description=schema.description,
        autoID=any(field.auto_id for field in schema.fields),
        enable_dynamic_field=schema.dynamic,
        fields=[_field(field, is_output=field.name in outputs) for field in schema.fields],
        functions=[function_schema(function) for function in schema.functions],
    )


def function_schema(function: Function) -> "schema_pb2.FunctionSchema":
    """One function."""
    return protocol().schema.FunctionSchema(
        name=function.name,
        description=function.description,
        type=_function_type(function.kind),
        input_field_names=function.inputs,
        output_field_names=function.outputs,
        params=pairs(function.params),
    )


def create_index_request(database: str, collection: str, index: Index) -> "milvus_pb2.CreateIndexRequest":
    """See _index_params."""
    return protocol().milvus.CreateIndexRequest(
        db_name=database,
        collection_name=collection,
        field_name=index.field,
        index_name=index.name,
        extra_params=_index_params(index),
    )


def add_field_request(database: str, collection: str, field: Field) -> "milvus_pb2.AddCollectionFieldRequest":
    """Raises ValueError if the field names a type that Milvus' protocol does not know."""
    message = _field(field, is_output=False)
    return protocol().milvus.AddCollectionFieldRequest(
        db_name=database, collection_name=collection, schema=message.SerializeToString(deterministic=True)
    )


def drop_field_request(database: str, collection: str, field: str) -> "milvus_pb2.AlterCollectionSchemaRequest":
    """A field that is nobody's output."""
    request = protocol().milvus.AlterCollectionSchemaRequest(db_name=database, collection_name=collection)
    request.action.drop_request.field_name = field
    return request


def drop_function_field_request(
    database: str, collection: str, function: str
) -> "milvus_pb2.AlterCollectionSchemaRequest":
    """A function with its output field."""
    request = protocol().milvus.AlterCollectionSchemaRequest(db_name=database, collection_name=collection)
    request.action.drop_request.function_name = function
    request.action.drop_request.drop_function_output_fields = True
    return request


def add_function_request(
    database: str, collection: str, function: Function
) -> "milvus_pb2.AddCollectionFunctionRequest":
    """A function of its own."""
    return protocol().milvus.AddCollectionFunctionRequest(
        db_name=database, collection_name=collection, functionSchema=function_schema(function)
    )


def add_function_field_request(
    database: str, collection: str, function: Function, *, field: Field, index: Index
) -> "milvus_pb2.AlterCollectionSchemaRequest":
    """A function with its output field and the index of that. Raises ValueError as add_field_request does."""
    request = protocol().milvus.AlterCollectionSchemaRequest(db_name=database, collection_name=collection)
    added = request.action.add_request
    added.func_schema.append(function_schema(function))
    added.field_infos.add(
        field_schema=_field(field, is_output=True), index_name=index.name, extra_params=_index_params(index)
    )
    return request


def alter_function_request(
    database: str, collection: str, function: Function
) -> "milvus_pb2.AlterCollectionFunctionRequest":
    """The whole function as it shall be; it is found by its name."""
    return protocol().milvus.AlterCollectionFunctionRequest(
        db_name=database,
        collection_name=collection,
        function_name=function.name,
        functionSchema=function_schema(function),
    )


def pairs(values: Mapping[str, str]) -> "list[common_pb2.KeyValuePair]":
    """KeyValuePairs, sorted by key."""
    pair = protocol().common.KeyValuePair
    return [pair(key=key, value=value) for key, value in sorted(values.items())]


def _index_params(index: Index) -> "list[common_pb2.KeyValuePair]":
    """Type and metric are pairs of their own; all other parameters travel as one JSON object."""
    extra = {"index_type": index.type}
    if index.metric:
        extra["metric_type"] = index.metric
    if index.params:
        extra["params"] = json.dumps({key: _scalar(text) for key, text in sorted(index.params.items())})
    return pairs(extra)


def _field(field: Field, *, is_output: bool) -> "schema_pb2.FieldSchema":
    message = protocol().schema.FieldSchema(
        name=field.name,
        description=field.description,
        is_primary_key=field.primary_key,
        autoID=field.auto_id,
        nullable=field.nullable,
        is_partition_key=field.partition_key,
        is_clustering_key=field.clustering_key,
        is_function_output=is_output,
        type_params=pairs(field.params),
    )
    message.data_type = _data_type(field.type, field)
    if field.element_type:
        message.element_type = _data_type(field.element_type, field)
    if field.default is not None:
        message.default_value.CopyFrom(_default(field))
    return message


def _data_type(name: str, field: Field) -> "schema_pb2.DataType":
    number = protocol().type_numbers.get(name)
    if number is None:
        raise ValueError(f"Field {field.name} has the type {name}, which Milvus does not know.")
    return protocol().schema.DataType.ValueType(number)


def _default(field: Field) -> "schema_pb2.ValueField":
    value, value_field = field.default, protocol().schema.ValueField
    if field.type == "BOOL" and isinstance(value, bool):
        return value_field(bool_data=value)
    if field.type in ("FLOAT", "DOUBLE") and isinstance(value, int | float):
        return value_field(float_data=value) if field.type == "FLOAT" else value_field(double_data=value)
    if isinstance(value, int) and not isinstance(value, bool):
        if field.type in _INTEGERS:
            return value_field(int_data=value)
        if field.type == "INT64":
            return value_field(long_data=value)
    if isinstance(value, str) and field.type in _TEXTS:
        return value_field(bytes_data=value.encode()) if field.type == "JSON" else value_field(string_data=value)
    raise ValueError(f"Field {field.name} has the default value {value!r}, which does not fit its type {field.type}.")


def _consistency(level: str) -> "common_pb2.ConsistencyLevel":
    levels = protocol().common.ConsistencyLevel
    if level not in levels.keys():
        raise ValueError(f"consistencyLevel is {level}; it must be one of {', '.join(levels.keys())}.")
    return levels.Value(level)


def _function_type(kind: FunctionKind) -> "schema_pb2.FunctionType":
    return protocol().schema.FunctionType.Value(kind.value)


def _scalar(text: str) -> str | int | float | bool:
    """The JSON scalar that is spelled exactly so, else the text: older servers take `16` for M but not `"16"`."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, bool | int | float) and json.dumps(value) == text:
        return value
    return text
