"""What the port promises about altering what is there, held by the fake and by the adapter alike, per release."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import (
    NOT_LOADED,
    DatabaseNotFound,
    Milvus,
    ProviderFailed,
    Rejected,
    Unimplemented,
)
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.schema import Description, Field, Function, FunctionKind, Index, LoadState, Schema
from milvus_embedding.domain.scrub import Scrubber
from tests.fakes.milvus import FakeMilvus
from tests.unit.clients.milvus.schemas import DENSE, DOCUMENT, ID, PLAIN, embedding

INDEX = Index(field="dense", name="dense", type="HNSW", metric="COSINE", params={"M": "16"})
NOTE = Field(name="note", type="VARCHAR", nullable=True, params={"max_length": "100"})
OTHER = replace(DENSE, name="other")
NAME = ("default", "docs")
At = Callable[[str], Milvus]


@pytest.fixture(params=["the fake", "the adapter against the embedded Milvus"])
async def at(request: pytest.FixtureRequest, tmp_path: Path, config_dir: Path) -> AsyncIterator[At]:
    """Makes a server of a release."""
    async with AsyncExitStack() as clients:
        with ExitStack() as servers:

            def make(version: str) -> Milvus:
                if request.param == "the fake":
                    return FakeMilvus(version=version, labels={"apikey_dev", "apikey_prod"})
                server = EmbeddedMilvus(tmp_path / "data", config_dir, retry_backoff_seconds=0.0, version=version)
                servers.enter_context(server)
                client = PymilvusClient(Target(uri=server.uri, timeout_seconds=10), scrubber=Scrubber())
                clients.push_async_callback(client.close)
                return client

            text = (config_dir / "milvus.yaml").read_text()
            key = next(line for line in text.splitlines() if "apikey:" in line)
            (config_dir / "user.yaml").write_text(f"credential:\n  apikey_prod:\n{key}\n")
            yield make


@pytest.fixture
def milvus(at: At) -> Milvus:
    return at("v2.6.9")


async def made(milvus: Milvus, schema: Schema = PLAIN, *, loaded: bool = False) -> None:
    await milvus.create_collection(*NAME, schema)
    if loaded:
        await milvus.create_index(*NAME, INDEX)
        await milvus.load(*NAME, replicas=1, resource_groups=())


async def described(milvus: Milvus) -> Description:
    found = await milvus.describe(*NAME)
    assert found is not None
    return found


def ali(**params: str) -> Function:
    """The manual's function with other parameters."""
    function = embedding().functions[0]
    return replace(function, params={**function.params, **params})


async def test_properties_are_set_beside_others_and_dropped_one_by_one(milvus: Milvus) -> None:
    await made(milvus, replace(PLAIN, properties={"mine": "1"}))
    await milvus.alter_properties(*NAME, {"collection.ttl.seconds": "60"})
    assert (
        dict((await described(milvus)).schema.properties).items()
        >= {"mine": "1", "collection.ttl.seconds": "60"}.items()
    )
    await milvus.drop_properties(*NAME, ["collection.ttl.seconds", "never set"])
    properties = (await described(milvus)).schema.properties
    assert "collection.ttl.seconds" not in properties
    assert properties["mine"] == "1"


