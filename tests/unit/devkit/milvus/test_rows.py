"""Rows: limits and empty texts, key order, counts, copied vectors, generated keys."""

import grpc
import pytest
from pymilvus import AnnSearchRequest, DataType, Function, FunctionType, MilvusClient, RRFRanker
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc, schema_pb2

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import Workspace, ali, create_docs


def rows(*keys: int) -> list[dict[str, object]]:
    return [{"id": key, "document": f"text {key}"} for key in keys]


def test_pages_come_in_key_order(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", rows(5, 3, 9))
    client.insert("docs", rows(1, 7))
    client.flush("docs")
    client.insert("docs", rows(4))
    seen: list[int] = []
    while page := client.query("docs", filter=f"id > {seen[-1] if seen else -1}", limit=2):
        seen.extend(row["id"] for row in page)
    assert seen == [1, 3, 4, 5, 7, 9]
    assert [row["id"] for row in client.query("docs", filter="id in [9, 1]")] == [1, 9]


def test_a_search_without_output_fields_gives_keys_only(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", rows(1))
    assert client.search("docs", data=["text"], limit=1)[0][0]["entity"] == {}


def test_count_is_exact_and_needs_the_collection_loaded(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", rows(1, 2))
    client.upsert("docs", rows(2))
    client.delete("docs", ids=[1])
    assert client.query("docs", filter="", output_fields=["count(*)"])[0]["count(*)"] == 1
    client.release_collection("docs")
    with pytest.raises(MilvusException) as error:
        client.query("docs", filter="", output_fields=["count(*)"])
    assert error.value.code == 101


def test_more_rows_than_five_batches_are_refused_unpaid(client: MilvusClient, stand_in: DashScopeStandIn) -> None:
    create_docs(client, loaded=True)
    stand_in.calls.clear()
    with pytest.raises(MilvusException, match=r"numRows \[31\] > function \[ali\]'s max batch \[30\]"):
        client.insert("docs", rows(*range(31)))
    with pytest.raises(MilvusException, match=r"Nq \[31\] > function \[ali\]'s max batch \[30\]"):
        client.search("docs", data=["x"] * 31)
    assert stand_in.calls == []
    client.insert("docs", rows(*range(30)))
    assert [call.texts for call in stand_in.calls] == [6] * 5


def test_empty_texts_are_refused(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    with pytest.raises(MilvusException, match="There is an empty string in the input data"):
        client.insert("docs", [{"id": 1, "document": ""}, {"id": 2, "document": "full"}])
    with pytest.raises(MilvusException, match="There is an empty string in the queries"):
        client.search("docs", data=[""])


def test_a_label_that_is_gone_breaks_inserts_and_vector_searches(client: MilvusClient, workspace: Workspace) -> None:
    create_docs(client, loaded=True)
    workspace.write({}, default="apikey_dev")
    with pytest.raises(MilvusException, match=r"can not find key: apikey_dev\.apikey"):
        client.insert("docs", rows(1))
    with pytest.raises(MilvusException, match=r"can not find key: apikey_dev\.apikey"):
        client.search("docs", data=[[0.1] * 1024])


def test_an_upsert_embeds_the_new_text(client: MilvusClient) -> None:
    create_docs(client, loaded=True)
    client.insert("docs", [{"id": 1, "document": "bread and butter"}, {"id": 2, "document": "sun and moon"}])
    client.upsert("docs", [{"id": 1, "document": "wind and weather"}])
    assert client.search("docs", data=["weather"], limit=1)[0][0]["id"] == 1


def test_vectors_are_copied_only_where_a_property_allows_it(
    client: MilvusClient, milvus: EmbeddedMilvus, stand_in: DashScopeStandIn
) -> None:
    create_docs(client, loaded=True)
    stand_in.calls.clear()
    scalars, vectors = schema_pb2.ScalarField, schema_pb2.VectorField
    request = milvus_pb2.InsertRequest(
        collection_name="docs",
        num_rows=1,
        fields_data=[
            schema_pb2.FieldData(
                type=DataType.INT64, field_name="id", scalars=scalars(long_data=schema_pb2.LongArray(data=[1]))
            ),
            schema_pb2.FieldData(
                type=DataType.VARCHAR,
                field_name="document",
                scalars=scalars(string_data=schema_pb2.StringArray(data=["text"])),
            ),
            schema_pb2.FieldData(
                type=DataType.FLOAT_VECTOR,
                field_name="dense",
                vectors=vectors(dim=1024, float_vector=schema_pb2.FloatArray(data=[1.0, *[0.0] * 1023])),
            ),
        ],
    )
    # pymilvus refuses such rows by itself, so the request is made by hand.
    with grpc.insecure_channel(milvus.uri.removeprefix("http://")) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        refused = stub.Insert(request, timeout=20)
        assert (refused.status.code, "function output field" in refused.status.reason) == (1100, True)
        client.alter_collection_properties("docs", {"collection.function.allowInsertNonBM25FunctionOutputs": "true"})
        assert stub.Insert(request, timeout=20).status.code == 0
    assert client.get("docs", ids=[1], output_fields=["dense"])[0]["dense"][0] == 1.0
    assert stand_in.calls == []


def test_an_upsert_on_generated_keys_renumbers(client: MilvusClient) -> None:
    create_docs(client, loaded=True, auto_id=True)
    key = client.insert("docs", [{"document": "one"}])["ids"][0]
    client.upsert("docs", [{"id": key, "document": "two"}])
    found = client.query("docs", filter="id >= 0", output_fields=["document"])
    assert [row["document"] for row in found] == ["two"]
    assert found[0]["id"] != key


def test_a_hybrid_search_embeds_texts_beside_bm25(client: MilvusClient, stand_in: DashScopeStandIn) -> None:
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=1000, enable_analyzer=True)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1024)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(ali())
    schema.add_function(Function("terms", FunctionType.BM25, ["document"], ["sparse"]))
    params = client.prepare_index_params()
    params.add_index("dense", index_type="AUTOINDEX", metric_type="COSINE")
    params.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    client.create_collection("docs", schema=schema)
    client.create_index("docs", params, sync=False)
    client.load_collection("docs")
    client.insert("docs", [{"id": 1, "document": "red apples"}, {"id": 2, "document": "blue skies"}])
    parts = [AnnSearchRequest(["blue sky"], field, {}, limit=2) for field in ("dense", "sparse")]
    assert client.hybrid_search("docs", parts, RRFRanker(), limit=1)[0][0]["id"] == 2
    assert stand_in.calls[-1].text_type == "query"
    stand_in.calls.clear()
    assert client.search("docs", data=["apples"], anns_field="sparse", limit=1)[0][0]["id"] == 1
    assert stand_in.calls == []


def test_a_truncated_collection_keeps_its_description(client: MilvusClient, milvus: EmbeddedMilvus) -> None:
    create_docs(client, loaded=True, description="kept")
    client.insert("docs", rows(1))
    client.truncate_collection("docs")
    assert client.query("docs", filter="", output_fields=["count(*)"])[0]["count(*)"] == 0
    milvus.restart()
    again = MilvusClient(uri=milvus.uri, dedicated=True)
    assert again.describe_collection("docs")["description"] == "kept"
    again.close()
