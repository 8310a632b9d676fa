"""The schema of a collection that bears no stamp against the spec, path by path: may it be adopted? Compares what the
spec owns; the server's own additions (ids, properties that nobody declared, defaults) are not differences. What differs
in a collection of ours is the plan's matter (planning/).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from milvus_embedding.domain.catalogue import CATALOGUE
from milvus_embedding.domain.default_values import default_meaning
from milvus_embedding.domain.planning.steps import spelled
from milvus_embedding.domain.schema import Field, Function, Index, Schema

ABSENT = "absent"
_N = TypeVar("_N", Field, Function)
_SERVER_FALSE = {"mmap.enabled": "false", "enable_analyzer": "false", "enable_match": "false"}


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` in the spec's words, for instance fields[document].maxLength; values as text."""

    path: str
    want: str
    have: str


_PARAM_PATHS = {
    "max_length": "maxLength",
    "max_capacity": "maxCapacity",
    "mmap.enabled": "mmap",
    "enable_analyzer": "analyzer.enabled",
    "enable_match": "analyzer.match",
    "analyzer_params": "analyzer.params",
}


def schema_differences(want: Schema, have: Schema) -> tuple[Difference, ...]:
    """Fields, functions, properties and options, in the order of the spec."""
    return tuple(_schema(want, have))


def index_of(want: Index, have: Iterable[Index]) -> Index | None:
    """The observed index that `want` means: by name where one is given, else by field."""
    return next((i for i in have if i.field == want.field and (not want.name or i.name == want.name)), None)


def _schema(want: Schema, have: Schema) -> Iterator[Difference]:
    yield from _values(
        "",
        {
            "description": (want.description or have.description, have.description),
            "enableDynamicField": (want.dynamic, have.dynamic),
            "shards": (want.shards, have.shards),
            "consistencyLevel": (want.consistency, have.consistency),
        },
    )
    if want.partitions_count is not None:
        yield from _values("", {"numPartitions": (want.partitions_count, have.partitions_count)})
    yield from _named("fields", want.fields, have.fields, _field)
    yield from _named("functions", want.functions, have.functions, _function)
    for name, value in sorted(want.properties.items()):
        present = have.properties.get(name, ABSENT)
        if spelled(present) != spelled(value):
            yield Difference(f"properties[{name}]", value, present)


def _named(
    path: str, want: Iterable[_N], have: Iterable[_N], inner: Callable[[str, _N, _N], Iterator[Difference]]
) -> Iterator[Difference]:
    wanted, present = {i.name: i for i in want}, {i.name: i for i in have}
    for name, item in wanted.items():
        if name not in present:
            yield Difference(f"{path}[{name}]", "present", ABSENT)
        else:
            yield from inner(f"{path}[{name}].", item, present[name])
    for name in sorted(present.keys() - wanted.keys()):
        yield Difference(f"{path}[{name}]", ABSENT, "present")


def _field(path: str, want: Field, have: Field) -> Iterator[Difference]:
    yield from _values(
        path,
        {
            "type": (want.type, have.type),
            "description": (want.description or have.description, have.description),
            "primaryKey": (want.primary_key, have.primary_key),
            "autoID": (want.auto_id, have.auto_id),
            "nullable": (want.nullable, have.nullable),
            "partitionKey": (want.partition_key, have.partition_key),
            "clusteringKey": (want.clustering_key, have.clustering_key),
            "elementType": (want.element_type, have.element_type if want.type == "ARRAY" else want.element_type),
            "defaultValue": (default_meaning(want), default_meaning(have)),
        },
    )
    for name, value in sorted(want.params.items()):
        present = have.params.get(name, _SERVER_FALSE.get(name, ABSENT))
        yield from _values(path, {_PARAM_PATHS.get(name, name): (value, present)})


def _function(path: str, want: Function, have: Function) -> Iterator[Difference]:
    yield from _values(
        path,
        {
            "type": (want.kind, have.kind),
            "description": (want.description or have.description, have.description),
            "inputFields": (",".join(want.inputs), ",".join(have.inputs)),
            "outputFields": (",".join(want.outputs), ",".join(have.outputs)),
        },
    )
    want_params, have_params = _meaning(want.params, other=have.params), _meaning(have.params, other=want.params)
    for name in sorted(want_params.keys() | have_params.keys()):
        yield from _values(path, {name: (want_params.get(name, ABSENT), have_params.get(name, ABSENT))})


def _meaning(params: Mapping[str, str], *, other: Mapping[str, str]) -> dict[str, str]:
    """The provider in lower case, and the dimension filled in if the other side has one: spellings of the same function
    are no difference.
    """
    meaning = _spelled(params)
    listed = CATALOGUE.get(meaning.get("model_name", ""))
    if listed is not None and "dim" not in meaning and "dim" in _spelled(other):
        meaning["dim"] = str(listed.default_dim)
    return meaning


def _spelled(params: Mapping[str, str]) -> dict[str, str]:
    spelled = {name.lower(): value for name, value in params.items()}
    if "provider" in spelled:
        spelled["provider"] = spelled["provider"].lower()
    if spelled.get("dim") in ("", "0"):
        del spelled["dim"]
    return spelled


def _values(path: str, pairs: Mapping[str, tuple[object, object]]) -> Iterator[Difference]:
    for name, (want, have) in pairs.items():
        if want != have:
            yield Difference(f"{path}{name}", _text(want), _text(have))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ABSENT if value is None else str(value)
