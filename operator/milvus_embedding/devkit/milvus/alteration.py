"""AlterCollection, AlterCollectionField, AddCollectionField: what Milvus lets one change of a collection in place.

From 3.0 on also AlterCollectionSchema, which drops fields, and functions together with the field they fill.
"""

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_embedding.devkit.milvus import engine
from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.catalog import CollectionRecord, complete, engine_schema, key_values
from milvus_embedding.devkit.milvus.indexes import build_index
from milvus_embedding.devkit.milvus.rules import (
    BM25,
    check_fields,
    check_functions,
    check_properties,
    pairs,
    parse_bool,
)
from milvus_embedding.devkit.milvus.status import RefusedError, invalid_parameter, success

_DESCRIPTION, _CONSISTENCY, _DYNAMIC = "collection.description", "consistency_level", "dynamicfield.enabled"
_REPLICAS, _GROUPS = "collection.replica.number", "collection.resource_groups"
_SERVER_OWNED = "max_field_id"
_SCHEMA_CHANGES_SINCE = (3,)
_FIELD_DESCRIPTION = "field.description"
_WHILE_RELEASED = ("mmap.enabled", "mmap_enabled", "warmup")
_FIELD_KEYS = ("max_length", "max_capacity", _FIELD_DESCRIPTION, *_WHILE_RELEASED)


