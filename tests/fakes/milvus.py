"""A Milvus in memory, behind the same port as the real one, which records what is asked of it and fails to order.

It keeps the habits of Milvus that matter to controllers: describe answers for aliases, creating what exists is refused
or does nothing, an old server drops functions silently, a missing database is not a missing collection.
"""

import asyncio
import dataclasses
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from milvus_embedding.clients.milvus.port import (
    DatabaseNotFound,
    Milvus,
    MilvusError,
    OutcomeUnknown,
    ProviderCause,
    ProviderFailed,
    Rejected,
    Unreachable,
)
from milvus_embedding.domain.schema import Description, FunctionKind, Index, LoadState, Schema

COLLECTION_NOT_FOUND = 100
INVALID_PARAMETER = 1100
ALIAS_EXISTS = 1602
UNCLASSIFIED = 65535

CHANGING = frozenset({"create_collection", "create_partition", "create_index", "load", "create_alias"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the port: the method, the database and the collection ("" where there is none), and what else was
    given: the partition, alias, index or schema.
    """

    method: str
    database: str = ""
    name: str = ""
    argument: object = None


@dataclass(slots=True)
class StoredCollection:
    """A collection as the fake keeps it; tests may change it behind the back of who is tested."""

    id: str
    schema: Schema
    indexes: dict[str, Index] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=lambda: ["_default"])
    load: LoadState = LoadState.NOT_LOADED
    replicas: int = 0
    resource_groups: tuple[str, ...] = ()


@dataclass(slots=True)
class StoredDatabase:
    """`aliases` are alias -> collection."""

    collections: dict[str, StoredCollection] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Hold:
    """Calls of one method wait here. `waiting` is set when the first has come, `release` lets all go."""

    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self._released.set()

    async def wait(self) -> None:
        self.waiting.set()
        await self._released.wait()


class FakeMilvus(Milvus):
    """Calls are answered at once, in the order in which they come.

    `drops_functions` acts as a server before 2.6. `labels` are the credential labels that Milvus knows: None means that
    it takes any; a function naming another one fails its live check. `builds_at_once` and `loads_at_once` off leaves
    indexes unfinished and loads Loading until `finish_builds` and `finish_loads`.
    """

    def __init__(
        self,
        *,
        version: str = "v2.6.9",
        databases: Iterable[str] = ("default",),
        drops_functions: bool = False,
        labels: Iterable[str] | None = None,
        builds_at_once: bool = True,
        loads_at_once: bool = True,
    ) -> None:
        self.version = version
        self.drops_functions = drops_functions
        self.labels = None if labels is None else set(labels)
        self.builds_at_once = builds_at_once
        self.loads_at_once = loads_at_once
        self.databases = {name: StoredDatabase() for name in databases}
        self.unreachable = False
        self.closed = False
        self.calls: list[Call] = []
        self._fail_before: dict[str, deque[MilvusError]] = defaultdict(deque)
        self._fail_after: dict[str, deque[MilvusError]] = defaultdict(deque)
        self._holds: dict[str, Hold] = {}
        self._last_id = 450_000_000_000_000_000

    @property
    def changing(self) -> list[Call]:
        """The recorded calls that change something, failed ones included."""
        return [call for call in self.calls if call.method in CHANGING]

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(call.method == method for call in self.calls)

    def fail_before(self, method: str, *errors: MilvusError) -> None:
        """The next calls of `method` raise these, one each, and nothing happens."""
        self._fail_before[method].extend(errors)

    def fail_after(self, method: str, *errors: MilvusError) -> None:
        """The next calls of `method` do their work and raise all the same; OutcomeUnknown if no errors are given."""
        self._fail_after[method].extend(errors or [OutcomeUnknown(f"{method} was cut off; it may have happened.")])

    def hold(self, method: str) -> Hold:
        """Calls of `method` wait, before anything happens, until the hold is released."""
        self._holds[method] = Hold()
        return self._holds[method]

    def add_collection(self, name: str, schema: Schema, *, database: str = "default") -> StoredCollection:
        """As if another client had made it. No call is recorded, nothing is checked."""
        self._last_id += 1
        stored = StoredCollection(id=str(self._last_id), schema=self._kept(schema))
        self.databases[database].collections[name] = stored
        return stored

    def collection(self, name: str, *, database: str = "default") -> StoredCollection:
        """What is stored under a name. KeyError if nothing is."""
        return self.databases[database].collections[name]

    def drop(self, name: str, *, database: str = "default") -> None:
        """As if another client had dropped it, its aliases too."""
        stored = self.databases[database]
        del stored.collections[name]
        stored.aliases = {alias: target for alias, target in stored.aliases.items() if target != name}

    def finish_builds(self) -> None:
        """All indexes are built."""
        for stored in self._all():
            stored.indexes = {name: dataclasses.replace(one, finished=True) for name, one in stored.indexes.items()}

    def finish_loads(self) -> None:
        """All loads under way end."""
        for stored in self._all():
            if stored.load is LoadState.LOADING:
                stored.load = LoadState.LOADED

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
            stored = self._database(database)
            real = stored.aliases.get(name, name)
            if real not in stored.collections:
                return None
            found = stored.collections[real]
            return Description(name=real, id=found.id, schema=found.schema, aliases=_aliases(stored.aliases, real))

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
            return _aliases(stored.aliases, stored.aliases.get(name, name))

    async def load_state(self, database: str, name: str) -> LoadState:
        async with self._call(Call("load_state", database, name)):
            return self._find(database, name).load

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
            elif _without_functions(stored.collections[name].schema) != _without_functions(self._kept(schema)):
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
            vectors = {one.name for one in stored.schema.fields if one.type.endswith("_VECTOR")}
            if missing := sorted(vectors - {index.field for index in stored.indexes.values()}):
                raise Rejected(f"Milvus refused LoadCollection: no index on {missing[0]}.", 700)
            stored.replicas, stored.resource_groups = replicas, tuple(resource_groups)
            if stored.load is LoadState.NOT_LOADED:
                stored.load = LoadState.LOADED if self.loads_at_once else LoadState.LOADING

    async def create_alias(self, database: str, name: str, alias: str) -> None:
        async with self._call(Call("create_alias", database, name, alias)):
            self._find(database, name)
            stored = self._database(database)
            if alias in stored.collections or stored.aliases.get(alias, name) != name:
                raise Rejected(f"Milvus refused CreateAlias: {alias} is taken.", ALIAS_EXISTS)
            stored.aliases[alias] = name

    async def close(self) -> None:
        self.closed = True

    @asynccontextmanager
    async def _call(self, call: Call) -> AsyncIterator[None]:
        self.calls.append(call)
        if hold := self._holds.get(call.method):
            await hold.wait()
        if self.closed or self.unreachable:
            raise Unreachable("Milvus cannot be reached: connection refused.")
        if before := self._fail_before[call.method]:
            raise before.popleft()
        yield
        if after := self._fail_after[call.method]:
            raise after.popleft()

    def _all(self) -> list[StoredCollection]:
        return [stored for database in self.databases.values() for stored in database.collections.values()]

    def _database(self, name: str) -> StoredDatabase:
        try:
            return self.databases[name]
        except KeyError:
            raise DatabaseNotFound(f"The database {name} does not exist.") from None

    def _find(self, database: str, name: str) -> StoredCollection:
        """By name or alias, as Milvus finds it."""
        stored = self._database(database)
        try:
            return stored.collections[stored.aliases.get(name, name)]
        except KeyError:
            raise Rejected(f"Milvus has no collection {name}.", COLLECTION_NOT_FOUND) from None

    def _kept(self, schema: Schema) -> Schema:
        return _without_functions(schema) if self.drops_functions else schema

    def _check_functions(self, schema: Schema) -> None:
        if self.labels is None or self.drops_functions:
            return
        for function in schema.functions:
            label = function.params.get("credential", "")
            if function.kind is FunctionKind.TEXT_EMBEDDING and label and label not in self.labels:
                raise ProviderFailed(
                    f"The check of function {function.name} failed: Milvus has no API key of the label {label}.",
                    ProviderCause.KEY_NOT_FOUND,
                )


def _aliases(aliases: Mapping[str, str], collection: str) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, target in aliases.items() if target == collection))


def _without_functions(schema: Schema) -> Schema:
    return dataclasses.replace(schema, functions=())
