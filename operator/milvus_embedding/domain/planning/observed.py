"""A collection as the planner needs it: what was read back, and what had to be asked or counted besides."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.domain.schema import Field, Function, LoadState, Observation, Schema


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """Where an alias points: the collection's name, and whether that is an earlier generation of ours."""

    collection: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Observation):
    """`replicas` and `resource_groups` None: not known, and then not compared. `released` are partitions out of memory
    while the collection is loaded. `rows_known_empty`: True only for what was counted (count(*) at Strong, all loaded)
    and found empty; None is the whole collection. `alias_targets`: declared aliases that point elsewhere.
    """

    replicas: int | None = None
    resource_groups: tuple[str, ...] | None = None
    released: frozenset[str] = frozenset()
    rows_known_empty: Mapping[str | None, bool] = dataclasses.field(default_factory=dict)
    alias_targets: Mapping[str, AliasTarget] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.description.id

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def schema(self) -> Schema:
        return self.description.schema

    @property
    def is_released(self) -> bool:
        return self.load is LoadState.NOT_LOADED

    def with_schema(self, schema: Schema) -> "Observed":
        return dataclasses.replace(self, description=dataclasses.replace(self.description, schema=schema))


def is_vector(field: Field) -> bool:
    return field.type.endswith("_VECTOR")


def field_named(schema: Schema, name: str) -> Field | None:
    return next((f for f in schema.fields if f.name == name), None)


def function_named(schema: Schema, name: str) -> Function | None:
    return next((f for f in schema.functions if f.name == name), None)
