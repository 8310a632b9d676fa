"""Which paths of a kind's spec the table of changes sets, changes and removes."""

from collections.abc import Iterator, Mapping

from tests.contract.schema_walk import Schema
from tests.unit.domain.planning.scenes import over_base
from tests.unit.domain.planning.table import Body, Change

_FILLED = {"properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"}
SET, CHANGED, REMOVED = "set", "changed", "removed"


def needed(schema: Schema, path: str = "spec") -> Iterator[tuple[str, str]]:
    """Path and way of change, for all that a user can do to a part of a spec with this schema."""
    keys = set(schema.get("x-kubernetes-list-map-keys", []))
    for name, part in schema.get("properties", {}).items():
        yield from _node(f"{path}.{name}", part, fixed=name in schema.get("required", []))
    if (items := schema.get("items")) is not None:
        yield from ((f"{path}[]", way) for way in (SET, REMOVED))
        inner = {**items, "properties": {n: p for n, p in items.get("properties", {}).items() if n not in keys}}
        yield from needed(inner, f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from ((f"{path}{{}}", way) for way in (SET, CHANGED, REMOVED))


def _node(path: str, schema: Schema, *, fixed: bool) -> Iterator[tuple[str, str]]:
    """`fixed`: required where its block is, so that it can only change."""
    if not fixed:
        yield from ((path, way) for way in (SET, REMOVED))
    if schema.get("type") != "object" or set(schema) & _FILLED:
        yield (path, CHANGED)
    yield from needed(schema, path)


def done(change: Change) -> Iterator[tuple[str, str]]:
    """What a row of the table does, to the collection and to EmbeddingFunctions."""
    yield from _compared("spec", over_base(change.old), over_base(change.new))
    for name, old in change.models[0].items():
        yield from _compared("EmbeddingFunction.spec", {"dashscope": old}, {"dashscope": change.models[1][name]})


def _compared(path: str, old: object, new: object) -> Iterator[tuple[str, str]]:
    if old == new:
        return
    yield (path, CHANGED)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        free = path.endswith((".properties", ".params"))
        yield from _members(f"{path}{{}}" if free else path, old, new, named=not free)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _members(f"{path}[]", _keyed(old), _keyed(new), named=False)


def _members(path: str, old: Body, new: Body, *, named: bool) -> Iterator[tuple[str, str]]:
    for name in {*old, *new}:
        where = f"{path}.{name}" if named else path
        if name not in new:
            yield (where, REMOVED)
        elif name not in old:
            yield (where, SET)
        else:
            yield from _compared(where, old[name], new[name])


def _keyed(items: list[object]) -> dict[str, object]:
    """By what tells entries apart: the name of a field or function, the field of an index, the text itself."""
    return {str(item.get("field") or item["name"]) if isinstance(item, dict) else str(item): item for item in items}
