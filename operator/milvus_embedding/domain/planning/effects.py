"""`apply`: the documented effect of one act on a collection, as Milvus of a version would have it.

For tests, and for showing what a plan leads to. It refuses what the documentation says that Milvus refuses; it is no
Milvus: rows, limits and the live check of functions are not here.
"""

import dataclasses
from collections.abc import Mapping

from milvus_embedding.domain.planning import acts
from milvus_embedding.domain.planning.acts import Act
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.fields import DESCRIPTION as FIELD_DESCRIPTION
from milvus_embedding.domain.planning.observed import AliasTarget, Observed, field_named, function_named, is_vector
from milvus_embedding.domain.planning.placement import REPLICAS, RESOURCE_GROUPS
from milvus_embedding.domain.planning.settings import CONSISTENCY, DESCRIPTION, DYNAMIC, needs_of_property
from milvus_embedding.domain.planning.steps import Needs
from milvus_embedding.domain.schema import Description, Field, Function, FunctionKind, LoadState, Schema

_FIELD_PARAMS = frozenset({"max_length", "max_capacity", "mmap.enabled", FIELD_DESCRIPTION})
_WHILE_RELEASED = "mmap.enabled"
_PARTITIONS_BY_KEY = 16


class Illegal(ValueError):
    """Milvus refuses this act in this state."""


def apply(observed: Observed | None, act: Act, capabilities: Capabilities) -> Observed:
    """What a read-back shows after the act; builds and loads have finished by then. Raises Illegal."""
    if isinstance(act, acts.CreateCollection):
        _require(observed is None, "there is a collection of that name")
        return _created(act)
    if observed is None:
        raise Illegal(f"{type(act).__name__}: there is no collection")
    match act:
        case acts.AlterProperties() | acts.DropProperties():
            return _properties(observed, act, capabilities)
        case acts.AlterField() | acts.DropFieldProperties() | acts.AddField() | acts.DropField():
            return _fields(observed, act, capabilities)
        case acts.AddFunction() | acts.AlterFunction() | acts.DropFunction() | acts.DropFunctionField():
            return _functions(observed, act, capabilities)
        case acts.AddFunctionField():
            return _function_field_added(observed, act, capabilities)
        case acts.CreateIndex() | acts.AlterIndex() | acts.DropIndex():
            return _indexes(observed, act, capabilities)
        case acts.RenameCollection(to):
            return dataclasses.replace(observed, description=dataclasses.replace(observed.description, name=to))
        case acts.CreateAlias() | acts.AlterAlias() | acts.DropAlias():
            return _aliases(observed, act)
        case acts.AcceptCollection():
            return observed
        case _:
            return _memory(observed, act)


def _require(holds: bool, refusal: str) -> None:
    if not holds:
        raise Illegal(refusal)


def _created(act: acts.CreateCollection) -> Observed:
    schema = act.schema
    if schema.partitions_count is None and any(f.partition_key for f in schema.fields):
        schema = dataclasses.replace(schema, partitions_count=_PARTITIONS_BY_KEY)
    return Observed(
        description=Description(name=act.name, id=f"new-{act.name}", schema=schema),
        indexes=(),
        partitions=("_default",),
        aliases=(),
        load=LoadState.NOT_LOADED,
    )


def _properties(have: Observed, act: acts.AlterProperties | acts.DropProperties, able: Capabilities) -> Observed:
    keys = act.keys if isinstance(act, acts.DropProperties) else tuple(act.properties)
    vectors = {f.name for f in have.schema.fields if is_vector(f)}
    needs = {needs_of_property(key) for key in keys}
    _require(have.is_released or Needs.RELEASED not in needs, "can not alter mmap properties if collection loaded")
    bare = not any(i.field in vectors for i in have.indexes)
    _require(bare or Needs.BARE not in needs, "the collection already has a vector index")
    if isinstance(act, acts.DropProperties):
        _require(able.alters_fields, "properties are not dropped before 2.6")
        left = {key: value for key, value in have.schema.properties.items() if key not in keys}
        return have.with_schema(dataclasses.replace(have.schema, properties=left))
    return _altered(have, dict(act.properties), able)


def _altered(have: Observed, values: dict[str, str], able: Capabilities) -> Observed:
    schema = have.schema
    if DYNAMIC in values:
        _require(len(values) == 1, f"can not alter {DYNAMIC} with other properties at the same time")
        on = values.pop(DYNAMIC) == "true"
        _require(on or able.disables_dynamic_field, "dynamic schema cannot be disabled")
        schema = dataclasses.replace(schema, dynamic=on)
    schema = dataclasses.replace(
        schema,
        description=values.pop(DESCRIPTION, schema.description),
        consistency=values.pop(CONSISTENCY, schema.consistency),
        properties={**schema.properties, **values},
    )
    changed = have.with_schema(schema)
    if have.load is LoadState.LOADED and REPLICAS in values:
        changed = dataclasses.replace(changed, replicas=int(values[REPLICAS]))
    if have.load is LoadState.LOADED and RESOURCE_GROUPS in values:
        changed = dataclasses.replace(changed, resource_groups=tuple(values[RESOURCE_GROUPS].split(",")))
    return changed


