"""The parts of a MilvusCollection that describe the collection in Milvus: fields, functions, indexes, load."""

import json
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, JsonValue

from milvus_embedding.api.function import DashscopeModelSpec
from milvus_embedding.api.model import FrozenMap, Model, ReadOnlyMap, Scalar
from milvus_embedding.api.references import ObjectRef

NO_PARAMS: Mapping[str, Scalar] = ReadOnlyMap()
NO_OPTIONS: Mapping[str, JsonValue] = ReadOnlyMap()


def _scalars_only(value: object) -> object:
    """Turn nested values into JSON text, which is how Milvus takes them; the API server cannot refuse them."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: json.dumps(item, sort_keys=True, separators=(",", ":")) if isinstance(item, Mapping | list) else item
        for key, item in value.items()
        if item is not None
    }


Params = Annotated[FrozenMap[Scalar], BeforeValidator(_scalars_only)]
"""Parameters and properties as users write them: any scalar. Milvus wants strings: the domain converts them."""


class DataType(StrEnum):
    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"
    JSON = "JSON"
    ARRAY = "ARRAY"
    TIMESTAMPTZ = "TIMESTAMPTZ"
    GEOMETRY = "GEOMETRY"
    FLOAT_VECTOR = "FLOAT_VECTOR"
    BINARY_VECTOR = "BINARY_VECTOR"
    FLOAT16_VECTOR = "FLOAT16_VECTOR"
    BFLOAT16_VECTOR = "BFLOAT16_VECTOR"
    INT8_VECTOR = "INT8_VECTOR"
    SPARSE_FLOAT_VECTOR = "SPARSE_FLOAT_VECTOR"

    @property
    def is_vector(self) -> bool:
        return self.value.endswith("_VECTOR")

    @property
    def is_dense(self) -> bool:
        """A vector that has a dimension."""
        return self.is_vector and self is not DataType.SPARSE_FLOAT_VECTOR


class ElementType(StrEnum):
    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"


class AnalyzerSpec(Model):
    """Text analysis of a VARCHAR field; params go to Milvus as JSON."""

    enabled: bool = False
    match: bool = False
    params: FrozenMap[JsonValue] = NO_OPTIONS


class FieldSpec(Model):
    """One field. dim None on the output of a text embedding function is the model's dimension."""

    KEEP_EMPTY: ClassVar[frozenset[str]] = frozenset({"defaultValue", "default_value"})

    name: str
    type: DataType
    description: str = ""
    primary_key: bool = False
    auto_id: bool = False
    max_length: int | None = None
    dim: int | None = None
    element_type: ElementType | None = None
    max_capacity: int | None = None
    nullable: bool = False
    default_value: JsonValue = None
    partition_key: bool = False
    clustering_key: bool = False
    mmap: bool | None = None
    analyzer: AnalyzerSpec | None = None


class TextEmbeddingSpec(Model):
    """Exactly one of function_ref and dashscope is set."""

    function_ref: ObjectRef | None = None
    dashscope: DashscopeModelSpec | None = None


class Bm25Spec(Model):
    """BM25 has nothing to configure."""


class CollectionFunctionSpec(Model):
    """One function: one input field, one output field; exactly one of text_embedding and bm25 is set."""

    name: str
    description: str = ""
    input_fields: tuple[str, ...]
    output_fields: tuple[str, ...]
    text_embedding: TextEmbeddingSpec | None = None
    bm25: Bm25Spec | None = None

    @property
    def input_field(self) -> str:
        return self.input_fields[0]

    @property
    def output_field(self) -> str:
        return self.output_fields[0]


class Metric(StrEnum):
    COSINE = "COSINE"
    IP = "IP"
    L2 = "L2"
    HAMMING = "HAMMING"
    JACCARD = "JACCARD"
    BM25 = "BM25"


class IndexSpec(Model):
    """One index. name None is the field's name; metric None is what fits the field."""

    field: str
    name: str | None = None
    type: str = "AUTOINDEX"
    metric: Metric | None = None
    params: Params = NO_PARAMS

    @property
    def effective_name(self) -> str:
        return self.name or self.field


DEFAULT_METRICS: Final[Mapping[DataType, Metric]] = MappingProxyType(
    {
        DataType.FLOAT_VECTOR: Metric.COSINE,
        DataType.FLOAT16_VECTOR: Metric.COSINE,
        DataType.BFLOAT16_VECTOR: Metric.COSINE,
        DataType.INT8_VECTOR: Metric.COSINE,
        DataType.BINARY_VECTOR: Metric.HAMMING,
        DataType.SPARSE_FLOAT_VECTOR: Metric.IP,
    }
)
"""The metric of an index on a vector field that names none; the output of BM25 has BM25 instead."""


class LoadSpec(Model):
    enabled: bool = True
    replicas: int = 1
    resource_groups: tuple[str, ...] = ()
