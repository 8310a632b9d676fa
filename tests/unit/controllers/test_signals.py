"""What wakes whom, and who shares a lane."""

from collections.abc import Callable

import pytest

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.metadata import Resource
from milvus_embedding.controllers.signals import lane, signal, upstream, workers
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import (
    CONNECTION,
    DEV,
    DOCS,
    FUNCTION,
    PROD,
    collection,
    connection,
    credential,
    function,
)


async def ready(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(function())
    await bench.settle()


@pytest.mark.parametrize("key", [CONNECTION, DEV, FUNCTION, DOCS], ids=lambda key: key.kind)
async def test_a_pass_that_finds_nothing_new_signals_nothing(bench: Bench, key: object) -> None:
    await ready(bench)
    before = signal(bench.world.resource(key))  # type: ignore[arg-type]

    await bench.settle()

    assert signal(bench.world.resource(key)) == before  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (lambda: connection(paused=True), CONNECTION),
        (lambda: credential(probe={"enabled": False}), DEV),
        (lambda: function(dim=1024), FUNCTION),
        (lambda: collection(description="x"), DOCS),
    ],
    ids=["connection", "credential", "function", "collection"],
)
async def test_a_change_of_the_spec_signals(bench: Bench, body: Callable[[], dict[str, object]], key: object) -> None:
    await ready(bench)
    before = signal(bench.world.resource(key))  # type: ignore[arg-type]

    bench.apply(body())

    assert signal(bench.world.resource(key)) != before  # type: ignore[arg-type]


async def test_counts_signal_nothing_and_a_new_key_does(bench: Bench) -> None:
    await ready(bench)
    before = signal(bench.world.resource(CONNECTION))
    bench.world.uses[DEV] = 5
    await bench.settle()
    assert signal(bench.world.resource(CONNECTION)) == before

    bench.world.remove(PROD)
    await bench.settle()

    assert signal(bench.world.resource(CONNECTION)) != before


def parsed(kind: type[Resource], body: dict[str, object]) -> Resource:
    return kind.parse(body)


def test_a_credential_concerns_its_connection_and_nothing_else_does() -> None:
    assert list(upstream(parsed(EmbeddingCredential, credential()))) == [CONNECTION]
    assert list(upstream(parsed(MilvusCollection, collection()))) == []


@pytest.mark.parametrize(
    ("resource", "name", "count"),
    [
        (parsed(MilvusCollection, collection()), "collections of milvus/milvus", 8),
        (parsed(MilvusConnection, connection()), "connection milvus/milvus", 1),
        (parsed(EmbeddingCredential, credential()), "EmbeddingCredential", 8),
    ],
    ids=["collections of one Milvus", "each connection", "what calls no Milvus"],
)
def test_lanes(resource: Resource, name: str, count: int) -> None:
    assert lane(resource) == name
    assert workers(name) == count


async def test_a_confirmation_of_deletions_wakes_the_collections_that_wait_for_it(bench: Bench) -> None:
    await ready(bench)
    before = signal(bench.world.resource(CONNECTION))

    bench.world.annotate(CONNECTION, confirm_deletions="2026-01-01T00:00:00Z")

    assert signal(bench.world.resource(CONNECTION)) != before
