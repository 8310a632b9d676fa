"""The manual's page as manifests, from `kubectl apply` to a search by text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e import audit
from tests.e2e.lab import eventually
from tests.e2e.quickstart import RENDERED, Quickstart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Lab, OperatorProcess

TEXTS = [
    "Artificial intelligence was founded as an academic discipline in 1956.",
    "Alan Turing was the first person to conduct substantial research in AI.",
    "Born in Maida Vale, London, Turing was raised in southern England.",
    "向量数据库为相似性检索而设计。",
    "The recipe needs two eggs, flour and a little milk.",
]
SEARCHES = {
    "academic discipline of artificial intelligence": 0,
    "Turing was born in London": 2,
    "相似性检索的数据库": 3,
}


@pytest.fixture(scope="module")
def quickstart(lab: Lab, operator: OperatorProcess, measured: dict[str, float]) -> Iterator[Quickstart]:
    with Quickstart(lab) as opened:
        opened.apply()
        start = time.monotonic()
        opened.wait_ready()
        measured["quickstart: Ready after kubectl apply"] = time.monotonic() - start
        yield opened


def test_kubectls_own_table_shows_every_object_ready(quickstart: Quickstart) -> None:
    table = quickstart.lab.plane.kubectl("get", "milvus", "--all-namespaces").stdout

    quickstart.lab.keep_evidence("table", table)
    rows = [line.split() for line in table.splitlines() if line and not line.startswith("NAMESPACE")]
    shown = {(row[0], row[1].partition(".")[0], row[1].partition("/")[2]): row[2:4] for row in rows}
    for body in quickstart.objects:
        metadata = body["metadata"]
        assert shown[metadata["namespace"], body["kind"].lower(), metadata["name"]] == ["True", "Ready"]


def test_the_rendered_section_is_the_manuals(quickstart: Quickstart) -> None:
    data = quickstart.lab.secret_data("milvus", RENDERED) or {}

    dev, prod = quickstart.keys
    assert yaml.safe_load(data["embedding.yaml"]) == {
        "credential": {"apikey_dev": {"apikey": dev}, "apikey_prod": {"apikey": prod}},
        "function": {
            "textEmbedding": {
                "providers": {"dashscope": {"credential": "apikey_dev", "url": quickstart.site.dashscope.url}}
            }
        },
    }


def test_pymilvus_describes_the_collection_as_declared(quickstart: Quickstart) -> None:
    with quickstart.site.client() as client:
        described = client.describe_collection("docs")
        indexed = client.describe_index("docs", client.list_indexes("docs")[0])
        state = client.get_load_state("docs")

    assert [field["name"] for field in described["fields"]] == ["id", "document", "dense"]
    assert described["fields"][1]["params"]["max_length"] == 9000
    assert described["fields"][2]["params"]["dim"] == 1024
    assert [function["name"] for function in described["functions"]] == ["ali"]
    assert described["functions"][0]["params"] == {"provider": "dashscope", "model_name": "text-embedding-v3"}
    assert (indexed["field_name"], indexed["metric_type"]) == ("dense", "COSINE")
    assert "Loaded" in str(state["state"])


def test_texts_go_in_and_searches_by_text_find_them(quickstart: Quickstart) -> None:
    with quickstart.site.client() as client:
        client.insert("docs", [{"id": number, "document": text} for number, text in enumerate(TEXTS)])
        found = client.search("docs", data=list(SEARCHES), anns_field="dense", limit=1, output_fields=["document"])

    assert [hits[0]["entity"]["document"] for hits in found] == [TEXTS[number] for number in SEARCHES.values()]


def test_applying_it_again_changes_nothing(quickstart: Quickstart, operator: OperatorProcess) -> None:
    lab, milvus = quickstart.lab, quickstart.site.milvus
    operator.wait_quiet()
    writes, calls = len(audit.changes(lab.plane.audit_log)), milvus.changing_calls

    answer = quickstart.apply()

    # A Secret with stringData is "configured" each time: kubectl compares it with what the server stores as data.
    ours = [line for line in answer.stdout.splitlines() if not line.startswith("secret/")]
    assert [line for line in ours if not line.endswith(" unchanged")] == []
    before = operator.metric("milvus_embedding_reconciles_total")
    for body in quickstart.objects:
        lab.request_reconcile(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
    eventually(
        "every object was looked at again",
        lambda: operator.metric("milvus_embedding_reconciles_total") >= before + len(quickstart.objects),
    )
    operator.wait_quiet()
    quickstart.wait_ready()
    assert audit.changes(lab.plane.audit_log)[writes:] == []
    assert milvus.changing_calls == calls
