"""Collections that somebody else made, and several owners of one Milvus."""

import dataclasses
from collections.abc import Awaitable, Callable

from milvus_embedding.clients.milvus.port import MilvusError
from milvus_embedding.controllers.base import Note, Stale
from milvus_embedding.domain.desired import desired
from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.schema import Schema
from tests.fakes.milvus import FakeMilvus, StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import connection
from tests.unit.domain.specs import declared, embedding


def the_manuals(*, owner: str | None = None, **changes: object) -> Schema:
    """The collection of the manual's page as somebody else would have made it."""
    schema = desired(declared(), name="docs", embeddings={"ali": embedding()}).schema
    properties = {} if owner is None else {OWNER: owner}
    return dataclasses.replace(schema, **{"properties": properties, **changes})  # type: ignore[arg-type]


def adoption_allowed(bench: Bench) -> None:
    bench.apply(connection(allowedAdoption={"from": "All"}))


def somebodys(bench: Bench, *, owner: str | None = None, **changes: object) -> StoredCollection:
    """The manual's collection, made by hand, and the manual's objects that may adopt it."""
    stored = bench.milvus.add_collection("docs", the_manuals(owner=owner, **changes))
    bench.quickstart()
    adoption_allowed(bench)
    return stored


async def observed(bench: Bench) -> list[Note]:
    """Until nothing changes any more; a look that was overtaken is repeated, as the runtime does."""
    before = len(bench.told)
    for _ in range(10):
        try:
            await bench.settle()
        except Stale:
            continue
        return [note for outcome in bench.told[before:] for note in outcome.notes]
    raise AssertionError("overtaken ten times")


def owner_of(bench: Bench, name: str = "docs") -> str | None:
    return bench.milvus.collection(name).schema.properties.get(OWNER)


def restamp(bench: Bench, owner: str | None, name: str = "docs") -> None:
    """As somebody else would; None removes the stamp."""
    stored = bench.milvus.collection(name)
    properties = {key: value for key, value in stored.schema.properties.items() if not key.startswith("embedding.")}
    if owner is not None:
        properties = {**stored.schema.properties, OWNER: owner}
    stored.schema = dataclasses.replace(stored.schema, properties=properties)


class Rivals(FakeMilvus):
    """`between` happens once, after the look that comes directly before a property is altered."""

    between: Callable[[], Awaitable[object]] | None = None

    async def alter_properties(self, database: str, name: str, properties: object) -> None:
        if (happens := self.between) is not None:
            self.between = None
            await happens()
        await super().alter_properties(database, name, properties)  # type: ignore[arg-type]


class Forgetful(FakeMilvus):
    """Takes properties and keeps none."""

    async def alter_properties(self, database: str, name: str, properties: object) -> None:
        try:
            kept = self.collection(name).schema
        except KeyError as error:
            raise MilvusError(str(error)) from None
        await super().alter_properties(database, name, properties)  # type: ignore[arg-type]
        self.collection(name).schema = kept
