"""What somebody changes in Milvus by hand: loaded again, else told and left as it is; never made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymilvus import DataType, Function, FunctionType

from tests.e2e import manifests
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, Stage

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tests.e2e.lab import OperatorProcess


def look_again(stage: Stage, operator: OperatorProcess, name: str = "docs") -> None:
    """Asks for a pass, and waits until one has ended."""
    before = operator.metric("milvus_embedding_reconciles_total", kind=COLLECTION)
    stage.lab.request_reconcile(COLLECTION, stage.namespace, name)
    eventually(
        "a pass", lambda: operator.metric("milvus_embedding_reconciles_total", kind=COLLECTION) > before, within=10
    )


def make_by_hand(client: MilvusClient, name: str, *, max_length: int = 9000) -> None:
    """The manual's collection as its Python example makes it."""
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=max_length)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1024)
    params = {"provider": "dashscope", "model_name": "text-embedding-v3", "credential": "apikey_dev"}
    function = Function(
        name="ali",
        function_type=FunctionType.TEXTEMBEDDING,
        input_field_names=["document"],
        output_field_names=["dense"],
        params=params,
    )
    schema.add_function(function)
    client.create_collection(name, schema=schema)


def platform(stage: Stage, **granted: Any) -> None:
    """Connection and credential, until Milvus has the key."""
    stage.apply(stage.connection(**granted), stage.secret(), stage.credential(**granted))
    stage.ready("EmbeddingCredential")
    eventually("Milvus has the key", lambda: "apikey_dev" in stage.site.mounted.read_text())


def test_a_collection_released_by_hand_is_loaded_again(stage: Stage, operator: OperatorProcess) -> None:
    stage.bring_up()
    with stage.site.client() as client:
        client.release_collection("docs")

        look_again(stage, operator)

        state = eventually("loaded", lambda: "Loaded" in str(client.get_load_state("docs")["state"]))
    assert state
    stage.ready(COLLECTION)


def test_an_index_dropped_by_hand_is_made_again(stage: Stage, operator: OperatorProcess) -> None:
    stage.bring_up()
    with stage.site.client() as client:
        client.release_collection("docs")
        client.drop_index("docs", client.list_indexes("docs")[0])

        look_again(stage, operator)

        stage.ready(COLLECTION)
        assert client.list_indexes("docs")


def test_report_only_tells(stage: Stage, operator: OperatorProcess) -> None:
    collection = stage.collection(driftPolicy="Report")
    stage.apply(stage.connection(), stage.secret(), stage.credential(), collection)
    stage.ready(COLLECTION)
    with stage.site.client() as client:
        client.release_collection("docs")
        calls = stage.site.milvus.changing_calls

        look_again(stage, operator)

        stage.reason(COLLECTION, "Drifted")
        assert stage.status(COLLECTION)["drift"] == [{"path": "spec.load.enabled", "want": "true", "have": "false"}]
        assert stage.site.milvus.changing_calls == calls


def test_a_property_changed_by_hand_is_told_field_by_field(stage: Stage, operator: OperatorProcess) -> None:
    declared = {"collection.ttl.seconds": 3600, "mmap.enabled": True}
    collection = stage.collection(properties=declared, driftPolicy="Report")
    stage.apply(stage.connection(), stage.secret(), stage.credential(), collection)
    stage.ready(COLLECTION)
    with stage.site.client() as client:
        client.alter_collection_properties("docs", {"collection.ttl.seconds": "60"})
        calls = stage.site.milvus.changing_calls

        look_again(stage, operator)

        message = stage.reason(COLLECTION, "Drifted")["message"]
        assert "properties[collection.ttl.seconds]" in message
        assert stage.condition(COLLECTION, "Drifted")["status"] == "True"
        assert stage.condition(COLLECTION, "Available")["status"] == "True"
        assert stage.status(COLLECTION)["drift"] == [
            {"path": "spec.properties[collection.ttl.seconds]", "want": "3600", "have": "60"}
        ]
        assert stage.site.milvus.changing_calls == calls

        client.alter_collection_properties("docs", {"collection.ttl.seconds": "3600"})
        look_again(stage, operator)
    stage.ready(COLLECTION)
    assert stage.condition(COLLECTION, "Drifted")["status"] == "False"
    assert "drift" not in stage.status(COLLECTION)


def test_a_property_changed_by_hand_is_repaired_where_no_row_can_go(stage: Stage, operator: OperatorProcess) -> None:
    declared = {"collection.ttl.seconds": 3600}
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection(properties=declared))
    stage.ready(COLLECTION)
    with stage.site.client() as client:
        client.alter_collection_properties("docs", {"collection.ttl.seconds": "60"})
        look_again(stage, operator)
        assert client.describe_collection("docs")["properties"]["collection.ttl.seconds"] == "3600"
        stage.ready(COLLECTION)

        client.alter_collection_properties("docs", {"collection.ttl.seconds": "7200"})
        calls = stage.site.milvus.changing_calls
        look_again(stage, operator)

        stage.reason(COLLECTION, "Drifted")
        assert stage.status(COLLECTION)["plan"]["class"] == "Destructive"
        assert stage.site.milvus.changing_calls == calls


