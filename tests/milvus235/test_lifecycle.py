"""The life of a collection on a real server, as far as one of 2.3.5 goes: what the port promises, and what is lost."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
from pymilvus import MilvusClient

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import NOT_LOADED, DatabaseNotFound, Rejected, Unimplemented
from milvus_embedding.domain.schema import Description, Field, Index, LoadState
from milvus_embedding.domain.versions import lacks_functions
from tests.milvus235.server import ROOT, ROOT_PASSWORD, RealMilvus
from tests.unit.clients.milvus.schemas import DENSE, DOCUMENT, PLAIN, embedding

NAME = ("default", "docs")
INDEX = Index(
    field="dense", name="by_meaning", type="HNSW", metric="COSINE", params={"M": "16", "efConstruction": "64"}
)
KEYED = replace(PLAIN, fields=(Field(name="id", type="INT64", primary_key=True), DOCUMENT, DENSE))
PATIENCE_SECONDS = 60

pytestmark = pytest.mark.usefixtures("cleaned")


@pytest.fixture
def writer(real: RealMilvus) -> Iterator[MilvusClient]:
    """What users use."""
    client = MilvusClient(uri=real.uri, token=f"{ROOT}:{ROOT_PASSWORD}", dedicated=True, timeout=20)
    yield client
    client.close()


async def described(milvus: PymilvusClient, name: str = "docs") -> Description:
    found = await milvus.describe("default", name)
    assert found is not None
    return found


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 20):
        if await look():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come to that")


async def loaded(milvus: PymilvusClient) -> None:
    await milvus.create_index(*NAME, INDEX)
    await milvus.load(*NAME, replicas=1, resource_groups=())
    await until(lambda: _is_loaded(milvus))


async def _is_loaded(milvus: PymilvusClient) -> bool:
    return await milvus.load_state(*NAME) is LoadState.LOADED


async def test_its_version_says_that_it_has_no_functions(milvus: PymilvusClient) -> None:
    assert lacks_functions(await milvus.server_version())


async def test_functions_are_lost_without_a_word_and_the_read_back_shows_it(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, embedding())
    found = (await described(milvus)).schema
    assert found.functions == ()
    assert found.fields == embedding().fields


async def test_nullable_is_lost_without_a_word_too(milvus: PymilvusClient) -> None:
    await milvus.create_collection(
        *NAME, replace(PLAIN, fields=(*PLAIN.fields[:1], replace(DOCUMENT, nullable=True), DENSE))
    )
    assert (await described(milvus)).schema.fields[1] == DOCUMENT


async def test_what_was_created_is_read_back(milvus: PymilvusClient) -> None:
    rich = replace(
        PLAIN,
        fields=(*PLAIN.fields, Field(name="rank", type="INT32", default=3)),
        description="texts",
        dynamic=True,
        shards=2,
        consistency="Session",
        properties={"collection.ttl.seconds": "3600", "embedding.milvus.io/owner": "a/b/c"},
    )
    await milvus.create_collection(*NAME, rich)
    assert (await described(milvus)).schema == rich


async def test_creating_the_same_again_changes_nothing_and_something_else_is_refused(milvus: PymilvusClient) -> None:
    schema = replace(PLAIN, description="texts", shards=2, properties={"one": "1", "two": "2"})
    await milvus.create_collection(*NAME, schema)
    before = await described(milvus)
    await milvus.create_collection(*NAME, schema)
    assert await described(milvus) == before
    with pytest.raises(Rejected, match="different parameters"):
        await milvus.create_collection(*NAME, replace(schema, description="other"))


async def test_our_own_earlier_create_is_called_different_if_a_field_has_a_default(milvus: PymilvusClient) -> None:
    """So the text of that error proves nothing; the read-back does."""
    schema = replace(PLAIN, fields=(*PLAIN.fields, Field(name="rank", type="INT32", default=3)))
    await milvus.create_collection(*NAME, schema)
    with pytest.raises(Rejected, match="different parameters"):
        await milvus.create_collection(*NAME, schema)
    assert (await described(milvus)).schema == schema


async def test_a_missing_database_is_not_a_missing_collection(milvus: PymilvusClient) -> None:
    assert await milvus.describe(*NAME) is None
    for call in (
        milvus.describe("nowhere", "docs"),
        milvus.list_collections("nowhere"),
        milvus.create_collection("nowhere", "docs", PLAIN),
    ):
        with pytest.raises(DatabaseNotFound):
            await call


async def test_a_database_is_created_once(milvus: PymilvusClient) -> None:
    await milvus.create_database("search")
    assert "search" in await milvus.list_databases()
    with pytest.raises(Rejected):
        await milvus.create_database("search")
    await milvus.create_collection("search", "docs", PLAIN)
    assert await milvus.describe(*NAME) is None


async def test_properties_are_set_beside_others_and_cannot_be_dropped(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, replace(PLAIN, properties={"mine": "1"}))
    await milvus.alter_properties(*NAME, {"collection.ttl.seconds": "60"})
    assert (await described(milvus)).schema.properties == {"mine": "1", "collection.ttl.seconds": "60"}
    with pytest.raises(Rejected):
        await milvus.drop_properties(*NAME, ["mine"])
    assert (await described(milvus)).schema.properties["mine"] == "1"


async def test_what_it_does_not_know_it_says_so(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    function = embedding().functions[0]
    for call in (
        milvus.alter_field(*NAME, "document", {"max_length": "10000"}),
        milvus.add_field(*NAME, Field(name="note", type="INT64", nullable=True)),
        milvus.drop_field(*NAME, "document"),
        milvus.add_function(*NAME, function),
        milvus.alter_function(*NAME, function),
        milvus.drop_function(*NAME, "ali"),
        milvus.drop_function_field(*NAME, "ali"),
    ):
        with pytest.raises(Unimplemented):
            await call
    assert (await described(milvus)).schema == PLAIN


async def test_an_index_keeps_its_name_and_parameters_and_goes_only_when_released(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    assert list(await milvus.list_indexes(*NAME)) == []
    with pytest.raises(Rejected):
        await milvus.load(*NAME, replicas=1, resource_groups=())
    await loaded(milvus)
    assert list(await milvus.list_indexes(*NAME)) == [INDEX]
    with pytest.raises(Rejected):
        await milvus.drop_index(*NAME, INDEX.name)
    assert list(await milvus.list_replicas(*NAME)) == list(await milvus.list_resource_groups())
    await milvus.release(*NAME)
    await until(lambda: _is_released(milvus))
    assert list(await milvus.list_replicas(*NAME)) == []
    await milvus.drop_index(*NAME, INDEX.name)
    await milvus.drop_index(*NAME, INDEX.name)
    assert list(await milvus.list_indexes(*NAME)) == []


async def _is_released(milvus: PymilvusClient) -> bool:
    return await milvus.load_state(*NAME) is LoadState.NOT_LOADED


async def test_another_number_of_replicas_is_refused_while_loaded(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    await loaded(milvus)
    with pytest.raises(Rejected):
        await milvus.load(*NAME, replicas=2, resource_groups=())


async def test_one_released_partition_hides_behind_a_loaded_collection(
    milvus: PymilvusClient, writer: MilvusClient
) -> None:
    await milvus.create_collection(*NAME, KEYED)
    await milvus.create_partition(*NAME, "german")
    await loaded(milvus)
    row = {"id": 1, "document": "Haus", "dense": [1.0] * 1024}
    writer.insert("docs", row, partition_name="german")
    partitions = await milvus.list_partitions(*NAME)
    assert list(partitions) == ["_default", "german"]
    assert await milvus.load_state(*NAME, partitions=partitions) is LoadState.LOADED
    assert await milvus.count_rows(*NAME) == 1
    with pytest.raises(Rejected):
        await milvus.drop_partition(*NAME, "german")
    await milvus.release_partitions(*NAME, ["german"])
    assert await milvus.load_state(*NAME) is LoadState.LOADED
    assert await milvus.load_state(*NAME, partitions=partitions) is not LoadState.LOADED
    assert await milvus.count_rows(*NAME) == 0
    with pytest.raises(Rejected) as refusal:
        await milvus.count_rows(*NAME, partitions=["german"])
    assert refusal.value.code in NOT_LOADED


async def test_a_collection_that_looks_empty_is_counted_by_a_strong_read(
    milvus: PymilvusClient, writer: MilvusClient
) -> None:
    await milvus.create_collection(*NAME, replace(KEYED, consistency="Eventually"))
    with pytest.raises(Rejected) as refusal:
        await milvus.count_rows(*NAME)
    assert refusal.value.code in NOT_LOADED
    await loaded(milvus)
    for number in range(10):
        writer.insert("docs", {"id": number, "document": "x", "dense": [1.0] * 1024})
        assert await milvus.count_rows(*NAME) == number + 1
    assert writer.get_collection_stats("docs")["row_count"] == 0


async def test_a_released_partition_is_dropped_and_one_that_is_gone_stays_gone(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    await milvus.create_partition(*NAME, "german")
    await milvus.drop_partition(*NAME, "german")
    await milvus.drop_partition(*NAME, "german")
    assert list(await milvus.list_partitions(*NAME)) == ["_default"]


async def test_aliases_are_made_moved_and_dropped(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    await milvus.create_collection("default", "notes", PLAIN)
    with pytest.raises(Rejected):
        await milvus.alter_alias(*NAME, "current")
    await milvus.create_alias(*NAME, "current")
    with pytest.raises(Rejected):
        await milvus.create_alias("default", "notes", "current")
    with pytest.raises(Rejected):
        await milvus.create_collection("default", "current", PLAIN)
    await milvus.alter_alias("default", "notes", "current")
    assert await milvus.alias_target("default", "current") == "notes"
    assert (await described(milvus, "current")).name == "notes"
    await milvus.drop_alias("default", "current")
    await milvus.drop_alias("default", "current")
    assert await milvus.alias_target("default", "current") is None
    assert await milvus.alias_target("default", "docs") is None


async def test_a_renamed_collection_keeps_its_id_and_its_aliases(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    await milvus.create_alias(*NAME, "current")
    before = await described(milvus)
    await milvus.rename_collection(*NAME, "docs_g1")
    after = await described(milvus, "current")
    assert (after.name, after.id) == ("docs_g1", before.id)
    assert await milvus.describe(*NAME) is None
    with pytest.raises(Rejected):
        await milvus.rename_collection("default", "docs_g1", "current")


async def test_dropping_takes_aliases_along_without_a_word(milvus: PymilvusClient) -> None:
    """Newer servers refuse it: who drops has to look for aliases before."""
    await milvus.create_collection(*NAME, PLAIN)
    await milvus.create_alias(*NAME, "current")
    with pytest.raises(Rejected):
        await milvus.drop_collection("default", "current")
    await milvus.drop_collection(*NAME)
    assert await milvus.alias_target("default", "current") is None
    await milvus.drop_collection(*NAME)


async def test_a_dropped_and_recreated_collection_has_another_id(milvus: PymilvusClient) -> None:
    await milvus.create_collection(*NAME, PLAIN)
    before = await described(milvus)
    await milvus.drop_collection(*NAME)
    await milvus.create_collection(*NAME, PLAIN)
    assert (await described(milvus)).id != before.id
