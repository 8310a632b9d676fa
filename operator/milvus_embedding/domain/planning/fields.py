"""Fields: added, removed, and their parameters."""

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.default_values import default_meaning
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.functions import keeps_vector
from milvus_embedding.domain.planning.observed import field_named, function_named, is_vector
from milvus_embedding.domain.planning.steps import (
    ABSENT,
    Action,
    Needs,
    Step,
    needs_version,
    rebuild,
    spelled,
    text,
)
from milvus_embedding.domain.schema import Field, Schema

MMAP: Final = "mmap.enabled"
DESCRIPTION: Final = "field.description"
SHAPE: Final = (".type", ".elementType")
"""Ends of the paths of steps after which a field is another one."""

_GROWING: Final[Mapping[str, str]] = MappingProxyType({"max_length": "maxLength", "max_capacity": "maxCapacity"})
_FIXED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dim": "dim",
        "enable_analyzer": "analyzer.enabled",
        "enable_match": "analyzer.match",
        "analyzer_params": "analyzer.params",
    }
)
_LEFT_OUT = {MMAP: "false", "enable_analyzer": "false", "enable_match": "false"}


def field_steps(
    want: Schema, have: Schema, able: Capabilities, *, record: frozenset[str], functions: tuple[Step, ...]
) -> Iterator[Step]:
    """`record`: paths that the spec declared before; `functions`: the steps of functions, which may carry fields."""
    for field in want.fields:
        present = field_named(have, field.name)
        if present is None:
            yield _added(field, want, able, functions)
        else:
            yield from _changed(field, present, able, record)
    for field in have.fields:
        if field_named(want, field.name) is None:
            yield _removed(field, want, have, able, functions)


def _path(name: str, rest: str = "") -> str:
    return f"spec.fields[{name}]{rest}"


def _added(field: Field, want: Schema, able: Capabilities, functions: tuple[Step, ...]) -> Step:
    added = Step(
        action=Action.ADD_FIELD,
        path=_path(field.name),
        class_=ChangeClass.IN_PLACE,
        before=ABSENT,
        after=_summary(field),
        subject=field.name,
    )
    brought = {s.subject for s in functions if s.action is Action.ADD_FUNCTION_FIELD}
    if any(field.name in f.outputs for f in want.functions if f.name in brought):
        return dataclasses.replace(added, needs=Needs.CARRIED)
    key = field.primary_key or field.auto_id or field.partition_key or field.clustering_key
    bound = any(field.name in (*f.inputs, *f.outputs) for f in want.functions)
    if key or bound or not field.nullable:
        return rebuild(_path(field.name), before=ABSENT, after=_summary(field), subject=field.name)
    unable = ""
    if not able.alters_fields:
        unable = needs_version("add a field", "2.6.0", able)
    elif is_vector(field) and not able.adds_vector_fields:
        unable = needs_version("add a vector field", "3.0.0", able)
    return dataclasses.replace(added, unsupported=unable)


def _summary(field: Field) -> str:
    """Everything that an approval of the new field approves."""
    flags = {
        "primaryKey": field.primary_key,
        "autoID": field.auto_id,
        "nullable": field.nullable,
        "partitionKey": field.partition_key,
        "clusteringKey": field.clustering_key,
    }
    words = [name for name, is_set in flags.items() if is_set]
    words += [f"of {field.element_type}"] if field.element_type else []
    words += [f"{name}={value}" for name, value in sorted(field.params.items())]
    words += [f"default {default_meaning(field)!r}"] if field.default is not None else []
    return ", ".join([field.type, *words])


