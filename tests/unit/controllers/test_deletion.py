"""What deleting a collection does in Milvus: by policy, by what is there, and by what can be asked."""

import dataclasses
from collections.abc import Callable

import pytest

from milvus_embedding.api.annotations import FINALIZER
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import Forbidden, Unavailable
from milvus_embedding.clients.milvus.port import AuthenticationFailed, OutcomeUnknown, PermissionDenied, Rejected
from milvus_embedding.controllers.base import Note, SecretFailed, SecretForbidden
from milvus_embedding.domain.ownership import ADOPTED, OWNER
from milvus_embedding.domain.schema import LoadState
from tests.fakes.milvus import FakeMilvus
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS, collection, connection

DELETE, IF_EMPTY, RETAIN = "Delete", "DeleteIfEmpty", "Retain"
POLICIES = (DELETE, IF_EMPTY)
LOGIN = ("milvus", "milvus-login")


async def ready(bench: Bench, policy: str, **spec: object) -> None:
    bench.quickstart(deletionPolicy=policy, **spec)
    await bench.settle_ready(DOCS)
    await bench.settle()


async def with_login(bench: Bench, policy: str) -> None:
    bench.secret("milvus-login", token="root:a-long-password")
    bench.quickstart(deletionPolicy=policy)
    bench.apply(connection(authSecretRef={"name": "milvus-login"}))
    await bench.settle_ready(DOCS)


async def pursue(bench: Bench, key: Key = DOCS, *, passes: int = 12) -> list[Note]:
    """The passes of a deleted object, until it is gone or so often; what was told by Events."""
    notes: list[Note] = []
    for _ in range(passes):
        if key not in bench.world.bodies:
            break
        outcome = await bench.reconcile(key)
        notes += outcome.notes
        bench.clock.advance(outcome.requeue_after or 0.0)
    return notes


def is_there(bench: Bench, name: str = "docs") -> bool:
    return name in bench.milvus.databases["default"].collections


def told(notes: list[Note]) -> str:
    return " | ".join(f"{note.reason}: {note.message}" for note in notes)


def unload(bench: Bench) -> None:
    bench.milvus.collection("docs").load = LoadState.NOT_LOADED


def rows_in_a_released_partition(bench: Bench) -> None:
    stored = bench.milvus.collection("docs")
    stored.partitions.append("old")
    stored.rows["old"] = 3
    stored.released_partitions.add("old")


def rows_and_unloaded(bench: Bench) -> None:
    bench.milvus.collection("docs").rows["_default"] = 7
    unload(bench)


def cannot_be_loaded(bench: Bench) -> None:
    bench.milvus.collection("docs").indexes = {}
    unload(bench)


def stamp(bench: Bench, **properties: str) -> None:
    stored = bench.milvus.collection("docs")
    stored.schema = dataclasses.replace(stored.schema, properties={**stored.schema.properties, **properties})


# the finalizer


async def test_under_retain_there_is_no_finalizer_and_the_object_goes_by_itself(bench: Bench) -> None:
    await ready(bench, RETAIN)
    assert bench.world.finalizers(DOCS) == ()

    bench.milvus.unreachable = True
    bench.world.delete(DOCS)

    assert DOCS not in bench.world.bodies
    assert is_there(bench)


@pytest.mark.parametrize("policy", POLICIES)
async def test_the_finalizer_is_there_before_the_collection_is(bench: Bench, policy: str) -> None:
    bench.quickstart(deletionPolicy=policy)
    hold = len(bench.milvus.calls)

    await bench.settle_ready(DOCS)

    assert bench.world.finalizers(DOCS) == (FINALIZER,)
    assert bench.world.outside.calls.count(f"add_finalizer {DOCS}") == 1
    assert bench.milvus.count("create_collection") == 1
    assert hold == 0


async def test_what_was_never_made_in_milvus_has_no_finalizer(bench: Bench) -> None:
    bench.quickstart(deletionPolicy=DELETE)
    bench.milvus.unreachable = True
    for _ in range(3):
        await bench.reconcile(DOCS)

    bench.world.delete(DOCS)

    assert DOCS not in bench.world.bodies


