"""MilvusCollection: what differs from the spec afterwards, by whose hand, and what the policies make of it."""

import dataclasses
from collections.abc import Callable

import pytest

from milvus_embedding.domain.schema import Field, Index, LoadState
from tests.fakes.milvus import StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS, ali, collection, fields

Hand = Callable[[StoredCollection], None]
SMALL = {"dashscope": {"model": "text-embedding-v3", "dim": 512}}


def schema(**changes: object) -> Hand:
    def hand(stored: StoredCollection) -> None:
        stored.schema = dataclasses.replace(stored.schema, **changes)  # type: ignore[arg-type]

    return hand


def field(name: str, **changes: object) -> Hand:
    def hand(stored: StoredCollection) -> None:
        changed = [
            dataclasses.replace(f, **changes) if f.name == name else f  # type: ignore[arg-type]
            for f in stored.schema.fields
        ]
        stored.schema = dataclasses.replace(stored.schema, fields=tuple(changed))

    return hand


def function(**params: str) -> Hand:
    def hand(stored: StoredCollection) -> None:
        (one,) = stored.schema.functions
        changed = dataclasses.replace(one, params={**one.params, **params})
        stored.schema = dataclasses.replace(stored.schema, functions=(changed,))

    return hand


def properties(**values: str) -> Hand:
    def hand(stored: StoredCollection) -> None:
        merged = {**stored.schema.properties, **{name.replace("_", "."): value for name, value in values.items()}}
        stored.schema = dataclasses.replace(stored.schema, properties=merged)

    return hand


def index(**changes: object) -> Hand:
    def hand(stored: StoredCollection) -> None:
        stored.indexes["dense"] = dataclasses.replace(stored.indexes["dense"], **changes)  # type: ignore[arg-type]

    return hand


def added_field(stored: StoredCollection) -> None:
    extra = Field(name="extra", type="INT64", nullable=True)
    stored.schema = dataclasses.replace(stored.schema, fields=(*stored.schema.fields, extra))


def added_index(stored: StoredCollection) -> None:
    stored.indexes["by_text"] = Index(field="document", name="by_text", type="INVERTED")


def added_partition(stored: StoredCollection) -> None:
    stored.partitions.append("by_hand")


DRIFTS: dict[str, tuple[Hand, str, str, str]] = {
    # what a hand did -> path, want, have
    "description": (schema(description="another"), "spec.description", "documents", "another"),
    "dynamic field": (schema(dynamic=True), "spec.enableDynamicField", "false", "true"),
    "shards": (schema(shards=4), "spec.shards", "1", "4"),
    "consistency": (schema(consistency="Strong"), "spec.consistencyLevel", "Bounded", "Strong"),
    "a property": (properties(collection_ttl_seconds="60"), "spec.properties[collection.ttl.seconds]", "3600", "60"),
    "the length": (field("document", params={"max_length": "100"}), "spec.fields[document].maxLength", "9000", "100"),
    "nullable": (field("document", nullable=True), "spec.fields[document].nullable", "false", "true"),
    "a field added": (added_field, "spec.fields[extra]", "absent", "INT64"),
    "the model": (
        function(model_name="text-embedding-v2"),
        "spec.functions[ali].textEmbedding.model",
        "text-embedding-v3",
        "text-embedding-v2",
    ),
    "the label": (function(credential="other"), "spec.functions[ali].textEmbedding.credential", "absent", "other"),
    "the function dropped": (
        schema(functions=()),
        "spec.functions[ali]",
        "TextEmbedding of document in dense, dim=1024, model_name=text-embedding-v3, provider=dashscope",
        "absent",
    ),
    "the metric": (index(metric="IP"), "spec.indexes[dense].metric", "COSINE", "IP"),
    "the index type": (index(type="HNSW"), "spec.indexes[dense].type", "AUTOINDEX", "HNSW"),
    "an index added": (added_index, "spec.indexes[by_text]", "absent", "INVERTED on document"),
    "a partition added": (added_partition, "spec.partitions[by_hand]", "absent", "present"),
}
SPEC: dict[str, object] = {"description": "documents", "properties": {"collection.ttl.seconds": 3600}}


async def ready(bench: Bench, **spec: object) -> StoredCollection:
    bench.quickstart(**{**SPEC, **spec})
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    bench.milvus.calls.clear()
    return bench.milvus.collection("docs")


