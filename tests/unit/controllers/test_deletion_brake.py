"""Many at once: CRDs deleted, a namespace deleted, five by hand. They are held until somebody confirms."""

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Unreachable
from milvus_embedding.domain.conditions import timestamp
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS, collection

POLICIES = ("Delete", "DeleteIfEmpty")


def keys(number: int) -> list[Key]:
    return [Key("MilvusCollection", "search", f"docs-{index:02}") for index in range(number)]


async def ready(bench: Bench, number: int, policy: str) -> list[Key]:
    bench.quickstart()
    bench.world.delete(DOCS)
    made = keys(number)
    bench.apply(*(collection(key, deletionPolicy=policy) for key in made))
    await bench.settle()
    return made


async def pursue(bench: Bench, made: list[Key], *, rounds: int = 10) -> int:
    """How many are left after so many rounds of passes, the clock advanced by a second after each."""
    for _ in range(rounds):
        for key in made:
            if key in bench.world.bodies and bench.world.resource(key).is_deleted:
                await bench.reconcile(key)
        bench.clock.advance(1)
    return sum(key in bench.world.bodies for key in made)


@pytest.mark.parametrize("policy", POLICIES)
async def test_l25_crds_deleted_with_20_collections_are_all_held(bench: Bench, policy: str) -> None:
    made = await ready(bench, 20, policy)

    bench.world.delete(*made)
    left = await pursue(bench, made)

    assert left == 20
    assert {bench.condition(key) for key in made} == {("False", "DeletionHeld")}
    assert bench.milvus.count("drop_collection") == 0
    assert "20 collections of connection milvus" in bench.message(made[0])


async def test_l25_the_confirmation_from_the_message_frees_them(bench: Bench) -> None:
    made = await ready(bench, 20, "Delete")
    bench.world.delete(*made)
    await pursue(bench, made)
    _, _, rest = bench.message(made[0]).partition("confirm-deletions=")
    until = rest.split(" ", 1)[0]

    bench.world.annotate(CONNECTION, confirm_deletions=until)
    left = await pursue(bench, made)

    assert left == 0
    assert bench.milvus.databases["default"].collections == {}


async def test_l25_a_confirmation_covers_no_later_deletion(bench: Bench) -> None:
    made = await ready(bench, 10, "Delete")
    bench.world.delete(*made[:5])
    bench.world.annotate(CONNECTION, confirm_deletions=timestamp(bench.world.now))
    assert await pursue(bench, made) == 5

    bench.world.delete(*made[5:])
    await pursue(bench, made)

    assert {bench.condition(key)[1] for key in made[5:]} == {"DeletionHeld"}


async def test_l25_true_confirms_as_long_as_it_is_there(bench: Bench) -> None:
    made = await ready(bench, 6, "Delete")
    bench.world.annotate(CONNECTION, confirm_deletions="true")
    bench.world.delete(*made)

    assert await pursue(bench, made) == 0


@pytest.mark.parametrize("told", ["", "yes", "2026-01-01", "2026-01-01T00:00:00"])
async def test_what_is_no_confirmation_confirms_nothing(bench: Bench, told: str) -> None:
    made = await ready(bench, 5, "Delete")
    bench.world.annotate(CONNECTION, confirm_deletions=told)
    bench.world.delete(*made)

    assert await pursue(bench, made) == 5


async def test_l25_five_deleted_at_once_are_held_and_three_are_not(bench: Bench) -> None:
    made = await ready(bench, 8, "Delete")

    bench.world.delete(*made[:5])
    assert await pursue(bench, made[:5]) == 5
    for key in made[:5]:
        bench.world.annotate(key, force_release="true")
    assert await pursue(bench, made[:5]) == 0
    bench.clock.advance(601)
    bench.world.delete(*made[5:])
    assert await pursue(bench, made[5:]) == 0

    assert len(bench.milvus.databases["default"].collections) == 5


async def test_l25_one_after_the_other_the_fourth_within_ten_minutes_is_held(bench: Bench) -> None:
    made = await ready(bench, 6, "Delete")
    for key in made[:3]:
        bench.world.delete(key)
        assert await pursue(bench, [key]) == 0
        await bench.collections.forget(key)

    bench.world.delete(made[3])
    assert await pursue(bench, [made[3]]) == 1
    assert bench.condition(made[3]) == ("False", "DeletionHeld")
    bench.clock.advance(1200)
    assert await pursue(bench, [made[3]]) == 1

    bench.world.delete(made[4])
    assert await pursue(bench, [made[4]]) == 0


async def test_l25_held_by_a_process_that_starts_afterwards_too(bench: Bench) -> None:
    made = await ready(bench, 20, "Delete")
    bench.world.delete(*made)
    bench.restart()

    assert await pursue(bench, made) == 20


async def test_tries_of_one_object_count_once(bench: Bench) -> None:
    made = await ready(bench, 1, "Delete")
    bench.world.delete(*made)
    bench.milvus.fail_before("drop_collection", *[Unreachable("connection refused")] * 8)
    await pursue(bench, made, rounds=12)

    assert bench.milvus.databases["default"].collections == {}


async def test_l26_namespace_deleted_under_retain_with_milvus_down(bench: Bench) -> None:
    made = await ready(bench, 20, "Retain")
    bench.milvus.unreachable = True

    bench.world.delete(*made)

    assert [key for key in made if key in bench.world.bodies] == []
    assert len(bench.milvus.databases["default"].collections) == 20


@pytest.mark.parametrize("policy", POLICIES)
async def test_l26_namespace_deleted_with_milvus_down_tells_what_blocks_it(bench: Bench, policy: str) -> None:
    made = await ready(bench, 20, policy)
    bench.milvus.unreachable = True
    bench.world.delete(*made)

    assert await pursue(bench, made) == 20
    assert {bench.condition(key) for key in made} == {("False", "DeletionBlocked")}
    assert all("Milvus does not answer" in bench.message(key) for key in made)

    for key in made:
        bench.world.annotate(key, force_release="true")
    assert await pursue(bench, made) == 0
    assert bench.milvus.count("drop_collection") == 0


@pytest.mark.parametrize("policy", POLICIES)
async def test_l26_namespace_deleted_with_its_connection_frees_the_collections(bench: Bench, policy: str) -> None:
    made = await ready(bench, 20, policy)
    bench.milvus.unreachable = True
    bench.world.delete(*made)
    bench.world.remove(CONNECTION)

    assert await pursue(bench, made, rounds=2) == 0
    assert bench.milvus.count("drop_collection") == 0
