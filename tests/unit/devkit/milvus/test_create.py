"""CreateCollection: the live check first, Milvus' refusals, idempotence, and what describe keeps."""

from collections.abc import Callable, Mapping

import pytest
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import MilvusException

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import Workspace, ali, create_docs

CHECK_FAILED = "Check function [ali:TextEmbedding] failed, the err is:"


@pytest.mark.parametrize(
    ("params", "dim", "message"),
    [
        pytest.param({"credential": "nope"}, 1024, "nope is not a apikey crediential, can not find key: nope.apikey",
                     id="an unknown label, without the prefix"),
        pytest.param({"dim": "768"}, 1024, "does not match the dimension [768] provided in Function params.",
                     id="a dim that is not the field's, without the prefix"),
        pytest.param({}, 768, f"{CHECK_FAILED} The required embedding dim is [768]",
                     id="a model whose vectors have another length"),
        pytest.param({"model_name": "text-embedding-v9"}, 1024,
                     f"{CHECK_FAILED} Call service failed, errs:[400 Bad Request",
                     id="an unknown model"),
        pytest.param({"provider": "openai"}, 1024, "unsupported text embedding service", id="another provider"),
    ],
)  # fmt: skip
def test_the_live_check_refuses_and_creates_nothing(
    client: MilvusClient, params: Mapping[str, str], dim: int, message: str
) -> None:
    with pytest.raises(MilvusException) as error:
        create_docs(client, function=ali(**params), dim=dim)
    assert error.value.code == 65535
    assert message in error.value.message
    assert not client.has_collection("docs")


def test_a_refused_key_fails_the_check_with_the_raw_body(client: MilvusClient, stand_in: DashScopeStandIn) -> None:
    stand_in.keys.clear()
    with pytest.raises(MilvusException, match=r"401 Unauthorized.*InvalidApiKey"):
        create_docs(client)


def test_a_disabled_provider_fails_the_check(client: MilvusClient, workspace: Workspace) -> None:
    workspace.write({"apikey_dev": "k"}, default="apikey_dev", extra="        enable: false\n")
    with pytest.raises(MilvusException, match=r"text embedding model provider \[dashscope\] is disabled"):
        create_docs(client)


def test_the_check_comes_before_every_other_check(client: MilvusClient) -> None:
    with pytest.raises(MilvusException, match="can not find key"):
        create_docs(client, "bad-name", function=ali(credential="nope"))


def test_a_property_skips_the_check_and_stays(client: MilvusClient, stand_in: DashScopeStandIn) -> None:
    create_docs(client, function=ali(credential="nope"), properties={"disable_func_runtime_check": "true"})
    assert stand_in.calls == []
    assert client.describe_collection("docs")["properties"]["disable_func_runtime_check"] == "true"


def test_a_property_that_is_no_bool_is_refused(client: MilvusClient) -> None:
    with pytest.raises(MilvusException, match="not a valid bool"):
        create_docs(client, properties={"disable_func_runtime_check": "perhaps"})


@pytest.mark.parametrize("name", ["a-b c", "1abc", "x" * 256])
def test_a_bad_name_is_1100(client: MilvusClient, name: str) -> None:
    with pytest.raises(MilvusException) as error:
        create_docs(client, name)
    assert error.value.code == 1100
    assert "Invalid collection name" in error.value.message


def test_creating_again_with_the_same_definition_succeeds_and_keeps_the_id(client: MilvusClient) -> None:
    create_docs(client, description="texts", properties={"a": "1"})
    first = client.describe_collection("docs")
    create_docs(client, description="texts", properties={"a": "1"})
    assert client.describe_collection("docs") == first


