"""Indexes: which type goes with which field, which metric, which parameters."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.api.schema import DataType, FieldSpec, IndexSpec, Metric
from milvus_embedding.domain.limits.breach import Breach, Grade, quoted
from milvus_embedding.domain.limits.index_types import INDEX_TYPES
from milvus_embedding.domain.limits.params import json_problems, param_problems

_JSON_PATH: Final = "json_path"


def index_breaches(spec: CollectionSpec) -> Iterator[Breach]:
    """Of the indexes as written; those that are implied fit."""
    fields = {f.name: f for f in spec.fields}
    scored = {f.output_field for f in spec.functions if f.bm25 is not None}
    for at, index in enumerate(spec.indexes):
        field = fields.get(index.field)
        if field is None:
            continue
        for path, message, grade in _index(index, field, is_scored=index.field in scored):
            yield _breach(at, index, path, message, grade)
    yield from _rivals(spec, fields)


def _breach(at: int, index: IndexSpec, path: tuple[str, ...], message: str, grade: Grade = Grade.INVALID) -> Breach:
    place = f"indexes[{index.effective_name}]"
    return Breach(path=("indexes", at, *path), place=place, message=message, grade=grade)


def _index(index: IndexSpec, field: FieldSpec, *, is_scored: bool) -> Iterator[tuple[tuple[str, ...], str, Grade]]:
    yield from _metric(index, is_scored=is_scored)
    known = INDEX_TYPES.get(index.type.upper())
    if known is None:
        near = difflib.get_close_matches(index.type.upper(), INDEX_TYPES, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        text = (
            f"type is {index.type}, which this version does not know: correct it, unless a newer Milvus has it{meant}"
        )
        yield ("type",), text, Grade.DOUBTFUL
        return
    if field.type not in known.fields:
        fitting = ", ".join(name for name, entry in INDEX_TYPES.items() if field.type in entry.fields)
        what = f"{index.type}, which does not go with {field.name} of type {field.type}"
        yield ("type",), f"type is {what}: write one of {fitting}", Grade.INVALID
        return
    if problem := known.refuses(field):
        yield ("type",), f"type is {index.type}, {problem}", Grade.INVALID
    for name, text in param_problems(index, known, field):
        yield ("params", name), text, Grade.INVALID
    if field.type is DataType.JSON:
        for name, text in json_problems(index, known):
            yield ("params", name), text, Grade.INVALID


def _metric(index: IndexSpec, *, is_scored: bool) -> Iterator[tuple[tuple[str, ...], str, Grade]]:
    if index.metric is None or is_scored == (index.metric is Metric.BM25):
        return
    if is_scored:
        text = f"metric is {index.metric}, but the field is the output of bm25: write BM25, or leave metric out"
    else:
        text = "metric is BM25, but the field is not the output of a bm25 function: write IP, or add the function"
    yield ("metric",), text, Grade.INVALID


def _rivals(spec: CollectionSpec, fields: Mapping[str, FieldSpec]) -> Iterator[Breach]:
    """One index on a field, but for JSON: one for each path. Names of indexes are unique in the collection."""
    names: dict[str, IndexSpec] = {}
    places: dict[tuple[str, str], IndexSpec] = {}
    for at, index in enumerate(spec.indexes):
        first = names.setdefault(index.effective_name, index)
        if first is not index and first.field != index.field:
            text = f"name is {index.effective_name}, as the index on {first.field}: give each index a name of its own"
            yield _breach(at, index, ("name",), text)
        field = fields.get(index.field)
        is_json = field is not None and field.type is DataType.JSON
        where = (index.field, str(index.params.get(_JSON_PATH, "")) if is_json else "")
        other = places.setdefault(where, index)
        if other is not index:
            path = f" at {quoted(where[1])}" if where[1] else ""
            text = f"field is {index.field}, which has an index{path} already, and Milvus takes one: remove one of them"
            yield _breach(at, index, ("field",), text)
