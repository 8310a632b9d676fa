"""MilvusCollection: what stands under its name, and when it is believed to be gone."""

from collections.abc import Callable

import pytest

from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.schema import LoadState, Schema
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS, collection
from tests.unit.controllers.owners import adoption_allowed, observed, somebodys, the_manuals

Situation = Callable[[Bench], None]


def stands(schema: Schema) -> Situation:
    def situation(bench: Bench) -> None:
        bench.milvus.add_collection("docs", schema)

    return situation


def behind_an_alias(bench: Bench) -> None:
    bench.milvus.add_collection("docs_g1", the_manuals())
    bench.milvus.databases["default"].aliases["docs"] = "docs_g1"


def never(bench: Bench) -> None:
    bench.apply(collection(adoptionPolicy="Never"))


NOT_OURS: dict[str, tuple[tuple[Situation, ...], str, str]] = {
    "another installation's": ((stands(the_manuals(owner="other/search/docs")),), "OwnedByOther", "another owner"),
    "another namespace's": ((stands(the_manuals(owner=f"{OWNER_ID}/team/x")),), "OwnedByOther", "another owner"),
    "a neighbour's of the same namespace, which may be named": (
        (stands(the_manuals(owner=f"{OWNER_ID}/search/neighbour")),),
        "OwnedByOther",
        "MilvusCollection neighbour of this namespace",
    ),
    "nobody's, and adoption is not allowed to this namespace": ((stands(the_manuals()),), "NameTaken", "free name"),
    "nobody's, and the policy is Never": ((adoption_allowed, never, stands(the_manuals())), "NameTaken", "free name"),
    "nobody's and different": (
        (adoption_allowed, stands(the_manuals(shards=2))),
        "NotMatching",
        "differs from the spec in 1 place(s)",
    ),
    "an alias of another collection": ((behind_an_alias,), "NameIsAlias", "alias"),
}


@pytest.mark.parametrize("sentence", NOT_OURS)
async def test_what_is_not_ours_is_not_touched(bench: Bench, sentence: str) -> None:
    situations, reason, text = NOT_OURS[sentence]
    bench.quickstart()
    for situation in situations:
        situation(bench)

    await bench.settle()

    assert bench.condition(DOCS) == ("False", reason)
    assert text in bench.message(DOCS)
    assert bench.milvus.changing == []
    assert bench.condition(DOCS, "Available") == ("False", reason)


@pytest.mark.parametrize("sentence", NOT_OURS)
async def test_what_took_the_place_of_ours_is_not_told_to_be_available(bench: Bench, sentence: str) -> None:
    bench.quickstart()
    await bench.settle()
    assert bench.condition(DOCS, "Available")[0] == "True"
    situations, reason, _ = NOT_OURS[sentence]
    bench.milvus.drop("docs")
    for situation in situations:
        situation(bench)

    await bench.settle()

    assert bench.condition(DOCS, "Available") == ("Unknown", reason)


