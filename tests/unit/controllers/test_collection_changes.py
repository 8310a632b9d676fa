"""MilvusCollection: changes of the spec by class, policy and approval; nothing that was not allowed is ever done."""

import dataclasses

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import PermissionDenied
from milvus_embedding.controllers.base import Stale
from milvus_embedding.domain.planning.record import RECORD
from milvus_embedding.domain.schema import LoadState
from tests.fakes.milvus import StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.changes import (
    CHANGES,
    FREE,
    Change,
    approve,
    change_spec,
    made,
    of_class,
    plan_of,
    standing,
)
from tests.unit.controllers.manifests import DEV, DOCS, PROD, ali, collection, credential
from tests.unit.controllers.plant import Plant

TEN = 10


async def quiet(bench: Bench) -> None:
    """Ten resyncs change nothing, in Milvus and in the status."""
    bench.milvus.calls.clear()
    for _ in range(TEN):
        await bench.reconcile(DOCS)
        assert not bench.changed
    assert bench.milvus.changing == []


@pytest.mark.parametrize("name", of_class("InPlace"))
async def test_what_nobody_notices_is_made_at_once(bench: Bench, name: str) -> None:
    change = CHANGES[name]
    await standing(bench, change)

    change_spec(bench, change)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == list(change.calls)
    assert "plan" not in bench.world.status(DOCS)
    assert bench.condition(DOCS, "PlanApproved") == ("absent", "")
    assert [note.reason for told in bench.told for note in told.notes] == ["Changed"]
    await quiet(bench)


WAITS = {"Disruptive": "AwaitingApproval", "Destructive": "ChangeNotAllowed", "Rebuild": "RebuildNeeded"}


@pytest.mark.parametrize("name", of_class(*WAITS))
async def test_what_somebody_notices_waits(bench: Bench, name: str) -> None:
    change = CHANGES[name]
    await standing(bench, change)

    change_spec(bench, change)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", WAITS[change.class_])
    assert bench.condition(DOCS, "PlanApproved") == ("False", WAITS[change.class_])
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    plan = plan_of(bench)
    assert plan["class"] == change.class_
    assert plan["approved"] is False
    assert made(bench) == []
    await quiet(bench)


@pytest.mark.parametrize("where", ["annotation", "spec"])
@pytest.mark.parametrize("name", of_class("Disruptive", "Destructive"))
async def test_an_approved_plan_is_carried_out(bench: Bench, name: str, where: str) -> None:
    change, policy = CHANGES[name], {"changePolicy": {"destructive": "Manual"}}
    await standing(bench, change, **policy)
    change_spec(bench, change, **policy)
    await bench.settle()
    hash_ = plan_of(bench)["hash"]
    assert made(bench) == []

    if where == "annotation":
        approve(bench)
    else:
        change_spec(bench, change, changePolicy={"destructive": "Manual", "approvedPlan": hash_})
    first = await bench.reconcile(DOCS)

    assert made(bench) == [], "the status says it first"
    assert first.requeue_after == 0.01
    assert bench.condition(DOCS) == ("False", "Changing")
    assert bench.condition(DOCS, "PlanApproved") == ("True", "Approved")
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == list(change.calls)
    assert "plan" not in bench.world.status(DOCS)
    await quiet(bench)


@pytest.mark.parametrize("name", of_class("Disruptive"))
async def test_disruptive_automatic_needs_no_approval(bench: Bench, name: str) -> None:
    change = CHANGES[name]
    await standing(bench, change, changePolicy=FREE)

    change_spec(bench, change, changePolicy=FREE)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == list(change.calls)


@pytest.mark.parametrize("name", of_class("Destructive", "Rebuild"))
async def test_no_policy_runs_what_loses_something(bench: Bench, name: str) -> None:
    change = CHANGES[name]
    await standing(bench, change, changePolicy=FREE)

    change_spec(bench, change, changePolicy=FREE)
    await bench.settle()

    assert made(bench) == []


@pytest.mark.parametrize("name", CHANGES)
async def test_never_outranks_an_approval(bench: Bench, name: str) -> None:
    change = CHANGES[name]
    never = {"inPlace": "Never", "disruptive": "Never", "destructive": "Never", "rebuild": "Never"}
    await standing(bench, change, changePolicy=never)

    change_spec(bench, change, changePolicy=never)
    await bench.settle()
    approve(bench)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "ChangeNotAllowed")
    assert bench.milvus.changing == []


@pytest.mark.parametrize("name", of_class("Rebuild"))
async def test_an_approved_rebuild_says_that_it_is_not_built(bench: Bench, name: str) -> None:
    change = CHANGES[name]
    stored = await standing(bench, change)
    change_spec(bench, change)
    await bench.settle()
    before = dataclasses.replace(stored)

    approve(bench)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "RebuildNeeded")
    assert "which this version does not make" in bench.message(DOCS)
    assert bench.milvus.changing == []
    assert stored == before