def test_creating_again_does_not_compare_functions(client: MilvusClient) -> None:
    create_docs(client)
    create_docs(client, function=ali(credential="apikey_prod"))
    assert "credential" not in client.describe_collection("docs")["functions"][0]["params"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"description": "other"}, id="another description"),
        pytest.param({"properties": {"owner": "b"}}, id="another property"),
        pytest.param({"num_shards": 2}, id="other shards"),
        pytest.param({"consistency_level": "Strong"}, id="another consistency level"),
        pytest.param({"auto_id": True}, id="generated keys"),
    ],
)
def test_creating_again_with_another_definition_is_refused(
    client: MilvusClient, arguments: Mapping[str, object]
) -> None:
    create_docs(client, properties={"owner": "a"})
    merged: dict[str, object] = {"properties": {"owner": "a"}, **arguments}
    with pytest.raises(MilvusException, match="create duplicate collection with different parameters") as error:
        create_docs(client, **merged)  # type: ignore[arg-type]
    assert error.value.code == 65535


def test_describe_keeps_what_milvus_lite_loses(client: MilvusClient) -> None:
    schema = client.create_schema(description="all texts")
    schema.add_field("id", DataType.INT64, is_primary=True, description="the key")
    schema.add_field("document", DataType.VARCHAR, max_length=9000)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1024)
    function = ali()
    function._description = "embeds"
    schema.add_function(function)
    client.create_collection("docs", schema=schema, num_shards=2, consistency_level="Session")
    described = client.describe_collection("docs")
    assert described["description"] == "all texts"
    assert described["fields"][0]["description"] == "the key"
    assert described["functions"][0]["description"] == "embeds"
    assert (described["num_shards"], described["consistency_level_name"]) == (2, "Session")
    assert [field["field_id"] for field in described["fields"]] == [100, 101, 102]
    assert described["functions"][0]["input_field_ids"] == [101]
    assert described["created_timestamp"] > 0
    assert described["properties"] == {"timezone": "UTC"}


def test_a_collection_created_anew_has_another_id(client: MilvusClient) -> None:
    create_docs(client)
    first = client.describe_collection("docs")["collection_id"]
    client.drop_collection("docs")
    create_docs(client)
    assert client.describe_collection("docs")["collection_id"] > first


def test_a_partition_key_gives_the_partitions_that_were_asked_for(client: MilvusClient) -> None:
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("tenant", DataType.VARCHAR, max_length=64, is_partition_key=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
    client.create_collection("tenants", schema=schema, num_partitions=8)
    assert client.describe_collection("tenants")["num_partitions"] == 8
    assert client.list_partitions("tenants") == [f"_default_{number}" for number in range(8)]


def build(client: MilvusClient, functions: Callable[[], list[Function]], *, nullable: bool = False) -> None:
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=100, nullable=nullable)
    schema.add_field("title", DataType.VARCHAR, max_length=100)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1024)
    schema.add_field("other", DataType.FLOAT_VECTOR, dim=1024)
    for function in functions():
        schema.add_function(function)
    client.create_collection("docs", schema=schema)


def embed(name: str, source: str, output: str) -> Function:
    params = {"provider": "dashscope", "model_name": "text-embedding-v3"}
    return Function(name, FunctionType.TEXTEMBEDDING, [source], [output], params=params)


def test_two_functions_may_share_an_input(client: MilvusClient) -> None:
    build(client, lambda: [embed("a", "document", "dense"), embed("b", "document", "other")])
    assert len(client.describe_collection("docs")["functions"]) == 2


def test_a_nullable_input_is_refused(client: MilvusClient) -> None:
    with pytest.raises(MilvusException, match="function input field cannot be nullable: function a, field document"):
        build(client, lambda: [embed("a", "document", "dense")], nullable=True)


@pytest.mark.parametrize(
    ("version", "functions"),
    [pytest.param("v2.5.4", 0, id="an old server loses functions"), pytest.param("v2.6.0", 1, id="2.6 keeps them")],
)
def test_what_a_version_keeps(milvus: EmbeddedMilvus, version: str, functions: int) -> None:
    milvus.version = version
    milvus.restart()
    client = MilvusClient(uri=milvus.uri, dedicated=True)
    create_docs(client)
    assert client.get_server_version() == version
    assert len(client.describe_collection("docs")["functions"]) == functions
    client.close()
