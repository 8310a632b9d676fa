"""Faults of the life of a collection, by number: whose it is, what stands under its name, what is remembered of it."""

import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import PermissionDenied, Rejected
from milvus_embedding.domain.ownership import IDENTITY, OWNER
from milvus_embedding.domain.planning.record import RECORD
from milvus_embedding.domain.schema import Schema
from tests.fakes.milvus import FakeMilvus, StoredDatabase
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.changes import approve, made
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS, collection, connection
from tests.unit.controllers.owners import adoption_allowed, observed, owner_of, restamp, somebodys, the_manuals
from tests.unit.controllers.test_deletion import pursue, told

OURS = f"{OWNER_ID}/search/docs"
SECOND = DOCS._replace(name="second")
ELSEWHERE = Key(DOCS.kind, "team", "docs")
OTHER_PARAMETERS = "Milvus refused CreateCollection: create duplicate collection with different parameters."


class Crowded(FakeMilvus):
    """`between` happens once, after the look and directly before a collection is created."""

    between: Callable[[], Awaitable[object]] | None = None

    async def create_collection(self, database: str, name: str, schema: Schema) -> None:
        if (happens := self.between) is not None:
            self.between = None
            await happens()
        await super().create_collection(database, name, schema)


async def references_settled(bench: Bench) -> None:
    await bench.settle(*[key for key in bench.world.bodies if key.kind != DOCS.kind])


async def ready(bench: Bench, **spec: object) -> None:
    bench.quickstart(**spec)
    await bench.settle_ready(DOCS)
    await observed(bench)
    bench.milvus.calls.clear()


def rivals(make_bench: MakeBench, who: str, spec: dict[str, object]) -> tuple[Bench, Bench, Key]:
    """The manual's objects, and a second object that wants the same collection; it is the key in the second bench."""
    milvus = Crowded()
    one = make_bench(milvus=milvus)
    one.quickstart()
    if who == "two clusters":
        two = make_bench(milvus=milvus, owner_id="cluster-2")
        two.quickstart(**spec)
        return one, two, DOCS
    key = SECOND if who == "one namespace" else ELSEWHERE
    one.apply(connection(allowedNamespaces={"from": "All"}))
    one.apply(collection(key, collectionName="docs", **spec))
    return one, one, key


@pytest.mark.parametrize("spec", [{}, {"shards": 2}], ids=["same spec", "different spec"])
@pytest.mark.parametrize("who", ["one namespace", "two namespaces", "two clusters"])
async def test_l02_two_objects_create_one_name_at_once_and_one_has_it(
    make_bench: MakeBench, who: str, spec: dict[str, object]
) -> None:
    one, two, key = rivals(make_bench, who, spec)
    await references_settled(one)
    await references_settled(two)
    one.milvus.between = lambda: two.reconcile(key)  # type: ignore[attr-defined]

    await one.reconcile(DOCS)
    for bench in (two, one, two):
        await observed(bench)

    assert two.condition(key) == ("True", "Ready")
    assert one.condition(DOCS) == ("False", "OwnedByOther")
    assert list(one.milvus.databases["default"].collections) == ["docs"]
    assert made(one).count("create_index") == 1


async def test_l03_different_parameters_told_of_our_own_creation(bench: Bench) -> None:
    bench.quickstart()
    await references_settled(bench)
    bench.milvus.fail_after("create_collection", Rejected(OTHER_PARAMETERS, 65535))

    await bench.settle_ready(DOCS)

    assert made(bench) == ["create_collection", "create_index", "load"]


async def test_l03_different_parameters_told_of_somebody_elses(bench: Bench) -> None:
    bench.quickstart()
    await references_settled(bench)
    bench.milvus.fail_before("create_collection", Rejected(OTHER_PARAMETERS, 65535))
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "RejectedByMilvus")
    bench.milvus.add_collection("docs", the_manuals(owner="other/search/docs"))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "OwnedByOther")


