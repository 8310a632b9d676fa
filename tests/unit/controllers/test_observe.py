"""adoptionPolicy Observe: what is there is compared and told, and nothing is ever made, stamped, changed or dropped."""

from collections.abc import Callable

import pytest

from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.planning.record import RECORD
from milvus_embedding.domain.schema import LoadState
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.changes import approve, plan_of
from tests.unit.controllers.manifests import DOCS, collection, connection
from tests.unit.controllers.owners import observed, owner_of, restamp, somebodys, the_manuals

OURS = f"{OWNER_ID}/search/docs"


def observe(bench: Bench, **spec: object) -> None:
    bench.apply(collection(adoptionPolicy="Observe", **spec))


async def ready_made(bench: Bench) -> None:
    """Ours, and Ready."""
    bench.quickstart()
    await observed(bench)
    bench.milvus.calls.clear()


async def test_what_is_as_declared_is_ready_and_available(bench: Bench) -> None:
    await ready_made(bench)
    restamp(bench, None)
    bench.apply(connection(allowedAdoption={"from": "All"}))
    observe(bench)

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Observed")
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert bench.world.status(DOCS)["functions"]
    assert owner_of(bench) is None
    assert bench.milvus.changing == []


async def test_differences_are_told_as_a_plan_that_cannot_be_approved(bench: Bench) -> None:
    somebodys(bench)
    observe(bench, description="texts", shards=2)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Drifted")
    assert bench.condition(DOCS, "Drifted") == ("True", "Drifted")
    assert bench.condition(DOCS, "PlanApproved") == ("False", "Observed")
    assert bench.condition(DOCS, "Available") == ("False", "Drifted")
    paths = {entry["path"] for entry in bench.world.status(DOCS)["drift"]}  # type: ignore[attr-defined]
    assert {"spec.description", "spec.shards", "spec.load.enabled"} <= paths
    approve(bench)
    observe(bench, description="texts", shards=2, changePolicy={"approvedPlan": plan_of(bench)["hash"]})
    await observed(bench)
    assert bench.condition(DOCS, "PlanApproved") == ("False", "Observed")
    assert plan_of(bench)["approved"] is False
    assert bench.milvus.changing == []


async def test_drift_policy_ignore_does_not_hide_what_is_observed(bench: Bench) -> None:
    somebodys(bench)
    observe(bench, driftPolicy="Ignore", shards=2)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Drifted")


async def test_a_missing_collection_is_waited_for_and_not_made(bench: Bench) -> None:
    bench.quickstart()
    observe(bench, database="team", createDatabase=True)
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")

    bench.world.remove(DOCS)
    observe(bench)
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "CollectionNotFound")
    assert bench.condition(DOCS, "Available") == ("False", "CollectionNotFound")
    assert bench.milvus.changing == []
    bench.milvus.add_collection("docs", the_manuals(owner=OURS))
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "Drifted")


OTHERS = {"another installation's": "other/search/docs", "another namespace's": f"{OWNER_ID}/team/secret-docs"}


@pytest.mark.parametrize("sentence", OTHERS)
async def test_what_bears_the_stamp_of_others_is_not_shown_to_who_may_adopt(bench: Bench, sentence: str) -> None:
    somebodys(bench, owner=OTHERS[sentence])
    observe(bench, shards=2)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert "belongs to another namespace or installation" in bench.message(DOCS)
    assert "secret" not in bench.message(DOCS)
    assert not {"drift", "plan", "functions", "collection"} & set(bench.world.status(DOCS))


async def test_without_the_grant_nothing_is_told_of_what_is_nobodys(bench: Bench) -> None:
    bench.milvus.add_collection("docs", the_manuals())
    bench.quickstart()
    observe(bench, shards=2)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert "allowedAdoption" in bench.message(DOCS)
    assert not {"drift", "plan", "functions", "collection"} & set(bench.world.status(DOCS))
    bench.apply(connection(allowedAdoption={"from": "All"}))
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "Drifted")
    bench.apply(connection())
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert not {"drift", "plan", "functions"} & set(bench.world.status(DOCS))


async def test_a_neighbours_collection_may_be_seen_without_the_grant(bench: Bench) -> None:
    await ready_made(bench)
    watcher = DOCS._replace(name="watcher")
    bench.apply(collection(watcher, collectionName="docs", adoptionPolicy="Observe"))

    await observed(bench)

    assert bench.condition(watcher) == ("True", "Observed")
    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.changing == []


