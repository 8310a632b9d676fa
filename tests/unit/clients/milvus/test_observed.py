"""Whoever watches the calls to Milvus is told of each of them once: its method, and a result of a closed set."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.errors import ALIAS_NOT_FOUND, result_of
from milvus_embedding.clients.milvus.port import (
    AuthenticationFailed,
    ConnectionLost,
    MilvusError,
    OutcomeUnknown,
    ProviderCause,
    ProviderFailed,
    Rejected,
    Unreachable,
)
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.clients.observer import Service
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.scrub import Scrubber
from tests.fakes.observer import Calls
from tests.unit.clients.milvus.schemas import PLAIN

MILVUS = Service.MILVUS
DEAD = Target(uri="http://127.0.0.1:1", timeout_seconds=5)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
async def watched(embedded: EmbeddedMilvus, calls: Calls) -> AsyncIterator[PymilvusClient]:
    client = PymilvusClient(Target(uri=embedded.uri), scrubber=Scrubber(), observer=calls)
    yield client
    await client.close()


async def test_each_call_is_told_with_what_became_of_it(watched: PymilvusClient, calls: Calls) -> None:
    await watched.describe("default", "docs")
    await watched.create_collection("default", "docs", PLAIN)
    assert calls.ended[:2] == [(MILVUS, "DescribeCollection", "NotFound"), (MILVUS, "CreateCollection", "ok")]


async def test_a_call_that_was_cut_off_is_told_as_such(
    watched: PymilvusClient, embedded: EmbeddedMilvus, calls: Calls
) -> None:
    embedded.faults.break_connection("CreateCollection")
    with pytest.raises(OutcomeUnknown):
        await watched.create_collection("default", "docs", PLAIN)
    assert calls.ended == [(MILVUS, "CreateCollection", "ConnectionLost")]


async def test_a_call_whose_caller_went_away_is_unfinished(
    watched: PymilvusClient, embedded: EmbeddedMilvus, calls: Calls
) -> None:
    with embedded.faults.hold("ShowCollections") as gate:
        task = asyncio.create_task(watched.list_collections("default"))
        assert await asyncio.to_thread(gate.wait_for_arrivals)
        task.cancel()
        await asyncio.wait({task})
    assert calls.ended == [(MILVUS, "ShowCollections", "Unfinished")]


async def test_what_an_open_breaker_refuses_was_not_sent(calls: Calls) -> None:
    registry: MilvusRegistry[str] = MilvusRegistry(scrubber=Scrubber(), observer=calls)
    client = await registry.get("a", DEAD)
    assert registry.breakers() == (1, 0)
    with pytest.raises(Unreachable):
        await client.list_databases()
    with pytest.raises(Unreachable):
        await client.list_databases()
    assert registry.breakers() == (0, 1)
    assert (calls.ended, calls.not_sent) == ([(MILVUS, "ListDatabases", "Unreachable")], ["ListDatabases"])
    await registry.close()


@pytest.mark.parametrize(
    ("error", "result"),
    [
        pytest.param(Rejected("alias", ALIAS_NOT_FOUND), "NotFound", id="that something is not there is an answer"),
        pytest.param(Rejected("no", 1100), "Rejected", id="a refusal is none"),
        pytest.param(
            ProviderFailed("no", ProviderCause.KEY_REJECTED), "ProviderKeyRejected", id="the provider's fault"
        ),
        pytest.param(ConnectionLost("x"), "ConnectionLost", id="the most exact name"),
        pytest.param(AuthenticationFailed("x"), "AuthenticationFailed", id="any other error by its name"),
    ],
)
def test_results(error: MilvusError, result: str) -> None:
    assert result_of(error) == result
