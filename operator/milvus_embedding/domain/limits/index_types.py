"""The types of indexes that Milvus has: the fields they go with, and the ranges of their parameters.

Where versions differ the widest range is here: the older server refuses by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from milvus_embedding.api.schema import DataType, ElementType, FieldSpec

AUTOINDEX: Final = "AUTOINDEX"
_INT32: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `least` to `most`. `below`: `most` itself is too much."""

    least: float
    most: float
    whole: bool = True
    below: bool = False

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most and not (self.below and value == self.most)

    def __str__(self) -> str:
        return f"{self.least:g} to {'below ' if self.below else ''}{_plain(self.most)}"


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


Rule = Range | tuple[str, ...]


def _anything(_field: FieldSpec) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexType:
    """`params`: name -> range, or the words it may be. `refuses` tells what else is against a field, if anything."""

    fields: frozenset[DataType]
    params: Mapping[str, Rule] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    refuses: Callable[[FieldSpec], str] = _anything


_DENSE: Final = frozenset(t for t in DataType if t.is_dense and t is not DataType.BINARY_VECTOR)
_BINARY: Final = frozenset({DataType.BINARY_VECTOR})
_SPARSE: Final = frozenset({DataType.SPARSE_FLOAT_VECTOR})
_WHOLE: Final = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
_NUMBERS: Final = _WHOLE | {DataType.FLOAT, DataType.DOUBLE}
_MAPPED: Final = frozenset({DataType.BOOL, DataType.VARCHAR, DataType.ARRAY, DataType.JSON}) | _WHOLE

_NLIST: Final[Mapping[str, Rule]] = {"nlist": Range(1, 65536)}
_GRAPH: Final[Mapping[str, Rule]] = {"M": Range(2, 2048), "efConstruction": Range(1, _INT32)}
_QUANTIZED: Final[Mapping[str, Rule]] = {"m": Range(1, 65536), "nbits": Range(1, 64)}
_INVERTED: Final[Mapping[str, Rule]] = {
    "inverted_index_algo": ("DAAT_MAXSCORE", "DAAT_WAND", "TAAT_NAIVE"),
    "drop_ratio_build": Range(0, 1, whole=False, below=True),
}


def _bitmap(spec: FieldSpec) -> str:
    if spec.primary_key:
        return "which is not for the primary key: remove the index, the primary key has one of its own"
    if spec.element_type in (ElementType.FLOAT, ElementType.DOUBLE):
        return f"which does not go with an ARRAY of {spec.element_type}: write INVERTED"
    return ""


def _dense(**params: Rule) -> IndexType:
    return IndexType(fields=_DENSE, params=params)


INDEX_TYPES: Final[Mapping[str, IndexType]] = MappingProxyType(
    {
        AUTOINDEX: IndexType(fields=frozenset(DataType)),
        "FLAT": _dense(),
        "IVF_FLAT": _dense(**_NLIST),
        "IVF_SQ8": _dense(**_NLIST),
        "IVF_PQ": _dense(**_NLIST, **_QUANTIZED),
        "IVF_RABITQ": _dense(**_NLIST),
        "SCANN": _dense(**_NLIST),
        "DISKANN": _dense(),
        "HNSW": IndexType(fields=_DENSE | _BINARY, params=_GRAPH),
        "HNSW_SQ": _dense(**_GRAPH),
        "HNSW_PQ": _dense(**_GRAPH, **_QUANTIZED),
        "HNSW_PRQ": _dense(**_GRAPH, **_QUANTIZED, nrq=Range(1, 16)),
        "GPU_CAGRA": _dense(),
        "GPU_BRUTE_FORCE": _dense(),
        "GPU_IVF_FLAT": _dense(**_NLIST),
        "GPU_IVF_PQ": _dense(**_NLIST),
        "BIN_FLAT": IndexType(fields=_BINARY),
        "BIN_IVF_FLAT": IndexType(fields=_BINARY, params=_NLIST),
        "MINHASH_LSH": IndexType(fields=_BINARY),
        "SPARSE_INVERTED_INDEX": IndexType(fields=_SPARSE, params=_INVERTED),
        "SPARSE_WAND": IndexType(fields=_SPARSE, params=_INVERTED),
        "STL_SORT": IndexType(fields=_NUMBERS | {DataType.VARCHAR, DataType.TIMESTAMPTZ}),
        "INVERTED": IndexType(fields=_NUMBERS | _MAPPED),
        "BITMAP": IndexType(fields=_MAPPED, refuses=_bitmap),
        "TRIE": IndexType(fields=frozenset({DataType.VARCHAR})),
        "NGRAM": IndexType(
            fields=frozenset({DataType.VARCHAR, DataType.JSON}),
            params={"min_gram": Range(1, _INT32), "max_gram": Range(1, _INT32)},
            required=("min_gram", "max_gram"),
        ),
        "RTREE": IndexType(fields=frozenset({DataType.GEOMETRY})),
    }
)
