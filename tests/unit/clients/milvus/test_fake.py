"""What the fake can do beyond the port: record, fail and hold to order, and act as servers of other kinds."""

import asyncio

import pytest

from milvus_embedding.clients.milvus.port import DatabaseNotFound, OutcomeUnknown, RateLimited, Unreachable
from milvus_embedding.domain.schema import Index, LoadState
from tests.fakes.milvus import Call, FakeMilvus
from tests.unit.clients.milvus.schemas import PLAIN, embedding

INDEX = Index(field="dense")


async def test_calls_are_recorded_and_changing_ones_told_apart() -> None:
    milvus = FakeMilvus()
    await milvus.describe("default", "docs")
    await milvus.create_collection("default", "docs", PLAIN)
    assert milvus.calls == [Call("describe", "default", "docs"), Call("create_collection", "default", "docs", PLAIN)]
    assert milvus.changing == milvus.calls[1:]
    assert milvus.count("describe") == 1


async def test_failing_before_leaves_nothing_behind_and_ends_by_itself() -> None:
    milvus = FakeMilvus()
    milvus.fail_before("create_collection", RateLimited("slowly"))
    with pytest.raises(RateLimited):
        await milvus.create_collection("default", "docs", PLAIN)
    assert await milvus.list_collections("default") == ()
    await milvus.create_collection("default", "docs", PLAIN)


async def test_failing_after_has_happened() -> None:
    milvus = FakeMilvus()
    milvus.fail_after("create_collection")
    with pytest.raises(OutcomeUnknown):
        await milvus.create_collection("default", "docs", PLAIN)
    assert await milvus.list_collections("default") == ("docs",)


async def test_held_calls_wait_until_they_are_released() -> None:
    milvus = FakeMilvus()
    hold = milvus.hold("create_collection")
    task = asyncio.create_task(milvus.create_collection("default", "docs", PLAIN))
    await hold.waiting.wait()
    assert await milvus.list_collections("default") == ()
    hold.release()
    await task
    assert await milvus.list_collections("default") == ("docs",)


async def test_an_old_server_drops_functions_without_a_word() -> None:
    milvus = FakeMilvus(version="v2.5.9", drops_functions=True, labels=())
    await milvus.create_collection("default", "docs", embedding())
    found = await milvus.describe("default", "docs")
    assert found is not None
    assert found.schema.functions == ()


async def test_builds_and_loads_that_take_their_time() -> None:
    milvus = FakeMilvus(builds_at_once=False, loads_at_once=False)
    milvus.add_collection("docs", PLAIN)
    await milvus.create_index("default", "docs", INDEX)
    await milvus.create_index("default", "docs", INDEX)
    await milvus.load("default", "docs", replicas=1, resource_groups=())
    assert [index.finished for index in await milvus.list_indexes("default", "docs")] == [False]
    assert await milvus.load_state("default", "docs") is LoadState.LOADING
    milvus.finish_builds()
    milvus.finish_loads()
    assert [index.finished for index in await milvus.list_indexes("default", "docs")] == [True]
    assert await milvus.load_state("default", "docs") is LoadState.LOADED


async def test_an_unreachable_server_records_and_refuses() -> None:
    milvus = FakeMilvus()
    milvus.unreachable = True
    with pytest.raises(Unreachable):
        await milvus.server_version()
    assert milvus.calls == [Call("server_version")]


async def test_databases_are_apart() -> None:
    milvus = FakeMilvus(databases=("default", "search"))
    await milvus.create_collection("search", "docs", PLAIN)
    assert await milvus.describe("default", "docs") is None
    assert milvus.collection("docs", database="search").schema == PLAIN
    with pytest.raises(DatabaseNotFound):
        await milvus.describe("other", "docs")


async def test_dropping_takes_the_aliases_along_and_a_new_one_has_another_id() -> None:
    milvus = FakeMilvus()
    first = milvus.add_collection("docs", PLAIN)
    await milvus.create_alias("default", "docs", "current")
    milvus.drop("docs")
    assert await milvus.alias_target("default", "current") is None
    assert milvus.add_collection("docs", PLAIN).id != first.id


async def test_a_late_success_happens_when_the_test_says_so() -> None:
    milvus = FakeMilvus()
    milvus.succeed_late("create_collection")
    with pytest.raises(OutcomeUnknown):
        await milvus.create_collection("default", "docs", PLAIN)
    assert await milvus.describe("default", "docs") is None
    await milvus.settle()
    assert await milvus.describe("default", "docs") is not None
    assert [call.method for call in milvus.changing] == ["create_collection"]
    await milvus.create_collection("default", "notes", PLAIN)
    assert await milvus.list_collections("default") == ("docs", "notes")


async def test_a_late_success_that_is_refused_by_then_is_heard_by_nobody() -> None:
    milvus = FakeMilvus()
    milvus.add_collection("docs", PLAIN)
    milvus.succeed_late("rename_collection")
    with pytest.raises(OutcomeUnknown):
        await milvus.rename_collection("default", "docs", "notes")
    milvus.drop("docs")
    await milvus.settle()
    assert await milvus.list_collections("default") == ()


async def test_rows_are_counted_by_partition() -> None:
    milvus = FakeMilvus()
    stored = milvus.add_collection("docs", PLAIN)
    await milvus.create_partition("default", "docs", "german")
    stored.rows = {"_default": 2, "german": 3}
    await milvus.create_index("default", "docs", INDEX)
    await milvus.load("default", "docs", replicas=1, resource_groups=())
    assert await milvus.count_rows("default", "docs") == 5
    assert await milvus.count_rows("default", "docs", partitions=["german"]) == 3
    await milvus.release_partitions("default", "docs", ["german"])
    assert await milvus.count_rows("default", "docs") == 2


async def test_describe_lags_behind_a_change_for_as_many_answers_as_ordered() -> None:
    milvus = FakeMilvus()
    milvus.add_collection("docs", PLAIN)
    milvus.stale_describe(2)
    await milvus.alter_properties("default", "docs", {"mine": "1"})
    seen = [await milvus.describe("default", "docs") for _ in range(3)]
    assert [found and found.schema.properties for found in seen] == [{}, {}, {"mine": "1"}]


async def test_what_is_new_is_never_stale() -> None:
    milvus = FakeMilvus()
    milvus.stale_describe(2)
    await milvus.create_collection("default", "docs", PLAIN)
    assert await milvus.describe("default", "docs") is not None