@pytest.mark.parametrize("name", of_class("Disruptive", "Destructive"))
async def test_an_approval_does_not_reach_a_plan_that_was_changed(bench: Bench, name: str) -> None:
    change, policy = CHANGES[name], {"changePolicy": {"destructive": "Manual"}}
    await standing(bench, change, **policy)
    change_spec(bench, change, **policy)
    await bench.settle()
    former = plan_of(bench)["hash"]

    bench.apply(collection(**{**policy, **change.after, "shards": 3}))
    await bench.settle()
    approve(bench, former)
    await bench.settle()

    assert plan_of(bench)["hash"] != former
    assert made(bench) == []


@pytest.mark.parametrize("name", of_class("Disruptive", "Destructive"))
async def test_an_approval_does_not_reach_another_collection(bench: Bench, name: str) -> None:
    change, policy = CHANGES[name], {"changePolicy": {"destructive": "Manual"}}
    stored = await standing(bench, change, **policy)
    change_spec(bench, change, **policy)
    await bench.settle()
    hash_ = plan_of(bench)["hash"]

    again_by_hand(bench, stored)
    approve(bench, hash_)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "Lost")
    assert made(bench) == []


def again_by_hand(bench: Bench, stored: StoredCollection) -> StoredCollection:
    """Somebody restored it with our stamp: the same in all but the id."""
    bench.milvus.drop("docs")
    new = bench.milvus.add_collection("docs", stored.schema)
    new.indexes, new.partitions, new.load = dict(stored.indexes), list(stored.partitions), stored.load
    new.replicas = stored.replicas
    return new


async def test_a_collection_restored_under_another_id_is_accepted_by_approval_alone(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["a description"])
    new = again_by_hand(bench, stored)
    await bench.settle()
    assert bench.condition(DOCS) == ("False", "Lost")
    assert new.id in bench.message(DOCS)

    approve(bench)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.world.status(DOCS)["collection"]["id"] == new.id  # type: ignore[index]
    assert bench.milvus.changing == []


async def test_a_lost_collection_is_made_anew_by_approval_alone(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["a description"])
    bench.milvus.drop("docs")
    await bench.settle()
    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.condition(DOCS, "PlanApproved") == ("False", "Lost")
    await quiet(bench)

    approve(bench)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == ["create_collection", "create_index", "load"]
    assert bench.milvus.collection("docs").id != stored.id
    assert bench.world.status(DOCS)["collection"]["id"] == bench.milvus.collection("docs").id  # type: ignore[index]
    bench.milvus.drop("docs")
    await bench.settle()
    assert bench.condition(DOCS) == ("False", "Lost"), "the old approval approves nothing"


async def test_a_partition_with_rows_is_dropped_by_approval_alone(bench: Bench) -> None:
    change, policy = CHANGES["a partition removed"], {"changePolicy": FREE}
    stored = await standing(bench, change, **policy)
    stored.rows["news"] = 7
    change_spec(bench, change, **policy)

    await bench.settle()

    assert stored.rows["news"] == 7
    assert bench.condition(DOCS) == ("False", "AwaitingApproval")
    assert plan_of(bench)["class"] == "Destructive"


async def test_a_collection_of_the_former_version_gets_its_record_by_one_call(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["a description"], description="documents")
    kept = {key: value for key, value in stored.schema.properties.items() if key != RECORD}
    stored.schema = dataclasses.replace(stored.schema, properties=kept)

    await bench.reconcile(DOCS)

    assert not bench.changed
    assert [call.method for call in bench.milvus.changing] == ["alter_properties"]
    assert stored.schema.properties[RECORD] == '["spec.description","spec.indexes[dense]"]'
    assert bench.told[-1].notes == ()
    await quiet(bench)


async def test_a_record_that_may_not_be_written_is_no_trouble(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["a description"], description="documents")
    kept = {key: value for key, value in stored.schema.properties.items() if key != RECORD}
    stored.schema = dataclasses.replace(stored.schema, properties=kept)
    bench.milvus.fail_before("alter_properties", PermissionDenied("no privilege"))

    await bench.reconcile(DOCS)

    assert not bench.changed
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_without_a_lasting_lease_nothing_is_changed(bench: Bench) -> None:
    change = CHANGES["a description"]
    await standing(bench, change)
    change_spec(bench, change)
    bench.world.lease_lasts = False

    with pytest.raises(Stale):
        await bench.reconcile(DOCS)

    assert bench.milvus.changing == []


