"""The annotation release-to: the owner makes another object the owner, and changes nothing from then on."""

from typing import cast

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Stale, T
from milvus_embedding.domain.ownership import OWNER
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.changes import made
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS, ali, collection, connection, fields
from tests.unit.controllers.owners import Rivals, observed, owner_of, restamp, the_manuals
from tests.unit.controllers.test_adoption import DISTURBANCES
from tests.unit.controllers.test_collection_crashes import Crash, DisturbedMilvus
from tests.unit.controllers.test_deletion import pursue, told

HEIR = DOCS._replace(name="heir")
THE_HEIRS = f"{OWNER_ID}/search/heir"


async def ready(bench: Bench, **spec: object) -> None:
    bench.quickstart(**spec)
    await bench.settle_ready(DOCS)
    await observed(bench)
    bench.milvus.calls.clear()


def heir(bench: Bench, key: Key = HEIR, **spec: object) -> None:
    bench.apply(collection(key, **{"collectionName": "docs", **spec}))


def release(bench: Bench, to: Key = HEIR, **spec: object) -> None:
    """To an heir that declares the same collection."""
    heir(bench, to, **spec)
    bench.world.annotate(DOCS, release_to=f"{to.namespace}/{to.name}")


async def test_the_other_object_finds_it_stamped_as_its_own(bench: Bench) -> None:
    await ready(bench, aliases=["current"])
    heir(bench, aliases=["current"])
    await observed(bench)
    assert bench.condition(HEIR) == ("False", "OwnedByOther")

    bench.world.annotate(DOCS, release_to="search/heir")
    await observed(bench)
    bench.clock.advance(30)
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "HandedOver")
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert bench.condition(HEIR) == ("True", "Ready")
    assert owner_of(bench) == THE_HEIRS
    assert made(bench) == ["alter_properties"]
    assert bench.milvus.databases["default"].aliases == {"current": "docs"}


async def test_the_heir_may_come_later_and_nothing_is_written_until_then(bench: Bench) -> None:
    await ready(bench)
    bench.world.annotate(DOCS, release_to="search/heir")
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert "search/heir" in bench.message(DOCS)
    assert "there is none" in bench.message(DOCS)
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert bench.milvus.changing == []

    heir(bench)
    await observed(bench)
    bench.clock.advance(30)
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "HandedOver")
    assert bench.condition(HEIR) == ("True", "Ready")


async def test_a_slip_of_the_pen_is_taken_back_by_removing_the_annotation(bench: Bench) -> None:
    await ready(bench)
    bench.world.annotate(DOCS, release_to="serach/heir")
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "NotAllowed")

    bench.world.annotate(DOCS, release_to="")
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.changing == []


AGAINST: dict[str, tuple[dict[str, object], str]] = {
    "it adopts nothing": ({"adoptionPolicy": "Never"}, "its spec.adoptionPolicy is Never"),
    "it only observes": ({"adoptionPolicy": "Observe"}, "its spec.adoptionPolicy is Observe"),
    "it means another collection": ({"collectionName": "other"}, "its collectionName is other"),
    "it means another database": ({"database": "team"}, "its spec.database differs"),
    "it means another Milvus": ({"connectionRef": {"name": "other"}}, "its spec.connectionRef differs"),
}


@pytest.mark.parametrize("sentence", AGAINST)
async def test_to_who_does_not_ask_for_it_nothing_is_handed_over(bench: Bench, sentence: str) -> None:
    spec, text = AGAINST[sentence]
    await ready(bench)
    heir(bench, HEIR, **spec)
    bench.milvus.calls.clear()
    bench.world.annotate(DOCS, release_to="search/heir")

    await bench.settle(DOCS)

    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert text in bench.message(DOCS)
    assert owner_of(bench) == f"{OWNER_ID}/search/docs"


ELSEWHERE = Key("MilvusCollection", "team", "docs")
GRANTS: dict[str, tuple[dict[str, object], dict[str, object] | None]] = {
    "there is no such object": ({"allowedAdoption": {"from": "All"}}, None),
    "it adopts nothing": ({"allowedAdoption": {"from": "All"}}, {"adoptionPolicy": "Never"}),
    "it means another collection": ({"allowedAdoption": {"from": "All"}}, {"collectionName": "other"}),
    "its namespace may not adopt": ({}, {}),
    "its namespace may not use the connection": (
        {"allowedAdoption": {"from": "All"}, "allowedNamespaces": {"from": "Names", "names": ["search"]}},
        {},
    ),
}