def _removed(field: Field, want: Schema, have: Schema, able: Capabilities, functions: tuple[Step, ...]) -> Step:
    holders = [f for f in have.functions if field.name in (*f.inputs, *f.outputs)]
    going = [s for s in functions if s.subject in {f.name for f in holders} and s.after == ABSENT]
    kept = any(function_named(want, f.name) is not None for f in holders)
    key = field.primary_key or field.partition_key or field.clustering_key
    bound = kept or any(s.class_ is ChangeClass.REBUILD for s in going)
    if key or bound or (is_vector(field) and not keeps_vector(want, have)):
        return rebuild(_path(field.name), before=field.type, after=ABSENT, subject=field.name)
    unable = "" if able.drops_fields else needs_version("drop a field", "3.0.0", able)
    carried = any(field.name in f.outputs for f in holders)
    return Step(
        action=Action.DROP_FIELD,
        path=_path(field.name),
        class_=ChangeClass.DESTRUCTIVE,
        before=field.type,
        after=ABSENT,
        subject=field.name,
        needs=_needs_of_dropping(field, carried=carried),
        unsupported=unable,
    )


def _needs_of_dropping(field: Field, *, carried: bool) -> Needs:
    if carried:
        return Needs.CARRIED
    # A vector's index goes with it, and Milvus drops none of those from memory.
    return Needs.RELEASED if is_vector(field) else Needs.NOTHING


def _changed(want: Field, have: Field, able: Capabilities, record: frozenset[str]) -> Iterator[Step]:
    yield from _shape(want, have)
    yield from _described(want, have, able, record)
    yield from _mapped(want, have, able, record)
    for param, word in _GROWING.items():
        before, after = _param(have, param), _param(want, param)
        if after not in (ABSENT, before):
            yield _grown(want.name, param, word, before, after, able)
    for param, word in _FIXED.items():
        before, after = _param(have, param), _param(want, param)
        if before != after:
            yield rebuild(_path(want.name, f".{word}"), before=before, after=after, subject=want.name)


def _shape(want: Field, have: Field) -> Iterator[Step]:
    pairs = {
        "type": (want.type, have.type),
        "primaryKey": (want.primary_key, have.primary_key),
        "autoID": (want.auto_id, have.auto_id),
        "nullable": (want.nullable, have.nullable),
        "partitionKey": (want.partition_key, have.partition_key),
        "clusteringKey": (want.clustering_key, have.clustering_key),
        "elementType": (want.element_type, have.element_type if want.type == "ARRAY" else want.element_type),
        "defaultValue": (default_meaning(want), default_meaning(have)),
    }
    for name, (after, before) in pairs.items():
        if after != before:
            yield rebuild(_path(want.name, f".{name}"), before=text(before), after=text(after), subject=want.name)


def _described(want: Field, have: Field, able: Capabilities, record: frozenset[str]) -> Iterator[Step]:
    path = _path(want.name, ".description")
    if want.description != have.description and (want.description or path in record):
        yield Step(
            action=Action.ALTER_FIELD,
            path=path,
            class_=ChangeClass.IN_PLACE,
            before=have.description,
            after=want.description,
            subject=want.name,
            detail=DESCRIPTION,
            unsupported=_unable(able),
        )


def _mapped(want: Field, have: Field, able: Capabilities, record: frozenset[str]) -> Iterator[Step]:
    path = _path(want.name, ".mmap")
    removed = MMAP not in want.params
    before = _param(have, MMAP)
    if removed and (before == _LEFT_OUT[MMAP] or path not in record):
        return
    after = ABSENT if removed else _param(want, MMAP)
    if before != after:
        yield Step(
            action=Action.ALTER_FIELD,
            path=path,
            class_=ChangeClass.DISRUPTIVE,
            before=before,
            after=after,
            subject=want.name,
            detail=MMAP,
            needs=Needs.RELEASED,
            unsupported=_unable(able),
        )


def _grown(name: str, param: str, word: str, before: str, after: str, able: Capabilities) -> Step:
    path = _path(name, f".{word}")
    if not (before.isdecimal() and after.isdecimal() and int(after) > int(before)):
        return rebuild(path, before=before, after=after, subject=name)
    return Step(
        action=Action.ALTER_FIELD,
        path=path,
        class_=ChangeClass.IN_PLACE,
        before=before,
        after=after,
        subject=name,
        detail=param,
        unsupported=_unable(able),
    )


def _unable(able: Capabilities) -> str:
    return "" if able.alters_fields else needs_version("alter a field", "2.6.0", able)


def _param(field: Field, name: str) -> str:
    return spelled(field.params.get(name, _LEFT_OUT.get(name, ABSENT)))
