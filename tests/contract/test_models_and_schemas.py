"""The typed models hold exactly what the schemas declare: paths, types, enums, defaults, what is required."""

import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.model import Model
from tests.contract.schema_walk import Schema, crds, schema_of

COMPUTED = {"spec.indexes[].type": "AUTOINDEX", "status.observedGeneration": -1}
"""Defaults that a schema cannot have where they stand (in a list), or has elsewhere."""


class Pair(typing.NamedTuple):
    """A field as the schema has it and as the model has it."""

    path: str
    schema: Schema
    field: FieldInfo
    in_list: bool


def _bare(annotation: Any) -> Any:
    """Without `| None` and without what Annotated adds."""
    if get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return _bare(inner[0]) if len(inner) == 1 else annotation
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is typing.Annotated else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Model)


def _pairs(path: str, schema: Schema, model: type[Model], *, in_list: bool) -> Iterator[Pair]:
    declared = schema.get("properties", {})
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    assert set(declared) == set(fields), f"{path}: schema and {model.__name__} differ"
    for name, field in fields.items():
        part_path, part = f"{path}.{name}", declared[name]
        yield Pair(part_path, part, field, in_list)
        bare = _bare(field.annotation)
        if _is_model(bare):
            yield from _pairs(part_path, part, bare, in_list=in_list)
        elif get_origin(bare) is tuple and _is_model(get_args(bare)[0]):
            yield from _pairs(f"{part_path}[]", part["items"], get_args(bare)[0], in_list=True)


def _all_pairs() -> Iterator[tuple[str, Pair]]:
    for kind, model in KINDS.items():
        for part in ("spec", "status"):
            annotation = _bare(model.model_fields[part].annotation)
            for pair in _pairs(part, schema_of(kind)["properties"][part], annotation, in_list=False):
                yield kind, pair


def test_there_is_a_model_for_each_crd_and_it_has_its_plural() -> None:
    assert {kind: crd["spec"]["names"]["plural"] for kind, crd in crds().items()} == {
        kind: model.PLURAL for kind, model in KINDS.items()
    }


def test_every_path_of_the_schema_is_in_the_model_and_the_other_way_round() -> None:
    assert len(list(_all_pairs())) > 200


def test_types_are_equal() -> None:
    for kind, pair in _all_pairs():
        bare, expected = _bare(pair.field.annotation), pair.schema.get("type")
        where = f"{kind} {pair.path}"
        if _is_model(bare) or get_origin(bare) is Mapping or bare is Mapping:
            assert expected == "object", where
        elif get_origin(bare) is tuple:
            assert expected == "array", where
        elif isinstance(bare, type):
            by_type = {str: "string", datetime: "string", int: "integer", bool: "boolean"}
            assert expected == by_type.get(bare, "string"), where
            assert (bare is datetime) == (pair.schema.get("format") == "date-time"), where


def test_enums_are_equal() -> None:
    for kind, pair in _all_pairs():
        bare = _bare(pair.field.annotation)
        is_enum = isinstance(bare, type) and issubclass(bare, StrEnum)
        assert is_enum == ("enum" in pair.schema), f"{kind} {pair.path}"
        if is_enum:
            assert sorted(bare) == sorted(pair.schema["enum"]), f"{kind} {pair.path}"


def test_defaults_are_equal() -> None:
    for kind, pair in _all_pairs():
        default = None if pair.field.is_required() else pair.field.get_default(call_default_factory=True)
        where = f"{kind} {pair.path}"
        if isinstance(default, Model):
            assert default == type(default)(), f"{where}: an absent block is an empty one"
        elif "default" in pair.schema:
            assert default == pair.schema["default"], where
        elif default:
            assert pair.path in COMPUTED, where
            assert default == COMPUTED[pair.path], where


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_required_is_equal(kind: str) -> None:
    for owner, pair in _all_pairs():
        if owner != kind or pair.path.startswith("status."):
            continue
        parent = _parent(kind, pair.path)
        required = pair.path.rsplit(".", 1)[1] in parent.get("required", [])
        assert pair.field.is_required() == required, f"{kind} {pair.path}"


def test_a_status_requires_nothing_but_the_heads_of_conditions() -> None:
    required = {pair.path for _, pair in _all_pairs() if pair.path.startswith("status.") and pair.field.is_required()}

    # references within a status keep the names that references have in a spec
    assert required == {"status.conditions[].type", "status.conditions[].status", "status.labels[].credential.name"}


def _parent(kind: str, path: str) -> Schema:
    schema = schema_of(kind)
    for part in path.rsplit(".", 1)[0].split("."):
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            schema = schema["items"]
    return schema
