"""Which type of index Milvus builds on which type of field. Of types that are not listed the engine decides."""

from collections.abc import Mapping

from pymilvus.grpc_gen import schema_pb2

from milvus_embedding.devkit.milvus.status import invalid_parameter

_TYPES = schema_pb2.DataType
_DENSE = (_TYPES.FloatVector, _TYPES.Float16Vector, _TYPES.BFloat16Vector, _TYPES.Int8Vector)
_NUMBERS = (_TYPES.Int8, _TYPES.Int16, _TYPES.Int32, _TYPES.Int64, _TYPES.Float, _TYPES.Double)
_FIELDS = {
    **dict.fromkeys(("FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN", "HNSW_SQ", "HNSW_PQ"), _DENSE),
    "HNSW": (*_DENSE, _TYPES.BinaryVector),
    **dict.fromkeys(("BIN_FLAT", "BIN_IVF_FLAT", "MINHASH_LSH"), (_TYPES.BinaryVector,)),
    **dict.fromkeys(("SPARSE_INVERTED_INDEX", "SPARSE_WAND"), (_TYPES.SparseFloatVector,)),
    "STL_SORT": (*_NUMBERS, _TYPES.VarChar, _TYPES.Timestamptz),
    "INVERTED": (*_NUMBERS, _TYPES.Bool, _TYPES.VarChar, _TYPES.Array, _TYPES.JSON),
    "BITMAP": (*_NUMBERS[:4], _TYPES.Bool, _TYPES.VarChar, _TYPES.Array, _TYPES.JSON),
    "TRIE": (_TYPES.VarChar,),
    "NGRAM": (_TYPES.VarChar, _TYPES.JSON),
    "RTREE": (_TYPES.Geometry,),
}


def check_index(field: schema_pb2.FieldSchema, parameters: Mapping[str, str]) -> None:
    """Raises RefusedError."""
    wanted = parameters.get("index_type", "AUTOINDEX").upper()
    if wanted in _FIELDS and field.data_type not in _FIELDS[wanted]:
        kind = _TYPES.Name(field.data_type)
        raise invalid_parameter(f"data type {kind} can't build with this index {wanted}")