def _fields(
    have: Observed,
    act: acts.AlterField | acts.DropFieldProperties | acts.AddField | acts.DropField,
    able: Capabilities,
) -> Observed:
    _require(able.alters_fields, "fields are not altered before 2.6")
    fields = {f.name: f for f in have.schema.fields}
    if isinstance(act, acts.AddField):
        _require(act.field.name not in fields, "duplicate field name")
        _require(act.field.nullable, "added field must be nullable, please check it")
        _require(able.adds_vector_fields or not is_vector(act.field), "not support to add vector field")
        return _with_fields(have, {**fields, act.field.name: act.field})
    _require(act.field in fields, f"field {act.field} does not exist")
    if isinstance(act, acts.DropField):
        return _field_dropped(have, fields, act.field, able)
    field = fields[act.field]
    keys = act.keys if isinstance(act, acts.DropFieldProperties) else tuple(act.params)
    _require(set(keys) <= _FIELD_PARAMS, "does not allow update in collection field param")
    _require(have.is_released or _WHILE_RELEASED not in keys, "can not alter field properties if collection loaded")
    if isinstance(act, acts.DropFieldProperties):
        params = {key: value for key, value in field.params.items() if key not in keys}
        return _with_fields(have, {**fields, field.name: dataclasses.replace(field, params=params)})
    values = dict(act.params)
    description = values.pop(FIELD_DESCRIPTION, field.description)
    changed = dataclasses.replace(field, description=description, params={**field.params, **values})
    return _with_fields(have, {**fields, field.name: changed})


def _field_dropped(have: Observed, fields: Mapping[str, Field], name: str, able: Capabilities) -> Observed:
    field = fields[name]
    _require(able.drops_fields, "fields are not dropped before 3.0")
    _require(not (field.primary_key or field.partition_key or field.clustering_key), "a key cannot be dropped")
    referenced = any(name in (*f.inputs, *f.outputs) for f in have.schema.functions)
    _require(not referenced, "a function refers to the field")
    left = {key: value for key, value in fields.items() if key != name}
    _require(any(is_vector(f) for f in left.values()), "the last vector field cannot be dropped")
    _require(have.is_released or not is_vector(field), "index cannot be dropped, collection is loaded")
    without = dataclasses.replace(have, indexes=tuple(i for i in have.indexes if i.field != name))
    return _with_fields(without, left)


def _with_fields(have: Observed, fields: Mapping[str, Field]) -> Observed:
    return have.with_schema(dataclasses.replace(have.schema, fields=tuple(fields.values())))


def _functions(
    have: Observed,
    act: acts.AddFunction | acts.AlterFunction | acts.DropFunction | acts.DropFunctionField,
    able: Capabilities,
) -> Observed:
    if isinstance(act, acts.AddFunction):
        _require(able.adds_and_drops_functions, "adding functions is no longer supported")
        taken = {output for f in have.schema.functions for output in f.outputs}
        _require(not taken & set(act.function.outputs), "duplicate function output field")
        _require(all(field_named(have.schema, o) for o in act.function.outputs), "function output field not found")
        return _with_functions(have, (*have.schema.functions, act.function))
    name = act.function.name if isinstance(act, acts.AlterFunction) else act.function
    present = function_named(have.schema, name)
    if present is None:
        raise Illegal(f"Function {name} not found")
    others = tuple(f for f in have.schema.functions if f.name != name)
    if isinstance(act, acts.AlterFunction):
        _require_alterable(present, act.function, able)
        return _with_functions(have, (*others, act.function))
    if isinstance(act, acts.DropFunction):
        _require(able.adds_and_drops_functions, "dropping functions is not supported")
        return _with_functions(have, others)
    _require(able.drops_fields, "fields are not dropped before 3.0")
    _require(have.is_released, "index cannot be dropped, collection is loaded")
    fields = {f.name: f for f in have.schema.fields if f.name not in present.outputs}
    left = dataclasses.replace(have, indexes=tuple(i for i in have.indexes if i.field not in present.outputs))
    return _with_fields(_with_functions(left, others), fields)


