"""Which fields may be null or have a default, which defaults their types hold, and since when some types exist.

Texts and codes as Milvus' proxy and root coordinator give them, as far as they are known.
"""

import json
from collections.abc import Mapping

from pymilvus.grpc_gen import schema_pb2

from milvus_embedding.devkit.milvus.status import RefusedError, invalid_parameter

_TYPES = schema_pb2.DataType
_NULLABLE_VECTORS_SINCE, _TIME_AND_SPACE_SINCE = (3,), (2, 6, 4)
_DATA: Mapping[int, tuple[str, ...]] = {
    _TYPES.Bool: ("bool_data",),
    _TYPES.Int8: ("int_data",),
    _TYPES.Int16: ("int_data",),
    _TYPES.Int32: ("int_data",),
    _TYPES.Int64: ("long_data",),
    _TYPES.Float: ("float_data",),
    _TYPES.Double: ("double_data",),
    _TYPES.VarChar: ("string_data",),
    _TYPES.JSON: ("bytes_data",),
    _TYPES.Geometry: ("string_data",),
    _TYPES.Timestamptz: ("string_data", "timestamptz_data"),
}
_BITS = {_TYPES.Int8: 7, _TYPES.Int16: 15}


def check_values(schema: schema_pb2.CollectionSchema, version: tuple[int, ...]) -> None:
    """Raises RefusedError."""
    for field in schema.fields:
        vector = field.data_type >= _TYPES.BinaryVector
        kind = _TYPES.Name(field.data_type)
        if field.data_type in (_TYPES.Geometry, _TYPES.Timestamptz) and version < _TIME_AND_SPACE_SINCE:
            raise invalid_parameter(f"data type {kind} of field {field.name} is not supported")
        if field.nullable and vector and version < _NULLABLE_VECTORS_SINCE:
            raise invalid_parameter(f"vector type not support null, type:{kind}, name:{field.name}")
        if field.nullable and field.is_primary_key:
            raise invalid_parameter(f"primary field not support null, type:{kind}, name:{field.name}")
        if field.nullable and field.is_partition_key:
            raise invalid_parameter("partition key field not support nullable")
        if field.HasField("default_value"):
            _check_default(field, kind)


def _check_default(field: schema_pb2.FieldSchema, kind: str) -> None:
    if field.is_primary_key:
        raise invalid_parameter(f"primary field not support default_value, type:{kind}, name:{field.name}")
    if field.data_type not in _DATA:
        raise invalid_parameter(f"type not support default_value, type:{kind}, name:{field.name}")
    which = field.default_value.WhichOneof("data")
    if which not in _DATA[field.data_type]:
        raise invalid_parameter(f"type ({kind}) of field ({field.name}) is not equal to the type of default_value")
    value = getattr(field.default_value, which)
    bits = _BITS.get(field.data_type)
    if bits is not None and not -(1 << bits) <= value < 1 << bits:
        raise invalid_parameter(f"[{value}] is out of range for {kind}")
    if field.data_type == _TYPES.VarChar:
        longest = next((int(pair.value) for pair in field.type_params if pair.key == "max_length"), 0)
        if len(value.encode()) > longest:
            raise invalid_parameter(f"the length ({len(value.encode())}) of string exceeds max length ({longest})")
    if field.data_type == _TYPES.JSON and not isinstance(_parsed(value), dict):
        raise RefusedError("invalid default json value, milvus only support json map")


def _parsed(value: bytes) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None
