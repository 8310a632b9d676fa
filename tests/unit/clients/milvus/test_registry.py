"""One client per connection, replaced without cutting off calls."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from milvus_embedding.clients.milvus.port import Unreachable
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.scrub import Scrubber

TARGET = Target(uri="http://127.0.0.1:1", user="root", password="hunter2-hunter2")


@pytest.fixture
def scrubber() -> Scrubber:
    return Scrubber()


@pytest.fixture
async def registry(scrubber: Scrubber) -> AsyncIterator[MilvusRegistry[str]]:
    registry: MilvusRegistry[str] = MilvusRegistry(scrubber=scrubber)
    yield registry
    await registry.close()


async def test_the_same_target_gives_the_same_client(registry: MilvusRegistry[str]) -> None:
    assert await registry.get("a", TARGET) is await registry.get("a", replace(TARGET))


async def test_two_connections_never_share_a_client(registry: MilvusRegistry[str]) -> None:
    assert await registry.get("a", TARGET) is not await registry.get("b", TARGET)


async def test_a_rotated_password_gives_another_client(registry: MilvusRegistry[str]) -> None:
    old = await registry.get("a", TARGET)
    new = await registry.get("a", replace(TARGET, password="another-password"))
    assert new is not old


async def test_credentials_are_scrubbed_from_then_on(registry: MilvusRegistry[str], scrubber: Scrubber) -> None:
    await registry.get("a", TARGET)
    assert "hunter2" not in scrubber.quote("the password is hunter2-hunter2")


@pytest.mark.parametrize("how", ["replaced", "forgotten"])
async def test_a_client_that_is_let_go_ends_its_calls_and_takes_no_new_ones(
    registry: MilvusRegistry[str], embedded: EmbeddedMilvus, how: str
) -> None:
    target = Target(uri=embedded.uri)
    old = await registry.get("a", target)
    with embedded.faults.hold("ShowCollections") as gate:
        task = asyncio.create_task(old.list_collections("default"))
        assert await asyncio.to_thread(gate.wait_for_arrivals)
        if how == "replaced":
            await registry.get("a", replace(target, timeout_seconds=7))
        else:
            await registry.forget("a")
        await asyncio.sleep(0)
        with pytest.raises(Unreachable, match="closed or replaced"):
            await old.list_databases()
    assert await task == ()


async def test_a_forgotten_connection_starts_anew(registry: MilvusRegistry[str]) -> None:
    old = await registry.get("a", TARGET)
    await registry.forget("a")
    await registry.forget("a")
    assert await registry.get("a", TARGET) is not old


async def test_closing_ends_all_calls(scrubber: Scrubber, embedded: EmbeddedMilvus) -> None:
    registry: MilvusRegistry[str] = MilvusRegistry(scrubber=scrubber)
    client = await registry.get("a", Target(uri=embedded.uri))
    with embedded.faults.hold("ShowCollections") as gate:
        task = asyncio.create_task(client.list_collections("default"))
        assert await asyncio.to_thread(gate.wait_for_arrivals)
        await registry.close()
        with pytest.raises(Unreachable):
            await task
