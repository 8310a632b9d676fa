"""A Milvus in memory, behind the same port as the real one, which records what is asked of it and fails to order.

It keeps the habits of Milvus that matter to controllers: describe answers for aliases, creating what exists is refused
or does nothing, an old server drops functions silently, a missing database is not a missing collection, a collection
says Loaded while one of its partitions is not. What it alters is in milvus_alterations.py, what it keeps in
milvus_store.py.
"""

import dataclasses
from collections.abc import Sequence

from milvus_embedding.clients.milvus.port import Milvus, Rejected
from milvus_embedding.domain.schema import Description, Index, LoadState, Schema
from tests.fakes.milvus_alterations import Alterations
from tests.fakes.milvus_store import (
    ALIAS_EXISTS,
    ALIAS_NOT_FOUND,
    CHANGING,
    COLLECTION_NOT_FOUND,
    COLLECTION_NOT_LOADED,
    INVALID_PARAMETER,
    PARTITION_NOT_FOUND,
    PARTITION_NOT_LOADED,
    UNCLASSIFIED,
    Call,
    Hold,
    StoredCollection,
    StoredDatabase,
    aliases_of,
    is_vector,
    without_functions,
)

__all__ = ["CHANGING", "Call", "FakeMilvus", "Hold", "StoredCollection", "StoredDatabase"]


