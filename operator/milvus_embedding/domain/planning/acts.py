"""One external call each. An act names what the server gets, never why: the plan has that.

`AcceptCollection` alone is no call: it tells the caller to record another id as the collection's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.domain.acts import CreateAlias, CreateIndex, CreatePartition, Load
from milvus_embedding.domain.schema import Field, Function, Index, Schema

__all__ = ["CreateAlias", "CreateIndex", "CreatePartition", "Load"]


@dataclass(frozen=True, slots=True)
class CreateCollection:
    """`schema` has the record of what is declared; the caller adds the stamp."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class AcceptCollection:
    id: str


@dataclass(frozen=True, slots=True)
class AlterProperties:
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DropProperties:
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlterField:
    field: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DropFieldProperties:
    field: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddField:
    field: Field


@dataclass(frozen=True, slots=True)
class DropField:
    """Its data and its indexes go with it."""

    field: str


@dataclass(frozen=True, slots=True)
class AddFunction:
    function: Function


@dataclass(frozen=True, slots=True)
class AddFunctionField:
    """The function with its output field and that field's index, in one call; Milvus fills it for stored rows later."""

    function: Function
    field: Field
    index: Index


@dataclass(frozen=True, slots=True)
class AlterFunction:
    """The whole function, as the server returned it but for what changes."""

    function: Function


@dataclass(frozen=True, slots=True)
class DropFunction:
    """The output field stays as a plain vector field."""

    function: str


@dataclass(frozen=True, slots=True)
class DropFunctionField:
    """The function with its output field, that field's data and indexes."""

    function: str


@dataclass(frozen=True, slots=True)
class AlterIndex:
    index: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DropIndex:
    field: str
    index: str


@dataclass(frozen=True, slots=True)
class Release:
    pass


@dataclass(frozen=True, slots=True)
class ReleasePartitions:
    partitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropPartition:
    partition: str


@dataclass(frozen=True, slots=True)
class AlterAlias:
    alias: str


@dataclass(frozen=True, slots=True)
class DropAlias:
    alias: str


@dataclass(frozen=True, slots=True)
class RenameCollection:
    """Never chosen by `next_act`: the migration makes it, between its intent and its commit."""

    to: str


Act = (
    CreateCollection
    | AcceptCollection
    | AlterProperties
    | DropProperties
    | AlterField
    | DropFieldProperties
    | AddField
    | DropField
    | AddFunction
    | AddFunctionField
    | AlterFunction
    | DropFunction
    | DropFunctionField
    | CreateIndex
    | AlterIndex
    | DropIndex
    | Load
    | Release
    | ReleasePartitions
    | CreatePartition
    | DropPartition
    | CreateAlias
    | AlterAlias
    | DropAlias
    | RenameCollection
)
