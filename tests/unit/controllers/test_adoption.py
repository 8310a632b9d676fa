"""Adoption: a collection that bears no stamp and is as declared becomes this object's, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from milvus_embedding.clients.milvus.port import (
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    Unimplemented,
    Unreachable,
)
from milvus_embedding.controllers.base import Stale
from milvus_embedding.domain.ownership import ADOPTED, IDENTITY, OWNER
from milvus_embedding.domain.schema import Index
from tests.fakes.milvus import FakeMilvus
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.changes import made
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import CONNECTION, DOCS, collection, connection
from tests.unit.controllers.owners import Forgetful, Rivals, observed, owner_of, restamp, somebodys, the_manuals
from tests.unit.controllers.test_collection_crashes import Crash, Disturbance, DisturbedMilvus

OURS, RIVALS = f"{OWNER_ID}/search/docs", "cluster-2/search/docs"
STAMPED_AND_COMPLETED = ["alter_properties", "create_index", "load"]


async def others_settled(bench: Bench) -> None:
    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])


async def test_what_is_as_declared_is_stamped_and_completed(bench: Bench) -> None:
    stored = somebodys(bench)

    notes = await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == STAMPED_AND_COMPLETED
    properties = bench.milvus.collection("docs").schema.properties
    assert (properties[OWNER], properties[ADOPTED]) == (OURS, "true")
    assert '"model": "text-embedding-v3"' in properties[IDENTITY]
    assert [note.reason for note in notes].count("Adopted") == 1
    assert bench.world.status(DOCS)["collection"]["id"] == stored.id  # type: ignore[index]


async def test_nothing_else_is_done_before_the_stamp_was_seen_to_stand_for_two_seconds(bench: Bench) -> None:
    somebodys(bench)
    await others_settled(bench)

    first = await bench.reconcile(DOCS)
    bench.clock.advance(1.9)
    early = await bench.reconcile(DOCS)

    assert (first.requeue_after, first.backoff) == (2, False)
    assert early.requeue_after == pytest.approx(0.1)
    assert bench.condition(DOCS) == ("False", "Changing")
    assert made(bench) == ["alter_properties"]
    bench.clock.advance(0.1)
    await bench.reconcile(DOCS)
    assert made(bench) == STAMPED_AND_COMPLETED


async def test_a_property_a_description_and_an_alias_that_are_missing_follow(bench: Bench) -> None:
    somebodys(bench)
    bench.apply(collection(properties={"my.note": "x"}, description="texts", aliases=["current"]))

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    schema = bench.milvus.collection("docs").schema
    assert (schema.properties["my.note"], schema.description) == ("x", "texts")
    assert bench.milvus.databases["default"].aliases == {"current": "docs"}


async def test_a_property_of_another_value_is_a_difference(bench: Bench) -> None:
    somebodys(bench, properties={"my.note": "y"})
    bench.apply(collection(properties={"my.note": "x"}))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NotMatching")
    assert bench.world.status(DOCS)["drift"] == [{"path": "spec.properties[my.note]", "want": "x", "have": "y"}]
    assert bench.milvus.changing == []


async def test_another_model_of_its_function_is_not_adopted(bench: Bench) -> None:
    schema = the_manuals()
    (one,) = schema.functions
    other = replace(one, params={**one.params, "model_name": "text-embedding-v2"})
    somebodys(bench, functions=(other,))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NotMatching")
    assert "model_name" in repr(bench.world.status(DOCS)["drift"])
    assert bench.milvus.changing == []


async def test_what_is_adopted_is_changed_as_the_policy_says(bench: Bench) -> None:
    somebodys(bench)
    bench.apply(collection(changePolicy={"inPlace": "Never"}))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "ChangeNotAllowed")
    assert made(bench) == ["alter_properties"]
    assert owner_of(bench) == OURS


async def test_a_collection_by_hand_in_place_of_ours_is_not_adopted_in_silence(bench: Bench) -> None:
    somebodys(bench)
    await observed(bench)
    bench.milvus.drop("docs")
    bench.milvus.add_collection("docs", the_manuals())

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Lost")
    assert owner_of(bench) is None


async def test_one_in_place_of_ours_is_told_with_both_ways_on(bench: Bench) -> None:
    somebodys(bench)
    await observed(bench)
    bench.milvus.drop("docs")
    bench.milvus.add_collection("docs", the_manuals(owner=OURS))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Lost")
    assert "bring the former one back, or approve the plan" in bench.message(DOCS)
    assert "empty one" not in bench.message(DOCS)


async def test_spellings_of_one_property_are_no_difference(bench: Bench) -> None:
    somebodys(bench, properties={"collection.autocompaction.enabled": "True"})
    bench.apply(collection(properties={"collection.autocompaction.enabled": True}))

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")


async def test_an_index_that_others_built_is_not_dropped_by_adoption_alone(bench: Bench) -> None:
    bench.milvus.version = "v3.0.0"
    somebodys(bench)
    await bench.milvus.create_index("default", "docs", Index(field="document", type="INVERTED", name="by_hand"))
    bench.milvus.calls.clear()

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "AwaitingApproval")
    assert "drop_index" not in made(bench)
    bench.apply(collection(changePolicy={"disruptive": "Automatic"}))
    await observed(bench)
    assert "drop_index" in made(bench)


async def test_a_grant_withdrawn_takes_the_differences_back(bench: Bench) -> None:
    somebodys(bench, shards=2)
    await observed(bench)
    assert "drift" in bench.world.status(DOCS)

    bench.apply(connection())
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NameTaken")
    assert "drift" not in bench.world.status(DOCS)


CANNOT: dict[str, tuple[MilvusError, str]] = {
    "an old server that does not know the call": (Unimplemented("unknown method AlterCollection"), "UnsupportedServer"),
    "a user that may not": (PermissionDenied("no privilege AlterCollection"), "PermissionDenied"),
}


@pytest.mark.parametrize("sentence", CANNOT)
async def test_what_cannot_be_stamped_is_not_touched(bench: Bench, sentence: str) -> None:
    error, reason = CANNOT[sentence]
    somebodys(bench)
    await others_settled(bench)
    bench.milvus.fail_before("alter_properties", *[error] * 9)

    for _ in range(6):
        await bench.reconcile(DOCS)
        bench.clock.advance(5)

    assert bench.condition(DOCS) == ("False", reason)
    assert "adopting collection docs" in bench.message(DOCS)
    assert set(made(bench)) == {"alter_properties"}


async def test_a_server_that_forgets_the_stamp_is_told_and_not_touched(make_bench: MakeBench) -> None:
    bench = make_bench(milvus=Forgetful())
    somebodys(bench)
    await others_settled(bench)

    for _ in range(6):
        await bench.reconcile(DOCS)
        bench.clock.advance(2)

    told = [
        c.reason for outcome in bench.told if outcome.status for c in outcome.status.conditions if c.type == "Ready"
    ]
    assert "UnsupportedServer" in told
    assert set(made(bench)) == {"alter_properties"}


async def test_a_describe_that_is_stale_for_some_seconds_does_no_harm(bench: Bench) -> None:
    somebodys(bench)
    await others_settled(bench)
    bench.milvus.stale_describe(2)

    await bench.settle_ready(DOCS)

    assert owner_of(bench) == OURS


async def test_l08_stamped_by_another_between_look_and_look(make_bench: MakeBench) -> None:
    milvus = FakeMilvus()
    bench = make_bench(milvus=milvus)
    somebodys(bench)
    await others_settled(bench)
    hold = milvus.describe
    looks = 0

    async def overtaken(database: str, name: str) -> object:
        nonlocal looks
        looks += 1
        if looks == 2:
            restamp(bench, RIVALS)
        return await hold(database, name)

    milvus.describe = overtaken  # type: ignore[assignment, method-assign]
    with pytest.raises(Stale):
        await bench.reconcile(DOCS)
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "OwnedByOther")
    assert made(bench) == []


async def test_l08_two_operators_at_once_and_one_of_them_has_it(make_bench: MakeBench) -> None:
    milvus = Rivals()
    one, two = make_bench(milvus=milvus), make_bench(milvus=milvus, owner_id="cluster-2")
    somebodys(one)
    two.quickstart()
    two.apply(connection(allowedAdoption={"from": "All"}))
    await others_settled(one)
    await others_settled(two)
    milvus.between = lambda: two.reconcile(DOCS)

    await one.reconcile(DOCS)
    for bench in (two, one, two, one):
        await observed(bench)

    assert one.condition(DOCS) == ("True", "Ready")
    assert two.condition(DOCS) == ("False", "OwnedByOther")
    assert owner_of(one) == OURS
    assert made(two).count("create_index") == 1


async def test_l08_the_stamp_is_overwritten_after_it_was_read_back(bench: Bench) -> None:
    somebodys(bench)
    await observed(bench)
    bench.milvus.calls.clear()
    restamp(bench, RIVALS)
    bench.apply(collection(description="new"))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "OwnedByOther")
    assert made(bench) == []


DISTURBANCES: dict[str, Callable[[int], Disturbance]] = {
    "crash before": lambda at: Disturbance(at, before=Crash()),
    "crash after": lambda at: Disturbance(at, after=Crash()),
    "time-out that succeeded": lambda at: Disturbance(at, after=OutcomeUnknown("no answer in time")),
    "error that did nothing": lambda at: Disturbance(at, before=Unreachable("connection refused")),
}


@pytest.mark.parametrize("what", DISTURBANCES)
async def test_l08_adopted_whatever_happens_at_any_call(make_bench: MakeBench, what: str) -> None:
    at = 0
    while True:
        milvus = DisturbedMilvus()
        bench = make_bench(milvus=milvus)
        somebodys(bench)
        await others_settled(bench)
        milvus.calls.clear()
        milvus.number, milvus.disturbance = 0, DISTURBANCES[what](at)
        for _ in range(2):
            try:
                await bench.settle_ready(DOCS)
                break
            except Crash:
                bench.restart()
        assert bench.condition(DOCS) == ("True", "Ready"), f"call {at}"
        assert owner_of(bench) == OURS
        assert set(made(bench)) == set(STAMPED_AND_COMPLETED)
        if milvus.number <= at:
            break
        at += 1
    assert at > len(STAMPED_AND_COMPLETED)


async def test_l08_a_stamp_that_lands_late_after_another_has_it(bench: Bench) -> None:
    somebodys(bench)
    await others_settled(bench)
    bench.milvus.succeed_late("alter_properties")
    await bench.reconcile(DOCS)
    restamp(bench, RIVALS)
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "OwnedByOther")

    await bench.milvus.settle()
    first = await bench.reconcile(DOCS)

    assert first.requeue_after == 2
    assert bench.condition(DOCS) == ("False", "Changing")
    await observed(bench)
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_in_the_connections_own_namespace_no_grant_is_needed(bench: Bench) -> None:
    key = DOCS._replace(namespace="milvus")
    bench.milvus.add_collection("docs", the_manuals())
    bench.quickstart()
    bench.world.remove(DOCS)
    bench.apply(collection(key))

    await observed(bench)

    assert bench.condition(key) == ("True", "Ready")
    assert bench.condition(CONNECTION) == ("True", "Ready")
