"""What an act was decided on is looked at once more directly before it: aliases, and the connection."""

from collections.abc import Callable

import pytest

from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.changes import CHANGES, FREE, Change, change_spec, made, standing
from tests.unit.controllers.manifests import DOCS, collection, connection
from tests.unit.controllers.owners import adoption_allowed, observed, owner_of, somebodys, the_manuals
from tests.unit.controllers.test_deletion import POLICIES, is_there, pursue, ready


def aliases(bench: Bench) -> dict[str, str]:
    return bench.milvus.databases["default"].aliases


def while_kubernetes_is_asked(bench: Bench, happens: Callable[[], object]) -> None:
    """Once, with the first confirmation before an act."""
    confirm, left = bench.world.confirm, [happens]

    async def confirm_late(resource: object) -> None:
        if left:
            left.pop()()
        await confirm(resource)  # type: ignore[arg-type]

    bench.world.confirm = confirm_late  # type: ignore[method-assign]


# aliases, by whose name alone Milvus goes


@pytest.mark.parametrize("policy", POLICIES)
async def test_deleting_leaves_an_alias_that_was_moved_to_another_collection_meanwhile(
    bench: Bench, policy: str
) -> None:
    await ready(bench, policy, aliases=["prod"])
    bench.milvus.add_collection("docs2", the_manuals())
    while_kubernetes_is_asked(bench, lambda: aliases(bench).update(prod="docs2"))
    bench.world.delete(DOCS)

    await pursue(bench)

    assert aliases(bench) == {"prod": "docs2"}
    assert not is_there(bench)


async def test_deleting_leaves_everything_if_somebody_points_an_alias_of_his_at_it_meanwhile(bench: Bench) -> None:
    await ready(bench, "Delete", aliases=["prod"])
    while_kubernetes_is_asked(bench, lambda: aliases(bench).update(theirs="docs"))
    bench.world.delete(DOCS)

    await pursue(bench)

    assert aliases(bench) == {"prod": "docs", "theirs": "docs"}
    assert is_there(bench)


async def test_an_alias_that_is_removed_from_the_spec_stays_if_it_was_moved_away_meanwhile(bench: Bench) -> None:
    change = CHANGES["an alias removed"]
    await standing(bench, change, changePolicy=FREE)
    bench.milvus.add_collection("docs2", the_manuals())
    change_spec(bench, change, changePolicy=FREE)
    while_kubernetes_is_asked(bench, lambda: aliases(bench).update(current="docs2"))

    await observed(bench)

    assert aliases(bench) == {"current": "docs2"}
    assert bench.condition(DOCS) == ("True", "Ready")


async def moving_an_alias(bench: Bench) -> None:
    """From an earlier generation of ours."""
    bench.quickstart(changePolicy=FREE)
    await bench.settle_ready(DOCS)
    await observed(bench)
    bench.milvus.add_collection("docs_old", the_manuals(owner=f"{OWNER_ID}/search/docs"))
    aliases(bench)["prod"] = "docs_old"
    bench.apply(collection(changePolicy=FREE, aliases=["prod"]))


async def test_an_alias_that_was_given_to_somebody_else_meanwhile_is_not_moved(bench: Bench) -> None:
    await moving_an_alias(bench)
    bench.milvus.add_collection("theirs", the_manuals(owner=f"{OWNER_ID}/team/theirs"))
    while_kubernetes_is_asked(bench, lambda: aliases(bench).update(prod="theirs"))

    await observed(bench)

    assert aliases(bench) == {"prod": "theirs"}
    assert bench.condition(DOCS)[1] == "AliasTaken"


async def test_an_alias_that_nobody_touches_is_moved_from_our_earlier_generation(bench: Bench) -> None:
    await moving_an_alias(bench)

    await observed(bench)

    assert aliases(bench) == {"prod": "docs"}


# the connection


async def test_a_pause_of_the_connection_counts_from_the_next_act_on(bench: Bench) -> None:
    change = Change("InPlace", {"partitions": ["a", "b", "c", "d"]}, ())
    await standing(bench, change)
    change_spec(bench, change)
    create_partition = bench.milvus.create_partition

    async def create_and_pause(database: str, name: str, partition: str) -> None:
        await create_partition(database, name, partition)
        bench.apply(connection(paused=True))

    bench.milvus.create_partition = create_and_pause  # type: ignore[method-assign]
    await observed(bench)

    assert made(bench) == ["create_partition"]
    assert bench.condition(DOCS)[1] == "Paused"


async def test_nothing_is_adopted_if_the_connection_stops_allowing_it_meanwhile(bench: Bench) -> None:
    somebodys(bench)
    adoption_allowed(bench)
    while_kubernetes_is_asked(bench, lambda: bench.apply(connection(allowedAdoption={"from": "Selector"})))

    await observed(bench)

    assert owner_of(bench) is None
    assert bench.condition(DOCS)[1] == "NameTaken"


# a creation that is not known to be finished


async def test_without_a_status_a_later_change_waits_as_in_place_manual_says(bench: Bench) -> None:
    """As in files, where no status is kept: only what CreateCollection leaves open is completed without asking."""
    policy = {"inPlace": "Manual"}
    bench.quickstart(changePolicy=policy)
    await bench.settle_ready(DOCS)
    bench.milvus.calls.clear()
    bench.world.set_status(DOCS, {})
    bench.restart()
    bench.apply(collection(changePolicy=policy, description="new", properties={"collection.ttl.seconds": -1}))

    await observed(bench)

    assert made(bench) == []
    assert bench.condition(DOCS)[1] == "AwaitingApproval"