async def test_description_and_consistency_are_altered_as_properties(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.alter_properties(*NAME, {"collection.description": "texts", "consistency_level": "Session"})
    schema = (await described(milvus)).schema
    assert (schema.description, schema.consistency) == ("texts", "Session")
    assert "collection.description" not in schema.properties


async def test_mmap_of_a_loaded_collection_is_refused(milvus: Milvus) -> None:
    await made(milvus, loaded=True)
    with pytest.raises(Rejected):
        await milvus.alter_properties(*NAME, {"mmap.enabled": "true"})
    with pytest.raises(Rejected):
        await milvus.alter_field(*NAME, "document", {"mmap.enabled": "true"})
    with pytest.raises(Rejected):
        await milvus.alter_index(*NAME, "dense", {"mmap.enabled": "true"})


async def test_mmap_of_a_released_collection_is_set_and_dropped(milvus: Milvus) -> None:
    await made(milvus, loaded=True)
    await milvus.release(*NAME)
    await milvus.alter_properties(*NAME, {"mmap.enabled": "true"})
    await milvus.alter_field(*NAME, "document", {"mmap.enabled": "true"})
    await milvus.alter_index(*NAME, "dense", {"mmap.enabled": "true"})
    schema = (await described(milvus)).schema
    assert schema.properties["mmap.enabled"] == "true"
    assert schema.fields[1].params == {"max_length": "9000", "mmap.enabled": "true"}
    assert (await milvus.list_indexes(*NAME))[0].params == {"M": "16", "mmap.enabled": "true"}
    await milvus.drop_properties(*NAME, ["mmap.enabled"])
    await milvus.drop_field_params(*NAME, "document", ["mmap.enabled"])
    await milvus.drop_index_params(*NAME, "dense", ["mmap.enabled"])
    assert (await described(milvus)).schema.fields[1] == DOCUMENT
    assert list(await milvus.list_indexes(*NAME)) == [INDEX]


async def test_a_field_grows_and_keeps_its_other_parameters(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.alter_field(*NAME, "document", {"max_length": "20000", "field.description": "the text"})
    field = (await described(milvus)).schema.fields[1]
    assert (field.params, field.description) == ({"max_length": "20000"}, "the text")


@pytest.mark.parametrize(
    ("field", "params"),
    [("document", {"dim": "3"}), ("nothing", {"max_length": "10"})],
    ids=["a parameter that cannot change", "a field that is not there"],
)
async def test_other_alterations_of_fields_are_refused(milvus: Milvus, field: str, params: dict[str, str]) -> None:
    await made(milvus)
    with pytest.raises(Rejected):
        await milvus.alter_field(*NAME, field, params)


async def test_a_nullable_field_is_added_last(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.add_field(*NAME, NOTE)
    assert (await described(milvus)).schema.fields == (ID, DOCUMENT, DENSE, NOTE)
    with pytest.raises(Rejected):
        await milvus.add_field(*NAME, NOTE)
    with pytest.raises(Rejected, match="nullable"):
        await milvus.add_field(*NAME, replace(NOTE, name="other", nullable=False))


@pytest.mark.parametrize("version", ["v2.6.0", "v2.6.7", "v2.6.9"])
async def test_before_3_fields_stay_and_vectors_are_not_added(at: At, version: str) -> None:
    milvus = at(version)
    await made(milvus)
    with pytest.raises(Rejected):
        await milvus.add_field(*NAME, replace(OTHER, nullable=True))
    with pytest.raises(Unimplemented):
        await milvus.drop_field(*NAME, "document")
    with pytest.raises(Unimplemented):
        await milvus.drop_function_field(*NAME, "ali")


async def test_from_3_on_a_field_is_dropped_with_its_index(at: At) -> None:
    milvus = at("v3.0.0")
    await made(milvus, replace(PLAIN, fields=(ID, DOCUMENT, DENSE, OTHER)))
    await milvus.create_index(*NAME, replace(INDEX, field="other", name="other"))
    await milvus.drop_field(*NAME, "other")
    assert (await described(milvus)).schema.fields == (ID, DOCUMENT, DENSE)
    assert list(await milvus.list_indexes(*NAME)) == []
    for name in ("id", "dense", "nothing"):
        with pytest.raises(Rejected):
            await milvus.drop_field(*NAME, name)


async def test_from_3_on_a_function_goes_with_the_field_that_it_fills(at: At) -> None:
    milvus = at("v3.0.0")
    schema = embedding()
    await made(milvus, replace(schema, fields=(*schema.fields, OTHER)))
    with pytest.raises(Rejected):
        await milvus.drop_field(*NAME, "dense")
    await milvus.drop_function_field(*NAME, "ali")
    found = (await described(milvus)).schema
    assert (found.functions, found.fields) == ((), (ID, DOCUMENT, OTHER))


async def test_the_dynamic_field_is_turned_on_and_only_3_turns_it_off(at: At) -> None:
    milvus = at("v2.6.9")
    await made(milvus)
    await milvus.alter_properties(*NAME, {"dynamicfield.enabled": "true"})
    assert (await described(milvus)).schema.dynamic
    with pytest.raises(Rejected):
        await milvus.alter_properties(*NAME, {"dynamicfield.enabled": "false"})
    with pytest.raises(Rejected):
        await milvus.alter_properties(*NAME, {"dynamicfield.enabled": "true", "mine": "1"})


async def test_3_turns_the_dynamic_field_off(at: At) -> None:
    milvus = at("v3.0.0")
    await made(milvus, replace(PLAIN, dynamic=True))
    await milvus.alter_properties(*NAME, {"dynamicfield.enabled": "false"})
    assert not (await described(milvus)).schema.dynamic


async def test_2_6_0_has_no_call_for_functions(at: At) -> None:
    milvus = at("v2.6.0")
    await made(milvus, embedding())
    for call in (
        milvus.alter_function(*NAME, ali()),
        milvus.add_function(*NAME, ali()),
        milvus.drop_function(*NAME, "ali"),
    ):
        with pytest.raises(Unimplemented):
            await call


@pytest.mark.parametrize("version", ["v2.6.7", "v2.6.9", "v3.0.0"])
async def test_a_function_takes_another_label(at: At, version: str) -> None:
    milvus = at(version)
    await made(milvus, embedding())
    await milvus.alter_function(*NAME, ali(credential="apikey_prod"))
    assert (await described(milvus)).schema.functions == (ali(credential="apikey_prod"),)
    with pytest.raises(ProviderFailed):
        await milvus.alter_function(*NAME, ali(credential="nobody"))
    assert (await described(milvus)).schema.functions == (ali(credential="apikey_prod"),)


async def test_another_model_is_taken_by_2_6_and_refused_by_3(at: At) -> None:
    milvus = at("v3.0.0")
    await made(milvus, embedding())
    with pytest.raises(Rejected):
        await milvus.alter_function(*NAME, ali(model_name="text-embedding-v4"))
    with pytest.raises(Rejected):
        await milvus.alter_function(*NAME, ali(dim="1024"))
    with pytest.raises(Rejected):
        await milvus.add_function(*NAME, ali())
    with pytest.raises(Rejected):
        await milvus.drop_function(*NAME, "ali")


async def test_2_6_7_adds_and_drops_functions_and_the_field_stays(at: At) -> None:
    milvus = at("v2.6.7")
    await made(milvus, embedding())
    await milvus.drop_function(*NAME, "ali")
    await milvus.drop_function(*NAME, "ali")
    found = (await described(milvus)).schema
    assert (found.functions, found.fields[2].name) == ((), "dense")
    await milvus.add_function(*NAME, ali())
    assert (await described(milvus)).schema.functions == (ali(),)
    with pytest.raises(Rejected):
        await milvus.add_function(*NAME, ali())


async def test_a_function_that_is_not_there_or_scores_words_is_not_altered(milvus: Milvus) -> None:
    analysed = replace(DOCUMENT, params={"max_length": "9000", "enable_analyzer": "true"})
    words = Function(name="words", kind=FunctionKind.BM25, inputs=("document",), outputs=("sparse",))
    sparse = Field(name="sparse", type="SPARSE_FLOAT_VECTOR")
    await made(milvus, Schema(fields=(ID, analysed, DENSE, sparse), functions=(words,)))
    for function in (ali(), words):
        with pytest.raises(Rejected):
            await milvus.alter_function(*NAME, function)


async def test_an_index_is_dropped_only_when_released_and_a_missing_one_never_matters(milvus: Milvus) -> None:
    await made(milvus, loaded=True)
    with pytest.raises(Rejected):
        await milvus.drop_index(*NAME, "dense")
    await milvus.release(*NAME)
    await milvus.drop_index(*NAME, "dense")
    await milvus.drop_index(*NAME, "dense")
    assert list(await milvus.list_indexes(*NAME)) == []


@pytest.mark.parametrize(("version", "dropped"), [("v2.6.9", False), ("v3.0.0", True)])
async def test_an_index_of_a_scalar_goes_while_loaded_since_3(at: At, version: str, dropped: bool) -> None:
    milvus = at(version)
    scalar = Index(field="document", name="words", type="INVERTED")
    await made(milvus)
    await milvus.create_index(*NAME, scalar)
    await milvus.create_index(*NAME, INDEX)
    await milvus.load(*NAME, replicas=1, resource_groups=())
    if dropped:
        await milvus.drop_index(*NAME, "words")
    else:
        with pytest.raises(Rejected):
            await milvus.drop_index(*NAME, "words")
    names = sorted(index.name for index in await milvus.list_indexes(*NAME))
    assert names == (["dense"] if dropped else ["dense", "words"])
    assert await milvus.load_state(*NAME) is LoadState.LOADED
    assert await milvus.count_rows(*NAME) == 0


async def test_an_empty_name_never_means_everything(milvus: Milvus) -> None:
    await made(milvus, embedding())
    await milvus.create_index(*NAME, INDEX)
    for call in (milvus.drop_index(*NAME, ""), milvus.drop_field(*NAME, ""), milvus.drop_function(*NAME, "")):
        with pytest.raises(Rejected):
            await call
    assert list(await milvus.list_indexes(*NAME)) == [INDEX]
    assert (await described(milvus)).schema.functions == embedding().functions


async def test_released_is_not_loaded_and_has_no_replicas(milvus: Milvus) -> None:
    await made(milvus, loaded=True)
    assert list(await milvus.list_replicas(*NAME)) == list(await milvus.list_resource_groups())
    await milvus.release(*NAME)
    assert await milvus.load_state(*NAME) is LoadState.NOT_LOADED
    assert list(await milvus.list_replicas(*NAME)) == []
    with pytest.raises(Rejected) as refusal:
        await milvus.count_rows(*NAME)
    assert refusal.value.code in NOT_LOADED


async def test_replicas_change_while_loaded(milvus: Milvus) -> None:
    await made(milvus, loaded=True)
    await milvus.alter_properties(*NAME, {"collection.replica.number": "2"})
    assert len(await milvus.list_replicas(*NAME)) == 2
    await milvus.load(*NAME, replicas=3, resource_groups=())
    assert len(await milvus.list_replicas(*NAME)) == 3


async def test_one_released_partition_hides_behind_a_loaded_collection(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.create_partition(*NAME, "german")
    await milvus.create_index(*NAME, INDEX)
    await milvus.load(*NAME, replicas=1, resource_groups=())
    partitions = await milvus.list_partitions(*NAME)
    assert await milvus.load_state(*NAME, partitions=partitions) is LoadState.LOADED
    await milvus.release_partitions(*NAME, ["german"])
    assert await milvus.load_state(*NAME) is LoadState.LOADED
    assert await milvus.load_state(*NAME, partitions=partitions) is LoadState.NOT_LOADED
    assert await milvus.count_rows(*NAME) == 0
    with pytest.raises(Rejected) as refusal:
        await milvus.count_rows(*NAME, partitions=["german"])
    assert refusal.value.code in NOT_LOADED
    await milvus.load(*NAME, replicas=1, resource_groups=())
    assert await milvus.load_state(*NAME, partitions=partitions) is LoadState.LOADED


async def test_a_partition_is_dropped_only_when_released(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.create_partition(*NAME, "german")
    await milvus.create_index(*NAME, INDEX)
    await milvus.load(*NAME, replicas=1, resource_groups=())
    with pytest.raises(Rejected):
        await milvus.drop_partition(*NAME, "german")
    await milvus.release_partitions(*NAME, ["german"])
    await milvus.drop_partition(*NAME, "german")
    await milvus.drop_partition(*NAME, "german")
    assert list(await milvus.list_partitions(*NAME)) == ["_default"]


async def test_an_alias_is_moved_and_dropped(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.create_collection("default", "notes", PLAIN)
    with pytest.raises(Rejected):
        await milvus.alter_alias("default", "notes", "current")
    await milvus.create_alias(*NAME, "current")
    await milvus.alter_alias("default", "notes", "current")
    assert await milvus.alias_target("default", "current") == "notes"
    await milvus.drop_alias("default", "current")
    await milvus.drop_alias("default", "current")
    assert await milvus.alias_target("default", "current") is None


async def test_a_renamed_collection_keeps_its_id_and_its_aliases(milvus: Milvus) -> None:
    await made(milvus)
    await milvus.create_alias(*NAME, "current")
    before = await described(milvus)
    await milvus.rename_collection(*NAME, "docs_g1")
    assert await milvus.describe(*NAME) is None
    after = await milvus.describe("default", "current")
    assert after is not None
    assert (after.name, after.id) == ("docs_g1", before.id)
    with pytest.raises(Rejected):
        await milvus.rename_collection("default", "docs_g1", "current")
    with pytest.raises(Rejected):
        await milvus.rename_collection("default", "nothing", "docs")


async def test_a_database_is_created_once(milvus: Milvus) -> None:
    with pytest.raises(DatabaseNotFound):
        await milvus.create_collection("search", "docs", PLAIN)
    await milvus.create_database("search")
    assert list(await milvus.list_databases()) == ["default", "search"]
    await milvus.create_collection("search", "docs", PLAIN)
    with pytest.raises(Rejected):
        await milvus.create_database("search")


BM = Function(name="bm", kind=FunctionKind.BM25, inputs=("document",), outputs=("sparse",))
SPARSE = Field(name="sparse", type="SPARSE_FLOAT_VECTOR")
SCORED = Index(field="sparse", name="full_text", type="SPARSE_INVERTED_INDEX", metric="BM25", params={"bm25_k1": "1.2"})


async def test_from_3_on_bm25_comes_with_its_field_and_its_index(at: At) -> None:
    milvus = at("v3.0.0")
    analyzed = replace(DOCUMENT, params={**DOCUMENT.params, "enable_analyzer": "true"})
    await made(milvus, replace(PLAIN, fields=(ID, analyzed, DENSE)))

    await milvus.add_function_field(*NAME, BM, field=SPARSE, index=SCORED)

    found = (await described(milvus)).schema
    assert (found.functions, found.fields[-1].name) == ((BM,), "sparse")
    (index,) = await milvus.list_indexes(*NAME)
    assert (index.name, index.type, index.metric, index.params) == (
        "full_text",
        "SPARSE_INVERTED_INDEX",
        "BM25",
        {"bm25_k1": "1.2"},
    )
    with pytest.raises(Rejected):
        await milvus.add_function_field(*NAME, BM, field=SPARSE, index=SCORED)


async def test_no_other_function_comes_with_its_field(at: At) -> None:
    milvus = at("v3.0.0")
    await made(milvus)
    with pytest.raises(Rejected, match="only BM25"):
        await milvus.add_function_field(*NAME, ali(), field=replace(DENSE, name="other"), index=INDEX)


@pytest.mark.parametrize("version", ["v2.6.0", "v2.6.9"])
async def test_before_3_no_function_comes_with_its_field(at: At, version: str) -> None:
    milvus = at(version)
    await made(milvus)
    with pytest.raises(Unimplemented):
        await milvus.add_function_field(*NAME, BM, field=SPARSE, index=SCORED)