async def test_l04_a_creation_lands_after_the_object_was_deleted_and_the_next_life_has_it(bench: Bench) -> None:
    bench.quickstart()
    await references_settled(bench)
    bench.milvus.succeed_late("create_collection")
    await bench.reconcile(DOCS)
    bench.world.delete(DOCS)
    await bench.collections.forget(DOCS)

    await bench.milvus.settle()
    assert owner_of(bench) == OURS
    bench.apply(collection())
    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_collection") == 1


async def test_l04_under_delete_a_creation_under_way_is_waited_for_and_dropped(bench: Bench) -> None:
    bench.quickstart(deletionPolicy="Delete")
    await references_settled(bench)
    bench.milvus.succeed_late("create_collection")
    await bench.reconcile(DOCS)
    await bench.reconcile(DOCS)
    bench.world.delete(DOCS)
    await bench.reconcile(DOCS)
    assert DOCS in bench.world.bodies

    await bench.milvus.settle()
    notes = await pursue(bench)

    assert "CollectionDropped" in told(notes)
    assert bench.milvus.databases["default"].collections == {}


async def test_l04_a_creation_lands_after_the_spec_was_changed(bench: Bench) -> None:
    bench.quickstart()
    await references_settled(bench)
    bench.milvus.succeed_late("create_collection")
    await bench.reconcile(DOCS)
    bench.apply(collection(description="new", partitions=["news"]))
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "CreateOutcomeUnknown")

    await bench.milvus.settle()
    await bench.settle_ready(DOCS)

    stored = bench.milvus.collection("docs")
    assert stored.schema.description == "new"
    assert "news" in stored.partitions
    assert bench.milvus.count("create_collection") == 1


ALIASED = {"of ours": f"{OWNER_ID}/search/docs", "of others": "other/search/docs", "of nobody's": None}


@pytest.mark.parametrize("sentence", ALIASED)
async def test_l06_the_name_is_an_alias(bench: Bench, sentence: str) -> None:
    bench.milvus.add_collection("docs_g1", the_manuals(owner=ALIASED[sentence]))
    bench.milvus.databases["default"].aliases["docs"] = "docs_g1"
    bench.quickstart()
    adoption_allowed(bench)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NameIsAlias")
    assert bench.milvus.changing == []


async def test_l06_an_alias_appears_between_look_and_creation(make_bench: MakeBench) -> None:
    milvus = Crowded()
    bench = make_bench(milvus=milvus)
    bench.quickstart()
    await references_settled(bench)

    async def appears() -> None:
        milvus.add_collection("docs_g1", the_manuals())
        milvus.databases["default"].aliases["docs"] = "docs_g1"

    milvus.between = appears
    await bench.reconcile(DOCS)
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NameIsAlias")
    assert list(milvus.databases["default"].collections) == ["docs_g1"]


async def test_l06_our_collection_is_renamed_and_an_alias_answers_for_it(bench: Bench) -> None:
    await ready(bench)
    stored = bench.milvus.databases["default"]
    stored.collections["docs_new"] = stored.collections.pop("docs")
    stored.aliases["docs"] = "docs_new"

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NameIsAlias")
    assert bench.milvus.changing == []


async def test_l07_a_missing_database_is_named_and_not_made(bench: Bench) -> None:
    bench.quickstart(database="team")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")
    assert bench.milvus.changing == []


async def test_l07_a_renamed_database_is_no_lost_collection(bench: Bench) -> None:
    bench.milvus.databases["team"] = StoredDatabase()
    await ready(bench, database="team", createDatabase=True)
    bench.milvus.databases["crew"] = bench.milvus.databases.pop("team")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")
    assert bench.milvus.changing == []
    bench.milvus.databases["team"] = bench.milvus.databases.pop("crew")
    await bench.settle_ready(DOCS)


async def test_l07_a_forbidden_database_proves_nothing(bench: Bench) -> None:
    await ready(bench)
    bench.milvus.drop("docs")
    bench.milvus.fail_before("list_databases", *[PermissionDenied("no privilege ListDatabases")] * 6)

    for _ in range(6):
        await bench.reconcile(DOCS)
        bench.clock.advance(5)

    assert bench.condition(DOCS) == ("False", "PermissionDenied")
    assert bench.milvus.changing == []


