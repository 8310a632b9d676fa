"""ServerReplaced: that everything is gone at once is one piece of news, and the connection tells it."""

import dataclasses

import pytest

from milvus_embedding.api.references import Key
from tests.fakes.milvus import FakeMilvus, StoredDatabase
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.changes import approve
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import CONNECTION, DOCS, ali, collection, connection
from tests.unit.controllers.owners import observed, the_manuals

NAMES = ("docs", "faq", "news")


def key_of(name: str) -> Key:
    return DOCS._replace(name=name)


async def three_ready(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(*(collection(key_of(name)) for name in NAMES[1:]))
    await observed(bench)
    assert all(bench.condition(key_of(name)) == ("True", "Ready") for name in NAMES)
    bench.milvus.calls.clear()
    bench.told.clear()


def events(bench: Bench) -> int:
    """Outcomes that tell a loss and are not quiet; the runtime makes an Event of the first of each object."""
    return sum(1 for o in bench.told if o.status is not None and not o.quiet and _is_lost(o.status.conditions))


def _is_lost(conditions: object) -> bool:
    return any(c.type == "Ready" and c.reason in ("Lost", "MilvusError") for c in conditions)  # type: ignore[attr-defined]


def empty(bench: Bench) -> None:
    bench.milvus.databases["default"] = StoredDatabase()


async def replaced(bench: Bench) -> None:
    """All lanes look at once, as they do when the connection changes."""
    await observed(bench)
    assert bench.condition(CONNECTION) == ("False", "ServerReplaced")
    assert bench.milvus.changing == []


async def test_l12_an_empty_milvus_is_told_once_and_nothing_is_made(bench: Bench) -> None:
    await three_ready(bench)
    empty(bench)

    await replaced(bench)

    assert all(bench.condition(key_of(name)) == ("False", "Lost") for name in NAMES)
    assert events(bench) == 0
    assert bench.condition(CONNECTION, "Reachable") == ("True", "Reachable")
    assert "none of the 3 collections" in bench.message(CONNECTION)


async def test_l12_another_milvus_with_collections_of_the_same_names(bench: Bench) -> None:
    await three_ready(bench)
    empty(bench)
    bench.milvus.add_collection("faq", the_manuals(owner="other/search/faq"))
    bench.milvus.add_collection("news", the_manuals())

    await replaced(bench)

    assert [bench.condition(key_of(name))[1] for name in NAMES] == ["Lost", "OwnedByOther", "NameTaken"]


async def test_l12_an_address_changed_by_mistake_and_back(make_bench: MakeBench) -> None:
    bench = make_bench()
    await three_ready(bench)
    right, wrong = bench.clients.milvus, FakeMilvus()
    bench.clients.milvus = wrong
    bench.apply(connection(uri="http://wrong.milvus.svc:19530"))
    await observed(bench)
    assert bench.condition(CONNECTION) == ("False", "ServerReplaced")
    assert wrong.changing == []

    bench.clients.milvus = right
    bench.apply(connection())
    await observed(bench)

    assert bench.condition(CONNECTION) == ("True", "Ready")
    assert all(bench.condition(key_of(name)) == ("True", "Ready") for name in NAMES)
    assert bench.milvus.changing == []


async def test_l12_an_older_backup_in_which_all_have_other_ids(bench: Bench) -> None:
    await three_ready(bench)
    stored = bench.milvus.databases["default"].collections
    for name in NAMES:
        stored[name] = dataclasses.replace(stored[name], id=f"9{stored[name].id}")

    await replaced(bench)

    for name in NAMES:
        key = key_of(name)
        plan = bench.world.status(key)["plan"]
        bench.world.annotate(key, approved_plan=plan["hash"])  # type: ignore[index]
    await observed(bench)
    assert bench.condition(CONNECTION) == ("True", "Ready")
    assert all(bench.condition(key_of(name)) == ("True", "Ready") for name in NAMES)
    assert bench.milvus.changing == []


async def test_l12_an_older_backup_in_which_some_are_missing_and_one_has_an_older_schema(bench: Bench) -> None:
    await three_ready(bench)
    bench.milvus.drop("docs")
    faq = bench.milvus.collection("faq")
    faq.schema = dataclasses.replace(faq.schema, properties={**faq.schema.properties, "old": "1"}, description="old")

    await observed(bench)

    assert bench.condition(CONNECTION) == ("True", "Ready")
    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.condition(key_of("news")) == ("True", "Ready")
    assert bench.milvus.changing == []
    assert events(bench) >= 1


async def test_a_database_that_is_gone_with_all_that_was_in_it(bench: Bench) -> None:
    bench.milvus.databases["team"] = StoredDatabase()
    bench.quickstart(database="team")
    bench.apply(*(collection(key_of(name), database="team") for name in NAMES[1:]))
    await observed(bench)
    del bench.milvus.databases["team"]

    await observed(bench)

    assert bench.condition(CONNECTION) == ("False", "ServerReplaced")


async def test_of_one_collection_nobody_can_tell(bench: Bench) -> None:
    bench.quickstart()
    await observed(bench)
    bench.told.clear()
    empty(bench)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.condition(CONNECTION) == ("True", "Ready")
    assert events(bench) >= 1


async def test_one_that_never_was_does_not_count(bench: Bench) -> None:
    await three_ready(bench)
    empty(bench)
    bench.milvus.add_collection("fourth", the_manuals(owner="other/search/fourth"))
    bench.apply(collection(key_of("fourth")))

    await observed(bench)

    assert bench.condition(CONNECTION) == ("False", "ServerReplaced")


async def test_the_last_one_wakes_the_connection_and_a_restart_keeps_it(bench: Bench) -> None:
    await three_ready(bench)
    empty(bench)
    keys = [key_of(name) for name in NAMES]
    for key in keys:
        await bench.reconcile(key)
    bench.clock.advance(2)

    woken = [CONNECTION in (await bench.reconcile(key)).wake for key in keys]

    assert woken == [False, False, True]
    await bench.reconcile(CONNECTION)
    bench.restart()
    await observed(bench)
    assert bench.condition(CONNECTION) == ("False", "ServerReplaced")


async def test_what_is_made_anew_by_approval_ends_it(bench: Bench) -> None:
    await three_ready(bench)
    empty(bench)
    await replaced(bench)

    approve(bench)
    await observed(bench)

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.condition(CONNECTION) == ("True", "Ready")
    assert bench.condition(key_of("faq")) == ("False", "Lost")


@pytest.mark.parametrize("paused", [True, False])
async def test_paused_collections_count_as_they_were_last_seen(bench: Bench, paused: bool) -> None:
    await three_ready(bench)
    empty(bench)
    await replaced(bench)

    bench.apply(*(collection(key_of(name), paused=paused) for name in NAMES))
    await observed(bench)

    assert bench.condition(CONNECTION) == ("False", "ServerReplaced")
    assert OWNER_ID not in bench.message(CONNECTION)


BLIND = {
    "one is blocked": collection(key_of("news"), functions=[ali({"functionRef": {"name": "nope"}})]),
    "one is paused": collection(key_of("news"), paused=True),
}


@pytest.mark.parametrize("sentence", BLIND)
async def test_it_is_told_although_one_of_them_cannot_follow(bench: Bench, sentence: str) -> None:
    await three_ready(bench)
    bench.apply(BLIND[sentence])
    await observed(bench)
    empty(bench)

    bench.clock.advance(700)
    await replaced(bench)
