"""Default values: which types have them, and which values a type holds."""

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from milvus_embedding.api.schema import DataType, FieldSpec
from milvus_embedding.domain.limits.breach import quoted

_INTEGERS: Final[Mapping[DataType, int]] = MappingProxyType(
    {DataType.INT8: 7, DataType.INT16: 15, DataType.INT32: 31, DataType.INT64: 63}
)
"""Type -> bits beside the sign."""

_LARGEST_FLOAT: Final = 3.4028234663852886e38
_WITHOUT: Final = "remove defaultValue"


def default_problem(field: FieldSpec) -> str:
    """What is wrong with a field's default value, beginning with `defaultValue`; empty if nothing is."""
    value = field.default_value
    if value is None:
        return ""
    if field.primary_key:
        return f"defaultValue is not for the primary key: {_WITHOUT}"
    if field.type is DataType.ARRAY or field.type.is_vector:
        return f"defaultValue is not for fields of type {field.type}: {_WITHOUT}, or set nullable: true"
    if field.type in _INTEGERS:
        return _integer(field.type, value)
    match field.type:
        case DataType.BOOL:
            return "" if isinstance(value, bool) else _mismatch(value, "BOOL", "true or false")
        case DataType.FLOAT | DataType.DOUBLE:
            return _float(field.type, value)
        case DataType.VARCHAR:
            return _text(value, field.max_length)
        case DataType.JSON:
            return "" if _is_object(value) else _mismatch(value, "JSON", "a map, for example {}")
        case DataType.TIMESTAMPTZ:
            return "" if _is_instant(value) else _mismatch(value, "TIMESTAMPTZ", "as 2025-01-31T08:00:00Z")
    return "" if isinstance(value, str) else _mismatch(value, field.type, "text, for example POINT (1 2)")


def _mismatch(value: JsonValue, type_: str, fix: str) -> str:
    return f"defaultValue is {quoted(value)}, which is no {type_}: write {fix}"


def _integer(type_: DataType, value: JsonValue) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return _mismatch(value, type_, "a whole number")
    limit = 1 << _INTEGERS[type_]
    if -limit <= value < limit:
        return ""
    return (
        f"defaultValue is {quoted(value)}, which {type_} cannot hold ({-limit} to {limit - 1}): "
        "correct it, or choose a wider type"
    )


def _float(type_: DataType, value: JsonValue) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _mismatch(value, type_, "a number")
    if type_ is DataType.FLOAT and abs(value) > _LARGEST_FLOAT:
        return f"defaultValue is {quoted(value)}, which FLOAT cannot hold: correct it, or set type to DOUBLE"
    return ""


def _text(value: JsonValue, max_length: int | None) -> str:
    if not isinstance(value, str):
        return _mismatch(value, "VARCHAR", "it in quotes")
    length = len(value.encode())
    if max_length is not None and length > max_length:
        return f"defaultValue has {length} bytes, but maxLength is {max_length}: shorten it, or raise maxLength"
    return ""


def _is_object(value: JsonValue) -> bool:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    return isinstance(value, Mapping)


def _is_instant(value: JsonValue) -> bool:
    """ISO 8601 with an offset: without one it would depend on a property of the collection."""
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
