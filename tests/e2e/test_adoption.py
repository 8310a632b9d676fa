"""Collections that somebody else made, and another Milvus under the same address, on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e import manifests
from tests.e2e.stage import COLLECTION, CONNECTION, Stage
from tests.e2e.test_drift import look_again, make_by_hand, platform

if TYPE_CHECKING:
    from tests.e2e.lab import OperatorProcess

OWNER = "embedding.milvus.io/owner"


def test_adopted_then_observed_then_handed_over(stage: Stage, operator: OperatorProcess) -> None:
    platform(stage)
    with stage.site.client() as client:
        make_by_hand(client, "docs")
        client.insert("docs", [{"id": 1, "document": "by hand"}])
        made = client.describe_collection("docs")["collection_id"]

        stage.apply(stage.collection())

        stage.ready(COLLECTION)
        assert _owner(client.describe_collection("docs")["properties"]) == f"{stage.namespace}/docs"
        calls = stage.site.milvus.changing_calls

        stage.apply(stage.collection("watcher", collectionName="docs", adoptionPolicy="Observe"))
        stage.reason(COLLECTION, "Observed", name="watcher")
        stage.apply(stage.collection("heir", collectionName="docs"))
        stage.reason(COLLECTION, "OwnedByOther", name="heir")
        assert stage.site.milvus.changing_calls == calls

        stage.lab.plane.kubectl(
            "annotate",
            "milvuscollection",
            "docs",
            "-n",
            stage.namespace,
            f"embedding.milvus.io/release-to={stage.namespace}/heir",
        )
        stage.reason(COLLECTION, "HandedOver")
        look_again(stage, operator, "heir")

        stage.ready(COLLECTION, "heir")
        stage.reason(COLLECTION, "HandedOver")
        stage.reason(COLLECTION, "Observed", name="watcher")
        described = client.describe_collection("docs")
        assert _owner(described["properties"]) == f"{stage.namespace}/heir"
        assert described["collection_id"] == made
        assert [row["document"] for row in client.query("docs", filter="id == 1")] == ["by hand"]


def test_an_empty_milvus_under_the_uri_is_told_once_and_nothing_is_made_there(
    stage: Stage, operator: OperatorProcess
) -> None:
    stage.bring_up(stage.collection("faq"))
    stage.ready(COLLECTION, "faq")
    calls = stage.site.milvus.changing_calls
    with stage.lab.site(stage.lab.namespace("empty"), keys=(stage.key,)) as empty:
        stage.apply(manifests.connection(stage.namespace, empty.milvus.uri, url=stage.site.dashscope.url))

        stage.reason(CONNECTION, "ServerReplaced")
        for name in ("docs", "faq"):
            stage.reason(COLLECTION, "Lost", name=name)
            look_again(stage, operator, name)
        assert empty.milvus.changing_calls == 0

        stage.apply(stage.connection())

        stage.ready(CONNECTION)
        for name in ("docs", "faq"):
            stage.ready(COLLECTION, name)
        assert empty.milvus.changing_calls == 0
    assert stage.site.milvus.changing_calls == calls


def _owner(properties: dict[str, str]) -> str:
    """namespace/name of the stamp."""
    return properties[OWNER].split("/", 1)[1]
