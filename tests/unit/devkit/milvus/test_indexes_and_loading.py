"""Indexes with their names and parameters, load states that survive a restart, partitions, alterations."""

from collections.abc import Callable

import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import ali, create_docs, index_dense

Connect = Callable[..., MilvusClient]


def state(client: MilvusClient, name: str = "docs", partition: str = "") -> LoadState:
    return client.get_load_state(name, partition_name=partition)["state"]


def test_name_and_parameters_of_an_index_are_kept(client: MilvusClient) -> None:
    create_docs(client)
    index_dense(client, index_name="by_meaning", index_type="HNSW", params={"M": 16, "efConstruction": 100})
    described = client.describe_index("docs", "by_meaning")
    assert (described["field_name"], described["state"]) == ("dense", "Finished")
    assert (described["index_type"], described["metric_type"]) == ("HNSW", "COSINE")
    assert (described["M"], described["efConstruction"]) == ("16", "100")
    assert client.describe_index("docs", "other") is None


def test_the_same_index_again_succeeds_and_another_is_refused(client: MilvusClient) -> None:
    create_docs(client)
    index_dense(client)
    index_dense(client)
    with pytest.raises(MilvusException, match="at most one distinct index is allowed per field"):
        index_dense(client, metric_type="L2")
    assert client.list_indexes("docs") == ["dense"]


