"""Fields: what their types allow, alone and as parts of functions."""

from collections.abc import Iterator
from typing import Final

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.api.schema import DataType, FieldSpec
from milvus_embedding.domain.limits.breach import Breach, Grade
from milvus_embedding.domain.limits.values import default_problem
from milvus_embedding.domain.versions import Version

NULLABLE_SINCE: Final = (2, 5, 0)
NULLABLE_VECTORS_SINCE: Final = (3, 0, 0)
TIME_AND_SPACE_SINCE: Final = (2, 6, 4)
VECTORS_BY_DEFAULT: Final = 4
"""proxy.maxVectorFieldNum; the API takes what it can be raised to."""

_KEYWORDS: Final = frozenset(
    {
        "and", "or", "not", "in", "like", "exists", "true", "false", "null", "text_match", "phrase_match",
        "random_sample", "json_contains", "json_contains_all", "json_contains_any", "array_contains",
        "array_contains_all", "array_contains_any", "array_length",
    }
)  # fmt: skip
"""Words of filters, in small letters. The API refuses the spellings that every Milvus refuses; newer ones take none."""


def field_breaches(spec: CollectionSpec, version: Version | None) -> Iterator[Breach]:
    """`version` None: the server is not known."""
    outputs = {f.output_field for f in spec.functions}
    for at, field in enumerate(spec.fields):
        for name, message, grade in _field(field, field.name in outputs, version):
            yield Breach(path=("fields", at, name), place=f"fields[{field.name}]", message=message, grade=grade)
    vectors = sum(f.type.is_vector for f in spec.fields)
    if vectors > VECTORS_BY_DEFAULT:
        yield Breach(
            path=("fields",),
            place="",
            message=f"fields has {vectors} vector fields: Milvus takes {VECTORS_BY_DEFAULT} unless "
            "proxy.maxVectorFieldNum is raised",
            grade=Grade.DOUBTFUL,
        )


def _field(field: FieldSpec, is_output: bool, version: Version | None) -> Iterator[tuple[str, str, Grade]]:
    if problem := default_problem(field):
        yield "defaultValue", problem, Grade.INVALID
    if is_output and field.clustering_key:
        yield (
            "clusteringKey",
            "clusteringKey is true, but the field is the output of a function: remove clusteringKey",
            Grade.INVALID,
        )
    if field.name.lower() in _KEYWORDS:
        yield (
            "name",
            f"name is {field.name}, a word of filters that newer versions of Milvus refuse: choose another name",
            Grade.DOUBTFUL,
        )
    if field.analyzer is not None and field.analyzer.params and not field.analyzer.enabled:
        yield (
            "analyzer",
            "analyzer.params is set, but the analyzer is off: set enabled: true, or remove params",
            Grade.DOUBTFUL,
        )
    yield from _versions(field, version)


def _versions(field: FieldSpec, version: Version | None) -> Iterator[tuple[str, str, Grade]]:
    """What older servers do not take, or forget without a word."""
    if field.type in (DataType.TIMESTAMPTZ, DataType.GEOMETRY):
        yield from _since("type", str(field.type), TIME_AND_SPACE_SINCE, version, fix="choose another type")
    if field.nullable:
        since = NULLABLE_VECTORS_SINCE if field.type.is_vector else NULLABLE_SINCE
        what = "true for a vector" if field.type.is_vector else "true"
        yield from _since("nullable", what, since, version, fix="remove nullable")


def _since(
    name: str, value: str, since: Version, version: Version | None, *, fix: str
) -> Iterator[tuple[str, str, Grade]]:
    if version is not None and version >= since:
        return
    needed = ".".join(map(str, since))
    if version is not None:
        have = ".".join(map(str, version))
        text = f"{name} is {value}, which Milvus {have} cannot hold: {fix}, or upgrade to {needed}"
        yield name, text, Grade.UNSUPPORTED
    elif since > NULLABLE_SINCE:
        yield name, f"{name} is {value}, which needs Milvus {needed} or newer", Grade.DOUBTFUL
