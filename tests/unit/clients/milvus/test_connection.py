"""The adapter on a wire that breaks: outcomes, deadlines, the breaker, who one is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest

from milvus_embedding.clients.milvus import connection as module
from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.breaker import PROBE_INTERVAL
from milvus_embedding.clients.milvus.port import (
    AuthenticationFailed,
    DatabaseNotFound,
    NotLeading,
    OutcomeUnknown,
    ProviderCause,
    ProviderFailed,
    RateLimited,
    Rejected,
    Unreachable,
)
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.schema import Field, Schema
from milvus_embedding.domain.scrub import Scrubber
from tests.unit.clients.milvus.conftest import API_KEY, Clock, ConnectTo
from tests.unit.clients.milvus.schemas import PLAIN, embedding

DEAD = Target(uri="http://127.0.0.1:1", timeout_seconds=5)


@contextlib.asynccontextmanager
async def expected(error: type[BaseException]) -> AsyncIterator[None]:
    with pytest.raises(error):
        yield


async def test_a_creation_that_was_cut_off_is_unknown_and_never_sent_again(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    embedded.faults.break_connection("CreateCollection")
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        await client.create_collection("default", "docs", PLAIN)
    assert embedded.calls["CreateCollection"] == 1


async def test_a_drop_that_was_cut_off_is_unknown_and_never_sent_again(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    await client.create_collection("default", "docs", PLAIN)
    embedded.faults.break_connection("DropCollection")
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        await client.drop_collection("default", "docs")
    assert embedded.calls["DropCollection"] == 1


async def test_a_read_that_was_cut_off_is_unreachable(client: PymilvusClient, embedded: EmbeddedMilvus) -> None:
    embedded.faults.break_connection("DescribeCollection")
    with pytest.raises(Unreachable):
        await client.describe("default", "docs")


async def test_a_creation_that_was_not_answered_in_time_is_unknown_and_may_have_happened(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    embedded.faults.time_out_after_success("CreateCollection")
    with pytest.raises(OutcomeUnknown, match="may still happen"):
        await client.create_collection("default", "docs", PLAIN)
    assert await client.describe("default", "docs") is not None


async def test_a_call_that_nobody_answers_ends_at_its_deadline(connect: ConnectTo, embedded: EmbeddedMilvus) -> None:
    client = connect(Target(uri=embedded.uri, timeout_seconds=1))
    with embedded.faults.hold("CreateCollection"), pytest.raises(OutcomeUnknown, match="within 1 s"):
        await client.create_collection("default", "docs", PLAIN)


async def test_a_slow_change_does_not_open_the_breaker(client: PymilvusClient, embedded: EmbeddedMilvus) -> None:
    embedded.faults.time_out_after_success("CreateCollection")
    async with expected(OutcomeUnknown):
        await client.create_collection("default", "docs", PLAIN)
    assert await client.list_collections("default") == ("docs",)


async def test_a_cancelled_task_ends_at_once_and_leaves_the_client_usable(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    with embedded.faults.hold("ShowCollections") as gate:
        task = asyncio.create_task(client.list_collections("default"))
        assert await asyncio.to_thread(gate.wait_for_arrivals)
        task.cancel()
        async with expected(asyncio.CancelledError):
            await task
    assert await client.list_collections("default") == ()


async def test_no_more_calls_are_under_way_than_there_are_workers(embedded: EmbeddedMilvus, clock: Clock) -> None:
    client = PymilvusClient(Target(uri=embedded.uri), scrubber=Scrubber(), monotonic=clock, workers=2)
    with embedded.faults.hold("ShowCollections", times=3) as gate:
        tasks = [asyncio.create_task(client.list_collections("default")) for _ in range(3)]
        assert await asyncio.to_thread(gate.wait_for_arrivals, 2)
        assert (await client.server_version()).startswith("v2.6")
        assert gate.arrivals == 2
    assert await asyncio.gather(*tasks) == [(), (), ()]
    await client.close()


async def test_nobody_there_is_unreachable_in_our_words(connect: ConnectTo) -> None:
    with pytest.raises(Unreachable, match=r"^Milvus at http://127.0.0.1:1 cannot be reached: connection refused\.$"):
        await connect(DEAD).describe("default", "docs")


async def test_a_change_that_was_never_sent_is_not_unknown(connect: ConnectTo) -> None:
    async with expected(Unreachable):
        await connect(DEAD).create_collection("default", "docs", PLAIN)


async def test_while_the_breaker_is_open_nothing_is_asked_and_one_probe_closes_it(
    client: PymilvusClient, embedded: EmbeddedMilvus, clock: Clock
) -> None:
    embedded.faults.break_connection("DescribeCollection")
    async with expected(Unreachable):
        await client.describe("default", "docs")
    async with expected(Unreachable):
        await client.list_collections("default")
    async with expected(Unreachable):
        await client.server_version()
    assert (embedded.calls["ShowCollections"], embedded.calls["GetVersion"]) == (0, 0)
    clock.advance(PROBE_INTERVAL)
    await client.server_version()
    assert await client.list_collections("default") == ()


async def test_an_open_breaker_probes_by_itself_when_somebody_asks(
    client: PymilvusClient, embedded: EmbeddedMilvus, clock: Clock
) -> None:
    embedded.faults.break_connection("DescribeCollection")
    async with expected(Unreachable):
        await client.describe("default", "docs")
    clock.advance(PROBE_INTERVAL)
    with embedded.faults.hold("GetVersion") as gate:
        async with expected(Unreachable):
            await client.list_collections("default")
        assert await asyncio.to_thread(gate.wait_for_arrivals)
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(Unreachable):
                assert await client.list_collections("default") == ()
                break
            await asyncio.sleep(0.01)
    assert embedded.calls["GetVersion"] == 1


async def test_a_server_that_comes_back_is_found(
    client: PymilvusClient, embedded: EmbeddedMilvus, clock: Clock
) -> None:
    await client.create_collection("default", "docs", PLAIN)
    embedded.stop()
    async with expected(Unreachable):
        await client.describe("default", "docs")
    embedded.start()
    async with asyncio.timeout(20):
        while True:
            clock.advance(PROBE_INTERVAL)
            with contextlib.suppress(Unreachable):
                await client.server_version()
                break
            await asyncio.sleep(0.05)
    assert await client.describe("default", "docs") is not None


async def test_an_answer_that_refuses_keeps_the_breaker_closed(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    embedded.faults.fail("ShowCollections", code=65535, reason="no")
    async with expected(Rejected):
        await client.list_collections("default")
    assert await client.list_collections("default") == ()


async def test_milvus_rate_limit(client: PymilvusClient, embedded: EmbeddedMilvus) -> None:
    embedded.faults.fail("CreateCollection", code=8, reason="request is rejected by rate limiter")
    async with expected(RateLimited):
        await client.create_collection("default", "docs", PLAIN)


async def test_a_wrong_password_is_refused_and_not_told(connect: ConnectTo, embedded: EmbeddedMilvus) -> None:
    embedded.users = {"root": "right-password"}
    embedded.restart()
    wrong = connect(Target(uri=embedded.uri, user="root", password="wrong-password"))
    with pytest.raises(AuthenticationFailed) as error:
        await wrong.list_databases()
    assert "password" not in str(error.value).replace("password or token", "")
    assert error.value.__cause__ is None
    right = connect(Target(uri=embedded.uri, token="root:right-password"))
    assert await right.list_databases() == ("default",)


async def test_a_key_that_dashscope_refuses(
    client: PymilvusClient, embedded: EmbeddedMilvus, dashscope: DashScopeStandIn
) -> None:
    dashscope.keys.clear()
    with pytest.raises(ProviderFailed) as failure:
        await client.create_collection("default", "docs", embedding())
    assert failure.value.cause is ProviderCause.KEY_REJECTED
    assert API_KEY not in str(failure.value)
    assert await client.describe("default", "docs") is None


async def test_a_dimension_that_the_model_has_not(client: PymilvusClient) -> None:
    with pytest.raises(ProviderFailed) as failure:
        await client.create_collection("default", "docs", embedding(dim="512"))
    assert failure.value.cause is ProviderCause.DIMENSION


async def test_what_cannot_be_encoded_is_rejected_without_a_call(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    with pytest.raises(Rejected, match="INT65"):
        await client.create_collection("default", "docs", Schema(fields=(Field(name="a", type="INT65"),)))
    assert embedded.calls["CreateCollection"] == 0


async def test_a_missing_database_that_hides_as_a_missing_collection_is_found_out(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    embedded.faults.fail("DescribeCollection", code=100, reason="collection not found")
    async with expected(DatabaseNotFound):
        await client.describe("nowhere", "docs")
    embedded.calls.clear()
    assert await client.describe("default", "docs") is None
    assert embedded.calls["ListDatabases"] == 0


async def test_who_may_not_list_databases_learns_it_by_listing_collections(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    embedded.faults.fail("DescribeCollection", code=100, reason="collection not found")
    embedded.faults.break_connection("ListDatabases", grpc_code=grpc.StatusCode.PERMISSION_DENIED)
    async with expected(DatabaseNotFound):
        await client.describe("nowhere", "docs")


async def test_who_may_list_neither_believes_the_answer(client: PymilvusClient, embedded: EmbeddedMilvus) -> None:
    embedded.faults.fail("DescribeCollection", code=100, reason="collection not found")
    for rpc in ("ListDatabases", "ShowCollections"):
        embedded.faults.break_connection(rpc, grpc_code=grpc.StatusCode.PERMISSION_DENIED)
    assert await client.describe("nowhere", "docs") is None


async def test_link_local_addresses_are_never_connected_to(connect: ConnectTo) -> None:
    with pytest.raises(Unreachable, match="always refused"):
        await connect(Target(uri="http://169.254.169.254:19530")).server_version()


async def test_a_name_that_resolves_to_a_link_local_address_is_refused(
    connect: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "fe80::1%eth0"]

    monkeypatch.setattr(module, "_resolve", resolve)
    with pytest.raises(Unreachable, match="always refused"):
        await connect(Target(uri="http://milvus.example:19530")).server_version()


async def test_closing_ends_calls_under_way_and_takes_no_new_ones(
    client: PymilvusClient, embedded: EmbeddedMilvus
) -> None:
    with embedded.faults.hold("CreateCollection") as gate:
        task = asyncio.create_task(client.create_collection("default", "docs", PLAIN))
        assert await asyncio.to_thread(gate.wait_for_arrivals)
        await client.close()
        async with expected(OutcomeUnknown):
            await task
    async with expected(Unreachable):
        await client.server_version()


async def test_closing_twice_does_no_harm(client: PymilvusClient) -> None:
    await client.server_version()
    await client.close()
    await client.close()


@pytest.fixture
async def leased(embedded: EmbeddedMilvus) -> AsyncIterator[tuple[PymilvusClient, dict[str, float]]]:
    """A client, and how much its process has left of the lease."""
    lease = {"remaining": 60.0}
    target = Target(uri=embedded.uri, timeout_seconds=30)
    client = PymilvusClient(target, scrubber=Scrubber(), lease_remaining=lambda: lease["remaining"])
    yield client, lease
    await client.close()


async def test_nothing_is_changed_without_the_lease_and_everything_can_be_looked_at(
    leased: tuple[PymilvusClient, dict[str, float]], embedded: EmbeddedMilvus
) -> None:
    client, lease = leased
    await client.create_collection("default", "docs", PLAIN)
    before = embedded.changing_calls
    lease["remaining"] = 0.0

    for change in (
        client.create_collection("default", "more", PLAIN),
        client.drop_collection("default", "docs"),
        client.create_alias("default", "docs", "alias"),
    ):
        with pytest.raises(NotLeading, match="does not hold the lease any more"):
            await change

    assert embedded.changing_calls == before
    assert await client.describe("default", "docs") is not None


async def test_a_change_that_hangs_ends_before_the_lease_may(
    leased: tuple[PymilvusClient, dict[str, float]], embedded: EmbeddedMilvus
) -> None:
    client, lease = leased
    await client.create_collection("default", "docs", PLAIN)
    lease["remaining"] = 1.0
    with embedded.faults.hold("DropCollection"), pytest.raises(OutcomeUnknown, match="within 1 s"):
        await client.drop_collection("default", "docs")


async def test_a_call_that_asks_the_provider_may_outlast_the_lease_that_is_renewed_meanwhile(
    leased: tuple[PymilvusClient, dict[str, float]], embedded: EmbeddedMilvus
) -> None:
    client, lease = leased
    lease["remaining"] = 0.01
    with embedded.faults.hold("CreateCollection") as gate:
        creating = asyncio.create_task(client.create_collection("default", "docs", PLAIN))
        assert await asyncio.to_thread(gate.wait_for_arrivals, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(creating), 0.2)
    await creating