def test_a_scalar_field_can_be_indexed_beside(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    params = client.prepare_index_params()
    params.add_index("document", index_name="texts", index_type="INVERTED")
    client.create_index("docs", params, sync=False)
    assert sorted(client.list_indexes("docs")) == ["dense", "texts"]


def test_an_index_is_dropped_only_while_released(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    with pytest.raises(MilvusException, match="index cannot be dropped, collection is loaded"):
        client.drop_index("docs", "dense")
    client.release_collection("docs")
    client.drop_index("docs", "dense")
    assert client.list_indexes("docs") == []
    assert state(client) == LoadState.NotLoad


def test_load_states(client: MilvusClient) -> None:
    assert state(client, "nope") == LoadState.NotExist
    create_docs(client)
    assert state(client) == LoadState.NotLoad
    with pytest.raises(MilvusException, match="there is no vector index on field"):
        client.load_collection("docs")
    index_dense(client)
    client.load_collection("docs")
    assert state(client) == LoadState.Loaded
    client.release_collection("docs")
    with pytest.raises(MilvusException) as error:
        client.query("docs", filter="id > 0", limit=1)
    assert error.value.code == 101


def test_a_restart_restores_states_rows_indexes_aliases_and_ids(
    client: MilvusClient, connect: Connect, milvus: EmbeddedMilvus
) -> None:
    create_docs(client, loaded=True, description="kept", properties={"owner": "me"})
    create_docs(client, "released")
    index_dense(client, "released")
    client.create_alias("docs", "live")
    client.insert("docs", [{"id": 1, "document": "hello"}])
    before = client.describe_collection("docs")
    uri = milvus.uri
    milvus.restart()
    again = connect()
    assert milvus.uri == uri
    assert again.describe_collection("live") == before
    assert (state(again), state(again, "released")) == (LoadState.Loaded, LoadState.NotLoad)
    assert again.search("docs", data=["hello"], limit=1)[0][0]["id"] == 1
    create_docs(again, "third")
    assert again.describe_collection("third")["collection_id"] > before["collection_id"]


def test_a_collection_is_loaded_while_one_of_its_partitions_is_not(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.create_partition("docs", "cold")
    client.create_partition("docs", "cold")
    client.insert("docs", [{"id": 1, "document": "warm"}])
    client.insert("docs", [{"id": 2, "document": "cold"}], partition_name="cold")
    client.release_partitions("docs", ["cold"])
    assert (state(client), state(client, partition="cold")) == (LoadState.Loaded, LoadState.NotLoad)
    assert [row["id"] for row in client.query("docs", filter="id > 0")] == [1]
    assert client.query("docs", filter="", output_fields=["count(*)"])[0]["count(*)"] == 1
    with pytest.raises(MilvusException, match="partition not loaded"):
        client.query("docs", filter="id > 0", partition_names=["cold"])
    client.load_partitions("docs", ["cold"])
    assert [row["id"] for row in client.query("docs", filter="id > 0")] == [1, 2]


def test_a_partition_is_dropped_only_while_released(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.create_partition("docs", "cold")
    with pytest.raises(MilvusException, match="partition is loaded, please release it first"):
        client.drop_partition("docs", "cold")
    client.release_partitions("docs", ["cold"])
    client.drop_partition("docs", "cold")
    assert client.list_partitions("docs") == ["_default"]


def test_replicas_are_told_while_loaded(client: MilvusClient) -> None:
    create_docs(client)
    index_dense(client)
    client.load_collection("docs", replica_number=2)
    assert len(client.describe_replica("docs")) == 2


def test_properties_change_and_some_only_while_released(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.alter_collection_properties("docs", {"collection.ttl.seconds": "60", "note": "x"})
    client.drop_collection_properties("docs", ["note"])
    assert client.describe_collection("docs")["properties"] == {"timezone": "UTC", "collection.ttl.seconds": "60"}
    for properties, message in (
        ({"mmap.enabled": "true"}, "if collection loaded"),
        ({"collection.ttl.seconds": "soon"}, "TTL"),
    ):
        with pytest.raises(MilvusException, match=message):
            client.alter_collection_properties("docs", properties)


def test_description_and_consistency_are_changed_as_properties(client: MilvusClient) -> None:
    create_docs(client)
    client.alter_collection_properties("docs", {"collection.description": "new", "consistency_level": "Strong"})
    described = client.describe_collection("docs")
    assert (described["description"], described["consistency_level_name"]) == ("new", "Strong")
    assert described["properties"] == {"timezone": "UTC"}


def test_fields_are_widened_added_and_the_schema_opened_with_rows_in_it(
    client: MilvusClient, connect: Connect, milvus: EmbeddedMilvus
) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", [{"id": 1, "document": "old"}])
    client.alter_collection_field("docs", "document", {"max_length": 9500})
    client.add_collection_field("docs", "lang", DataType.VARCHAR, nullable=True, max_length=8)
    client.alter_collection_properties("docs", {"dynamicfield.enabled": "true"})
    client.insert("docs", [{"id": 2, "document": "new", "lang": "en", "extra": 7}])
    milvus.restart()
    again = connect()
    fields = {field["name"]: field for field in again.describe_collection("docs")["fields"]}
    assert fields["document"]["params"]["max_length"] == 9500
    assert fields["lang"]["field_id"] == 103
    rows = again.query("docs", filter="id > 0", output_fields=["lang", "extra"])
    assert [row["lang"] for row in rows] == [None, "en"]
    assert [row["id"] for row in again.query("docs", filter="extra == 7")] == [2]


def test_an_added_field_must_be_nullable(client: MilvusClient) -> None:
    create_docs(client)
    with pytest.raises(MilvusException, match="added field must be nullable"):
        client.add_collection_field("docs", "lang", DataType.VARCHAR, max_length=8)


def test_a_function_takes_another_credential_and_keeps_its_id(client: MilvusClient) -> None:
    create_docs(client)
    client.alter_collection_function("docs", "ali", ali(credential="apikey_prod"))
    function = client.describe_collection("docs")["functions"][0]
    assert (function["id"], function["params"]["credential"]) == (100, "apikey_prod")
    with pytest.raises(MilvusException, match="can not find key"):
        client.alter_collection_function("docs", "ali", ali(credential="nope"))


@pytest.mark.parametrize(
    ("version", "message"),
    [
        pytest.param("v2.6.6", "unknown method", id="2.6.6 has no such call"),
        pytest.param("v3.0.0", 'function param "model_name" cannot be altered', id="3.0 binds the model"),
    ],
)
def test_what_versions_alter(milvus: EmbeddedMilvus, connect: Connect, version: str, message: str) -> None:
    milvus.version = version
    milvus.restart()
    client = connect()
    create_docs(client)
    with pytest.raises(Exception, match=message):
        client.alter_collection_function("docs", "ali", ali(model_name="text-embedding-v4"))
