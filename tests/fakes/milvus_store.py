"""What the fake Milvus keeps, records, holds and fails to order. It answers no call: milvus.py does."""

import asyncio
import dataclasses
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from milvus_embedding.clients.milvus.port import (
    DatabaseNotFound,
    MilvusError,
    OutcomeUnknown,
    ProviderCause,
    ProviderFailed,
    ReadOnly,
    Rejected,
    Unreachable,
)
from milvus_embedding.domain.schema import Description, Field, FunctionKind, Index, LoadState, Schema
from milvus_embedding.domain.versions import parse

COLLECTION_NOT_FOUND = 100
COLLECTION_NOT_LOADED = 101
PARTITION_NOT_FOUND = 200
PARTITION_NOT_LOADED = 201
ALIAS_NOT_FOUND = 1600
INVALID_PARAMETER = 1100
ALIAS_EXISTS = 1602
UNCLASSIFIED = 65535

CHANGING = frozenset(
    {
        "create_database", "create_collection", "drop_collection", "rename_collection", "create_partition",
        "drop_partition", "create_index", "alter_index", "drop_index_params", "drop_index", "load", "release",
        "release_partitions", "create_alias", "alter_alias", "drop_alias", "alter_properties", "drop_properties",
        "alter_field", "drop_field_params", "add_field", "drop_field", "add_function", "add_function_field",
        "alter_function", "drop_function", "drop_function_field",
    }
)  # fmt: skip


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
    released_partitions: set[str] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)
    """Partition -> number of rows; a partition that is not named has none."""


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


class Store:
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
        self.read_only = False
        self.closed = False
        self.calls: list[Call] = []
        self._fail_before: dict[str, deque[MilvusError]] = defaultdict(deque)
        self._fail_after: dict[str, deque[MilvusError]] = defaultdict(deque)
        self._holds: dict[str, Hold] = {}
        self._stale_answers = 0
        self._stale: dict[tuple[str, str], tuple[int, Description]] = {}
        self._late: list[Callable[[], Awaitable[None]]] = []
        self.resource_groups = ["__default_resource_group"]
        self._last_id = 450_000_000_000_000_000

    @property
    def release_number(self) -> tuple[int, int, int]:
        """What `version` says; of a spelling that says nothing the newest."""
        return parse(self.version) or (99, 0, 0)

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

    def succeed_late(self, method: str) -> None:
        """The next call of `method` is OutcomeUnknown and has not happened yet: `settle` runs and records it."""
        real = getattr(self, method)

        async def deferred(*arguments: object, **named: object) -> None:
            delattr(self, method)
            self._late.append(lambda: real(*arguments, **named))
            raise OutcomeUnknown(f"{method} was cut off; it may still happen.")

        setattr(self, method, deferred)

    def stale_describe(self, answers: int) -> None:
        """From now on the first so many describes of a collection after a change of it tell what was before."""
        self._stale_answers = answers

    async def settle(self) -> None:
        """What was put off by `succeed_late` happens now; whether Milvus refuses it nobody hears."""
        late, self._late = self._late, []
        for call in late:
            with suppress(MilvusError):
                await call()

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

    @asynccontextmanager
    async def _call(self, call: Call) -> AsyncIterator[None]:
        self.calls.append(call)
        if hold := self._holds.get(call.method):
            await hold.wait()
        if self.closed or self.unreachable:
            raise Unreachable("Milvus cannot be reached: connection refused.")
        if self.read_only and call.method in CHANGING:
            raise ReadOnly(f"{call.method} is not sent, as the operator runs with --read-only")
        if before := self._fail_before[call.method]:
            raise before.popleft()
        former = self._described(call.database, call.name) if call.method in CHANGING else None
        if former is not None and self._stale_answers:
            self._stale[call.database, call.name] = (self._stale_answers, former)
        yield
        if after := self._fail_after[call.method]:
            raise after.popleft()

    def _described(self, database: str, name: str) -> Description | None:
        """The collection of that name or alias as it is."""
        stored = self.databases.get(database, StoredDatabase())
        real = stored.aliases.get(name, name)
        if real not in stored.collections:
            return None
        found = stored.collections[real]
        return Description(name=real, id=found.id, schema=found.schema, aliases=aliases_of(stored.aliases, real))

    def _remembered(self, database: str, name: str) -> Description | None:
        """What a stale cache still tells."""
        left, former = self._stale.pop((database, name), (0, None))
        if left > 1 and former is not None:
            self._stale[database, name] = (left - 1, former)
        return former

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

    def _real(self, database: str, name: str) -> str:
        """The collection's own name, of a name or an alias."""
        self._find(database, name)
        return self._database(database).aliases.get(name, name)

    def _change_schema(self, stored: StoredCollection, **changes: Any) -> None:
        stored.schema = dataclasses.replace(stored.schema, **changes)

    def _kept(self, schema: Schema) -> Schema:
        return without_functions(schema) if self.drops_functions else schema

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


def aliases_of(aliases: Mapping[str, str], collection: str) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, target in aliases.items() if target == collection))


def without_functions(schema: Schema) -> Schema:
    return dataclasses.replace(schema, functions=())


def is_vector(one: Field) -> bool:
    return one.type.endswith("_VECTOR")