async def test_what_its_owner_declared_is_no_difference_to_who_declares_nothing(bench: Bench) -> None:
    bench.quickstart(description="texts", properties={"my.note": "x"})
    await observed(bench)
    assert RECORD in bench.milvus.collection("docs").schema.properties
    watcher = DOCS._replace(name="watcher")
    bench.apply(collection(watcher, collectionName="docs", adoptionPolicy="Observe"))

    await observed(bench)

    assert bench.condition(watcher) == ("True", "Observed")


async def test_an_alias_is_no_collection_to_observe(bench: Bench) -> None:
    bench.milvus.add_collection("docs_g1", the_manuals())
    bench.milvus.databases["default"].aliases["docs"] = "docs_g1"
    bench.quickstart()
    observe(bench)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NameIsAlias")


async def test_ours_that_is_only_observed_keeps_its_stamp_and_comes_back(bench: Bench) -> None:
    await ready_made(bench)
    observe(bench, description="texts")
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "Drifted")
    assert owner_of(bench) == OURS
    assert bench.milvus.changing == []

    bench.apply(collection(description="texts"))
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.collection("docs").schema.description == "texts"


async def test_somebodys_that_was_observed_is_adopted_afterwards(bench: Bench) -> None:
    somebodys(bench)
    observe(bench)
    await observed(bench)
    assert bench.milvus.changing == []

    bench.apply(collection())
    notes = await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert owner_of(bench) == OURS
    assert [note.reason for note in notes].count("Adopted") == 1


async def test_one_that_went_while_it_was_observed_is_not_made_anew_in_silence(bench: Bench) -> None:
    await ready_made(bench)
    observe(bench)
    await observed(bench)
    bench.milvus.drop("docs")
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "CollectionNotFound")

    bench.apply(collection())
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.milvus.changing == []


async def test_what_was_only_observed_and_goes_was_never_this_objects(bench: Bench) -> None:
    somebodys(bench)
    observe(bench)
    await observed(bench)
    bench.milvus.drop("docs")

    bench.apply(collection())
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.count("create_collection") == 1


async def test_observed_before_an_adoption_is_seen_to_stand_after_a_crash_too(bench: Bench) -> None:
    somebodys(bench)
    observe(bench)
    await observed(bench)
    bench.apply(collection())
    assert (await bench.reconcile(DOCS)).requeue_after == 2
    bench.restart()
    bench.milvus.calls.clear()

    outcome = await bench.reconcile(DOCS)

    assert (outcome.requeue_after, bench.condition(DOCS)) == (2, ("False", "Changing"))
    assert bench.milvus.changing == []


async def test_another_one_in_its_place_is_what_is_observed(bench: Bench) -> None:
    somebodys(bench)
    observe(bench)
    await observed(bench)
    bench.milvus.drop("docs")
    other = bench.milvus.add_collection("docs", the_manuals())

    await observed(bench)

    assert bench.world.status(DOCS)["collection"]["id"] == other.id  # type: ignore[index]


CHANGED_BY_OTHERS: dict[str, Callable[[Bench], object]] = {
    "released": lambda b: setattr(b.milvus.collection("docs"), "load", LoadState.NOT_LOADED),
    "an index dropped": lambda b: b.milvus.collection("docs").indexes.clear(),
    "an alias added": lambda b: b.milvus.databases["default"].aliases.update({"other": "docs"}),
}


@pytest.mark.parametrize("sentence", CHANGED_BY_OTHERS)
async def test_what_others_do_is_told_and_left(bench: Bench, sentence: str) -> None:
    await ready_made(bench)
    observe(bench)
    await observed(bench)

    CHANGED_BY_OTHERS[sentence](bench)
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Drifted")
    assert bench.milvus.changing == []
    assert bench.milvus.collection("docs").schema.properties[OWNER] == OURS


async def test_paused_outranks_observe(bench: Bench) -> None:
    await ready_made(bench)
    observe(bench, paused=True)

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Paused")


async def test_deleting_the_object_drops_nothing(bench: Bench) -> None:
    await ready_made(bench)
    observe(bench)
    await observed(bench)

    bench.world.delete(DOCS)

    assert DOCS not in bench.world.bodies
    assert owner_of(bench) == OURS