def test_an_index_is_changed_once_its_plan_is_approved(stage: Stage, operator: OperatorProcess) -> None:
    stage.bring_up()
    calls = stage.site.milvus.changing_calls
    changed = stage.collection(indexes=[{"field": "dense", "type": "AUTOINDEX", "metric": "L2"}])
    stage.apply(changed)
    stage.reason(COLLECTION, "AwaitingApproval")
    assert stage.condition(COLLECTION, "Available")["status"] == "True"
    assert stage.site.milvus.changing_calls == calls

    changed["spec"]["changePolicy"] = {"approvedPlan": stage.status(COLLECTION)["plan"]["hash"]}
    stage.apply(changed)

    eventually("Ready", lambda: stage.condition(COLLECTION)["observedGeneration"] == 3)
    stage.ready(COLLECTION)
    assert "plan" not in stage.status(COLLECTION)
    with stage.site.client() as client:
        assert client.describe_index("docs", client.list_indexes("docs")[0])["metric_type"] == "L2"


def test_a_collection_of_others_that_differs_is_not_touched(stage: Stage) -> None:
    platform(stage)
    with stage.site.client() as client:
        make_by_hand(client, "docs", max_length=500)
        before, calls = client.describe_collection("docs"), stage.site.milvus.changing_calls

        stage.apply(stage.collection())

        stage.reason(COLLECTION, "NotMatching")
        assert client.describe_collection("docs") == before
    assert {"path": "spec.fields[document].maxLength", "want": "9000", "have": "500"} in stage.status(COLLECTION)[
        "drift"
    ]
    assert stage.site.milvus.changing_calls == calls


def test_a_collection_of_others_that_is_equal_is_not_touched(stage: Stage) -> None:
    platform(stage)
    with stage.site.client() as client:
        make_by_hand(client, "docs")
        before, calls = client.describe_collection("docs"), stage.site.milvus.changing_calls

        stage.apply(stage.collection(adoptionPolicy="Never"))

        stage.reason(COLLECTION, "NameTaken")
        assert client.describe_collection("docs") == before
    assert stage.site.milvus.changing_calls == calls


def test_another_namespace_does_not_learn_what_is_under_a_taken_name(stage: Stage) -> None:
    team = stage.team()
    platform(stage, allowedNamespaces={"from": "Names", "names": [team]})
    with stage.site.client() as client:
        make_by_hand(client, "docs", max_length=500)
    named = {"name": "apikey-dev", "namespace": stage.namespace}

    stage.apply(manifests.collection(team, "docs", at=stage.namespace, credential_ref=named))

    stage.lab.wait_condition(COLLECTION, team, "docs", reason="NameTaken")
    assert "drift" not in (stage.lab.get(COLLECTION, team, "docs") or {})["status"]


@pytest.mark.parametrize("other_namespace", [False, True], ids=["of this namespace", "of another namespace"])
def test_a_collection_belongs_to_the_object_that_made_it(stage: Stage, other_namespace: bool) -> None:
    team = stage.team() if other_namespace else stage.namespace
    open_to_all: dict[str, Any] = {"allowedNamespaces": {"from": "All"}}
    stage.apply(stage.connection(**open_to_all), stage.secret(), stage.credential(**open_to_all), stage.collection())
    stage.ready(COLLECTION)
    calls = stage.site.milvus.changing_calls
    named = {"name": "apikey-dev", "namespace": stage.namespace}

    second = manifests.collection(
        team, "copy", at=stage.namespace, credential_ref=named, collectionName="docs", description="other"
    )
    stage.apply(second)

    message = stage.lab.wait_condition(COLLECTION, team, "copy", reason="OwnedByOther")["message"]
    whose = "another owner" if other_namespace else "MilvusCollection docs of this namespace"
    assert f"belongs to {whose}" in message
    assert stage.site.milvus.changing_calls == calls
    stage.ready(COLLECTION)


def test_a_collection_dropped_by_hand_is_lost_and_not_made_anew(stage: Stage, operator: OperatorProcess) -> None:
    stage.bring_up()
    with stage.site.client() as client:
        client.drop_collection("docs")
        calls = stage.site.milvus.changing_calls

        look_again(stage, operator)

        stage.reason(COLLECTION, "Lost")
        assert stage.condition(COLLECTION, "Available")["status"] == "False"
        look_again(stage, operator)
        look_again(stage, operator)
        assert stage.condition(COLLECTION)["reason"] == "Lost"
        assert stage.site.milvus.changing_calls == calls
        assert client.list_collections() == []


def test_a_collection_dropped_and_made_again_by_hand_is_lost(stage: Stage, operator: OperatorProcess) -> None:
    stage.bring_up()
    with stage.site.client() as client:
        client.drop_collection("docs")
        make_by_hand(client, "docs")
        calls = stage.site.milvus.changing_calls

        look_again(stage, operator)

        # Without our stamp it is somebody else's, equal or not.
        found = eventually(
            "told", lambda: stage.condition(COLLECTION)["reason"] in ("Lost", "NotSupportedYet", "NameTaken")
        )
    assert found
    assert stage.site.milvus.changing_calls == calls


def test_an_object_that_is_deleted_and_applied_again_takes_up_its_collection(stage: Stage) -> None:
    stage.bring_up()
    with stage.site.client() as client:
        client.insert("docs", [{"id": 1, "document": "kept"}])
    calls = stage.site.milvus.changing_calls

    stage.lab.delete(COLLECTION, stage.namespace, "docs")
    stage.wait_gone(COLLECTION)
    with stage.site.client() as client:
        assert client.list_collections() == ["docs"]
    stage.apply(stage.collection())

    stage.ready(COLLECTION)
    assert stage.site.milvus.changing_calls == calls
