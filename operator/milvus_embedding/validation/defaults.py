"""The schema's defaults, set as the API server sets them: before rules are evaluated, never into absent blocks."""

from collections.abc import Mapping

from milvus_embedding.validation.crds import Schema, items, properties, values


def with_defaults(schema: Schema, value: object) -> object:
    """Return a copy with the defaults of all absent fields; null is absent, as no schema of ours is nullable."""
    if isinstance(value, Mapping):
        return _object(schema, value)
    if isinstance(value, list):
        return [with_defaults(items(schema), item) for item in value]
    return value


def _object(schema: Schema, value: Mapping[str, object]) -> dict[str, object]:
    declared = properties(schema)
    of_map = values(schema) or {}
    complete: dict[str, object] = {}
    for name, part in value.items():
        known = declared.get(name, of_map)
        if part is not None or not known:
            complete[name] = with_defaults(known, part)
    for name, known in declared.items():
        if "default" in known:
            complete.setdefault(name, with_defaults(known, known["default"]))
    return complete
