"""`plan`: what apply would do, against an embedded Milvus; nothing is changed by it."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymilvus import MilvusClient

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.cli.process import KEYS, Command

Edit = Callable[[dict[str, Any]], object]
Plan = Callable[..., tuple[int, dict[str, Any]]]


def edit(manifests: Path, kind: str, change: Edit) -> None:
    """Changes the spec of every object of a kind."""
    documents = list(yaml.safe_load_all(manifests.read_text()))
    for document in documents:
        if document["kind"] == kind:
            change(document["spec"])
    manifests.write_text(yaml.safe_dump_all(documents))


def without(manifests: Path, kind: str) -> None:
    documents = [d for d in yaml.safe_load_all(manifests.read_text()) if d["kind"] != kind]
    manifests.write_text(yaml.safe_dump_all(documents))


@pytest.fixture
def plan(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> Plan:
    """Plans, holds that nothing was changed and nothing told, and returns status and data."""

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        before = milvus.changing_calls
        ended = command("plan", "-f", manifests, "--milvus", milvus.uri, "-o", "json", *arguments)
        assert milvus.changing_calls == before
        assert not [key for key in KEYS if key in ended.out + ended.err]
        return ended.status, json.loads(ended.out)

    return run


@pytest.fixture
def applied(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> None:
    assert command("apply", "-f", manifests, "--milvus", milvus.uri).status == 0


def test_a_collection_that_is_not_there_would_be_created(plan: Plan, dashscope: DashScopeStandIn) -> None:
    status, data = plan()
    [collection] = data["collections"]
    assert (status, collection["outcome"], collection["collection"]) == (2, "Create", "default.docs")
    assert "function ali: document -> dense by text-embedding-v3, the provider's default key" in collection["creates"]
    assert data["summary"] == "Plan: 1 to create."
    assert not dashscope.calls


@pytest.mark.usefixtures("applied")
def test_what_is_as_declared_is_nothing_to_do(plan: Plan) -> None:
    status, data = plan()
    assert (status, data["collections"][0]["outcome"], data["summary"]) == (0, "Unchanged", "Plan: 1 unchanged.")


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("change", "status", "steps"),
    [
        pytest.param(
            lambda spec: spec.update(aliases=["library"]),
            2,
            [("InPlace", "spec.aliases[library]", "absent", "present", "Runs")],
            id="what nobody notices is made",
        ),
        pytest.param(
            lambda spec: spec.update(properties={"mmap.enabled": True}),
            3,
            [("Disruptive", "spec.properties[mmap.enabled]", "absent", "true", "Waits")],
            id="what disrupts waits",
        ),
        pytest.param(
            lambda spec: spec.update(properties={"collection.ttl.seconds": 60}),
            1,
            [("Destructive", "spec.properties[collection.ttl.seconds]", "absent", "60", "Refused")],
            id="what destroys is refused",
        ),
        pytest.param(
            lambda spec: spec.update(properties={"collection.ttl.seconds": 60}, changePolicy={"destructive": "Manual"}),
            3,
            [("Destructive", "spec.properties[collection.ttl.seconds]", "absent", "60", "Waits")],
            id="what destroys waits where that is allowed",
        ),
    ],
)
def test_each_step_has_class_values_and_what_becomes_of_it(
    plan: Plan, manifests: Path, change: Edit, status: int, steps: list[tuple[str, ...]]
) -> None:
    edit(manifests, "MilvusCollection", change)
    ended, data = plan()
    [collection] = data["collections"]
    told = [tuple(step[name] for name in ("class", "path", "from", "to", "fate")) for step in collection["steps"]]
    assert (ended, told, collection["outcome"]) == (status, steps, "Change")


@pytest.mark.usefixtures("applied")
def test_the_hash_is_the_one_that_an_operator_shows_and_takes(
    plan: Plan, command: Command, manifests: Path, milvus: EmbeddedMilvus
) -> None:
    edit(manifests, "MilvusCollection", lambda spec: spec.update(properties={"mmap.enabled": True}))
    hash_ = plan()[1]["collections"][0]["hash"]
    [told] = [
        entry["message"]
        for entry in json.loads(command("apply", "-f", manifests, "--milvus", milvus.uri, "-o", "json").out)
        if entry["kind"] == "MilvusCollection"
    ]
    assert f"approve the plan {hash_} " in told

    edit(manifests, "MilvusCollection", lambda spec: spec.update(changePolicy={"approvedPlan": hash_}))
    status, data = plan()
    assert (status, data["collections"][0]["steps"][0]["fate"]) == (2, "Runs")
    assert command("apply", "-f", manifests, "--milvus", milvus.uri).status == 0
    assert plan()[0] == 0


@pytest.mark.usefixtures("applied")
def test_another_model_is_a_rebuild_and_what_it_costs_is_estimated(plan: Plan, manifests: Path) -> None:
    edit(manifests, "EmbeddingFunction", lambda spec: spec["dashscope"].update(model="text-embedding-v2", dim=1536))
    edit(manifests, "MilvusCollection", lambda spec: [field.pop("dim", None) for field in spec["fields"]])
    status, data = plan()
    [collection] = data["collections"]
    assert (status, collection["class"], collection["estimate"]["rows"]) == (1, "Rebuild", 0)


def test_keys_may_be_missing_from_the_files(plan: Plan, manifests: Path) -> None:
    without(manifests, "Secret")
    status, data = plan()
    assert (status, data["collections"][0]["outcome"]) == (2, "Create")


@pytest.mark.usefixtures("applied")
def test_a_collection_of_another_owner_is_told_from_ours(plan: Plan) -> None:
    status, data = plan("--owner", "my-cluster")
    assert (status, data["collections"][0]["reason"]) == (1, "OwnedByOther")
    assert plan("--owner", "my-cluster", "--accept-owner", "files")[0] == 0


def test_a_database_that_is_made_is_part_of_the_plan(plan: Plan, manifests: Path, milvus: EmbeddedMilvus) -> None:
    edit(manifests, "MilvusCollection", lambda spec: spec.update(database="news", createDatabase=True))
    status, data = plan()
    [collection] = data["collections"]
    assert (status, collection["outcome"], collection["createsDatabase"]) == (2, "Create", "news")

    edit(manifests, "MilvusCollection", lambda spec: spec.update(createDatabase=False))
    status, data = plan()
    assert (status, data["collections"][0]["reason"]) == (1, "DatabaseNotFound")


def test_the_configuration_is_compared_with_what_apply_kept(
    plan: Plan, command: Command, manifests: Path, milvus: EmbeddedMilvus, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    command("apply", "-f", manifests, "--milvus", milvus.uri, "--write-config", kept)
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    assert plan("--config", kept)[0] == 0

    documents = list(yaml.safe_load_all(manifests.read_text()))
    documents = [d for d in documents if d.get("metadata", {}).get("name") != "apikey-prod"]
    for document in documents:
        if document["kind"] == "Secret":
            document["stringData"] = {name: "sk-another-one" for name in document["stringData"]}
    manifests.write_text(yaml.safe_dump_all(documents))
    status, data = plan("--config", kept)
    assert status == 2
    changes = {entry["label"]: entry["change"] for entry in data["configurations"][0]["labels"]}
    assert changes == {"apikey_dev": "Key", "apikey_prod": "Remove"}
    assert "sk-another-one" not in json.dumps(data)
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before


@pytest.mark.usefixtures("applied")
def test_what_is_only_observed_is_compared_and_never_to_be_done(plan: Plan, manifests: Path) -> None:
    changed = {"adoptionPolicy": "Observe", "aliases": ["library"]}
    edit(manifests, "MilvusCollection", lambda spec: spec.update(changed))
    status, data = plan()
    assert (status, [step["fate"] for step in data["collections"][0]["steps"]]) == (0, ["Held"])


@pytest.mark.usefixtures("applied")
def test_a_hand_over_is_part_of_the_plan(plan: Plan, manifests: Path) -> None:
    documents = list(yaml.safe_load_all(manifests.read_text()))
    for document in documents:
        if document["kind"] == "MilvusCollection":
            document["metadata"]["annotations"] = {"embedding.milvus.io/release-to": "search/docs-2"}
            heir = {**document, "metadata": {"name": "docs-2", "namespace": "search"}}
            heir["spec"] = {**document["spec"], "collectionName": "docs"}
    manifests.write_text(yaml.safe_dump_all([*documents, heir]))
    status, data = plan()
    [collection] = [entry for entry in data["collections"] if entry["name"] == "docs"]
    assert status == 2
    assert (collection["outcome"], collection["ownerTo"]) == ("HandOver", "files/search/docs-2")


def test_a_milvus_that_does_not_answer_is_told_at_once(command: Command, manifests: Path) -> None:
    ended = command("plan", "-f", manifests, "--milvus", "http://127.0.0.1:1", "--timeout", 50)
    assert ended.status == 1
    assert "MilvusConnection milvus/milvus: Unreachable: " in ended.out
    assert ended.out.splitlines()[-1] == "Plan: 2 that cannot be planned."


def test_what_is_invalid_is_not_planned(command: Command) -> None:
    ended = command("plan", "-f", "examples/invalid")
    assert ended.status == 1
    assert "nothing was planned: the manifests have" in ended.err


@pytest.mark.usefixtures("applied")
def test_the_text_is_for_people(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> None:
    edit(manifests, "MilvusCollection", lambda spec: spec.update(properties={"mmap.enabled": True}))
    ended = command("plan", "-f", manifests, "--milvus", milvus.uri)
    assert ended.status == 3
    assert "\n  ? Disruptive  spec.properties[mmap.enabled]: absent -> true (waits for an approval)\n" in ended.out
    assert "\n  kubectl -n search annotate --overwrite mcol docs embedding.milvus.io/approved-plan=" in ended.out
    assert ended.out.splitlines()[-1] == "Plan: 1 waiting for an approval."
    assert "\x1b" not in ended.out


def test_yaml_has_what_json_has(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> None:
    told = command("plan", "-f", manifests, "--milvus", milvus.uri, "-o", "yaml").out
    assert yaml.safe_load(told) == json.loads(
        command("plan", "-f", manifests, "--milvus", milvus.uri, "-o", "json").out
    )


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_pattern_of_endpoints_that_is_none_is_refused_before_anything_is_asked(
    command: Command, manifests: Path, verb: str
) -> None:
    ended = command(verb, "-f", manifests, "--allow-endpoint", "http://milvus:19530/path")

    assert ended.status == 1
    assert "without scheme and path" in ended.err


@pytest.mark.usefixtures("applied")
def test_dropping_a_partition_says_how_many_rows_go_with_it(
    plan: Plan, command: Command, manifests: Path, milvus: EmbeddedMilvus
) -> None:
    edit(manifests, "MilvusCollection", lambda spec: spec.update(partitions=["us"]))
    assert command("apply", "-f", manifests, "--milvus", milvus.uri).status == 0
    with contextlib.closing(MilvusClient(milvus.uri)) as client:
        client.insert("docs", [{"id": n, "document": "text"} for n in range(5)], partition_name="us")
        client.flush("docs")
    edit(manifests, "MilvusCollection", lambda spec: spec.update(partitions=[], changePolicy={"destructive": "Manual"}))
    [step] = plan()[1]["collections"][0]["steps"]
    assert (step["action"], step["losesRows"]) == ("DropPartition", 5)
    assert "\n      loses about 5 rows\n" in command("plan", "-f", manifests, "--milvus", milvus.uri).out
