"""Misspelt names of fields: told once, and read as what was meant, so that they have no problems in their wake."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from milvus_embedding.validation.crds import Schema, items, properties, values
from milvus_embedding.validation.problems import Check, Path, Problem, dotted


def corrected(schema: Schema, value: object, found: list[Problem], path: Path = ()) -> object:
    """Return a copy with the misspelt fields under their right names, and add a problem for each to `found`."""
    if isinstance(value, list):
        return [corrected(items(schema), item, found, (*path, at)) for at, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    declared, of_map = properties(schema), values(schema) or {}
    right: dict[str, object] = {}
    for name, part in value.items():
        known = name
        if declared and name not in declared:
            meant = nearest(str(name), declared)
            if meant and meant not in value and meant not in right:
                known = meant
                message = f'unknown field "{dotted((*path, name))}"; did you mean {meant}?'
                found.append(Problem(check=Check.SCHEMA, path=(*path, name), message=message))
        right[known] = corrected(declared.get(known, of_map), part, found, (*path, name))
    return right


def suggestion(name: str, declared: Sequence[str]) -> str:
    """Return what an unknown field may be, to be put behind its name."""
    near = nearest(name, declared)
    if near:
        return f"; did you mean {near}?"
    return f"; known here: {', '.join(sorted(declared))}" if declared else "; nothing is known here"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like it; case and _ count for little (FloatVector: FLOAT_VECTOR)."""
    folded = {text.replace("_", "").lower(): text for text in known}
    near = difflib.get_close_matches(name.replace("_", "").lower(), list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else None
