"""The crash matrix of changes: whatever happens at any call, the end is the same and nothing unapproved is done."""

from dataclasses import replace

import pytest

from tests.fakes.milvus import StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.changes import CHANGES, approve, change_spec, made, of_class, standing
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS
from tests.unit.controllers.test_collection_crashes import DISTURBANCES, Crash, Disturbance, DisturbedMilvus, finish

MANUAL: dict[str, object] = {"changePolicy": {"destructive": "Manual"}}
MADE = [name for name in of_class("InPlace", "Disruptive", "Destructive")]


async def begin(make_bench: MakeBench, name: str) -> tuple[Bench, DisturbedMilvus]:
    """Up to the approved plan, nothing of which is done yet."""
    milvus = DisturbedMilvus()
    bench = make_bench(milvus=milvus)
    change = CHANGES[name]
    await standing(bench, change, **MANUAL)
    change_spec(bench, change, **MANUAL)
    if change.class_ != "InPlace":
        await bench.reconcile(DOCS)
        approve(bench)
    milvus.calls.clear()
    milvus.changes_at.clear()
    milvus.number = 0
    return bench, milvus


def end_state(milvus: DisturbedMilvus) -> tuple[StoredCollection, dict[str, str]]:
    database = milvus.databases["default"]
    return replace(database.collections["docs"], id=""), dict(database.aliases)


@pytest.mark.parametrize("what", DISTURBANCES)
@pytest.mark.parametrize("name", MADE)
async def test_the_end_is_the_same_whatever_happens_at_any_call(make_bench: MakeBench, name: str, what: str) -> None:
    await try_everywhere(make_bench, name, what)


async def try_everywhere(make_bench: MakeBench, name: str, what: str) -> None:
    """One disturbance at each call of a change; one of what comes late at each that changes something."""
    undisturbed, whole = await begin(make_bench, name)
    await finish(undisturbed, whole)
    calls = made(undisturbed)
    assert calls == list(CHANGES[name].calls)
    late = DISTURBANCES[what](0).late is not None
    numbers = whole.changes_at if late else range(whole.number)
    assert len(numbers) >= len(calls)

    for at in numbers:
        bench, milvus = await begin(make_bench, name)
        milvus.disturbance = DISTURBANCES[what](at)
        await finish(bench, milvus)
        assert end_state(milvus) == end_state(whole), f"call {at}"
        allowed = [*calls, "load"] if "release" in calls or "release_partitions" in calls else calls
        assert set(made(bench)) <= set(allowed), f"call {at}"
        await bench.settle()
        assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.parametrize("name", MADE)
async def test_a_call_that_happens_late_does_no_harm(make_bench: MakeBench, name: str) -> None:
    undisturbed, whole = await begin(make_bench, name)
    await finish(undisturbed, whole)
    for method in dict.fromkeys(CHANGES[name].calls):
        bench, milvus = await begin(make_bench, name)
        milvus.succeed_late(method)
        await bench.reconcile(DOCS)
        await bench.reconcile(DOCS)
        await milvus.settle()
        await finish(bench, milvus)
        await bench.settle()
        assert bench.condition(DOCS) == ("True", "Ready"), method
        assert end_state(milvus) == end_state(whole), method


@pytest.mark.parametrize("name", of_class("Disruptive", "Destructive"))
async def test_an_approval_withdrawn_in_the_middle_ends_it_and_nothing_stays_out_of_memory(
    make_bench: MakeBench, name: str
) -> None:
    change = CHANGES[name]
    at = 0
    while True:
        bench, milvus = await begin(make_bench, name)
        milvus.disturbance = Disturbance(at, after=Crash())
        try:
            await bench.settle_ready(DOCS)
        except Crash:
            bench.restart()
        if milvus.number <= at:
            break
        before = made(bench)
        approve(bench, "withdrawn")
        await bench.settle()
        after = made(bench)[len(before) :]
        assert set(after) <= {"create_index", "load"}, f"call {at}: {after}"
        stored = milvus.collection("docs")
        if change.after != {"load": {"enabled": False}} or bench.condition(DOCS)[0] != "True":
            assert stored.load == "Loaded", f"call {at}"
        assert stored.released_partitions == set(), f"call {at}"
        at += 1


@pytest.mark.parametrize("what", DISTURBANCES)
async def test_a_lost_collection_is_made_anew_whatever_happens_at_any_call(make_bench: MakeBench, what: str) -> None:
    at = 0
    while True:
        milvus = DisturbedMilvus()
        bench = make_bench(milvus=milvus)
        await standing(bench, CHANGES["a description"], changePolicy={"inPlace": "Never"})
        milvus.drop("docs")
        await bench.settle()
        approve(bench)
        milvus.number, milvus.disturbance = 0, DISTURBANCES[what](at)
        await finish(bench, milvus)
        calls = made(bench)
        assert set(calls) == {"create_collection", "create_index", "load"}, f"call {at}"
        assert len(calls) <= 3 + (milvus.disturbance.late is not None), f"call {at}"
        assert "plan" not in bench.world.status(DOCS)
        if milvus.number <= at:
            break
        at += 1
    assert at > 3


async def test_a_change_of_a_function_is_not_repeated_while_it_may_still_happen(make_bench: MakeBench) -> None:
    milvus = DisturbedMilvus()
    bench = make_bench(milvus=milvus)
    stored = await standing(bench, CHANGES["a description"])
    (one,) = stored.schema.functions
    other = replace(one, params={**one.params, "credential": "other"})
    stored.schema = replace(stored.schema, functions=(other,))
    milvus.succeed_late("alter_function")

    for _ in range(3):
        await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "CreateOutcomeUnknown")
    assert made(bench) == []
    await milvus.settle()
    await bench.settle_ready(DOCS)
    assert made(bench) == ["alter_function"]

    stored.schema = replace(stored.schema, functions=(other,))
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "CreateOutcomeUnknown")
    bench.clock.advance(101)
    await bench.settle_ready(DOCS)
    assert made(bench) == ["alter_function", "alter_function"]
