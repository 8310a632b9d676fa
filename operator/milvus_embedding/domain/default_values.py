"""Default values by their meaning: what was declared and what Milvus answers are spelled differently."""

import json
import re
import struct
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from milvus_embedding.domain.schema import Field

Default: TypeAlias = str | int | float | bool | None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def default_meaning(field: Field) -> Default:
    """Equal for equal defaults: a FLOAT has 32 bits, JSON and geometries no spelling, a time no zone."""
    value = field.default
    if isinstance(value, str):
        return _text(field.type, value)
    if field.type in ("FLOAT", "DOUBLE") and isinstance(value, int | float):
        return _float(value, single=field.type == "FLOAT")
    return value


def _text(type_: str, value: str) -> Default:
    match type_:
        case "JSON":
            return _json(value)
        case "TIMESTAMPTZ":
            return _microseconds(value)
        case "GEOMETRY":
            return re.sub(r"\s*([(),])\s*", r"\1", value.strip()).upper()
    return value


def _json(value: str) -> str:
    try:
        return json.dumps(json.loads(value), sort_keys=True)
    except ValueError:
        return value


def _microseconds(value: str) -> Default:
    """Since 1970, as Milvus keeps it; it answers with that number, or with a text in a zone of its choice."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _float(value: float, *, single: bool) -> Default:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0]) if single else float(value)
    except OverflowError:
        return value