class FakeMilvus(Alterations, Milvus):
    """See `Store` for its arguments and for what tests may order."""

    async def server_version(self) -> str:
        async with self._call(Call("server_version")):
            return self.version

    async def list_databases(self) -> Sequence[str]:
        async with self._call(Call("list_databases")):
            return tuple(sorted(self.databases))

    async def list_collections(self, database: str) -> Sequence[str]:
        async with self._call(Call("list_collections", database)):
            return tuple(sorted(self._database(database).collections))

    async def describe(self, database: str, name: str) -> Description | None:
        async with self._call(Call("describe", database, name)):
            self._database(database)
            return self._remembered(database, name) or self._described(database, name)

    async def list_indexes(self, database: str, name: str) -> Sequence[Index]:
        async with self._call(Call("list_indexes", database, name)):
            return tuple(self._find(database, name).indexes.values())

    async def list_partitions(self, database: str, name: str) -> Sequence[str]:
        async with self._call(Call("list_partitions", database, name)):
            return tuple(sorted(self._find(database, name).partitions))

    async def list_aliases(self, database: str, name: str) -> Sequence[str]:
        async with self._call(Call("list_aliases", database, name)):
            self._find(database, name)
            stored = self._database(database)
            return aliases_of(stored.aliases, stored.aliases.get(name, name))

    async def load_state(self, database: str, name: str, *, partitions: Sequence[str] = ()) -> LoadState:
        async with self._call(Call("load_state", database, name, tuple(partitions) or None)):
            stored = self._find(database, name)
            return LoadState.NOT_LOADED if stored.released_partitions.intersection(partitions) else stored.load

    async def count_rows(self, database: str, name: str, *, partitions: Sequence[str] = ()) -> int:
        async with self._call(Call("count_rows", database, name, tuple(partitions) or None)):
            stored = self._find(database, name)
            if stored.load is not LoadState.LOADED:
                raise Rejected("Milvus refused Query: collection not loaded.", COLLECTION_NOT_LOADED)
            if stored.released_partitions.intersection(partitions):
                raise Rejected("Milvus refused Query: partition not loaded.", PARTITION_NOT_LOADED)
            seen = set(partitions) or set(stored.partitions) - stored.released_partitions
            return sum(number for partition, number in stored.rows.items() if partition in seen)

    async def estimate_rows(self, database: str, name: str, *, partition: str | None = None) -> int:
        async with self._call(Call("estimate_rows", database, name, partition)):
            rows = self._find(database, name).rows
            return sum(rows.values()) if partition is None else rows.get(partition, 0)

    async def list_replicas(self, database: str, name: str) -> Sequence[str]:
        async with self._call(Call("list_replicas", database, name)):
            stored = self._find(database, name)
            if stored.load is LoadState.NOT_LOADED:
                return ()
            groups = stored.resource_groups or ("__default_resource_group",)
            return tuple(sorted(groups[number % len(groups)] for number in range(stored.replicas)))

    async def list_resource_groups(self) -> Sequence[str]:
        async with self._call(Call("list_resource_groups")):
            return tuple(sorted(self.resource_groups))

    async def create_database(self, database: str) -> None:
        async with self._call(Call("create_database", database)):
            if database in self.databases:
                raise Rejected(f"Milvus refused CreateDatabase: database already exist: {database}.", UNCLASSIFIED)
            self.databases[database] = StoredDatabase()

    async def alias_target(self, database: str, alias: str) -> str | None:
        async with self._call(Call("alias_target", database, alias)):
            return self._database(database).aliases.get(alias)

    async def create_collection(self, database: str, name: str, schema: Schema) -> None:
        async with self._call(Call("create_collection", database, name, schema)):
            self._check_functions(schema)
            stored = self._database(database)
            if name in stored.aliases:
                raise Rejected(f"Milvus refused CreateCollection: {name} is an alias.", ALIAS_EXISTS)
            if name not in stored.collections:
                self.add_collection(name, schema, database=database)
            elif without_functions(stored.collections[name].schema) != without_functions(self._kept(schema)):
                raise Rejected(f"Milvus refused CreateCollection: {name} exists with other parameters.", UNCLASSIFIED)

    async def create_partition(self, database: str, name: str, partition: str) -> None:
        async with self._call(Call("create_partition", database, name, partition)):
            partitions = self._find(database, name).partitions
            if partition not in partitions:
                partitions.append(partition)

    async def create_index(self, database: str, name: str, index: Index) -> None:
        async with self._call(Call("create_index", database, name, index)):
            stored = self._find(database, name)
            if index.field not in {one.name for one in stored.schema.fields}:
                raise Rejected(f"Milvus refused CreateIndex: there is no field {index.field}.", INVALID_PARAMETER)
            made = dataclasses.replace(index, name=index.name or index.field, finished=self.builds_at_once)
            other = stored.indexes.get(made.name)
            if other is not None and dataclasses.replace(other, finished=made.finished) != made:
                raise Rejected("Milvus refused CreateIndex: at most one distinct index is allowed.", UNCLASSIFIED)
            stored.indexes.setdefault(made.name, made)

    async def load(self, database: str, name: str, *, replicas: int, resource_groups: Sequence[str]) -> None:
        async with self._call(Call("load", database, name, (replicas, tuple(resource_groups)))):
            stored = self._find(database, name)
            vectors = {one.name for one in stored.schema.fields if is_vector(one)}
            if missing := sorted(vectors - {index.field for index in stored.indexes.values()}):
                raise Rejected(f"Milvus refused LoadCollection: no index on {missing[0]}.", 700)
            stored.replicas, stored.resource_groups = replicas, tuple(resource_groups)
            stored.released_partitions.clear()
            if stored.load is LoadState.NOT_LOADED:
                stored.load = LoadState.LOADED if self.loads_at_once else LoadState.LOADING

    async def create_alias(self, database: str, name: str, alias: str) -> None:
        async with self._call(Call("create_alias", database, name, alias)):
            self._find(database, name)
            stored = self._database(database)
            if alias in stored.collections or stored.aliases.get(alias, name) != name:
                raise Rejected(f"Milvus refused CreateAlias: {alias} is taken.", ALIAS_EXISTS)
            stored.aliases[alias] = name

    async def drop_collection(self, database: str, name: str) -> None:
        async with self._call(Call("drop_collection", database, name)):
            stored = self._database(database)
            if name in stored.aliases or name in stored.aliases.values():
                raise Rejected(f"Milvus refused DropCollection: {name} is or has an alias.", UNCLASSIFIED)
            stored.collections.pop(name, None)

    async def drop_partition(self, database: str, name: str, partition: str) -> None:
        async with self._call(Call("drop_partition", database, name, partition)):
            stored = self._find(database, name)
            if partition not in stored.partitions:
                return
            if stored.load is not LoadState.NOT_LOADED and partition not in stored.released_partitions:
                raise Rejected("Milvus refused DropPartition: partition is loaded, release it first.", UNCLASSIFIED)
            stored.partitions.remove(partition)
            stored.rows.pop(partition, None)
            stored.released_partitions.discard(partition)

    async def release(self, database: str, name: str) -> None:
        async with self._call(Call("release", database, name)):
            stored = self._find(database, name)
            stored.load, stored.replicas = LoadState.NOT_LOADED, 0
            stored.released_partitions.clear()

    async def release_partitions(self, database: str, name: str, partitions: Sequence[str]) -> None:
        async with self._call(Call("release_partitions", database, name, tuple(partitions))):
            stored = self._find(database, name)
            if missing := sorted(set(partitions) - set(stored.partitions)):
                raise Rejected(f"Milvus refused ReleasePartitions: no partition {missing[0]}.", PARTITION_NOT_FOUND)
            stored.released_partitions.update(partitions)
            if stored.released_partitions.issuperset(stored.partitions):
                stored.load, stored.released_partitions = LoadState.NOT_LOADED, set()

    async def alter_alias(self, database: str, name: str, alias: str) -> None:
        async with self._call(Call("alter_alias", database, name, alias)):
            real, aliases = self._real(database, name), self._database(database).aliases
            if alias not in aliases:
                raise Rejected(f"Milvus refused AlterAlias: there is no alias {alias}.", ALIAS_NOT_FOUND)
            aliases[alias] = real

    async def drop_alias(self, database: str, alias: str) -> None:
        async with self._call(Call("drop_alias", database, "", alias)):
            self._database(database).aliases.pop(alias, None)

    async def rename_collection(self, database: str, name: str, new: str) -> None:
        async with self._call(Call("rename_collection", database, name, new)):
            stored = self._database(database)
            if name in stored.aliases or name not in stored.collections:
                raise Rejected(f"Milvus refused RenameCollection: no collection {name}.", COLLECTION_NOT_FOUND)
            if new in stored.aliases or new in stored.collections:
                raise Rejected(f"Milvus refused RenameCollection: {new} is taken.", UNCLASSIFIED)
            stored.collections[new] = stored.collections.pop(name)
            stored.aliases = {alias: new if target == name else target for alias, target in stored.aliases.items()}

    async def close(self) -> None:
        self.closed = True