@pytest.mark.parametrize("sentence", GRANTS)
async def test_into_another_namespace_a_refusal_tells_nothing_of_it(bench: Bench, sentence: str) -> None:
    grants, spec = GRANTS[sentence]
    await ready(bench)
    bench.apply(connection(**{"allowedNamespaces": {"from": "All"}, **grants}))
    if spec is not None:
        heir(bench, ELSEWHERE, **{"connectionRef": {"name": "milvus", "namespace": "milvus"}, **spec})
    bench.world.annotate(DOCS, release_to="team/docs")
    bench.milvus.calls.clear()

    await bench.settle(DOCS)

    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert bench.message(DOCS) == (
        "annotation embedding.milvus.io/release-to: no MilvusCollection team/docs may take collection docs over: it "
        "has to declare the same connectionRef, database and collectionName with adoptionPolicy IfMatching, and "
        "allowedNamespaces and allowedAdoption of connection milvus have to admit team; or correct or remove the "
        "annotation"
    )
    assert bench.milvus.changing == []


async def test_into_a_namespace_that_may_adopt_it_is_handed_over(bench: Bench) -> None:
    await ready(bench)
    bench.apply(connection(allowedNamespaces={"from": "All"}, allowedAdoption={"from": "All"}))
    release(bench, ELSEWHERE, connectionRef={"name": "milvus", "namespace": "milvus"})

    await bench.settle(DOCS)

    assert bench.condition(DOCS) == ("True", "HandedOver")
    assert owner_of(bench) == f"{OWNER_ID}/team/docs"


async def test_consent_is_read_again_directly_before_the_stamp(bench: Bench) -> None:
    await ready(bench)
    release(bench)
    old = bench.world.resource(HEIR)
    heir(bench, adoptionPolicy="Never")
    newer, get = bench.world.resource(HEIR), bench.world.get
    assert newer != old

    def stale(kind: type[T], namespace: str, name: str) -> T | None:
        return cast("T", old) if (namespace, name) == ("search", "heir") else get(kind, namespace, name)

    bench.world.get = stale  # type: ignore[method-assign]
    with pytest.raises(Stale):
        await bench.reconcile(DOCS)

    assert bench.milvus.changing == []


async def test_handed_over_it_stays_so_if_the_heir_changes_its_mind(bench: Bench) -> None:
    await ready(bench)
    release(bench)
    await observed(bench)

    heir(bench, adoptionPolicy="Never")
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "HandedOver")


async def test_it_counts_when_the_stamp_was_seen_to_stand(bench: Bench) -> None:
    await ready(bench)
    release(bench)

    first = await bench.reconcile(DOCS)
    assert (first.requeue_after, bench.condition(DOCS)) == (2, ("False", "Changing"))
    bench.clock.advance(2)
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("True", "HandedOver")


async def test_from_then_on_it_changes_nothing_more(bench: Bench) -> None:
    await ready(bench)
    release(bench)
    await bench.settle(DOCS)
    bench.world.remove(HEIR)
    bench.milvus.calls.clear()
    body = bench.world.bodies[DOCS]
    bench.apply({**collection(description="new"), "metadata": body["metadata"]})
    bench.milvus.collection("docs").indexes.clear()

    await observed(bench)

    assert bench.condition(DOCS) == ("True", "HandedOver")
    assert not {"drift", "plan", "functions"} & set(bench.world.status(DOCS))
    assert bench.milvus.changing == []


async def test_another_model_of_the_heir_is_a_rebuild(bench: Bench) -> None:
    await ready(bench)
    bench.world.annotate(DOCS, release_to="search/heir")
    v2 = ali({"dashscope": {"model": "text-embedding-v2"}})
    heir(bench, functions=[v2], fields=[*fields()[:2], {"name": "dense", "type": "FLOAT_VECTOR", "dim": 1536}])

    await observed(bench)
    bench.clock.advance(30)
    await observed(bench)

    assert bench.condition(HEIR) == ("False", "RebuildNeeded")
    assert made(bench) == ["alter_properties"]


BAD = {
    "no namespace": ("heir", "is not <namespace>/<name>"),
    "too many parts": ("a/b/c", "is not <namespace>/<name>"),
    "capitals": ("search/Heir", "is not <namespace>/<name>"),
    "an empty name": ("search/", "is not <namespace>/<name>"),
    "a whole page": ("x" * 500, "is not <namespace>/<name>"),
    "itself": ("search/docs", "it names this object itself"),
}


