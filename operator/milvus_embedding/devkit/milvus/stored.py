"""What Milvus has and Milvus Lite cannot hold: clients see such fields and indexes, and the engine gets a stand-in.

So a collection of any shape can be created, described, altered and dropped. Rows of a field with a stand-in are the
engine's to refuse, and a search does not use an index that the engine lacks.
"""

from collections.abc import Mapping

from milvus_lite.index.factory import KNOWN_VECTOR_INDEX_TYPES
from milvus_lite.index.scalar import SUPPORTED_DTYPES_BY_SCALAR_INDEX_TYPE
from milvus_lite.schema.types import DataType as EngineType
from pymilvus.grpc_gen import schema_pb2

_TYPES = schema_pb2.DataType
_OTHER_VECTORS = (_TYPES.BinaryVector, _TYPES.Float16Vector, _TYPES.BFloat16Vector, _TYPES.Int8Vector)
_METRICS = ("COSINE", "L2", "IP")
_SCALAR, _SPARSE, _DENSE = "INVERTED", "SPARSE_INVERTED_INDEX", "FLAT"


def stand_in(field: schema_pb2.FieldSchema) -> None:
    """Makes a field one that the engine can hold."""
    if field.data_type == _TYPES.Text:
        field.data_type = _TYPES.VarChar
    elif field.data_type in _OTHER_VECTORS:
        field.data_type = _TYPES.FloatVector
    if field.data_type == _TYPES.JSON:
        # The engine writes defaults as they come, and cannot write bytes.
        field.ClearField("default_value")
    if field.data_type != _TYPES.Int64:
        # Keys of the engine's own making are numbers.
        field.autoID = False


def engine_index(field: schema_pb2.FieldSchema, asked: Mapping[str, object]) -> dict[str, object] | None:
    """The index that the engine builds for one that was asked for, as its own API takes it; None for none at all."""
    if field.data_type < _TYPES.BinaryVector:
        supported = {item.name for item in SUPPORTED_DTYPES_BY_SCALAR_INDEX_TYPE[_SCALAR]}
        return {"index_type": _SCALAR} if _engine_name(field) in supported else None
    metric = str(asked.get("metric_type", "")).upper()
    if field.data_type == _TYPES.SparseFloatVector:
        return {"index_type": _SPARSE, "metric_type": metric}
    if str(asked["index_type"]).upper() in KNOWN_VECTOR_INDEX_TYPES and metric in _METRICS:
        return dict(asked)
    return {"index_type": _DENSE, "metric_type": metric if metric in _METRICS else "L2"}


def _engine_name(field: schema_pb2.FieldSchema) -> str:
    name = _TYPES.Name(field.data_type).upper()
    return name if name in EngineType.__members__ else ""
