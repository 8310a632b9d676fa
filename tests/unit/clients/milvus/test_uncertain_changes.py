"""Alterations whose outcome the caller cannot know: each is an error that says so, and is never sent again."""

from collections.abc import Callable

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.breaker import PROBE_INTERVAL
from milvus_embedding.clients.milvus.port import ConnectionLost, OutcomeUnknown
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.clients.milvus.conftest import Clock
from tests.unit.clients.milvus.schemas import PLAIN

TTL = {"collection.ttl.seconds": "60"}
DISTURBANCES: dict[str, Callable[[EmbeddedMilvus, str], None]] = {
    "a time-out that succeeded": lambda server, rpc: server.faults.time_out_after_success(rpc),
    "a success that comes late": lambda server, rpc: server.faults.succeed_late(rpc, seconds=3600),
    "a connection that broke after it": lambda server, rpc: server.faults.break_connection(rpc, after=True),
    "a connection that broke before it": lambda server, rpc: server.faults.break_connection(rpc),
}


@pytest.mark.parametrize("disturbance", DISTURBANCES)
async def test_an_alteration_that_was_cut_off_is_unknown_and_sent_once(
    client: PymilvusClient, embedded: EmbeddedMilvus, clock: Clock, disturbance: str
) -> None:
    await client.create_collection("default", "docs", PLAIN)
    DISTURBANCES[disturbance](embedded, "AlterCollection")
    with pytest.raises(OutcomeUnknown) as error:
        await client.alter_properties("default", "docs", TTL)
    assert isinstance(error.value, ConnectionLost) == ("connection" in disturbance)
    assert embedded.calls["AlterCollection"] == 1
    clock.advance(PROBE_INTERVAL)
    await client.server_version()
    found = await client.describe("default", "docs")
    assert found is not None
    happened = "collection.ttl.seconds" in found.schema.properties
    assert happened == (disturbance in ("a time-out that succeeded", "a connection that broke after it"))