async def test_l09_a_stamp_that_was_lost_is_written_again_where_adoption_is_allowed(bench: Bench) -> None:
    await ready(bench)
    restamp(bench, None)
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "NameTaken")
    assert bench.milvus.changing == []

    adoption_allowed(bench)
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert owner_of(bench) == OURS
    assert made(bench) == ["alter_properties"]


async def test_l09_a_copy_with_our_stamp_is_nobody_elses_and_is_not_touched(bench: Bench) -> None:
    await ready(bench)
    copy = bench.milvus.add_collection("docs_bak", bench.milvus.collection("docs").schema)
    before = copy.schema
    bench.apply(collection(SECOND, collectionName="docs_bak"))

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.condition(SECOND) == ("False", "OwnedByOther")
    assert copy.schema == before
    assert bench.milvus.changing == []


@pytest.mark.parametrize("accepted", [(), ("cluster-0",)])
async def test_l09_a_stamp_of_another_cluster(make_bench: MakeBench, accepted: tuple[str, ...]) -> None:
    bench = make_bench(accepted_ids=accepted)
    somebodys(bench, owner="cluster-0/search/docs")

    await observed(bench)

    assert bench.condition(DOCS) == (("True", "Ready") if accepted else ("False", "OwnedByOther"))
    assert owner_of(bench) == "cluster-0/search/docs"


async def test_l09_a_stamp_that_a_newer_version_wrote(bench: Bench) -> None:
    await ready(bench)
    stored = bench.milvus.collection("docs")
    newer = {IDENTITY: '{"v": 2, "outputs": [{"dense": "x"}]}', RECORD: '{"v": 2}', "embedding.milvus.io/new": "1"}
    stored.schema = dataclasses.replace(stored.schema, properties={**stored.schema.properties, **newer})

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert made(bench) == []
    assert bench.milvus.collection("docs").schema.properties["embedding.milvus.io/new"] == "1"


async def test_l10_renamed_by_hand_it_is_lost_and_comes_back_by_its_name(bench: Bench) -> None:
    await ready(bench)
    stored = bench.milvus.databases["default"].collections
    stored["docs_old"] = stored.pop("docs")
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.milvus.changing == []

    stored["docs"] = stored.pop("docs_old")
    await bench.settle_ready(DOCS)

    assert bench.milvus.changing == []


IN_ITS_PLACE: dict[str, Callable[[Bench], object]] = {
    "dropped": lambda b: None,
    "recreated equal, with our stamp": lambda b: b.milvus.add_collection("docs", the_manuals(owner=OURS)),
    "recreated equal, without a stamp": lambda b: b.milvus.add_collection("docs", the_manuals()),
    "recreated different, with our stamp": lambda b: b.milvus.add_collection("docs", the_manuals(owner=OURS, shards=2)),
}


@pytest.mark.parametrize("sentence", IN_ITS_PLACE)
async def test_l11_what_was_dropped_by_hand_is_lost_whatever_stands_there(bench: Bench, sentence: str) -> None:
    await ready(bench)
    adoption_allowed(bench)
    bench.milvus.drop("docs")
    IN_ITS_PLACE[sentence](bench)

    await observed(bench)
    bench.restart()
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.milvus.changing == []


async def test_l11_recreated_different_without_a_stamp(bench: Bench) -> None:
    await ready(bench)
    adoption_allowed(bench)
    bench.milvus.drop("docs")
    bench.milvus.add_collection("docs", the_manuals(shards=2))

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "NotMatching")
    assert bench.milvus.changing == []


async def test_l11_recreated_equal_counts_after_an_approval(bench: Bench) -> None:
    await ready(bench)
    adoption_allowed(bench)
    bench.milvus.drop("docs")
    other = bench.milvus.add_collection("docs", the_manuals())
    await observed(bench)

    approve(bench)
    await bench.settle_ready(DOCS)

    assert bench.world.status(DOCS)["collection"]["id"] == other.id  # type: ignore[index]
    assert owner_of(bench) == OURS
    assert "create_collection" not in made(bench)


async def _ready(bench: Bench) -> None:
    await ready(bench)