async def test_a_collection_that_was_replaced_meanwhile_is_not_touched(bench: Bench) -> None:
    change = CHANGES["an alias removed"]
    stored = await standing(bench, change, changePolicy=FREE)
    change_spec(bench, change, changePolicy=FREE)
    await bench.reconcile(DOCS)
    confirm = bench.world.confirm

    async def replaced(resource: object) -> None:
        again_by_hand(bench, stored)
        await confirm(resource)  # type: ignore[arg-type]

    bench.world.confirm = replaced  # type: ignore[method-assign]
    with pytest.raises(Stale):
        await bench.reconcile(DOCS)

    assert bench.milvus.changing == []


async def test_a_call_that_changes_nothing_is_not_repeated_for_ever(bench: Bench) -> None:
    change = CHANGES["a description"]
    await standing(bench, change)

    async def taken_and_forgotten(*_: object) -> None:
        calls.append(1)

    calls: list[int] = []
    bench.milvus.alter_properties = taken_and_forgotten  # type: ignore[method-assign, assignment]
    change_spec(bench, change)
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "MilvusError")
    assert "what it changes is as before" in bench.message(DOCS)
    assert len(calls) == 1


async def test_a_server_that_tells_the_former_state_for_a_while_is_given_that_while(bench: Bench) -> None:
    change = CHANGES["a description"]
    await standing(bench, change)
    bench.milvus.stale_describe(2)
    change_spec(bench, change)

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == ["alter_properties"]


def named(reference: str, **more: object) -> dict[str, object]:
    ref = {"name": reference}
    return {"functions": [ali({"dashscope": {"model": "text-embedding-v3", "credentialRef": ref}})], **more}


@pytest.mark.parametrize("version", ["v2.6.7", "v2.6.9", "v3.0.0"])
async def test_another_credential_is_put_in_place(bench: Bench, version: str) -> None:
    in_milvus = bench_in_one_namespace(bench, DEV.name, version)
    await bench.settle_ready(in_milvus)
    bench.milvus.calls.clear()

    bench.apply(collection(in_milvus, **named(PROD.name)))
    await bench.settle()

    assert bench.condition(in_milvus) == ("True", "Ready")
    assert made(bench) == ["alter_function"]


async def test_another_credential_is_refused_by_servers_that_cannot_alter_functions(bench: Bench) -> None:
    in_milvus = bench_in_one_namespace(bench, DEV.name, "v2.6.6")
    await bench.settle_ready(in_milvus)
    bench.milvus.calls.clear()

    bench.apply(collection(in_milvus, **named(PROD.name)))
    await bench.settle()

    assert bench.condition(in_milvus) == ("False", "UnsupportedServer")
    assert "2.6.7" in bench.message(in_milvus)
    assert bench.condition(in_milvus, "Available") == ("True", "Available")
    assert bench.milvus.changing == []


def bench_in_one_namespace(bench: Bench, reference: str, version: str) -> Key:
    bench.milvus.version = version
    bench.quickstart()
    bench.world.remove(DOCS)
    key = DOCS._replace(namespace=DEV.namespace)
    bench.apply(collection(key, **named(reference)))
    return key


async def test_drift_that_comes_back_is_repaired_three_times_an_hour(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["a description"])

    async def spoiled() -> tuple[str, str]:
        stored.load, stored.replicas = LoadState.NOT_LOADED, 0
        await bench.settle()
        return bench.condition(DOCS)

    assert [await spoiled() for _ in range(4)] == [("True", "Ready")] * 3 + [("False", "DriftContested")]
    assert bench.condition(DOCS, "Drifted") == ("True", "Drifted")
    assert bench.milvus.count("load") == 3
    later = bench.told[-1].requeue_after
    assert later is not None
    assert later > 3000

    bench.clock.advance(later + 1)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.count("load") == 4


async def test_contested_drift_is_repaired_as_approved(bench: Bench) -> None:
    stored = await standing(bench, CHANGES["a description"])
    for _ in range(4):
        stored.load, stored.replicas = LoadState.NOT_LOADED, 0
        await bench.settle()

    approve(bench)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")


async def test_an_alias_of_somebody_else_is_not_taken(bench: Bench) -> None:
    change = CHANGES["a partition and an alias"]
    stored = await standing(bench, change)
    bench.milvus.add_collection("other", dataclasses.replace(stored.schema, properties={}))
    bench.milvus.databases["default"].aliases["current"] = "other"

    change_spec(bench, change)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "AliasTaken")
    assert made(bench) == ["create_partition"]
    assert bench.milvus.databases["default"].aliases == {"current": "other"}


