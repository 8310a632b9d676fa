"""A collection of Milvus as the spec of a MilvusCollection that means it, without what is the default anyway.

What comes out is compared with what went in by the very planner of the operator: what is left is told, never hidden.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import JsonValue, ValidationError

from milvus_embedding.api.collection import CollectionSpec, ConsistencyLevel
from milvus_embedding.api.model import Scalar, describe_validation_error
from milvus_embedding.api.references import ObjectRef
from milvus_embedding.api.schema import (
    DEFAULT_METRICS,
    AnalyzerSpec,
    DataType,
    ElementType,
    FieldSpec,
    IndexSpec,
    LoadSpec,
    Metric,
)
from milvus_embedding.domain.catalogue import resolve
from milvus_embedding.domain.compare import schema_differences
from milvus_embedding.domain.desired import DEFAULT_PARTITION, Desired, InvalidSpec, ResolvedEmbedding, desired
from milvus_embedding.domain.importing.functions import Embedding, imported
from milvus_embedding.domain.ownership import OWNER, PREFIX
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.steps import Generations
from milvus_embedding.domain.schema import Field, FunctionKind, Index, LoadState

_DEFAULT_GROUP: Final = "__default_resource_group"
_DEFAULT_PARTITIONS: Final = 16
_SERVERS: Final = frozenset(
    {
        "timezone",
        "consistency_level",
        "max_field_id",
        "namespace.sharding.enabled",
        "collection.replica.number",
        "collection.resource_groups",
    }
)
"""Properties that the server sets by itself, or that a field of the spec stands for."""
_PARAMS: Final = {"max_length", "dim", "max_capacity", "mmap.enabled", "enable_analyzer", "enable_match"} | {
    "analyzer_params"
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCollection:
    """`spec` None: it cannot be declared at all. `embeddings`: by name of the function."""

    database: str
    name: str
    spec: CollectionSpec | None
    embeddings: Mapping[str, Embedding]
    remarks: tuple[str, ...]


E = TypeVar("E", DataType, ElementType, Metric, ConsistencyLevel)


class _NotDeclarable(Exception):
    """The text says why."""


def imported_collection(have: Observed, *, database: str, connection: ObjectRef) -> ImportedCollection:
    """`have` with replicas and resource groups, where they are known."""
    functions = [imported(function, have.schema) for function in sorted(have.schema.functions, key=lambda f: f.name)]
    embeddings = {f.spec.name: f.embedding for f in functions if f.spec is not None and f.embedding is not None}
    remarks = [remark for function in functions for remark in function.remarks]
    spec = None
    if all(function.spec is not None for function in functions):
        try:
            fields = tuple(_field(field, remarks) for field in have.schema.fields)
            spec = CollectionSpec(
                connection_ref=connection,
                database=database,
                collection_name=have.name,
                description=have.schema.description,
                fields=fields,
                functions=tuple(f.spec for f in functions if f.spec is not None),
                indexes=tuple(_indexes(have, fields)),
                properties=dict(_properties(have.schema.properties)),
                partitions=_partitions(have),
                num_partitions=_by_key(have),
                aliases=tuple(sorted(have.aliases)),
                enable_dynamic_field=have.schema.dynamic,
                shards=have.schema.shards,
                consistency_level=_consistency(have.schema.consistency),
                load=_load(have),
            )
        except _NotDeclarable as why:
            remarks.append(str(why))
        except ValidationError as error:
            remarks.append(describe_validation_error(error))
    if spec is not None:
        remarks += _left(spec, have, embeddings)
    if owner := have.schema.properties.get(OWNER):
        remarks.append(f"it belongs to {owner} already, and is adopted by nobody else until that one hands it over")
    return ImportedCollection(
        database=database, name=have.name, spec=spec, embeddings=embeddings, remarks=tuple(dict.fromkeys(remarks))
    )


def wanted(spec: CollectionSpec, name: str, embeddings: Mapping[str, Embedding]) -> Desired:
    """What an operator would make of the spec. Raises InvalidSpec."""
    resolved = {function: _resolved(embedding) for function, embedding in embeddings.items()}
    return desired(spec, name=name, embeddings=resolved)


def _resolved(embedding: Embedding) -> ResolvedEmbedding:
    model = resolve(embedding.model, embedding.declared_dim, allow_unlisted=not embedding.is_listed)
    return ResolvedEmbedding(model, embedding.label or None)


def _left(spec: CollectionSpec, have: Observed, embeddings: Mapping[str, Embedding]) -> Iterator[str]:
    """Where the spec still differs. Paths only: a value may be a secret."""
    try:
        want = wanted(spec, have.name, embeddings)
    except InvalidSpec as error:
        yield f"spec.{error}"
        return
    unequal = [f"spec.{d.path}" for d in schema_differences(want.schema, have.schema)]
    steps = plan(want, have, capabilities(None), generations=Generations(known_id=have.id)).steps
    if unequal:
        yield f"it differs from this manifest, and is not adopted as it is: {', '.join(unequal[:8])}"
    elif steps:
        yield f"adopting it changes {', '.join(step.path for step in steps[:8])}"


def _field(field: Field, remarks: list[str]) -> FieldSpec:
    params = field.params
    if unknown := sorted(params.keys() - _PARAMS):
        remarks.append(f"field {field.name} has parameters that cannot be declared: {', '.join(unknown)}")
    return FieldSpec(
        name=field.name,
        type=_member(DataType, field.type, f"field {field.name} is of the type"),
        description=field.description,
        primary_key=field.primary_key,
        auto_id=field.auto_id,
        max_length=_number(params.get("max_length")),
        dim=_number(params.get("dim")),
        element_type=_element(field),
        max_capacity=_number(params.get("max_capacity")),
        nullable=field.nullable,
        default_value=_default(field),
        partition_key=field.partition_key,
        clustering_key=field.clustering_key,
        mmap=_flag(params.get("mmap.enabled")),
        analyzer=_analyzer(params),
    )


def _element(field: Field) -> ElementType | None:
    if field.type != DataType.ARRAY or field.element_type is None:
        return None
    return _member(ElementType, field.element_type, f"field {field.name} has elements of the type")


def _default(field: Field) -> JsonValue:
    if field.type == DataType.JSON and isinstance(field.default, str):
        try:
            value: JsonValue = json.loads(field.default)
        except ValueError:
            return field.default
        return value
    return field.default


def _analyzer(params: Mapping[str, str]) -> AnalyzerSpec | None:
    enabled, match = _flag(params.get("enable_analyzer")), _flag(params.get("enable_match"))
    text = params.get("analyzer_params")
    if not (enabled or match or text):
        return None
    try:
        options = json.loads(text) if text else {}
    except ValueError:
        options = {}
    return AnalyzerSpec(enabled=bool(enabled), match=bool(match), params=options if isinstance(options, dict) else {})


def _indexes(have: Observed, fields: tuple[FieldSpec, ...]) -> Iterator[IndexSpec]:
    outputs = {f.outputs[0] for f in have.schema.functions if f.kind is FunctionKind.BM25}
    metrics = {f.name: Metric.BM25 if f.name in outputs else DEFAULT_METRICS.get(f.type) for f in fields}
    for index in sorted(have.indexes, key=lambda i: (i.field, i.name)):
        spec = IndexSpec(
            field=index.field,
            name=index.name if index.name not in ("", index.field) else None,
            type=index.type or "AUTOINDEX",
            metric=_metric(index, metrics.get(index.field)),
            params={name: scalar(value) for name, value in sorted(index.params.items())},
        )
        # Every vector field has this one anyway.
        if spec != IndexSpec(field=index.field) or metrics.get(index.field) is None:
            yield spec


def _metric(index: Index, usual: Metric | None) -> Metric | None:
    if not index.metric or index.metric == usual:
        return None
    return _member(Metric, index.metric, f"the index on {index.field} has the metric")


def _properties(properties: Mapping[str, str]) -> Iterator[tuple[str, Scalar]]:
    for name, value in sorted(properties.items()):
        if not name.startswith((PREFIX, "cipher.")) and name not in _SERVERS:
            yield name, scalar(value)


def _partitions(have: Observed) -> tuple[str, ...]:
    if have.schema.partitions_count is not None:
        return ()
    return tuple(sorted(set(have.partitions) - {DEFAULT_PARTITION}))


def _by_key(have: Observed) -> int | None:
    count = have.schema.partitions_count
    return count if count != _DEFAULT_PARTITIONS else None


def _consistency(level: str) -> ConsistencyLevel:
    return _member(ConsistencyLevel, level, "its consistency level is")


def _load(have: Observed) -> LoadSpec:
    if have.load is LoadState.NOT_LOADED:
        return LoadSpec(enabled=False)
    groups = have.resource_groups or ()
    return LoadSpec(replicas=have.replicas or 1, resource_groups=() if groups == (_DEFAULT_GROUP,) else groups)


def scalar(text: str) -> Scalar:
    """The number or truth value that is spelled just so, else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) and json.dumps(value) == text else text


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _flag(text: str | None) -> bool | None:
    return None if text is None else text.lower() == "true"


def _member(kind: type[E], value: str, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise _NotDeclarable(f"{what} {value[:40]}, which cannot be declared") from None