def _function_field_added(have: Observed, act: acts.AddFunctionField, able: Capabilities) -> Observed:
    _require(able.adds_function_fields, "unknown method AlterCollectionSchema")
    _require(act.function.kind is FunctionKind.BM25, "only BM25 and MinHash functions are supported")
    _require(function_named(have.schema, act.function.name) is None, "duplicate function name")
    _require(field_named(have.schema, act.field.name) is None, "duplicate field name")
    inputs = [field_named(have.schema, name) for name in act.function.inputs]
    _require(all(f is not None and not f.nullable for f in inputs), "function input field cannot be nullable")
    fields = {**{f.name: f for f in have.schema.fields}, act.field.name: act.field}
    added = _with_functions(_with_fields(have, fields), (*have.schema.functions, act.function))
    return _indexes(added, acts.CreateIndex(act.index), able)


def _require_alterable(present: Function, altered: Function, able: Capabilities) -> None:
    _require(able.alters_functions, "unknown method AlterCollectionFunction")
    if able.alterable_params is None:
        return
    _require(dataclasses.replace(present, params={}) == dataclasses.replace(altered, params={}), "identity is fixed")
    for name in {*present.params, *altered.params} - able.alterable_params:
        same = present.params.get(name) == altered.params.get(name)
        _require(same, f"function param {name} cannot be altered; only connection/runtime params may be changed")


def _with_functions(have: Observed, functions: tuple[Function, ...]) -> Observed:
    return have.with_schema(_replace_functions(have.schema, functions))


def _replace_functions(schema: Schema, functions: tuple[Function, ...]) -> Schema:
    return dataclasses.replace(schema, functions=functions)


def _indexes(
    have: Observed,
    act: acts.CreateIndex | acts.AlterIndex | acts.DropIndex,
    able: Capabilities,
) -> Observed:
    if isinstance(act, acts.CreateIndex):
        named = dataclasses.replace(act.index, name=act.index.name or act.index.field, finished=True)
        _require(field_named(have.schema, named.field) is not None, f"field {named.field} does not exist")
        one = all(i.field != named.field or "json_path" in i.params for i in have.indexes)
        _require(one, "at most one distinct index is allowed per field")
        return dataclasses.replace(have, indexes=(*have.indexes, named))
    name = act.index
    present = next((i for i in have.indexes if (i.name or i.field) == name), None)
    if present is None:
        raise Illegal(f"index not found: {name}")
    others = tuple(i for i in have.indexes if i is not present)
    if isinstance(act, acts.DropIndex):
        field = field_named(have.schema, present.field)
        scalar = field is not None and not is_vector(field)
        _require(have.is_released or (scalar and able.drops_scalar_index_loaded), "collection is loaded, release it")
        return dataclasses.replace(have, indexes=others)
    _require(have.is_released, "can't alter index on loaded collection")
    altered = dataclasses.replace(present, params={**present.params, **act.params})
    return dataclasses.replace(have, indexes=(*others, altered))


def _aliases(have: Observed, act: acts.CreateAlias | acts.AlterAlias | acts.DropAlias) -> Observed:
    left = tuple(a for a in have.aliases if a != act.alias)
    if isinstance(act, acts.DropAlias):
        return dataclasses.replace(have, aliases=left)
    target: AliasTarget | None = have.alias_targets.get(act.alias)
    moves = isinstance(act, acts.AlterAlias)
    _require(moves == (target is not None), "the alias is another collection's" if target else "alias not found")
    targets = {alias: where for alias, where in have.alias_targets.items() if alias != act.alias}
    return dataclasses.replace(have, aliases=(*left, act.alias), alias_targets=targets)


def _memory(have: Observed, act: Act) -> Observed:
    match act:
        case acts.Load(replicas, groups):
            indexed = {i.field for i in have.indexes if i.finished}
            _require(all(f.name in indexed for f in have.schema.fields if is_vector(f)), "index not found")
            partly = bool(have.released) and replicas == have.replicas
            _require(have.is_released or partly, "collection is loaded with another number of replicas")
            return dataclasses.replace(
                have,
                load=LoadState.LOADED,
                replicas=replicas,
                resource_groups=groups or ("__default_resource_group",),
                released=frozenset(),
            )
        case acts.Release():
            return dataclasses.replace(
                have, load=LoadState.NOT_LOADED, replicas=None, resource_groups=None, released=frozenset()
            )
        case acts.ReleasePartitions(partitions):
            return dataclasses.replace(have, released=have.released | set(partitions))
        case acts.CreatePartition(partition):
            return dataclasses.replace(have, partitions=(*have.partitions, partition))
        case acts.DropPartition(partition):
            loaded = not have.is_released and partition not in have.released
            _require(not loaded, "partition cannot be dropped, partition is loaded, please release it first")
            left = tuple(p for p in have.partitions if p != partition)
            return dataclasses.replace(have, partitions=left, released=have.released - {partition})
    raise Illegal(f"{type(act).__name__} has no effect here")