async def test_switching_to_retain_removes_it_and_switching_back_sets_it(bench: Bench) -> None:
    await ready(bench, DELETE)

    bench.apply(collection(deletionPolicy=RETAIN))
    await bench.settle()
    assert bench.world.finalizers(DOCS) == ()
    assert bench.condition(DOCS) == ("True", "Ready")

    bench.apply(collection(deletionPolicy=DELETE))
    await bench.settle()
    assert bench.world.finalizers(DOCS) == (FINALIZER,)
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_it_is_removed_under_retain_although_nothing_can_be_looked_up(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.unreachable = True
    bench.world.remove(CONNECTION)
    bench.apply(collection(deletionPolicy=RETAIN))

    await bench.reconcile(DOCS)

    assert bench.world.finalizers(DOCS) == ()


async def test_finalizers_of_others_stay(bench: Bench) -> None:
    bench.quickstart(deletionPolicy=DELETE)
    body = bench.world.bodies[DOCS]
    bench.world.put({**body, "metadata": {**body["metadata"], "finalizers": ["team.example/backup"]}})  # type: ignore[dict-item]
    await bench.settle_ready(DOCS)
    assert bench.world.finalizers(DOCS) == ("team.example/backup", FINALIZER)

    bench.world.delete(DOCS)
    await pursue(bench)

    assert bench.world.finalizers(DOCS) == ("team.example/backup",)
    assert not is_there(bench)


async def test_without_the_permission_nothing_is_made(bench: Bench) -> None:
    bench.quickstart(deletionPolicy=DELETE)
    await bench.settle(CONNECTION)
    bench.world.outside.refuse["add_finalizer"] = Forbidden("patch milvuscollections: forbidden", 403)

    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "FinalizerForbidden")
    assert bench.milvus.count("create_collection") == 0


# dropping


@pytest.mark.parametrize("policy", POLICIES)
async def test_an_empty_collection_is_dropped(bench: Bench, policy: str) -> None:
    await ready(bench, policy, aliases=["current"])

    bench.world.delete(DOCS)
    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert not is_there(bench)
    assert bench.milvus.databases["default"].aliases == {}
    assert "CollectionDropped: collection default.docs" in told(notes)
    assert "with 0 row(s)" in told(notes)
    assert bench.milvus.count("drop_collection") == 1


async def test_no_status_is_written_on_the_way_of_a_deletion_that_nothing_hinders(bench: Bench) -> None:
    await ready(bench, DELETE)
    before = len(bench.told)
    bench.world.delete(DOCS)

    await pursue(bench)

    assert [outcome.status for outcome in bench.told[before:]] == [None] * len(bench.told[before:])


async def test_a_collection_that_is_gone_lets_the_object_go(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.drop("docs")
    bench.world.delete(DOCS)

    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert "ReleasedNotDeleted: collection default.docs is not in Milvus" in told(notes)
    assert bench.milvus.count("drop_collection") == 0


async def test_absence_is_believed_after_two_looks(bench: Bench) -> None:
    await ready(bench, DELETE)
    stored = bench.milvus.databases["default"].collections.pop("docs")
    bench.world.delete(DOCS)

    await bench.reconcile(DOCS)
    bench.milvus.databases["default"].collections["docs"] = stored
    await pursue(bench)

    assert not is_there(bench)


async def test_a_database_that_is_gone_lets_the_object_go(bench: Bench) -> None:
    await ready(bench, DELETE, database="team", createDatabase=True)
    del bench.milvus.databases["team"]
    bench.world.delete(DOCS)

    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert "ReleasedNotDeleted" in told(notes)


async def test_a_creation_that_may_still_happen_is_waited_for(bench: Bench) -> None:
    bench.quickstart(deletionPolicy=DELETE)
    bench.milvus.succeed_late("create_collection")
    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])
    for _ in range(2):
        await bench.reconcile(DOCS)
    bench.world.delete(DOCS)

    await pursue(bench, passes=3)
    assert bench.condition(DOCS) == ("False", "DeletionBlocked")
    await bench.milvus.settle()
    notes = await pursue(bench)

    assert not is_there(bench)
    assert "CollectionDropped" in told(notes)


# L24: what stands against a drop