@pytest.mark.parametrize("sentence", BAD)
async def test_a_bad_value_is_told_and_hands_nothing_over(bench: Bench, sentence: str) -> None:
    value, text = BAD[sentence]
    await ready(bench)

    bench.world.annotate(DOCS, release_to=value)
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "InvalidSpec")
    assert text in bench.message(DOCS)
    assert len(bench.message(DOCS)) < 250
    assert bench.milvus.changing == []


async def test_an_empty_value_asks_for_nothing(bench: Bench) -> None:
    await ready(bench)

    bench.world.annotate(DOCS, release_to="")
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")


async def test_who_only_observes_hands_nothing_over(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(adoptionPolicy="Observe"))
    bench.world.annotate(DOCS, release_to="search/heir")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "InvalidSpec")
    assert "Observe" in bench.message(DOCS)
    assert bench.milvus.changing == []


NOT_THEIRS = {"another owner's": ("other/search/docs", "OwnedByOther"), "nobody's": (None, "NameTaken")}


@pytest.mark.parametrize("sentence", NOT_THEIRS)
async def test_what_is_not_its_own_it_cannot_hand_over(bench: Bench, sentence: str) -> None:
    owner, reason = NOT_THEIRS[sentence]
    bench.milvus.add_collection("docs", the_manuals(owner=owner))
    bench.quickstart()
    bench.apply(connection(allowedAdoption={"from": "All"}))
    bench.world.annotate(DOCS, release_to="search/heir")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", reason)
    assert bench.milvus.changing == []


async def test_what_is_not_there_is_not_made_for_it(bench: Bench) -> None:
    bench.quickstart()
    bench.world.annotate(DOCS, release_to="search/heir")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "CollectionNotFound")
    assert bench.milvus.changing == []


async def test_another_one_in_its_place_is_lost_and_not_handed_over(bench: Bench) -> None:
    await ready(bench)
    bench.milvus.drop("docs")
    bench.milvus.add_collection("docs", the_manuals(owner=f"{OWNER_ID}/search/docs"))
    bench.world.annotate(DOCS, release_to="search/heir")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.milvus.changing == []


async def test_handed_back_it_is_not_handed_over_again(bench: Bench) -> None:
    await ready(bench)
    bench.world.annotate(DOCS, release_to="search/heir")
    heir(bench)
    await observed(bench)
    bench.world.annotate(HEIR, release_to="search/docs")
    bench.clock.advance(30)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "HandedBack")
    assert bench.condition(HEIR) == ("True", "HandedOver")
    bench.milvus.unreachable = True
    await bench.reconcile(DOCS)
    bench.milvus.unreachable = False
    await observed(bench)
    assert bench.condition(DOCS) == ("False", "HandedBack")
    bench.world.annotate(DOCS, release_to="")
    await observed(bench)
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_overwritten_meanwhile_it_belongs_to_who_wrote_last(make_bench: MakeBench) -> None:
    milvus = Rivals()
    bench = make_bench(milvus=milvus)
    await ready(bench)
    release(bench)
    await bench.reconcile(DOCS)
    restamp(bench, "cluster-2/search/docs")

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "OwnedByOther")
    assert owner_of(bench) == "cluster-2/search/docs"


@pytest.mark.parametrize("policy", ["Delete", "DeleteIfEmpty"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_deleting_the_former_owner_drops_nothing(bench: Bench, policy: str, when: str) -> None:
    await ready(bench, deletionPolicy=policy)
    release(bench)
    if when == "after":
        await observed(bench)

    bench.world.delete(DOCS)
    notes = await pursue(bench)

    assert DOCS not in bench.world.bodies
    assert "ReleasedNotDeleted" in told(notes)
    assert bench.milvus.collection("docs").schema.properties[OWNER]


@pytest.mark.parametrize("what", DISTURBANCES)
async def test_handed_over_whatever_happens_at_any_call(make_bench: MakeBench, what: str) -> None:
    at = 0
    while True:
        milvus = DisturbedMilvus()
        bench = make_bench(milvus=milvus)
        await ready(bench)
        release(bench)
        milvus.number, milvus.disturbance = 0, DISTURBANCES[what](at)
        for _ in range(2):
            try:
                await bench.settle(DOCS)
                break
            except Crash:
                bench.restart()
        assert bench.condition(DOCS) == ("True", "HandedOver"), f"call {at}"
        assert owner_of(bench) == THE_HEIRS
        assert set(made(bench)) == {"alter_properties"}
        if milvus.number <= at:
            break
        at += 1
    assert at > 4
