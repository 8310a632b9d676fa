"""Parameters of indexes: ranges, words, and those that belong together. Unknown ones are the server's matter."""

from collections.abc import Iterator
from typing import Final

from milvus_embedding.api.model import Scalar
from milvus_embedding.api.schema import FieldSpec, IndexSpec
from milvus_embedding.domain.limits.breach import quoted
from milvus_embedding.domain.limits.index_types import INDEX_TYPES, IndexType, Range

_CASTS: Final = ("BOOL", "DOUBLE", "VARCHAR", "ARRAY_BOOL", "ARRAY_DOUBLE", "ARRAY_VARCHAR", "JSON")
_NGRAM, _BITMAP, _INVERTED = INDEX_TYPES["NGRAM"], INDEX_TYPES["BITMAP"], INDEX_TYPES["INVERTED"]
_CASTS_OF: Final = ((_NGRAM, ("VARCHAR",)), (_BITMAP, ("BOOL", "VARCHAR")), (_INVERTED, _CASTS))


def param_problems(index: IndexSpec, known: IndexType, field: FieldSpec) -> Iterator[tuple[str, str]]:
    """Name of the parameter, and what is wrong with it."""
    for name in known.required:
        if name not in index.params:
            yield name, f"params.{name} is missing, which {index.type} needs: add it"
    for name, rule in known.params.items():
        value = index.params.get(name)
        if value is None:
            continue
        if isinstance(rule, Range):
            number = _number(value, whole=rule.whole)
            if number is None or not rule.holds(number):
                yield name, f"params.{name} is {quoted(value)}, but it has to be {_kind(rule)} from {rule}: correct it"
        elif value not in rule:
            yield name, f"params.{name} is {quoted(value)}: write one of {', '.join(rule)}"
    yield from _together(index, field)


def json_problems(index: IndexSpec, known: IndexType) -> Iterator[tuple[str, str]]:
    """What an index on a path of a JSON field needs."""
    casts = next((casts for entry, casts in _CASTS_OF if entry is known), ())
    cast, path = index.params.get("json_cast_type"), index.params.get("json_path")
    if not casts:
        return
    if cast is None:
        yield "json_cast_type", f"params.json_cast_type is missing, which an index on JSON needs: add {_one_of(casts)}"
    elif str(cast).strip().upper() not in casts:
        yield "json_cast_type", f"params.json_cast_type is {quoted(cast)}: write one of {', '.join(casts)}"
    if path is None and known is _BITMAP:
        yield "json_path", "params.json_path is missing, which an index on JSON needs: add it, as field['key']"


def _one_of(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}"


def _together(index: IndexSpec, field: FieldSpec) -> Iterator[tuple[str, str]]:
    least, most = (_number(index.params.get(name, ""), whole=True) for name in ("min_gram", "max_gram"))
    if index.type.upper() == "NGRAM" and least is not None and most is not None and least > most:
        yield "min_gram", f"params.min_gram is {least:g}, more than max_gram ({most:g}): exchange them"
    parts = _number(index.params.get("m", ""), whole=True)
    if index.type.upper() in ("IVF_PQ", "HNSW_PQ", "HNSW_PRQ") and parts and field.dim and field.dim % parts:
        yield "m", f"params.m is {parts:g}, which does not divide the dim of {field.name} ({field.dim}): correct m"


def _number(value: Scalar, *, whole: bool) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return int(str(value)) if whole else float(value)
    except ValueError:
        return None


def _kind(rule: Range) -> str:
    return "a whole number" if rule.whole else "a number"
