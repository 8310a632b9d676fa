"""Calls that happen although they failed, that happen later, and answers that are out of date."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import Workspace, create_docs, index_dense


@dataclass
class Clock:
    """The server's clock, in seconds since the epoch."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def milvus(workspace: Workspace, clock: Clock) -> Iterator[EmbeddedMilvus]:
    with EmbeddedMilvus(workspace.data, workspace.config, retry_backoff_seconds=0, clock=clock) as server:
        yield server


@pytest.fixture
def client(connect: Callable[..., MilvusClient]) -> MilvusClient:
    return connect()


def times_out(call: Callable[[], object]) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def ttl(client: MilvusClient) -> str | None:
    value = client.describe_collection("docs")["properties"].get("collection.ttl.seconds")
    return None if value is None else str(value)


def set_ttl(client: MilvusClient, seconds: str) -> None:
    client.alter_collection_properties("docs", {"collection.ttl.seconds": seconds})


def test_a_late_success_happens_when_its_time_has_come_and_not_before(
    milvus: EmbeddedMilvus, client: MilvusClient, clock: Clock
) -> None:
    milvus.faults.succeed_late("CreateCollection", seconds=100)
    times_out(lambda: create_docs(client))
    clock.advance(99)
    assert not client.has_collection("docs")
    clock.advance(1)
    assert client.has_collection("docs")
    assert milvus.calls["CreateCollection"] == 1


def test_late_successes_come_in_their_order(milvus: EmbeddedMilvus, client: MilvusClient, clock: Clock) -> None:
    create_docs(client)
    milvus.faults.succeed_late("AlterCollection", seconds=10, times=2)
    times_out(lambda: set_ttl(client, "1"))
    clock.advance(1)
    times_out(lambda: set_ttl(client, "2"))
    clock.advance(9)
    assert ttl(client) == "1"
    clock.advance(1)
    assert ttl(client) == "2"


def test_a_late_success_that_cannot_happen_any_more_bothers_nobody(
    milvus: EmbeddedMilvus, client: MilvusClient, clock: Clock
) -> None:
    create_docs(client)
    milvus.faults.succeed_late("AlterCollection", seconds=10)
    times_out(lambda: set_ttl(client, "1"))
    client.drop_collection("docs")
    clock.advance(10)
    assert client.list_collections() == []


def test_a_restart_loses_what_has_not_happened_yet(
    milvus: EmbeddedMilvus, connect: Callable[..., MilvusClient], clock: Clock
) -> None:
    milvus.faults.succeed_late("CreateCollection", seconds=10)
    times_out(lambda: create_docs(connect()))
    milvus.restart()
    clock.advance(10)
    assert connect().list_collections() == []


def test_a_connection_that_broke_after_the_call_did_it(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    create_docs(client)
    milvus.faults.break_connection("AlterCollection", after=True, grpc_code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(grpc.RpcError):
        set_ttl(client, "60")
    assert ttl(client) == "60"


def test_describe_is_behind_for_some_seconds_after_a_change(
    milvus: EmbeddedMilvus, client: MilvusClient, clock: Clock
) -> None:
    create_docs(client)
    milvus.faults.stale_describe(seconds=5)
    set_ttl(client, "60")
    assert ttl(client) is None
    clock.advance(4)
    set_ttl(client, "70")
    clock.advance(1)
    assert ttl(client) == "60"
    clock.advance(4)
    assert ttl(client) == "70"


def test_what_is_dropped_is_described_for_a_while_but_no_longer_listed(
    milvus: EmbeddedMilvus, client: MilvusClient, clock: Clock
) -> None:
    create_docs(client)
    milvus.faults.stale_describe(seconds=5)
    client.drop_collection("docs")
    assert client.list_collections() == []
    assert client.describe_collection("docs")["collection_name"] == "docs"
    clock.advance(5)
    with pytest.raises(MilvusException, match="collection not found"):
        client.describe_collection("docs")


def test_a_new_collection_is_seen_at_once(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    milvus.faults.stale_describe(seconds=5)
    create_docs(client)
    assert client.describe_collection("docs")["collection_name"] == "docs"


def test_an_alias_that_was_moved_answers_with_its_former_target(
    milvus: EmbeddedMilvus, client: MilvusClient, clock: Clock
) -> None:
    create_docs(client, "old")
    create_docs(client, "new")
    client.create_alias("old", "live")
    milvus.faults.stale_describe(seconds=5)
    client.alter_alias("new", "live")
    assert client.describe_collection("live")["collection_name"] == "old"
    clock.advance(5)
    assert client.describe_collection("live")["collection_name"] == "new"


def test_clearing_ends_staleness(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    create_docs(client)
    milvus.faults.stale_describe(seconds=5)
    milvus.faults.clear()
    set_ttl(client, "60")
    assert ttl(client) == "60"


def test_rows_outlive_a_dropped_field(workspace: Workspace) -> None:
    with EmbeddedMilvus(workspace.data, workspace.config, retry_backoff_seconds=0, version="v3.0.0") as milvus:
        client = MilvusClient(uri=milvus.uri, dedicated=True)
        create_docs(client)
        client.add_collection_field("docs", "note", 21, max_length=50, nullable=True)
        index_dense(client)
        client.load_collection("docs")
        client.insert("docs", [{"id": 1, "document": "hello", "note": "n"}])
        client.drop_collection_field("docs", "note")
        client.insert("docs", [{"id": 2, "document": "world"}])
        assert client.query("docs", filter="id > 0", output_fields=["document"]) == [
            {"id": 1, "document": "hello"},
            {"id": 2, "document": "world"},
        ]
        assert len(client.search("docs", ["hello"], anns_field="dense", limit=2)[0]) == 2
        client.close()


def test_the_live_check_is_skipped_by_a_property_only_since_2_6_7(workspace: Workspace) -> None:
    workspace.write({})
    for version, created in (("v2.6.6", False), ("v2.6.7", True)):
        with EmbeddedMilvus(workspace.data, workspace.config, retry_backoff_seconds=0, version=version) as milvus:
            client = MilvusClient(uri=milvus.uri, dedicated=True)
            if created:
                create_docs(client, properties={"disable_func_runtime_check": "true"})
            else:
                with pytest.raises(MilvusException, match="Missing credentials"):
                    create_docs(client, properties={"disable_func_runtime_check": "true"})
            client.close()
