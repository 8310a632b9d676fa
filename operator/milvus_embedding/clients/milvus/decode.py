"""Milvus' protobuf messages as our schema types, normalised so that what was sent compares equal to what came back.

Deliberately from the raw messages: pymilvus' own decoding renames parameters, turns some into numbers and loses others.
What our types cannot express (struct fields, kinds of functions that the operator does not know) is kept recognisable,
so that such a collection never looks equal to a declared one.
"""

import json
import struct
from typing import TYPE_CHECKING, Protocol

from milvus_embedding.clients.milvus.protocol import protocol
from milvus_embedding.domain.schema import Description, Field, Function, FunctionKind, Index, LoadState, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

_JSON_PARAMS = frozenset({"analyzer_params", "multi_analyzer_params"})
_KINDS = {kind.value: kind for kind in FunctionKind}
UNKNOWN_KIND = "function_type"
"""The parameter that marks a function of a kind that `FunctionKind` lacks; its value is Milvus' name of the kind."""


def description(response: "milvus_pb2.DescribeCollectionResponse") -> Description:
    """One answer of DescribeCollection. The order of fields, functions and parameters is the server's."""
    message = response.schema
    fields = tuple(_field(field) for field in message.fields if not field.is_dynamic) + tuple(
        Field(name=field.name, type="ARRAY_OF_STRUCT", description=field.description)
        for field in message.struct_array_fields
    )
    has_partition_key = any(field.partition_key for field in fields)
    schema = Schema(
        fields=fields,
        functions=tuple(_function(function) for function in message.functions),
        description=message.description,
        dynamic=message.enable_dynamic_field,
        shards=response.shards_num,
        partitions_count=response.num_partitions if has_partition_key else None,
        consistency=_enum_name(protocol().common.ConsistencyLevel, response.consistency_level),
        properties={pair.key: pair.value for pair in response.properties},
    )
    return Description(
        name=message.name or response.collection_name,
        id=str(response.collectionID),
        schema=schema,
        aliases=tuple(sorted(response.aliases)),
    )


def indexes(response: "milvus_pb2.DescribeIndexResponse") -> tuple[Index, ...]:
    """All indexes of one collection."""
    return tuple(_index(item) for item in response.index_descriptions)


def load_state(response: "milvus_pb2.GetLoadStateResponse") -> LoadState | None:
    """None if Milvus says that there is no such collection."""
    states = {1: LoadState.NOT_LOADED, 2: LoadState.LOADING, 3: LoadState.LOADED}
    return states.get(response.state)


def count(response: "milvus_pb2.QueryResults", column: str) -> int | None:
    """The one number of a count, None if the answer has none."""
    for data in response.fields_data:
        if data.field_name == column and data.scalars.long_data.data:
            return int(data.scalars.long_data.data[0])
    return None


def _field(message: "schema_pb2.FieldSchema") -> Field:
    return Field(
        name=message.name,
        type=_type_name(message.data_type),
        description=message.description,
        primary_key=message.is_primary_key,
        auto_id=message.autoID,
        nullable=message.nullable,
        partition_key=message.is_partition_key,
        clustering_key=message.is_clustering_key,
        element_type=_type_name(message.element_type) if message.element_type else None,
        default=_default(message.default_value),
        params={pair.key: _param(pair) for pair in message.type_params},
    )


def _function(message: "schema_pb2.FunctionSchema") -> Function:
    kind_name = _enum_name(protocol().schema.FunctionType, message.type)
    params = {pair.key.lower(): pair.value for pair in message.params}
    return Function(
        name=message.name,
        kind=_KINDS.get(kind_name, FunctionKind.BM25),
        inputs=tuple(message.input_field_names),
        outputs=tuple(message.output_field_names),
        params=params if kind_name in _KINDS else {**params, UNKNOWN_KIND: kind_name},
        description=message.description,
    )


def _index(message: "milvus_pb2.IndexDescription") -> Index:
    params = _flat(message.params)
    return Index(
        field=message.field_name,
        name=message.index_name,
        type=params.pop("index_type", ""),
        metric=params.pop("metric_type", ""),
        params=params,
        finished=message.state == protocol().common.IndexState.Finished,
    )


def _flat(items: "Iterable[common_pb2.KeyValuePair]") -> dict[str, str]:
    """Pairs of which one, `params`, is a JSON object with more of them."""
    flat: dict[str, str] = {}
    for pair in items:
        nested = _object(pair.value) if pair.key == "params" else None
        if nested is None:
            flat[pair.key] = pair.value
        else:
            flat.update({key: value if isinstance(value, str) else json.dumps(value) for key, value in nested.items()})
    return flat


def _object(text: str) -> dict[str, object] | None:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _param(pair: "common_pb2.KeyValuePair") -> str:
    if pair.key not in _JSON_PARAMS:
        return str(pair.value)
    nested = _object(pair.value)
    return pair.value if nested is None else json.dumps(nested, sort_keys=True, separators=(",", ":"))


class _Enum(Protocol):
    def Name(self, number: int) -> str: ...  # noqa: N802 - protobuf's name
    def values(self) -> list[int]: ...


def _enum_name(enum: _Enum, number: int) -> str:
    """Newer servers may send numbers that this protocol has no name for."""
    return enum.Name(number) if number in enum.values() else str(number)


def _type_name(number: int) -> str:
    return protocol().type_names.get(number, f"TYPE_{number}")


def _default(message: "schema_pb2.ValueField") -> str | int | float | bool | None:
    match message.WhichOneof("data"):
        case "bool_data":
            return bool(message.bool_data)
        case "int_data":
            return int(message.int_data)
        case "long_data":
            return int(message.long_data)
        case "float_data":
            return _shortest(message.float_data)
        case "double_data":
            return float(message.double_data)
        case "bytes_data":
            return bytes(message.bytes_data).decode(errors="replace")
        case "timestamptz_data":
            return int(message.timestamptz_data)
        case "string_data":
            return str(message.string_data)
    return None


def _shortest(value: float) -> float:
    """The shortest decimal that is this 32-bit float: 0.1, not 0.10000000149011612."""
    stored = struct.pack("f", value)
    for digits in range(6, 9):
        candidate = float(f"{value:.{digits}g}")
        if struct.pack("f", candidate) == stored:
            return candidate
    return float(f"{value:.9g}")