# what a hand did -> the calls that repair it under Enforce; all else waits for an approval
REPAIRS = {
    "description": ["alter_properties"],
    "consistency": ["alter_properties"],
    "a property": ["alter_properties"],
    "the length": ["alter_field"],
    "the label": ["alter_function"],
}
WAITS = {what: "AwaitingApproval" for what in ("the metric", "the index type", "an index added")} | {
    what: "RebuildNeeded" for what in ("shards", "nullable", "the model")
}


@pytest.mark.parametrize("what", DRIFTS)
async def test_enforce_repairs_what_nobody_notices_and_nothing_else(bench: Bench, what: str) -> None:
    hand, *_ = DRIFTS[what]
    hand(await ready(bench))

    await bench.settle()

    assert [call.method for call in bench.milvus.changing] == REPAIRS.get(what, [])
    if what in REPAIRS:
        assert bench.condition(DOCS) == ("True", "Ready")
        assert bench.condition(DOCS, "PlanApproved") == ("absent", "")
        assert [note.reason for told in bench.told for note in told.notes] == ["DriftRepaired"]
    else:
        assert bench.condition(DOCS) == ("False", "Drifted")
        assert bench.condition(DOCS, "Drifted") == ("True", "Drifted")
        assert bench.condition(DOCS, "PlanApproved")[1] == WAITS.get(what, bench.condition(DOCS, "PlanApproved")[1])


@pytest.mark.parametrize("what", DRIFTS)
async def test_each_difference_is_told_once_with_its_path(bench: Bench, what: str) -> None:
    hand, path, want, have = DRIFTS[what]
    hand(await ready(bench, driftPolicy="Report"))

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "Drifted")
    assert bench.condition(DOCS, "Drifted") == ("True", "Drifted")
    assert bench.world.status(DOCS)["drift"] == [{"path": path, "want": want, "have": have}]
    assert bench.milvus.changing == []
    in_indexes = path.startswith("spec.indexes")
    assert bench.condition(DOCS, "IndexesInSync")[0] == ("False" if in_indexes else "True")
    assert bench.condition(DOCS, "SchemaInSync")[0] == ("True" if in_indexes else "False")
    assert bench.condition(DOCS, "Available")[0] == ("False" if what == "the function dropped" else "True")


async def test_drift_that_is_taken_back_is_forgotten(bench: Bench) -> None:
    stored = await ready(bench)
    before, as_declared = bench.world.status(DOCS), stored.schema
    schema(shards=4)(stored)
    await bench.settle()

    stored.schema = as_declared
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert set(bench.world.status(DOCS)) == set(before)


@pytest.mark.parametrize("name", ["timezone", "max_field_id", "unknown.to.us"])
async def test_what_nobody_declared_is_no_drift(bench: Bench, name: str) -> None:
    stored = await ready(bench)
    stored.schema = dataclasses.replace(stored.schema, properties={**stored.schema.properties, name: "1"})

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")


async def test_a_released_collection_is_loaded_again(bench: Bench) -> None:
    stored = await ready(bench)
    stored.load = LoadState.NOT_LOADED

    await bench.settle()

    assert [call.method for call in bench.milvus.changing] == ["load"]
    assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.parametrize(
    ("spec", "method"),
    [({"partitions": ["news"]}, "create_partition"), ({"aliases": ["current"]}, "create_alias")],
)
async def test_what_a_hand_removed_is_made_again(bench: Bench, spec: dict[str, object], method: str) -> None:
    stored = await ready(bench, **spec)
    stored.partitions = ["_default"]
    bench.milvus.databases["default"].aliases.clear()

    await bench.settle()

    assert [call.method for call in bench.milvus.changing] == [method]
    assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"driftPolicy": "Report"}, id="Report"),
        pytest.param({"changePolicy": {"inPlace": "Manual"}}, id="inPlace Manual"),
        pytest.param({"changePolicy": {"inPlace": "Never"}}, id="inPlace Never"),
    ],
)
async def test_policies_that_only_report(bench: Bench, policy: dict[str, object]) -> None:
    stored = await ready(bench, **policy)
    stored.load = LoadState.NOT_LOADED

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "Drifted")
    assert bench.world.status(DOCS)["drift"] == [{"path": "spec.load.enabled", "want": "true", "have": "false"}]
    assert bench.milvus.changing == []


