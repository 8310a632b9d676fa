"""The manual's DashScope page, end to end, with the client that the page uses."""

import pytest
from pymilvus import DataType, MilvusClient

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.dashscope.server import fingerprint
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import DEV_KEY, PROD_KEY, Workspace, ali, create_docs

TEXTS = (
    "Milvus is a vector database built for similarity search",
    "The cat sleeps on the warm windowsill",
    "今天北京的天气很好我们去公园",
    "Kubernetes schedules containers on a cluster of machines",
)


def first_hit(client: MilvusClient, text: str) -> str:
    hits = client.search("docs", data=[text], limit=1, output_fields=["document"])
    return str(hits[0][0]["entity"]["document"])


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        pytest.param("which database does vector similarity?", 0, id="English, other words around"),
        pytest.param("a sleeping cat", 1, id="English, inflected"),
        pytest.param("北京天气", 2, id="Chinese"),
        pytest.param("containers in kubernetes clusters", 3, id="English, plural"),
    ],
)
def test_a_search_by_text_finds_the_right_row_first(client: MilvusClient, query: str, hit: int) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", [{"id": number, "document": text} for number, text in enumerate(TEXTS)])
    assert first_hit(client, query) == TEXTS[hit]


def test_rows_are_embedded_as_documents_and_queries_as_queries(
    client: MilvusClient, stand_in: DashScopeStandIn
) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", [{"id": number, "document": text} for number, text in enumerate(TEXTS)])
    first_hit(client, "cat")
    assert [(call.text_type, call.texts) for call in stand_in.calls] == [("document", 1), ("document", 4), ("query", 1)]


@pytest.mark.parametrize(
    ("credential", "key"),
    [
        pytest.param(None, DEV_KEY, id="without a label the provider's default is used"),
        pytest.param("apikey_dev", DEV_KEY, id="with the label of development"),
        pytest.param("apikey_prod", PROD_KEY, id="with the label of production"),
    ],
)
def test_the_label_chooses_the_key(
    client: MilvusClient, stand_in: DashScopeStandIn, credential: str | None, key: str
) -> None:
    create_docs(client, function=ali(credential=credential))
    assert stand_in.calls[-1].key_fingerprint == fingerprint(key)


@pytest.mark.parametrize("dim", [1024, 768, 512])
def test_v3_shortens_its_vectors_by_dim(client: MilvusClient, stand_in: DashScopeStandIn, dim: int) -> None:
    create_docs(client, function=ali(dim=str(dim)), dim=dim)
    assert stand_in.calls[-1].dimension == dim


@pytest.mark.parametrize("model", ["text-embedding-v2", "text-embedding-v1"])
def test_v2_and_v1_give_1536(client: MilvusClient, model: str) -> None:
    create_docs(client, function=ali(model_name=model), dim=1536)
    assert client.has_collection("docs")


def test_a_key_changed_in_milvus_yaml_is_used_by_the_next_call(
    client: MilvusClient, workspace: Workspace, stand_in: DashScopeStandIn
) -> None:
    create_docs(client)
    stand_in.keys = {"sk-rotated"}
    workspace.write({"apikey_dev": "sk-rotated"}, default="apikey_dev")
    client.insert("docs", [{"id": 1, "document": "hello"}])
    assert stand_in.calls[-1].key_fingerprint == fingerprint("sk-rotated")


@pytest.mark.parametrize("variable", ["MILVUS_DASHSCOPE_API_KEY", "MILVUSAI_DASHSCOPE_API_KEY"])
def test_option_two_gives_the_key_by_a_variable(
    milvus: EmbeddedMilvus, workspace: Workspace, stand_in: DashScopeStandIn, variable: str
) -> None:
    workspace.write({})
    milvus.environment = {variable: PROD_KEY}
    milvus.restart()
    client = MilvusClient(uri=milvus.uri, dedicated=True)
    create_docs(client)
    client.close()
    assert stand_in.calls[-1].key_fingerprint == fingerprint(PROD_KEY)


def test_milvus_yaml_wins_over_the_variable(milvus: EmbeddedMilvus, stand_in: DashScopeStandIn) -> None:
    milvus.environment = {"MILVUS_DASHSCOPE_API_KEY": PROD_KEY}
    milvus.restart()
    client = MilvusClient(uri=milvus.uri, dedicated=True)
    create_docs(client)
    client.close()
    assert stand_in.calls[-1].key_fingerprint == fingerprint(DEV_KEY)


def test_describe_tells_the_function_as_it_was_declared(client: MilvusClient) -> None:
    create_docs(client, function=ali(credential="apikey_dev", dim="1024"))
    described = client.describe_collection("docs")
    function = described["functions"][0]
    assert function["name"] == "ali"
    assert function["params"] == {
        "provider": "dashscope",
        "model_name": "text-embedding-v3",
        "credential": "apikey_dev",
        "dim": "1024",
    }
    assert (function["input_field_names"], function["output_field_names"]) == (["document"], ["dense"])
    assert [field["type"] for field in described["fields"]] == [
        DataType.INT64,
        DataType.VARCHAR,
        DataType.FLOAT_VECTOR,
    ]
    assert described["fields"][2]["is_function_output"] is True
