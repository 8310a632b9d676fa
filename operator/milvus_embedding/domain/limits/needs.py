"""Since when Milvus has what a field declares. An older server refuses it at best: 2.3.5 takes types that it does not
know, keeps parameters that it does not heed, and ends at a default value for JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from milvus_embedding.api.schema import DataType, FieldSpec
from milvus_embedding.domain.versions import Version

_TYPES_SINCE: Final = MappingProxyType(
    {
        DataType.FLOAT16_VECTOR: (2, 4, 0),
        DataType.BFLOAT16_VECTOR: (2, 4, 0),
        DataType.SPARSE_FLOAT_VECTOR: (2, 4, 0),
        DataType.INT8_VECTOR: (2, 5, 0),
        DataType.TIMESTAMPTZ: (2, 6, 4),
        DataType.GEOMETRY: (2, 6, 4),
    }
)
_CLUSTERING: Final = (2, 4, 0)
_MMAP: Final = (2, 4, 0)
_NULLABLE: Final = (2, 5, 0)
_ANALYZER: Final = (2, 5, 0)
_JSON_DEFAULT: Final = (2, 6, 0)
_NULLABLE_VECTOR: Final = (3, 0, 0)


@dataclass(frozen=True, slots=True)
class Need:
    """`value` of the field `name`, as in "type is GEOMETRY", and the first version that has it."""

    name: str
    value: str
    since: Version
    fix: str

    def message(self, version: Version | None) -> str:
        needed = ".".join(map(str, self.since))
        if version is None:
            return f"{self.name} is {self.value}, which needs Milvus {needed} or newer"
        have = ".".join(map(str, version))
        return f"{self.name} is {self.value}, which Milvus {have} cannot hold: {self.fix}, or upgrade to {needed}"


def needs(field: FieldSpec) -> Iterator[Need]:
    """In the order of the fields' documentation."""
    if field.type in _TYPES_SINCE:
        yield Need("type", str(field.type), _TYPES_SINCE[field.type], "choose another type")
    if field.nullable:
        since = _NULLABLE_VECTOR if field.type.is_vector else _NULLABLE
        yield Need("nullable", f"true for a {field.type}", since, "remove nullable")
    if field.type is DataType.JSON and field.default_value is not None:
        yield Need("defaultValue", "that of a JSON", _JSON_DEFAULT, "remove defaultValue")
    if field.clustering_key:
        yield Need("clusteringKey", "true", _CLUSTERING, "remove clusteringKey")
    if field.mmap is not None:
        yield Need("mmap", "set", _MMAP, "remove mmap")
    if field.analyzer is not None and field.analyzer.enabled:
        yield Need("analyzer.enabled", "true", _ANALYZER, "remove analyzer")