async def test_a_released_collection_is_not_told_to_be_loaded_or_available(bench: Bench) -> None:
    stored = await ready(bench, driftPolicy="Report")
    stored.load = LoadState.NOT_LOADED

    await bench.settle()

    assert bench.condition(DOCS, "Loaded") == ("False", "Drifted")
    assert bench.condition(DOCS, "Available") == ("False", "Drifted")


async def test_ignore_passes_over_drift(bench: Bench) -> None:
    stored = await ready(bench, driftPolicy="Ignore")
    schema(shards=4)(stored)
    stored.load = LoadState.NOT_LOADED

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "DriftIgnored")
    assert bench.condition(DOCS, "Available")[0] == "False"
    assert bench.milvus.changing == []


@pytest.mark.parametrize("policy", ["Enforce", "Report", "Ignore"])
@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"shards": 2}, "shards", "RebuildNeeded"),
        ({"functions": []}, "functions[ali]", "ChangeNotAllowed"),
        ({"functions": [ali(SMALL)], "fields": fields(dim=512)}, "dim", "RebuildNeeded"),
        ({"indexes": [{"field": "dense", "metric": "L2"}]}, "indexes[dense].metric", "AwaitingApproval"),
        ({"load": {"enabled": False}}, "load.enabled", "AwaitingApproval"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_change_of_the_spec_is_no_drift_and_is_never_ignored(
    bench: Bench, policy: str, change: dict[str, object], path: str, reason: str
) -> None:
    await ready(bench, driftPolicy=policy)

    bench.apply(collection(**{**SPEC, "driftPolicy": policy, **change}))
    await bench.settle()

    assert bench.condition(DOCS) == ("False", reason)
    assert bench.condition(DOCS, "Drifted") == ("False", reason)
    assert bench.condition(DOCS, "PlanApproved") == ("False", reason)
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert path in bench.message(DOCS)
    assert "drift" not in bench.world.status(DOCS)
    assert bench.milvus.changing == []
    assert bench.world.status(DOCS)["observedGeneration"] == 2


async def test_a_change_that_is_taken_back_is_ready_again(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(**{**SPEC, "shards": 2}))
    await bench.settle()

    bench.apply(collection(**SPEC))
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.parametrize("policy", ["Enforce", "Report", "Ignore"])
async def test_a_change_that_nobody_notices_is_made(bench: Bench, policy: str) -> None:
    await ready(bench, driftPolicy=policy)

    bench.apply(collection(**{**SPEC, "driftPolicy": policy, "partitions": ["news"], "aliases": ["current"]}))
    await bench.settle()

    assert [call.method for call in bench.milvus.changing] == ["create_partition", "create_alias"]
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_drift_is_still_drift_after_milvus_was_away(bench: Bench) -> None:
    stored = await ready(bench, driftPolicy="Report")
    bench.milvus.unreachable = True
    await bench.settle(DOCS)
    assert bench.condition(DOCS) == ("False", "Unreachable")

    stored.load = LoadState.NOT_LOADED
    bench.milvus.unreachable = False
    await bench.settle(DOCS)

    assert bench.condition(DOCS) == ("False", "Drifted")
    assert bench.milvus.changing == []


async def test_a_change_made_while_milvus_was_away_is_a_change(bench: Bench) -> None:
    await ready(bench, driftPolicy="Report")
    bench.milvus.unreachable = True
    bench.apply(collection(**{**SPEC, "driftPolicy": "Report", "partitions": ["news"]}))
    await bench.settle(DOCS)

    bench.milvus.unreachable = False
    await bench.settle(DOCS)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.count("create_partition") == 1


async def test_at_most_64_differences_are_shown(bench: Bench) -> None:
    stored = await ready(bench)
    stored.partitions += [f"p{number}" for number in range(100)]

    await bench.settle()

    drift = bench.world.status(DOCS)["drift"]
    assert isinstance(drift, list)
    assert len(drift) == 64


async def test_a_value_of_a_difference_is_shown_short(bench: Bench) -> None:
    stored = await ready(bench, driftPolicy="Report")
    schema(description="x" * 1000)(stored)

    await bench.settle()

    drift = bench.world.status(DOCS)["drift"]
    assert isinstance(drift, list)
    assert [(entry["path"], len(entry["have"])) for entry in drift] == [("spec.description", 200)]