LEFT: dict[str, tuple[str, Callable[[Bench], object], str]] = {
    "rows, under DeleteIfEmpty": (
        IF_EMPTY, lambda b: b.milvus.collection("docs").rows.update({"_default": 7}), "has 7 row(s)",
    ),
    "rows in a partition that is not loaded": (
        IF_EMPTY,
        rows_in_a_released_partition,
        "has 3 row(s)",
    ),
    "rows in a collection that is not loaded": (
        IF_EMPTY, rows_and_unloaded, "has 7 row(s)",
    ),
    "it cannot be loaded to be counted": (
        IF_EMPTY, cannot_be_loaded, "cannot be loaded",
    ),
    "its id is another one": (
        DELETE, lambda b: setattr(b.milvus.collection("docs"), "id", "999"), "is another one (id 999)",
    ),
    "its stamp is of somebody else": (
        DELETE, lambda b: stamp(b, **{OWNER: "cluster-2/search/docs"}), "does not bear the stamp",
    ),
    "its stamp was taken off": (DELETE, lambda b: stamp(b, **{OWNER: ""}), "does not bear the stamp"),
    "an alias of others is on it": (
        DELETE, lambda b: b.milvus.databases["default"].aliases.update({"live": "docs"}), "in use by alias live",
    ),
    "it was adopted": (DELETE, lambda b: stamp(b, **{ADOPTED: "true"}), "was adopted"),
    "it was adopted, and is empty": (IF_EMPTY, lambda b: stamp(b, **{ADOPTED: "true"}), "was adopted"),
    "the name is an alias by now": (
        DELETE,
        lambda b: (
            b.milvus.databases["default"].collections.update(
                {"other": b.milvus.databases["default"].collections.pop("docs")}
            ),
            b.milvus.databases["default"].aliases.update({"docs": "other"}),
        ),
        "is an alias of another collection",
    ),
    "the connection is gone": (DELETE, lambda b: b.world.remove(CONNECTION), "is gone or does not admit"),
    "the grant was withdrawn": (
        DELETE, lambda b: b.apply(connection(allowedNamespaces={"from": "Same"})), "is gone or does not admit",
    ),
    "somebody forces its release": (
        DELETE, lambda b: b.world.annotate(DOCS, force_release="true"), "force-release says",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT)
async def test_l24_what_we_may_not_drop_is_let_go_at_once(bench: Bench, case: str) -> None:
    policy, happens, why = LEFT[case]
    await ready(bench, policy)
    happens(bench)
    before = bench.milvus.count("drop_collection")

    bench.world.delete(DOCS)
    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert "ReleasedNotDeleted" in told(notes)
    assert why in told(notes)
    assert bench.milvus.count("drop_collection") == before
    assert len(bench.milvus.databases["default"].collections) == 1


async def test_l24_with_rows_under_delete_is_dropped_and_told(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.collection("docs").rows["_default"] = 7
    bench.world.delete(DOCS)

    notes = await pursue(bench)

    assert not is_there(bench)
    assert "with 7 row(s)" in told(notes)


async def test_l24_unloaded_under_delete_is_dropped_without_loading_it(bench: Bench) -> None:
    await ready(bench, DELETE)
    unload(bench)
    loads = bench.milvus.count("load")
    bench.world.delete(DOCS)

    notes = await pursue(bench)

    assert not is_there(bench)
    assert "rows that were not counted" in told(notes)
    assert bench.milvus.count("load") == loads


async def test_l24_unloaded_and_empty_is_loaded_counted_and_dropped(bench: Bench) -> None:
    await ready(bench, IF_EMPTY)
    unload(bench)
    bench.milvus.loads_at_once = False
    bench.world.delete(DOCS)

    await pursue(bench, passes=5)
    assert bench.condition(DOCS) == ("False", "DeletionBlocked")
    assert is_there(bench)
    bench.milvus.finish_loads()
    await pursue(bench)

    assert not is_there(bench)
    assert bench.milvus.count("load") == 2


async def test_l24_rows_inserted_between_the_first_count_and_the_drop_are_seen(bench: Bench) -> None:
    await ready(bench, IF_EMPTY)
    bench.world.delete(DOCS)
    confirm = bench.world.confirm

    async def confirm_while_somebody_inserts(resource: object) -> None:
        bench.milvus.collection("docs").rows["_default"] = 1
        await confirm(resource)  # type: ignore[arg-type]

    bench.world.confirm = confirm_while_somebody_inserts  # type: ignore[method-assign]
    notes = await pursue(bench)

    assert is_there(bench)
    assert "has 1 row(s)" in told(notes)


async def test_l24_adopted_is_dropped_with_the_annotation_of_its_id(bench: Bench) -> None:
    await ready(bench, DELETE)
    stamp(bench, **{ADOPTED: "true"})
    bench.world.annotate(DOCS, delete_adopted=bench.milvus.collection("docs").id)
    bench.world.delete(DOCS)

    await pursue(bench)

    assert not is_there(bench)


def nobody_can_tell(bench: Bench) -> None:
    bench.world.hidden = {CONNECTION}
    bench.world.outside.refuse = {"exists": Unavailable("no answer")}


BLOCKS: dict[str, Callable[[Bench], object]] = {
    "Milvus does not answer": lambda b: setattr(b.milvus, "unreachable", True),
    "Milvus refuses the login": lambda b: b.milvus.fail_before("describe", *[AuthenticationFailed("no")] * 20),
    "the privilege is missing": lambda b: b.milvus.fail_before("drop_collection", *[PermissionDenied("no")] * 20),
    "the login may not be read": lambda b: b.world.unreadable.update({LOGIN: SecretForbidden()}),
    "the login cannot be read": lambda b: b.world.unreadable.update({LOGIN: SecretFailed("500")}),
    "the connection is paused": lambda b: b.apply(
        connection(authSecretRef={"name": "milvus-login"}, paused=True),
    ),
    "the collection is paused": lambda b: b.apply(collection(deletionPolicy=DELETE, paused=True)),
    "the cache has lost the connection, and a GET finds it": lambda b: setattr(b.world, "hidden", {CONNECTION}),
    "nobody can tell whether the connection is there": nobody_can_tell,
}


@pytest.mark.parametrize("case", BLOCKS)
async def test_l24_what_cannot_be_asked_holds_the_object_and_tells_the_way_out(bench: Bench, case: str) -> None:
    await with_login(bench, DELETE)
    BLOCKS[case](bench)

    bench.world.delete(DOCS)
    notes = await pursue(bench)

    assert bench.condition(DOCS) == ("False", "DeletionBlocked")
    assert 'embedding.milvus.io/force-release: "true"' in bench.message(DOCS)
    assert notes == []
    assert is_there(bench)

    bench.world.annotate(DOCS, force_release="true")
    notes = await pursue(bench)
    assert DOCS not in bench.world.bodies
    assert "ReleasedNotDeleted" in told(notes)
    assert is_there(bench)


async def test_l24_the_login_is_gone(bench: Bench) -> None:
    await with_login(bench, DELETE)
    del bench.world.secrets[LOGIN]
    bench.milvus.unreachable = True

    bench.world.delete(DOCS)
    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert "the login of connection milvus is gone" in told(notes)


async def test_l24_milvus_comes_back(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.unreachable = True
    bench.world.delete(DOCS)
    await pursue(bench)

    bench.milvus.unreachable = False
    await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert not is_there(bench)


async def test_the_same_trouble_is_told_once(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.unreachable = True
    bench.world.delete(DOCS)

    writes = 0
    for _ in range(20):
        await bench.reconcile(DOCS)
        writes += bench.changed
        bench.clock.advance(4)

    assert writes == 1


async def test_l30_a_drop_whose_time_passed_is_waited_for_before_the_name_is_free(bench: Bench) -> None:
    """It succeeds late: an object of the same name made meanwhile would lose its collection to it."""
    await ready(bench, DELETE)
    bench.milvus.succeed_late("drop_collection")
    bench.world.delete(DOCS)
    await pursue(bench, passes=2)
    sent = bench.clock()
    await bench.milvus.settle()

    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert bench.clock() - sent >= 8
    assert "CollectionDropped" in told(notes)
    assert bench.milvus.count("drop_collection") == 1


async def test_a_stale_answer_after_the_drop_leads_to_no_second_one(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.stale_describe(3)
    bench.world.delete(DOCS)

    await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert bench.milvus.count("drop_collection") == 1


async def test_milvus_refuses_the_drop(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.milvus.fail_before("drop_collection", *[Rejected("no", 65535)] * 20)
    bench.world.delete(DOCS)

    await pursue(bench)

    assert bench.condition(DOCS) == ("False", "DeletionBlocked")


async def test_lease_that_does_not_last_drops_nothing(bench: Bench) -> None:
    await ready(bench, DELETE)
    bench.world.delete(DOCS)
    await bench.reconcile(DOCS)
    bench.clock.advance(3)
    bench.world.lease_lasts = False

    with pytest.raises(Exception, match="is not as it was decided on"):
        await bench.reconcile(DOCS)

    assert is_there(bench)


async def test_a_connection_paused_at_the_last_moment_drops_nothing(bench: Bench) -> None:
    """The cache does not know it yet; the GET before the drop does."""
    await ready(bench, DELETE)
    bench.world.delete(DOCS)
    await bench.reconcile(DOCS)
    bench.clock.advance(3)
    count = bench.milvus.count_rows

    async def count_while_somebody_pauses(*arguments: str, **named: object) -> int:
        bench.apply(connection(paused=True))
        return await count(*arguments, **named)  # type: ignore[arg-type]

    bench.milvus.count_rows = count_while_somebody_pauses  # type: ignore[method-assign]
    with pytest.raises(Exception, match="is not as it was decided on"):
        await bench.reconcile(DOCS)

    assert is_there(bench)


# L15


async def test_l15_deleted_and_made_anew_within_a_second_under_retain(bench: Bench) -> None:
    """The new object has another uid, and finds what it made in its earlier life."""
    await ready(bench, RETAIN)
    collection_id = bench.milvus.collection("docs").id
    bench.world.delete(DOCS)

    body = collection()
    bench.world.put({**body, "metadata": {**body["metadata"], "uid": "another-life"}})  # type: ignore[dict-item]
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.collection("docs").id == collection_id
    assert bench.milvus.count("create_collection") == 1


async def test_l15_the_new_object_is_deleted_before_its_first_look(bench: Bench) -> None:
    """Under Retain first, then Delete: what it never had it does not drop."""
    await ready(bench, RETAIN)
    bench.world.delete(DOCS)
    body = collection(deletionPolicy=DELETE)
    bench.world.put({**body, "metadata": {**body["metadata"], "uid": "another-life"}})  # type: ignore[dict-item]
    await bench.reconcile(DOCS)
    assert bench.world.finalizers(DOCS) == (FINALIZER,)

    bench.world.delete(DOCS)
    notes = await pursue(bench)

    assert is_there(bench)
    assert "made in an earlier life" in told(notes)


async def test_l15_the_new_object_deleted_later_drops_what_it_had(bench: Bench) -> None:
    await ready(bench, RETAIN)
    bench.world.delete(DOCS)
    body = collection(deletionPolicy=DELETE)
    bench.world.put({**body, "metadata": {**body["metadata"], "uid": "another-life"}})  # type: ignore[dict-item]
    await bench.settle()

    bench.world.delete(DOCS)
    await pursue(bench)

    assert not is_there(bench)


async def test_l15_under_delete_the_new_object_gets_a_new_collection(bench: Bench) -> None:
    await ready(bench, DELETE)
    former = bench.milvus.collection("docs").id
    bench.world.delete(DOCS)
    await pursue(bench)
    await bench.collections.forget(DOCS)

    bench.apply(collection(deletionPolicy=DELETE))
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.collection("docs").id != former


async def test_l15_namespace_recreated_another_uid_under_the_same_name_does_not_take_the_deletion_over(
    bench: Bench,
) -> None:
    await ready(bench, DELETE)
    bench.world.delete(DOCS)
    await bench.reconcile(DOCS)
    bench.clock.advance(3)
    describe = bench.milvus.describe

    async def describe_while_it_is_made_anew(database: str, name: str) -> object:
        bench.world.remove(DOCS)
        body = collection(deletionPolicy=DELETE)
        bench.world.put({**body, "metadata": {**body["metadata"], "uid": "another-life"}})  # type: ignore[dict-item]
        return await describe(database, name)

    bench.milvus.describe = describe_while_it_is_made_anew  # type: ignore[method-assign, assignment]
    with pytest.raises(Exception, match="is not as it was decided on"):
        await bench.reconcile(DOCS)

    assert is_there(bench)


async def test_status_lost_the_stamp_tells_that_it_is_ours(bench: Bench) -> None:
    """Killed between CreateCollection and the status: the uid in the stamp is that of this very object."""
    await ready(bench, DELETE)
    bench.world.set_status(DOCS, {})
    bench.world.delete(DOCS)

    await pursue(bench)

    assert not is_there(bench)


async def test_an_unknown_outcome_that_did_nothing_is_tried_again(make_bench: Callable[..., Bench]) -> None:
    milvus = FakeMilvus()
    bench = make_bench(milvus=milvus)
    await ready(bench, DELETE)
    milvus.fail_before("drop_collection", OutcomeUnknown("no answer in time"))
    bench.world.delete(DOCS)

    notes = await pursue(bench, passes=30)

    assert not is_there(bench)
    assert "CollectionDropped" in told(notes)
    assert milvus.count("drop_collection") == 2