async def test_another_credential_waits_until_milvus_has_its_key(bench: Bench) -> None:
    plant = Plant(bench).helm()
    plant.quickstart()
    bench.world.remove(DOCS)
    key = DOCS._replace(namespace=DEV.namespace)
    bench.apply(collection(key, **named(DEV.name)))
    await plant.delivered()
    await plant.until(lambda: bench.condition(key) == ("True", "Ready"))
    bench.milvus.calls.clear()

    new = DEV._replace(name="apikey-new")
    plant.rotate("sk-new-4444444444444444", "apikey-new")
    bench.apply(credential(new))
    bench.apply(collection(key, **named(new.name)))
    rolls = plant.rolls()
    await plant.until(lambda: plant.rolls() > rolls)

    assert bench.condition(key) == ("False", "CredentialNotReady")
    assert bench.condition(key, "Available") == ("True", "Available")
    assert made(bench) == []
    await plant.delivered()
    await plant.until(lambda: bench.condition(key) == ("True", "Ready"))
    assert made(bench) == ["alter_function"]


@pytest.mark.parametrize("policy", ["Never", "Manual"])
async def test_an_object_that_was_restored_without_its_status_changes_nothing_unasked(
    bench: Bench, policy: str
) -> None:
    await standing(bench, CHANGES["a description"], changePolicy={"inPlace": policy})
    bench.world.remove(DOCS)
    body = collection(changePolicy={"inPlace": policy}, description="new")
    body["metadata"]["uid"] = "another"  # type: ignore[index]

    bench.apply(body)
    await bench.settle()

    assert bench.condition(DOCS)[0] == "False"
    assert bench.milvus.changing == []


@pytest.mark.parametrize("name", ["an alias removed", "a partition removed", "the metric of an index"])
async def test_an_approval_counts_once_even_if_the_very_same_difference_comes_again(bench: Bench, name: str) -> None:
    change, policy = CHANGES[name], {"changePolicy": {"destructive": "Manual"}}
    stored = await standing(bench, change, **policy)
    before = dataclasses.replace(stored, indexes=dict(stored.indexes), partitions=list(stored.partitions))
    change_spec(bench, change, **policy)
    await bench.settle()
    former = plan_of(bench)["hash"]
    approve(bench)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    bench.milvus.calls.clear()

    stored.indexes, stored.partitions = before.indexes, before.partitions
    bench.milvus.databases["default"].aliases = {"current": "docs"} if name == "an alias removed" else {}
    bench.world.set_status(DOCS, {k: v for k, v in bench.world.status(DOCS).items() if k != "plan"})
    await bench.settle()

    assert bench.condition(DOCS)[0] == "False"
    assert plan_of(bench)["hash"] != former
    assert made(bench) == []
    approve(bench)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == list(change.calls)


@pytest.mark.parametrize("dies", [False, True], ids=["in one life", "with a new process after each pass"])
async def test_an_approval_covers_more_steps_than_a_status_has_room_for(bench: Bench, *, dies: bool) -> None:
    names = [f"p{number:03}" for number in range(150)]
    change = Change("Destructive", {}, (), before={"partitions": names, "load": {"enabled": False}})
    policy: dict[str, object] = {"changePolicy": {"destructive": "Manual"}, "load": {"enabled": False}}
    stored = await standing(bench, change, **policy)
    change_spec(bench, change, **policy)
    await bench.settle()
    steps = plan_of(bench)["steps"]
    assert isinstance(steps, list)
    assert (len(steps), steps[-1]["action"], steps[-1]["path"]) == (64, "More", "87 more steps")

    approve(bench)
    for _ in range(12):
        await bench.reconcile(DOCS)
        if dies:
            bench.restart()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == ["drop_partition"] * 150
    assert stored.partitions == ["_default"]


async def test_who_approves_dropping_a_partition_is_told_how_many_rows_go_with_it(bench: Bench) -> None:
    change, policy = CHANGES["a partition removed"], {"changePolicy": {"destructive": "Manual"}}
    stored = await standing(bench, change, **policy)
    stored.rows["news"] = 5
    change_spec(bench, change, **policy)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "AwaitingApproval")
    assert "about 5 rows would go with partition news" in bench.message(DOCS)
    assert plan_of(bench)["estimate"] == {"rows": 5}
    stored.rows["news"] = 6
    await quiet(bench)


async def test_rows_that_milvus_does_not_tell_are_called_unknown(bench: Bench) -> None:
    change, policy = CHANGES["a partition removed"], {"changePolicy": {"destructive": "Manual"}}
    await standing(bench, change, **policy)
    bench.milvus.fail_before("estimate_rows", *[PermissionDenied("no")] * 100)
    change_spec(bench, change, **policy)
    await bench.settle()

    assert "an unknown number of rows would go with partition news" in bench.message(DOCS)
    assert "estimate" not in plan_of(bench)