class Alteration(Base):
    """See the module."""

    def AlterCollection(
        self, request: milvus_pb2.AlterCollectionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        record = self.record(request, context)
        properties, removed = pairs(request.properties), list(request.delete_keys)
        if properties and removed:
            raise invalid_parameter("properties and deleteKeys cannot be provided at the same time")
        if _SERVER_OWNED in {*properties, *removed} and self.version >= _SCHEMA_CHANGES_SINCE:
            raise invalid_parameter(f"{_SERVER_OWNED} is managed by the server")
        indexed = any(record.index_of(name) for name in record.vector_fields())
        check_properties(properties, removed=removed, loaded=record.loaded, vector_indexed=indexed)
        with self.engine.lock:
            self._special(record, properties)
            record.properties = {
                key: value for key, value in {**record.properties, **properties}.items() if key not in removed
            }
            self.catalog.save(record)
        return success()

    def _special(self, record: CollectionRecord, properties: dict[str, str]) -> None:
        """Takes out of `properties` those that are no properties but parts of the collection."""
        if _DYNAMIC in properties:
            if len(properties) > 1:
                raise invalid_parameter(f"can not alter {_DYNAMIC} with other properties at the same time")
            self._set_dynamic(record, parse_bool(_DYNAMIC, properties.pop(_DYNAMIC)))
        if _REPLICAS in properties:
            record.replicas = _replicas(properties[_REPLICAS])
        if _GROUPS in properties:
            record.resource_groups = [name for name in properties[_GROUPS].split(",") if name]
        if _DESCRIPTION in properties:
            record.schema.description = properties.pop(_DESCRIPTION)
        if _CONSISTENCY in properties:
            record.consistency_level = _consistency(properties.pop(_CONSISTENCY))

    def _set_dynamic(self, record: CollectionRecord, enabled: bool) -> None:
        if not enabled and record.schema.enable_dynamic_field and self.version < _SCHEMA_CHANGES_SINCE:
            raise invalid_parameter("dynamic schema cannot be disabled")
        schema = _copy(record.schema)
        schema.enable_dynamic_field = enabled
        self._reshape(record, schema)

    def AlterCollectionField(
        self, request: milvus_pb2.AlterCollectionFieldRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        record = self.record(request, context)
        properties = pairs(request.properties)
        for key in (*properties, *request.delete_keys):
            if key not in _FIELD_KEYS:
                raise invalid_parameter(f"{key} does not allow update in collection field param")
            if key in _WHILE_RELEASED and record.loaded:
                raise RefusedError("can not alter collection field properties if collection loaded")
        schema = _copy(record.schema)
        field = next((item for item in schema.fields if item.name == request.field_name), None)
        if field is None:
            raise invalid_parameter(f"field {request.field_name} does not exist in collection {record.name}")
        field.description = properties.pop(_FIELD_DESCRIPTION, field.description)
        merged = {**pairs(field.type_params), **properties}
        for key in request.delete_keys:
            merged.pop(key, None)
        del field.type_params[:]
        field.type_params.extend(key_values(dict(sorted(merged.items()))))
        check_fields(schema)
        with self.engine.lock:
            self._reshape(record, schema)
            self.catalog.save(record)
        return success()

    def AddCollectionField(
        self, request: milvus_pb2.AddCollectionFieldRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        record = self.record(request, context)
        self._add_field(record, schema_pb2.FieldSchema.FromString(request.schema))
        return success()

    def _add_field(self, record: CollectionRecord, field: schema_pb2.FieldSchema) -> None:
        _check_addable(field, vectors=self.version >= _SCHEMA_CHANGES_SINCE)
        schema = _copy(record.schema)
        schema.fields.append(field)
        check_fields(schema)
        complete(schema)
        with self.engine.lock:
            self._reshape(record, schema)
            self.catalog.save(record)

    def AlterCollectionSchema(
        self, request: milvus_pb2.AlterCollectionSchemaRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.AlterCollectionSchemaResponse:
        if self.version < _SCHEMA_CHANGES_SINCE:
            # As a servicer does of a method that it does not have: the client gets UNIMPLEMENTED.
            raise NotImplementedError
        record, action = self.record(request, context), request.action
        if action.WhichOneof("op") == "drop_request":
            self._drop(record, action.drop_request)
        elif action.add_request.func_schema:
            self._add_function_field(record, action.add_request)
        else:
            for info in action.add_request.field_infos:
                self._add_field(record, info.field_schema)
        return milvus_pb2.AlterCollectionSchemaResponse(alter_status=success())

    def _add_function_field(
        self, record: CollectionRecord, request: milvus_pb2.AlterCollectionSchemaRequest.AddRequest
    ) -> None:
        """With the index, or nothing of it. Rows that are there have no vectors: the engine has no compaction to give
        them any, as Milvus does in time.
        """
        if len(request.func_schema) != 1 or request.func_schema[0].type != BM25:
            raise invalid_parameter(
                "For now, only BM25 and MinHash functions are supported in add_function_field interface"
            )
        (function,), infos = request.func_schema, request.field_infos
        if [info.field_schema.name for info in infos] != list(function.output_field_names):
            raise invalid_parameter("the output field of the function has to be added with it")
        if "index_type" not in pairs(infos[0].extra_params):
            raise invalid_parameter("index_type is required for the vector output field of an added function")
        schema = _copy(record.schema)
        schema.fields.append(infos[0].field_schema)
        schema.functions.append(function)
        check_fields(schema)
        check_functions(schema)
        complete(schema)
        with self.engine.lock:
            self._reshape(record, schema)
            build_index(self, record, infos[0].index_name, infos[0].field_schema.name, pairs(infos[0].extra_params))
            self.catalog.save(record)

    def _drop(self, record: CollectionRecord, request: milvus_pb2.AlterCollectionSchemaRequest.DropRequest) -> None:
        schema = _copy(record.schema)
        if request.WhichOneof("identifier") == "function_name":
            gone = _drop_function(schema, request.function_name)
        else:
            gone = _drop_field(schema, request.field_name)
        with self.engine.lock:
            for index in [index for index in record.indexes if index.field_name in gone]:
                engine.drop_index(self.rows(record), index.field_name)
                record.indexes.remove(index)
            self._reshape(record, schema)
            self.catalog.save(record)

    def _reshape(self, record: CollectionRecord, schema: schema_pb2.CollectionSchema) -> None:
        self.engine.change_schema(record.database, engine_schema(schema))
        record.schema = schema


def _drop_field(schema: schema_pb2.CollectionSchema, name: str) -> set[str]:
    field = next((item for item in schema.fields if item.name == name), None)
    if field is None:
        raise invalid_parameter(f"field not found: {name}")
    if field.is_primary_key or field.is_partition_key or field.is_clustering_key:
        raise invalid_parameter(f"cannot drop primary, partition or clustering key field: {name}")
    for function in schema.functions:
        if name in (*function.input_field_names, *function.output_field_names):
            raise invalid_parameter(f"cannot drop field {name}: it is referenced by function {function.name}")
    _remove_fields(schema, {name})
    return {name}


def _drop_function(schema: schema_pb2.CollectionSchema, name: str) -> set[str]:
    function = next((item for item in schema.functions if item.name == name), None)
    if function is None:
        raise invalid_parameter(f"function not found: {name}")
    outputs = set(function.output_field_names)
    schema.functions.remove(function)
    _remove_fields(schema, outputs)
    return outputs


def _remove_fields(schema: schema_pb2.CollectionSchema, names: set[str]) -> None:
    kept = [field for field in schema.fields if field.name not in names]
    if not any(field.data_type >= schema_pb2.DataType.BinaryVector for field in kept):
        raise invalid_parameter("cannot drop the last vector field")
    del schema.fields[:]
    schema.fields.extend(kept)


def _check_addable(field: schema_pb2.FieldSchema, *, vectors: bool) -> None:
    if not field.nullable:
        raise invalid_parameter(f"added field must be nullable, please check it, field name = {field.name}")
    if field.is_primary_key or field.autoID or field.is_partition_key:
        raise invalid_parameter(f"added field can not be a key or have autoID, field name = {field.name}")
    if field.data_type >= schema_pb2.DataType.BinaryVector and not vectors:
        raise invalid_parameter(f"not support to add vector field, field name = {field.name}")


def _copy(schema: schema_pb2.CollectionSchema) -> schema_pb2.CollectionSchema:
    copy = schema_pb2.CollectionSchema()
    copy.CopyFrom(schema)
    return copy


def _replicas(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise invalid_parameter(f"invalid collection.replica.number: {value[:50]}")
    return int(value)


def _consistency(value: str) -> int:
    levels: dict[str, int] = dict(common_pb2.ConsistencyLevel.items())
    if value in levels:
        return levels[value]
    if value.isdecimal() and int(value) in levels.values():
        return int(value)
    raise invalid_parameter(f"invalid consistency level: {value[:50]}")
