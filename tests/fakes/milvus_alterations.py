"""How the fake Milvus lets properties, fields, functions and indexes be altered: as the release that it reports.

The same rules as those of the contract server (devkit), short of what controllers cannot come across.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from milvus_embedding.clients.milvus.port import Rejected, Unimplemented
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index, LoadState
from tests.fakes.milvus_store import (
    INVALID_PARAMETER,
    UNCLASSIFIED,
    Call,
    Store,
    StoredCollection,
    is_vector,
)

FUNCTION_ALTERATION, TARGET_ONLY, BOUND = (2, 6, 7), (2, 6, 9), (3, 0, 0)
ALTERABLE = frozenset(
    {"url", "credential", "timeout_ms", "max_client_batch_size", "region", "location", "projectid", "user"}
)
_WHILE_RELEASED = ("mmap.enabled", "warmup")
_FIELD_KEYS = ("max_length", "max_capacity", "field.description", *_WHILE_RELEASED)
_LOAD = ("collection.replica.number", "collection.resource_groups")


def refused(text: str, code: int = INVALID_PARAMETER) -> Rejected:
    return Rejected(f"Milvus refused: {text}.", code)


class Alterations(Store):
    """See the module."""

    async def alter_properties(self, database: str, name: str, properties: Mapping[str, str]) -> None:
        async with self._call(Call("alter_properties", database, name, dict(properties))):
            stored, rest = self._find(database, name), dict(properties)
            self._check_released(stored, rest)
            if "dynamicfield.enabled" in rest:
                self._set_dynamic(stored, rest)
                return
            schema = stored.schema
            self._change_schema(
                stored,
                description=rest.pop("collection.description", schema.description),
                consistency=rest.pop("consistency_level", schema.consistency),
            )
            if stored.load is LoadState.LOADED and "collection.replica.number" in rest:
                stored.replicas = int(rest["collection.replica.number"])
            self._change_schema(stored, properties={**schema.properties, **rest})

    async def drop_properties(self, database: str, name: str, keys: Sequence[str]) -> None:
        async with self._call(Call("drop_properties", database, name, tuple(sorted(keys)))):
            stored = self._find(database, name)
            self._check_released(stored, keys)
            kept = {key: value for key, value in stored.schema.properties.items() if key not in keys}
            self._change_schema(stored, properties=kept)

    async def alter_field(self, database: str, name: str, field: str, params: Mapping[str, str]) -> None:
        async with self._call(Call("alter_field", database, name, (field, dict(params)))):
            stored = self._find(database, name)
            one, rest = self._field(stored, field, params), dict(params)
            description = rest.pop("field.description", one.description)
            changed = dataclasses.replace(one, description=description, params={**one.params, **rest})
            self._replace_field(stored, changed)

    async def drop_field_params(self, database: str, name: str, field: str, keys: Sequence[str]) -> None:
        async with self._call(Call("drop_field_params", database, name, (field, tuple(sorted(keys))))):
            stored = self._find(database, name)
            one = self._field(stored, field, keys)
            kept = {key: value for key, value in one.params.items() if key not in keys}
            self._replace_field(stored, dataclasses.replace(one, params=kept))

    async def add_field(self, database: str, name: str, field: Field) -> None:
        async with self._call(Call("add_field", database, name, field)):
            stored = self._find(database, name)
            if not field.nullable:
                raise refused(f"added field must be nullable, please check it, field name = {field.name}")
            if is_vector(field) and self.release_number < BOUND:
                raise refused(f"not support to add vector field, field name = {field.name}")
            if field.name in {one.name for one in stored.schema.fields}:
                raise refused(f"duplicated field name: {field.name}")
            self._change_schema(stored, fields=(*stored.schema.fields, field))

    async def drop_field(self, database: str, name: str, field: str) -> None:
        async with self._call(Call("drop_field", database, name, field)):
            _check_named(field)
            self._require(BOUND)
            stored = self._find(database, name)
            one = self._field(stored, field, ())
            used = {used for f in stored.schema.functions for used in (*f.inputs, *f.outputs)}
            last = is_vector(one) and sum(is_vector(other) for other in stored.schema.fields) == 1
            if one.primary_key or one.partition_key or one.clustering_key or field in used or last:
                raise refused(f"cannot drop field {field}")
            self._remove_field(stored, field)

    async def add_function(self, database: str, name: str, function: Function) -> None:
        async with self._call(Call("add_function", database, name, function)):
            self._require(FUNCTION_ALTERATION)
            stored = self._find(database, name)
            if self.release_number >= BOUND:
                raise refused("AddCollectionFunction is no longer supported")
            if function.name in {one.name for one in stored.schema.functions}:
                raise refused(f"duplicate function name: {function.name}", UNCLASSIFIED)
            self._check_functions(dataclasses.replace(stored.schema, functions=(function,)))
            self._change_schema(stored, functions=(*stored.schema.functions, function))

    async def add_function_field(
        self, database: str, name: str, function: Function, *, field: Field, index: Index
    ) -> None:
        async with self._call(Call("add_function_field", database, name, (function, field, index))):
            self._require(BOUND)
            stored = self._find(database, name)
            if function.kind is not FunctionKind.BM25:
                raise refused("For now, only BM25 and MinHash functions are supported in add_function_field interface")
            schema = stored.schema
            if field.name in {one.name for one in schema.fields} or function.name in {f.name for f in schema.functions}:
                raise refused(f"duplicated field or function name: {field.name}, {function.name}")
            self._change_schema(stored, fields=(*schema.fields, field), functions=(*schema.functions, function))
            named = dataclasses.replace(index, name=index.name or index.field)
            stored.indexes[named.name] = named

    async def alter_function(self, database: str, name: str, function: Function) -> None:
        async with self._call(Call("alter_function", database, name, function)):
            self._require(FUNCTION_ALTERATION)
            stored = self._find(database, name)
            old = next((one for one in stored.schema.functions if one.name == function.name), None)
            if old is None:
                raise refused(f"Function {function.name} not found", UNCLASSIFIED)
            if FunctionKind.BM25 in (old.kind, function.kind):
                raise refused("Currently, does not support alter BM25 function")
            if self.release_number >= BOUND:
                _check_bound(old, function)
            others = tuple(one for one in stored.schema.functions if one is not old)
            checked = (function,) if self.release_number >= TARGET_ONLY else (*others, function)
            self._check_functions(dataclasses.replace(stored.schema, functions=checked))
            self._change_schema(stored, functions=(*others, function))

    async def drop_function(self, database: str, name: str, function: str) -> None:
        async with self._call(Call("drop_function", database, name, function)):
            _check_named(function)
            self._require(FUNCTION_ALTERATION)
            stored = self._find(database, name)
            if self.release_number >= BOUND:
                raise refused("DropCollectionFunction is not supported")
            self._remove_function(stored, function)

    async def drop_function_field(self, database: str, name: str, function: str) -> None:
        async with self._call(Call("drop_function_field", database, name, function)):
            self._require(BOUND)
            stored = self._find(database, name)
            outputs = [output for one in stored.schema.functions if one.name == function for output in one.outputs]
            if not outputs:
                raise refused(f"Function {function} not found")
            self._remove_function(stored, function)
            for output in outputs:
                self._remove_field(stored, output)

    async def alter_index(self, database: str, name: str, index: str, params: Mapping[str, str]) -> None:
        async with self._call(Call("alter_index", database, name, (index, dict(params)))):
            stored = self._index_holder(database, name, index, params)
            one = stored.indexes[index]
            stored.indexes[index] = dataclasses.replace(one, params={**one.params, **params})

    async def drop_index_params(self, database: str, name: str, index: str, keys: Sequence[str]) -> None:
        async with self._call(Call("drop_index_params", database, name, (index, tuple(sorted(keys))))):
            stored = self._index_holder(database, name, index, keys)
            one = stored.indexes[index]
            kept = {key: value for key, value in one.params.items() if key not in keys}
            stored.indexes[index] = dataclasses.replace(one, params=kept)

    async def drop_index(self, database: str, name: str, index: str) -> None:
        async with self._call(Call("drop_index", database, name, index)):
            stored = self._find(database, name)
            _check_named(index)
            if index in stored.indexes and stored.load is not LoadState.NOT_LOADED and not self._scalar(stored, index):
                raise refused("index cannot be dropped, collection is loaded", UNCLASSIFIED)
            stored.indexes.pop(index, None)

    def _scalar(self, stored: StoredCollection, index: str) -> bool:
        """Whether it is an index that 3.0 drops of a loaded collection."""
        vectors = {one.name for one in stored.schema.fields if is_vector(one)}
        return self.release_number >= BOUND and stored.indexes[index].field not in vectors

    def _require(self, since: tuple[int, int, int]) -> None:
        if self.release_number < since:
            raise Unimplemented("Milvus does not know this call; a newer version may.")

    def _check_released(self, stored: StoredCollection, keys: Mapping[str, str] | Sequence[str]) -> None:
        if stored.load is not LoadState.NOT_LOADED and any(key.startswith(_WHILE_RELEASED) for key in keys):
            raise refused("can not alter mmap properties if collection loaded", UNCLASSIFIED)

    def _set_dynamic(self, stored: StoredCollection, properties: Mapping[str, str]) -> None:
        enabled = properties["dynamicfield.enabled"] == "true"
        if len(properties) > 1:
            raise refused("can not alter dynamicfield.enabled with other properties at the same time")
        if not enabled and stored.schema.dynamic and self.release_number < BOUND:
            raise refused("dynamic schema cannot be disabled")
        self._change_schema(stored, dynamic=enabled)

    def _field(self, stored: StoredCollection, name: str, keys: Mapping[str, str] | Sequence[str]) -> Field:
        found = next((one for one in stored.schema.fields if one.name == name), None)
        if found is None:
            raise refused(f"field {name} does not exist")
        if unknown := sorted(set(keys) - set(_FIELD_KEYS)):
            raise refused(f"{unknown[0]} does not allow update in collection field param")
        self._check_released(stored, keys)
        return found

    def _replace_field(self, stored: StoredCollection, changed: Field) -> None:
        fields = tuple(changed if one.name == changed.name else one for one in stored.schema.fields)
        self._change_schema(stored, fields=fields)

    def _remove_field(self, stored: StoredCollection, name: str) -> None:
        self._change_schema(stored, fields=tuple(one for one in stored.schema.fields if one.name != name))
        stored.indexes = {key: index for key, index in stored.indexes.items() if index.field != name}

    def _remove_function(self, stored: StoredCollection, name: str) -> None:
        self._change_schema(stored, functions=tuple(one for one in stored.schema.functions if one.name != name))

    def _index_holder(
        self, database: str, name: str, index: str, keys: Mapping[str, str] | Sequence[str]
    ) -> StoredCollection:
        stored = self._find(database, name)
        if stored.load is not LoadState.NOT_LOADED:
            raise refused("can't alter index on loaded collection, please release the collection first")
        if index not in stored.indexes:
            raise refused(f"index not found[indexName={index}]", 700)
        if unknown := sorted(key for key in keys if not key.startswith(_WHILE_RELEASED)):
            raise refused(f"{unknown[0]} is not a configable index property")
        return stored


def _check_named(name: str) -> None:
    """The adapter sends nothing for an empty name, which Milvus takes for everything."""
    if not name:
        raise refused("it has no name")


def _check_bound(old: Function, new: Function) -> None:
    if (old.kind, old.inputs, old.outputs) != (new.kind, new.inputs, new.outputs):
        raise refused(f"function type and fields cannot be altered for function {old.name}")
    for key in sorted(old.params.keys() | new.params.keys()):
        if key not in ALTERABLE and old.params.get(key) != new.params.get(key):
            raise refused(f'function param "{key}" cannot be altered for function {old.name}')