async def _adopting(bench: Bench) -> None:
    somebodys(bench)
    await references_settled(bench)
    await bench.reconcile(DOCS)


async def _adopted(bench: Bench) -> None:
    somebodys(bench)
    await observed(bench)


async def _handing_over(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(SECOND, collectionName="docs"))
    bench.world.annotate(DOCS, release_to="search/second")
    await bench.reconcile(DOCS)


async def _handed_over(bench: Bench) -> None:
    await _handing_over(bench)
    await observed(bench)


async def _of_others(bench: Bench) -> None:
    somebodys(bench, owner="other/search/docs")
    await observed(bench)


async def _waiting_for_approval(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(load={"enabled": False}))
    await observed(bench)


async def _observed(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(adoptionPolicy="Observe"))
    await observed(bench)


async def _created_and_not_completed(bench: Bench) -> None:
    bench.quickstart()
    await references_settled(bench)
    bench.milvus.fail_before("create_index", Rejected("Milvus refused CreateIndex: busy.", 65535))
    await bench.reconcile(DOCS)


STATES: dict[str, tuple[Callable[[Bench], Awaitable[None]], tuple[str, str]]] = {
    "created and not completed": (_created_and_not_completed, ("True", "Ready")),
    "ready": (_ready, ("True", "Ready")),
    "being adopted": (_adopting, ("True", "Ready")),
    "adopted": (_adopted, ("True", "Ready")),
    "being handed over": (_handing_over, ("True", "HandedOver")),
    "handed over": (_handed_over, ("True", "HandedOver")),
    "another owner's": (_of_others, ("False", "OwnedByOther")),
    "waiting for an approval": (_waiting_for_approval, ("False", "AwaitingApproval")),
    "observed": (_observed, ("True", "Observed")),
}


@pytest.mark.parametrize("state", STATES)
async def test_l14_a_status_that_is_lost_is_found_again(bench: Bench, state: str) -> None:
    reach, end = STATES[state]
    await reach(bench)
    changed = set(made(bench))

    bench.world.set_status(DOCS, {})
    bench.restart()
    await observed(bench)

    assert bench.condition(DOCS) == end
    assert set(made(bench)) - changed <= {"alter_properties", "create_index", "load"}
    assert bench.milvus.count("create_collection") <= 1
    assert bench.milvus.count("drop_collection") == 0


async def test_l14_status_and_collection_lost_an_object_is_a_new_one(bench: Bench) -> None:
    await ready(bench)
    bench.milvus.drop("docs")
    await observed(bench)
    bench.world.set_status(DOCS, {})
    bench.restart()

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.count("create_collection") == 1


async def test_l14_restored_with_another_uid_it_is_the_same_owner(bench: Bench) -> None:
    await ready(bench)
    body = collection()
    bench.world.remove(DOCS)
    bench.restart()
    bench.apply({**body, "metadata": {"name": "docs", "namespace": "search", "uid": "restored"}})

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.changing == []


async def test_l23_of_two_objects_with_one_alias_the_second_does_not_get_it(bench: Bench) -> None:
    await ready(bench, aliases=["current"])
    bench.apply(collection(SECOND, aliases=["current"]))

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.condition(SECOND) == ("False", "AliasTaken")
    assert bench.milvus.databases["default"].aliases == {"current": "docs"}


async def test_l23_an_alias_that_was_moved_by_hand_is_not_taken_back(bench: Bench) -> None:
    await ready(bench, aliases=["current"])
    bench.milvus.add_collection("strangers", the_manuals(owner="other/search/docs"))
    bench.milvus.databases["default"].aliases["current"] = "strangers"

    await observed(bench)

    assert bench.condition(DOCS)[0] == "False"
    assert "spec.aliases[current]" in bench.message(DOCS)
    assert bench.milvus.databases["default"].aliases == {"current": "strangers"}


async def test_l23_an_alias_that_was_dropped_comes_back(bench: Bench) -> None:
    await ready(bench, aliases=["current"])
    bench.milvus.databases["default"].aliases.clear()

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.databases["default"].aliases == {"current": "docs"}
    assert owner_of(bench) == bench.milvus.collection("docs").schema.properties[OWNER]
