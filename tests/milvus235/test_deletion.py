"""Deletions against a real server: what has rows stays, however empty it looks; what is empty goes."""

import threading
from typing import TYPE_CHECKING

from pymilvus import MilvusClient

from tests.milvus235.conftest import Connect
from tests.milvus235.server import ROOT, ROOT_PASSWORD, RealMilvus
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS

if TYPE_CHECKING:
    from milvus_embedding.controllers.base import Note

ROW = {"id": 1, "document": "Haus", "dense": [1.0] * 1024}
PASSES = 120


async def ready(bench: Bench, real: RealMilvus, policy: str, **spec: object) -> None:
    bench.world.put_secret("milvus", "milvus-auth", {"username": ROOT, "password": ROOT_PASSWORD})
    bench.world.put_secret("milvus", "apikey-dev", {"apikey": manifests.DEV_KEY})
    bench.apply(
        manifests.connection(uri=real.uri, authSecretRef={"name": "milvus-auth"}, requestTimeoutSeconds=20),
        manifests.credential(),
        manifests.collection(functions=[], deletionPolicy=policy, **spec),
    )
    pause = threading.Event()
    for _ in range(PASSES):
        await bench.settle()
        if bench.condition(DOCS)[0] == "True":
            return
        pause.wait(0.1)
    raise AssertionError(bench.message(DOCS))


async def deleted(bench: Bench) -> str:
    """What the Events tell until the object is gone."""
    bench.world.delete(DOCS)
    notes: list[Note] = []
    pause = threading.Event()
    for _ in range(PASSES):
        outcome = await bench.reconcile(DOCS)
        notes += outcome.notes
        if DOCS not in bench.world.bodies:
            return " | ".join(f"{note.reason}: {note.message}" for note in notes)
        bench.clock.advance(outcome.requeue_after or 0.0)
        pause.wait(0.1)
    raise AssertionError(bench.message(DOCS))


async def test_an_empty_collection_is_dropped_with_its_alias(
    bench: Bench, real: RealMilvus, administrator: MilvusClient
) -> None:
    await ready(bench, real, "DeleteIfEmpty", aliases=["current"])

    assert "CollectionDropped" in await deleted(bench)
    assert administrator.list_collections() == []


async def test_l24_rows_that_statistics_do_not_show_keep_it(
    bench: Bench, real: RealMilvus, administrator: MilvusClient
) -> None:
    await ready(bench, real, "DeleteIfEmpty")
    administrator.insert("docs", ROW)
    assert administrator.get_collection_stats("docs")["row_count"] == 0

    assert "has 1 row(s)" in await deleted(bench)
    assert administrator.list_collections() == ["docs"]


async def test_l24_rows_of_a_collection_that_is_not_loaded_keep_it(
    bench: Bench, real: RealMilvus, administrator: MilvusClient
) -> None:
    await ready(bench, real, "DeleteIfEmpty")
    administrator.insert("docs", ROW)
    administrator.release_collection("docs")

    assert "has 1 row(s)" in await deleted(bench)
    assert administrator.list_collections() == ["docs"]


async def test_l24_rows_of_a_partition_that_is_not_loaded_keep_it(
    bench: Bench, real: RealMilvus, administrator: MilvusClient
) -> None:
    await ready(bench, real, "DeleteIfEmpty", partitions=["german"])
    administrator.insert("docs", ROW, partition_name="german")
    administrator.release_partitions("docs", ["german"])

    assert "has 1 row(s)" in await deleted(bench)
    assert administrator.list_collections() == ["docs"]


async def test_l24_delete_drops_rows_and_tells_how_many(
    bench: Bench, real: RealMilvus, administrator: MilvusClient
) -> None:
    await ready(bench, real, "Delete")
    administrator.insert("docs", [{**ROW, "id": number} for number in range(3)])

    assert "with 3 row(s)" in await deleted(bench)
    assert administrator.list_collections() == []


async def test_a_database_is_made_and_the_collection_in_it(bench: Bench, real: RealMilvus, connect: Connect) -> None:
    await ready(bench, real, "Delete", database="made_here", createDatabase=True)

    assert "CollectionDropped" in await deleted(bench)
    assert "made_here" in await connect(real.uri).list_databases()
