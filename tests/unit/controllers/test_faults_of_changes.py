"""Named faults while collections are changed; docs/faults.md has the list."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from milvus_embedding.clients.milvus.port import Rejected
from milvus_embedding.controllers.base import Stale
from milvus_embedding.domain.schema import LoadState
from tests.fakes.milvus import StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.changes import CHANGES, Change, approve, change_spec, made, of_class, plan_of, standing
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import CONNECTION, DOCS, Body, collection, connection, fields
from tests.unit.controllers.test_collection_change_crashes import MANUAL, begin, end_state, try_everywhere
from tests.unit.controllers.test_collection_crashes import DISTURBANCES, Crash, Disturbance, finish

NOTE: Body = {"name": "note", "type": "VARCHAR", "maxLength": 100, "nullable": True}
MADE = of_class("InPlace", "Disruptive", "Destructive")


@pytest.mark.parametrize("name", MADE)
async def test_l13_a_describe_that_is_stale_for_a_while_costs_no_second_call_and_loses_nothing(
    make_bench: MakeBench, name: str
) -> None:
    undisturbed, whole = await begin(make_bench, name)
    await finish(undisturbed, whole)
    bench, milvus = await begin(make_bench, name)
    milvus.stale_describe(3)

    await finish(bench, milvus)
    await bench.settle()

    assert end_state(milvus) == end_state(whole)
    assert made(bench) == made(undisturbed)


@pytest.mark.parametrize("rows", [0, 5])
@pytest.mark.parametrize("released", [False, True])
async def test_l16_a_partition_removed_from_the_spec_waits_rows_or_none_loaded_or_not(
    bench: Bench, *, rows: int, released: bool
) -> None:
    change = CHANGES["a partition removed"]
    stored = await standing(bench, change, **MANUAL)
    stored.rows["news"] = rows
    if released:
        stored.load, stored.replicas = LoadState.NOT_LOADED, 0
    change_spec(bench, change, **MANUAL)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "AwaitingApproval")
    assert plan_of(bench)["class"] == "Destructive"
    assert "drop_partition" not in made(bench)

    approve(bench)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench).count("drop_partition") == 1
    assert stored.load is LoadState.LOADED


TTL = "collection.ttl.seconds"
TIMES: dict[str, tuple[dict[str, object], dict[str, object], bool]] = {
    "set": ({}, {TTL: 60}, True),
    "lowered": ({TTL: 60}, {TTL: 59}, True),
    "raised": ({TTL: 60}, {TTL: 61}, False),
    "removed": ({TTL: 60}, {}, False),
}


@pytest.mark.parametrize("what", TIMES)
async def test_l17_a_time_to_live_that_ends_rows_waits_for_an_approval(bench: Bench, what: str) -> None:
    before, after, waits = TIMES[what]
    change = Change("", {"properties": after}, (), before={"properties": before})
    await standing(bench, change, **MANUAL)
    change_spec(bench, change, **MANUAL)
    await bench.settle()

    assert bench.condition(DOCS) == (("False", "AwaitingApproval") if waits else ("True", "Ready"))
    assert bool(made(bench)) == (not waits)


INDEX: Body = {"field": "document", "type": "INVERTED"}
REMOVALS: dict[str, tuple[Change, str]] = {
    "a field": (CHANGES["a field removed"], "AwaitingApproval"),
    "a function": (CHANGES["a function dropped"], "AwaitingApproval"),
    "an alias": (CHANGES["an alias removed"], "AwaitingApproval"),
    "an index": (
        Change("Disruptive", {}, ("release", "drop_index", "load"), before={
            "indexes": [INDEX, {"field": "dense", "type": "AUTOINDEX", "metric": "COSINE"}],
        }),
        "AwaitingApproval",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REMOVALS)
async def test_l18_what_is_removed_from_the_spec_is_a_step_and_stays_until_it_is_approved(
    bench: Bench, what: str
) -> None:
    change, reason = REMOVALS[what]
    stored = await standing(bench, change, **MANUAL)
    before = replace(stored)
    change_spec(bench, change, **MANUAL)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", reason)
    assert [step["to"] for step in plan_of(bench)["steps"]] == ["absent"]  # type: ignore[attr-defined]
    assert made(bench) == []
    assert stored == before

    approve(bench)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == list(change.calls)


@pytest.mark.parametrize("what", DISTURBANCES)
async def test_l19_the_parameters_of_an_index_change_and_something_happens_at_any_call(
    make_bench: MakeBench, what: str
) -> None:
    await try_everywhere(make_bench, "the metric of an index", what)


async def test_l19_somebody_loads_or_releases_it_in_the_middle(make_bench: MakeBench) -> None:
    undisturbed, whole = await begin(make_bench, "the metric of an index")
    await finish(undisturbed, whole)
    for at in range(whole.number):
        bench, milvus = await begin(make_bench, "the metric of an index")
        milvus.disturbance = Disturbance(at, after=Crash())
        try:
            await bench.settle_ready(DOCS)
        except Crash:
            bench.restart()
        stored = milvus.collection("docs")
        if stored.indexes:
            stored.load, stored.replicas = LoadState.LOADED, 1
        else:
            stored.load, stored.replicas = LoadState.NOT_LOADED, 0

        await bench.settle_ready(DOCS)
        assert end_state(milvus) == end_state(whole), f"call {at}"


@pytest.mark.parametrize("what", DISTURBANCES)
async def test_l20_mapping_into_memory_changes_and_something_happens_at_any_call(
    make_bench: MakeBench, what: str
) -> None:
    await try_everywhere(make_bench, "memory mapping", what)


async def test_l21_a_load_that_memory_does_not_suffice_for_is_told_and_tried_again(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["loaded"])
    error = Rejected("Milvus refused LoadCollection with code 5: insufficient memory to load.", 5)
    bench.milvus.fail_before("load", *[error] * 2)
    change_spec(bench, CHANGES["loaded"])

    first = await bench.reconcile(DOCS)
    assert bench.condition(DOCS)[0] == "False"
    assert "insufficient memory" in bench.message(DOCS)
    assert bench.condition(DOCS, "Available")[0] == "False"
    assert first.requeue_after is not None

    await bench.settle_ready(DOCS)
    assert stored.load is LoadState.LOADED
    assert made(bench) == ["load"] * 3


async def test_l21_more_replicas_than_nodes_are_refused_and_what_is_loaded_stays(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["replicas"])
    error = Rejected("Milvus refused AlterCollection with code 65535: service resource insufficient.", 65535)
    bench.milvus.fail_before("alter_properties", error)
    change_spec(bench, CHANGES["replicas"])

    await bench.reconcile(DOCS)

    assert bench.condition(DOCS)[0] == "False"
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert (stored.load, stored.replicas) == (LoadState.LOADED, 1)
    assert made(bench) == ["alter_properties"]


def _released(stored: StoredCollection) -> None:
    stored.load, stored.replicas = LoadState.NOT_LOADED, 0


def _limited(stored: StoredCollection) -> None:
    properties = {**stored.schema.properties, "collection.insertRate.max.mb": "1"}
    stored.schema = replace(stored.schema, properties=properties)


HANDS: dict[str, tuple[dict[str, object], Callable[[StoredCollection], None], str]] = {
    "releases it": ({}, _released, "load"),
    "sets a limit": ({"properties": {"collection.insertRate.max.mb": 9}}, _limited, "alter_properties"),
}


@pytest.mark.parametrize("what", HANDS)
async def test_l22_who_undoes_it_ten_times_is_contradicted_three_times(bench: Bench, what: str) -> None:
    spec, hand, call = HANDS[what]
    stored = await standing(bench, Change("", spec, (), before=spec))
    for _ in range(10):
        hand(stored)
        await bench.settle()

    assert bench.condition(DOCS) == ("False", "DriftContested")
    assert made(bench) == [call] * 3


async def test_l22_who_loads_what_is_declared_released_is_not_fought(bench: Bench) -> None:
    spec: dict[str, object] = {"load": {"enabled": False}}
    stored = await standing(bench, Change("", spec, (), before=spec))
    for _ in range(10):
        stored.load, stored.replicas = LoadState.LOADED, 1
        await bench.settle()

    assert bench.condition(DOCS) == ("False", "Drifted")
    assert made(bench) == []


@pytest.mark.parametrize("whose", ["the collection", "the connection"])
@pytest.mark.parametrize("name", ["the metric of an index", "a partition and an alias", "a partition removed"])
async def test_l27_paused_after_any_call_nothing_follows_and_afterwards_it_goes_on(
    make_bench: MakeBench, name: str, whose: str
) -> None:
    undisturbed, whole = await begin(make_bench, name)
    await finish(undisturbed, whole)
    for at in range(whole.number):
        bench, milvus = await begin(make_bench, name)
        milvus.disturbance = Disturbance(at, after=Crash())
        try:
            await bench.settle_ready(DOCS)
        except Crash:
            bench.restart()
        _pause(bench, name, whose, paused=True)
        before = made(bench)
        await bench.settle()
        assert made(bench) == before, f"call {at}"
        assert bench.condition(DOCS)[1] == "Paused", f"call {at}"

        _pause(bench, name, whose, paused=False)
        await bench.settle_ready(DOCS)
        assert end_state(milvus) == end_state(whole), f"call {at}"


def _pause(bench: Bench, name: str, whose: str, *, paused: bool) -> None:
    if whose == "the connection":
        bench.apply(connection(paused=paused))
        return
    annotations = bench.world.resource(DOCS).metadata.annotations
    body = collection(**{**MANUAL, **CHANGES[name].after, "paused": paused})
    bench.apply({**body, "metadata": {"name": "docs", "namespace": "search", "annotations": dict(annotations)}})


async def test_l27_paused_while_a_call_is_under_way_the_next_one_is_not_made(make_bench: MakeBench) -> None:
    bench, _ = await begin(make_bench, "the metric of an index")
    await bench.reconcile(DOCS)
    confirm = bench.world.confirm
    confirmed: list[object] = []

    async def paused_after_the_first(resource: object) -> None:
        if confirmed:
            _pause(bench, "the metric of an index", "the collection", paused=True)
        confirmed.append(resource)
        await confirm(resource)  # type: ignore[arg-type]

    bench.world.confirm = paused_after_the_first  # type: ignore[method-assign]
    with pytest.raises(Stale):
        await bench.reconcile(DOCS)
    assert made(bench) == ["release"]


async def test_l28_a_server_upgraded_in_the_middle_of_a_plan_does_what_it_can_by_then(bench: Bench) -> None:
    noted = Change("", {}, (), before={"fields": [*fields(), NOTE]}, version="v2.6.6")
    stored = await standing(bench, noted, **MANUAL)
    prod = {
        "dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-prod", "namespace": "milvus"}}
    }
    bench.apply(collection(embedding=prod, **MANUAL))
    await bench.settle()
    assert bench.condition(DOCS) == ("False", "UnsupportedServer")
    old = plan_of(bench)["hash"]
    approve(bench, old)
    await bench.settle()
    assert made(bench) == []

    bench.milvus.version = "v2.6.9"
    await _noticed(bench)
    assert made(bench) == ["alter_function"]
    assert bench.condition(DOCS) == ("False", "UnsupportedServer")

    bench.milvus.version = "v3.0.0"
    await _noticed(bench)
    assert made(bench) == ["alter_function"]
    assert bench.condition(DOCS) == ("False", "AwaitingApproval")
    assert plan_of(bench)["hash"] != old

    approve(bench)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == ["alter_function", "drop_field"]
    assert [field.name for field in stored.schema.fields] == ["id", "document", "dense"]


async def _noticed(bench: Bench) -> None:
    """The heartbeat hears the new version."""
    bench.heartbeat.forget(CONNECTION)
    await bench.settle()


@pytest.mark.parametrize("name", of_class("Disruptive", "Destructive"))
async def test_l29_an_approval_does_not_reach_what_changed_since(bench: Bench, name: str) -> None:
    """The spec, and what is observed; another collection of the name is in test_collection_changes.py."""
    change = CHANGES[name]
    stored = await standing(bench, change, **MANUAL)
    change_spec(bench, change, **MANUAL)
    await bench.settle()
    former = plan_of(bench)["hash"]
    by_hand = replace(stored.schema.fields[1], params={**stored.schema.fields[1].params, "enable_match": "true"})
    others = (stored.schema.fields[0], by_hand, *stored.schema.fields[2:])
    stored.schema = replace(stored.schema, fields=others)

    approve(bench, former)
    await bench.settle()

    assert plan_of(bench)["hash"] != former
    assert made(bench) == []


@pytest.mark.parametrize("name", ["a partition and an alias", "an alias removed", "a partition removed"])
async def test_l30_what_times_out_and_happens_late_does_no_harm(make_bench: MakeBench, name: str) -> None:
    await try_everywhere(make_bench, name, "time-out that succeeds later")


async def test_l30_a_late_drop_of_an_alias_finds_it_declared_again(make_bench: MakeBench) -> None:
    bench, milvus = await begin(make_bench, "an alias removed")
    milvus.succeed_late("drop_alias")
    for _ in range(2):
        await bench.reconcile(DOCS)
    bench.apply(collection(**{**MANUAL, **CHANGES["an alias removed"].before}))
    await bench.settle_ready(DOCS)

    await milvus.settle()
    assert milvus.databases["default"].aliases == {}

    await bench.settle_ready(DOCS)
    assert milvus.databases["default"].aliases == {"current": "docs"}