async def test_a_missing_database_takes_available_back(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    del bench.milvus.databases["default"]

    await bench.settle()

    assert bench.condition(DOCS, "Available") == ("False", "DatabaseNotFound")


@pytest.mark.parametrize("sentence", ["another installation's", "another namespace's"])
async def test_the_owner_is_named_to_neighbours_only(bench: Bench, sentence: str) -> None:
    bench.quickstart()
    NOT_OURS[sentence][0][0](bench)

    await bench.settle()

    status = repr(bench.world.status(DOCS))
    assert "team" not in status
    assert "other/" not in status


async def test_the_differences_are_shown_to_who_may_adopt_only(bench: Bench) -> None:
    bench.quickstart()
    stands(the_manuals(shards=2))(bench)
    await bench.settle()
    assert "drift" not in bench.world.status(DOCS)

    adoption_allowed(bench)
    await bench.settle()

    assert bench.world.status(DOCS)["drift"] == [{"path": "spec.shards", "want": "1", "have": "2"}]


async def test_a_former_id_of_this_installation_is_ours(make_bench: MakeBench) -> None:
    bench = make_bench(accepted_ids=("cluster-0",))
    bench.quickstart()
    stands(the_manuals(owner="cluster-0/search/docs"))(bench)

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.count("create_collection") == 0


async def test_an_earlier_life_of_the_same_object_is_the_same_owner(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.world.remove(DOCS)
    body = collection()
    bench.apply({**body, "metadata": {"name": "docs", "namespace": "search", "uid": "another-uid"}})

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.count("create_collection") == 1


async def test_the_stamp_is_written_as_the_collection_is_created(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()

    properties = bench.milvus.collection("docs").schema.properties
    assert properties[OWNER] == f"{OWNER_ID}/search/docs"
    assert '"model": "text-embedding-v3"' in properties["embedding.milvus.io/identity"]


async def test_a_collection_is_lost_after_two_looks_two_seconds_apart(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.milvus.drop("docs")

    first = await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "MilvusError")
    assert first.requeue_after == 2
    bench.clock.advance(1)
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "MilvusError")

    bench.clock.advance(1)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.condition(DOCS, "Available") == ("False", "Lost")
    assert bench.milvus.count("create_collection") == 1


async def test_a_lost_collection_stays_lost_over_a_restart(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.milvus.drop("docs")
    await bench.settle()

    bench.restart()
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.milvus.count("create_collection") == 1


async def test_another_collection_in_its_place_is_lost_too(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.milvus.drop("docs")
    stands(the_manuals(owner=f"{OWNER_ID}/search/docs"))(bench)

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "Lost")


async def test_a_database_that_is_gone_is_no_proof_of_a_dropped_collection(bench: Bench) -> None:
    bench.milvus.databases["team"] = type(bench.milvus.databases["default"])()
    bench.quickstart(database="team")
    await bench.settle()
    del bench.milvus.databases["team"]

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")


async def test_a_describe_that_contradicts_the_list_is_no_look(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    kept = bench.milvus.collection("docs")
    bench.milvus.drop("docs")
    await bench.reconcile(DOCS)
    first_look = bench.clock()

    async def both_minds(database: str) -> tuple[str, ...]:
        return ("docs",)

    honest, bench.milvus.list_collections = bench.milvus.list_collections, both_minds  # type: ignore[method-assign]
    bench.clock.advance(3)
    await bench.reconcile(DOCS)
    bench.milvus.list_collections = honest  # type: ignore[method-assign]
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "MilvusError")
    assert bench.clock() - first_look >= 2
    bench.milvus.databases["default"].collections["docs"] = kept
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_deleted_and_applied_again_makes_a_new_one(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.milvus.drop("docs")
    await bench.settle()

    bench.world.remove(DOCS)
    await bench.collections.forget(DOCS)
    bench.apply(collection())
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.collection("docs").load is LoadState.LOADED


FIXES = {
    "a neighbour's": (f"{OWNER_ID}/search/other", "annotation release-to: search/docs"),
    "a neighbour's under a former id": ("old/search/other", "MilvusCollection other of this namespace"),
    "its own under an id that nobody accepts": ("older/search/docs", "--accept-owner"),
    "a stranger's": ("older/team/docs", "have the owner hand it over by the annotation release-to: search/docs"),
    "a stamp that is a book": (f"{OWNER_ID}/search/{'x' * 40_000}", "belongs to another owner"),
}


@pytest.mark.parametrize("sentence", FIXES)
async def test_what_belongs_to_others_is_told_with_the_way_out(make_bench: MakeBench, sentence: str) -> None:
    owner, text = FIXES[sentence]
    bench = make_bench(accepted_ids=("old",))
    somebodys(bench, owner=owner)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "OwnedByOther")
    assert text in bench.message(DOCS)
    assert "spec.collectionName" in bench.message(DOCS)
    assert len(bench.message(DOCS)) < 300
    assert bench.milvus.changing == []
