"""What the port promises, held by the fake and by the adapter alike. Who changes one runs both."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import (
    DatabaseNotFound,
    Milvus,
    ProviderCause,
    ProviderFailed,
    Rejected,
    Unreachable,
)
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.schema import Index, LoadState
from milvus_embedding.domain.scrub import Scrubber
from tests.fakes.milvus import FakeMilvus
from tests.unit.clients.milvus.schemas import PLAIN, embedding

INDEX = Index(field="dense", name="by_meaning", type="HNSW", metric="COSINE", params={"M": "16"})


@pytest.fixture(params=["the fake", "the adapter against the embedded Milvus"])
async def milvus(request: pytest.FixtureRequest) -> AsyncIterator[Milvus]:
    if request.param == "the fake":
        yield FakeMilvus(labels={"apikey_dev"})
    else:
        server = request.getfixturevalue("embedded")
        assert isinstance(server, EmbeddedMilvus)
        client = PymilvusClient(Target(uri=server.uri, timeout_seconds=10), scrubber=Scrubber())
        yield client
        await client.close()


async def test_a_server_tells_its_version(milvus: Milvus) -> None:
    assert (await milvus.server_version()).startswith("v2.6")


async def test_a_new_server_has_the_default_database_and_nothing_in_it(milvus: Milvus) -> None:
    assert "default" in await milvus.list_databases()
    assert list(await milvus.list_collections("default")) == []


async def test_describe_gives_back_what_was_created(milvus: Milvus) -> None:
    wanted = embedding()
    await milvus.create_collection("default", "docs", wanted)
    found = await milvus.describe("default", "docs")
    assert found is not None
    assert found.name == "docs"
    assert found.id.isdecimal()
    assert found.schema.fields == wanted.fields
    assert found.schema.functions == wanted.functions
    assert replace(found.schema, properties={}) == wanted


async def test_properties_are_kept(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", replace(PLAIN, properties={"collection.ttl.seconds": "60"}))
    found = await milvus.describe("default", "docs")
    assert found is not None
    assert found.schema.properties["collection.ttl.seconds"] == "60"


async def test_describe_of_nothing_is_none(milvus: Milvus) -> None:
    assert await milvus.describe("default", "docs") is None


async def test_a_missing_database_is_not_a_missing_collection(milvus: Milvus) -> None:
    with pytest.raises(DatabaseNotFound):
        await milvus.describe("nowhere", "docs")
    with pytest.raises(DatabaseNotFound):
        await milvus.list_collections("nowhere")
    with pytest.raises(DatabaseNotFound):
        await milvus.create_collection("nowhere", "docs", PLAIN)


async def test_creating_the_same_again_changes_nothing(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    before = await milvus.describe("default", "docs")
    await milvus.create_collection("default", "docs", PLAIN)
    assert await milvus.describe("default", "docs") == before


async def test_creating_something_else_under_the_name_is_refused(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    with pytest.raises(Rejected):
        await milvus.create_collection("default", "docs", replace(PLAIN, description="another one"))


async def test_a_function_that_changed_is_not_noticed_by_creating_again(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_collection("default", "docs", embedding())
    found = await milvus.describe("default", "docs")
    assert found is not None
    assert found.schema.functions == ()


async def test_a_label_that_milvus_does_not_know_fails_the_creation(milvus: Milvus) -> None:
    with pytest.raises(ProviderFailed, match="label nobody") as failure:
        await milvus.create_collection("default", "docs", embedding(label="nobody"))
    assert failure.value.cause is ProviderCause.KEY_NOT_FOUND
    assert await milvus.describe("default", "docs") is None


async def test_an_index_is_read_back_with_its_parameters(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    assert list(await milvus.list_indexes("default", "docs")) == []
    await milvus.create_index("default", "docs", INDEX)
    assert list(await milvus.list_indexes("default", "docs")) == [INDEX]


async def test_an_index_without_a_name_is_named_by_its_field(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_index("default", "docs", replace(INDEX, name=""))
    assert [index.name for index in await milvus.list_indexes("default", "docs")] == ["dense"]


async def test_loading_needs_an_index_and_ends_loaded(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    with pytest.raises(Rejected):
        await milvus.load("default", "docs", replicas=1, resource_groups=())
    await milvus.create_index("default", "docs", INDEX)
    assert await milvus.load_state("default", "docs") is LoadState.NOT_LOADED
    await milvus.load("default", "docs", replicas=1, resource_groups=())
    assert await milvus.load_state("default", "docs") is LoadState.LOADED


async def test_describe_answers_for_an_alias_with_the_real_name(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_alias("default", "docs", "current")
    found = await milvus.describe("default", "current")
    assert found is not None
    assert (found.name, found.aliases) == ("docs", ("current",))
    assert list(await milvus.list_aliases("default", "docs")) == ["current"]


async def test_an_alias_has_a_target_and_a_collection_has_none(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_alias("default", "docs", "current")
    assert await milvus.alias_target("default", "current") == "docs"
    assert await milvus.alias_target("default", "docs") is None
    assert await milvus.alias_target("default", "nothing") is None


async def test_an_alias_of_another_collection_is_not_moved_by_creating_it(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_collection("default", "notes", PLAIN)
    await milvus.create_alias("default", "docs", "current")
    with pytest.raises(Rejected):
        await milvus.create_alias("default", "notes", "current")
    assert await milvus.alias_target("default", "current") == "docs"


async def test_a_collection_cannot_take_the_name_of_an_alias(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_alias("default", "docs", "current")
    with pytest.raises(Rejected):
        await milvus.create_collection("default", "current", PLAIN)


async def test_partitions_are_listed_with_the_default_one(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_partition("default", "docs", "german")
    assert list(await milvus.list_partitions("default", "docs")) == ["_default", "german"]


@pytest.mark.parametrize("method", ["list_indexes", "list_partitions", "list_aliases", "load_state"])
async def test_looking_into_a_collection_that_is_not_there_is_refused(milvus: Milvus, method: str) -> None:
    with pytest.raises(Rejected) as refusal:
        await getattr(milvus, method)("default", "docs")
    assert refusal.value.code == 100


async def test_a_dropped_collection_is_gone_and_another_stays(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", embedding())
    await milvus.create_collection("default", "notes", PLAIN)
    await milvus.drop_collection("default", "docs")
    assert await milvus.describe("default", "docs") is None
    assert list(await milvus.list_collections("default")) == ["notes"]


async def test_dropping_what_is_not_there_changes_nothing(milvus: Milvus) -> None:
    await milvus.drop_collection("default", "docs")
    with pytest.raises(DatabaseNotFound):
        await milvus.drop_collection("nowhere", "docs")


async def test_a_collection_is_not_dropped_by_or_under_an_alias(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    await milvus.create_alias("default", "docs", "current")
    for name in ("current", "docs"):
        with pytest.raises(Rejected):
            await milvus.drop_collection("default", name)
    assert await milvus.describe("default", "docs") is not None


async def test_a_name_is_free_again_after_a_drop(milvus: Milvus) -> None:
    await milvus.create_collection("default", "docs", PLAIN)
    before = await milvus.describe("default", "docs")
    await milvus.drop_collection("default", "docs")
    await milvus.create_collection("default", "docs", embedding())
    after = await milvus.describe("default", "docs")
    assert before is not None
    assert after is not None
    assert before.id != after.id


async def test_a_closed_client_reaches_nothing(milvus: Milvus) -> None:
    await milvus.close()
    with pytest.raises(Unreachable):
        await milvus.describe("default", "docs")
