"""From a MilvusCollection's spec and its resolved functions to what Milvus shall have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.api.model import Scalar
from milvus_embedding.api.schema import CollectionFunctionSpec, FieldSpec, IndexSpec
from milvus_embedding.domain.catalogue import PROVIDER, EffectiveModel
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index, Schema

DEFAULT_PARTITION = "_default"


@dataclass(frozen=True, slots=True)
class ResolvedEmbedding:
    """What a text embedding function comes to. `label` None leaves the key to the provider's default."""

    model: EffectiveModel
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """A collection as declared, in Milvus' terms."""

    database: str
    name: str
    schema: Schema
    indexes: tuple[Index, ...]
    partitions: tuple[str, ...]
    aliases: tuple[str, ...]
    loaded: bool
    replicas: int
    resource_groups: tuple[str, ...]
    identities: Mapping[str, Mapping[str, str | int]]


class InvalidSpec(ValueError):
    """The spec contradicts itself in a way that only the operator can see. The message names field, value and fix."""


class DimensionDiffers(InvalidSpec):
    """A field's dim is not that of the model that fills it."""


def desired(spec: CollectionSpec, *, name: str, embeddings: Mapping[str, ResolvedEmbedding]) -> Desired:
    """`embeddings`: function name -> what it resolved to, for each text embedding function. Raises InvalidSpec."""
    outputs = {f.output_field: embeddings[f.name].model for f in spec.functions if f.text_embedding is not None}
    schema = Schema(
        fields=tuple(_field(f, outputs.get(f.name)) for f in spec.fields),
        functions=tuple(_function(f, embeddings.get(f.name)) for f in spec.functions),
        description=spec.description,
        dynamic=spec.enable_dynamic_field,
        shards=spec.shards,
        partitions_count=spec.num_partitions,
        consistency=str(spec.consistency_level),
        properties=to_strings(spec.properties),
    )
    return Desired(
        database=spec.database,
        name=name,
        schema=schema,
        indexes=tuple(_index(i) for i in spec.effective_indexes),
        partitions=tuple(sorted(set(spec.partitions) - {DEFAULT_PARTITION})),
        aliases=tuple(sorted(spec.aliases)),
        loaded=spec.load.enabled,
        replicas=spec.load.replicas,
        resource_groups=tuple(sorted(spec.load.resource_groups)),
        identities={field: model.identity for field, model in outputs.items()},
    )


def to_strings(params: Mapping[str, Scalar]) -> dict[str, str]:
    """Parameters and properties in Milvus' spelling: true, not True."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}


def _field(spec: FieldSpec, model: EffectiveModel | None) -> Field:
    dim = spec.dim
    if model is not None:
        if dim is not None and dim != model.dim:
            raise DimensionDiffers(
                f"fields[{spec.name}].dim is {dim}, but {model.name} of its function gives {model.dim}: "
                f"set dim to {model.dim} or leave it out"
            )
        dim = model.dim
    default = spec.default_value
    return Field(
        name=spec.name,
        type=str(spec.type),
        description=spec.description,
        primary_key=spec.primary_key,
        auto_id=spec.auto_id,
        nullable=spec.nullable,
        partition_key=spec.partition_key,
        clustering_key=spec.clustering_key,
        element_type=str(spec.element_type) if spec.element_type else None,
        default=default if isinstance(default, (str, int, float, bool)) or default is None else json.dumps(default),
        params=_type_params(spec, dim),
    )


def _type_params(spec: FieldSpec, dim: int | None) -> dict[str, str]:
    given: dict[str, Scalar | None] = {
        "max_length": spec.max_length,
        "dim": dim,
        "max_capacity": spec.max_capacity,
        "mmap.enabled": spec.mmap,
    }
    if spec.analyzer is not None:
        given["enable_analyzer"] = spec.analyzer.enabled or None
        given["enable_match"] = spec.analyzer.match or None
        if spec.analyzer.params:
            # Spelled as the read-back is: compact and sorted.
            given["analyzer_params"] = json.dumps(dict(spec.analyzer.params), sort_keys=True, separators=(",", ":"))
    return to_strings({name: value for name, value in given.items() if value is not None})


def _function(spec: CollectionFunctionSpec, embedding: ResolvedEmbedding | None) -> Function:
    params: dict[str, str] = {}
    if embedding is not None:
        params = {"provider": PROVIDER, "model_name": embedding.model.name}
        if embedding.label is not None:
            params["credential"] = embedding.label
        if embedding.model.sent_dim is not None:
            params["dim"] = str(embedding.model.sent_dim)
    return Function(
        name=spec.name,
        kind=FunctionKind.TEXT_EMBEDDING if embedding is not None else FunctionKind.BM25,
        inputs=tuple(spec.input_fields),
        outputs=tuple(spec.output_fields),
        params=params,
        description=spec.description,
    )


def _index(spec: IndexSpec) -> Index:
    return Index(
        field=spec.field, name=spec.name or "", type=spec.type, metric=spec.metric or "", params=to_strings(spec.params)
    )
