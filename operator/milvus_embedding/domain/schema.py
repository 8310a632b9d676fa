"""A collection as Milvus sees it: the same frozen types serve for what is wanted and for what was read back.

Values are normalised where they are made (adapters, spec translation): comparing needs no knowledge of either.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FunctionKind(StrEnum):
    """The functions that the operator knows."""

    TEXT_EMBEDDING = "TextEmbedding"
    BM25 = "BM25"


class LoadState(StrEnum):
    """Milvus' load states."""

    NOT_LOADED = "NotLoaded"
    LOADING = "Loading"
    LOADED = "Loaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field. `type` is Milvus' name (INT64, VARCHAR, FLOAT_VECTOR …); `params` are its type parameters as strings
    (max_length, dim, max_capacity, mmap.enabled, enable_analyzer, analyzer_params, enable_match).
    """

    name: str
    type: str
    description: str = ""
    primary_key: bool = False
    auto_id: bool = False
    nullable: bool = False
    partition_key: bool = False
    clustering_key: bool = False
    element_type: str | None = None
    default: str | int | float | bool | None = None
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function. `params` have lower-case keys and string values, exactly as sent to or returned by Milvus."""

    name: str
    kind: FunctionKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index. An empty `name` leaves it to Milvus (the field's name); an empty `metric` too. `params` are strings.
    `finished` is meaningful on what was read back only.
    """

    field: str
    name: str = ""
    type: str = "AUTOINDEX"
    metric: str = ""
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What CreateCollection takes and DescribeCollection returns. `partitions_count` is None where nobody set it."""

    fields: tuple[Field, ...]
    functions: tuple[Function, ...] = ()
    description: str = ""
    dynamic: bool = False
    shards: int = 1
    partitions_count: int | None = None
    consistency: str = "Bounded"
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One answer of DescribeCollection. `name` is the collection's real name: another one than asked for means that an
    alias answered. `id` is the server's, as text.
    """

    name: str
    id: str
    schema: Schema
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A collection with everything around it, gathered by several calls."""

    description: Description
    indexes: tuple[Index, ...]
    partitions: tuple[str, ...]
    aliases: tuple[str, ...]
    load: LoadState
