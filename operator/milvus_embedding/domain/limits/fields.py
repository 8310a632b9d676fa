"""Fields: what their types allow, alone and as parts of functions."""

from collections.abc import Iterator
from typing import Final

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.api.schema import FieldSpec
from milvus_embedding.domain.limits.breach import Breach, Grade
from milvus_embedding.domain.limits.needs import needs
from milvus_embedding.domain.limits.values import default_problem
from milvus_embedding.domain.versions import Version

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
        place = f"fields[{field.name}]"
        for name, message, grade in _field(field, is_output=field.name in outputs):
            yield Breach(path=("fields", at, name), place=place, message=message, grade=grade)
        for need in needs(field):
            if version is None or version < need.since:
                yield Breach(
                    path=("fields", at, need.name),
                    place=place,
                    message=need.message(version),
                    grade=Grade.DOUBTFUL if version is None else Grade.UNSUPPORTED,
                    since=need.since,
                )
    vectors = sum(f.type.is_vector for f in spec.fields)
    if vectors > VECTORS_BY_DEFAULT:
        limit = f"Milvus takes {VECTORS_BY_DEFAULT} unless proxy.maxVectorFieldNum is raised"
        text = f"fields has {vectors} vector fields: {limit}"
        yield Breach(path=("fields",), place="", message=text, grade=Grade.DOUBTFUL)


def _field(field: FieldSpec, *, is_output: bool) -> Iterator[tuple[str, str, Grade]]:
    if problem := default_problem(field):
        yield "defaultValue", problem, Grade.INVALID
    if is_output and field.clustering_key:
        text = "clusteringKey is true, but the field is the output of a function: remove clusteringKey"
        yield "clusteringKey", text, Grade.INVALID
    if field.name.lower() in _KEYWORDS:
        text = f"name is {field.name}, a word of filters that newer versions of Milvus refuse: choose another name"
        yield "name", text, Grade.DOUBTFUL
    if field.analyzer is not None and field.analyzer.params and not field.analyzer.enabled:
        text = "analyzer.params is set, but the analyzer is off: set enabled: true, or remove params"
        yield "analyzer", text, Grade.DOUBTFUL
