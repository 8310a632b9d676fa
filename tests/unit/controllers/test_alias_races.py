"""Somebody points an alias elsewhere after it was looked at and directly before a call takes it from where it was."""

from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Resource
from milvus_embedding.domain.planning.steps import Action
from tests.fakes.world import FakeWorld
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.changes import CHANGES, approve, change_spec, made, plan_of, standing
from tests.unit.controllers.manifests import DOCS
from tests.unit.controllers.owners import observed, owner_of, the_manuals

MANUAL: dict[str, object] = {"changePolicy": {"inPlace": "Manual", "destructive": "Manual"}}
OTHERS = "other/search/docs"


def moved_at_the_last_moment(bench: Bench, key: Key = DOCS) -> None:
    """To a collection of somebody else, as the operator asks whether the object is still what it decided on."""
    bench.milvus.add_collection("others", the_manuals(owner=OTHERS))
    confirm = FakeWorld.confirm

    async def moving(resource: Resource) -> None:
        await confirm(bench.world, resource)
        if resource.key == key:
            bench.milvus.databases["default"].aliases["current"] = "others"

    bench.world.confirm = moving  # type: ignore[method-assign]


async def test_an_alias_that_is_removed_stays_with_whoever_took_it(bench: Bench) -> None:
    change = CHANGES["an alias removed"]
    await standing(bench, change, **MANUAL)
    change_spec(bench, change, **MANUAL)
    await bench.settle(DOCS)
    approve(bench)
    moved_at_the_last_moment(bench)

    await observed(bench)

    assert bench.milvus.databases["default"].aliases == {"current": "others"}
    assert made(bench) == []
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_an_alias_of_a_former_generation_is_not_moved_from_where_somebody_put_it(bench: Bench) -> None:
    change = CHANGES["an alias removed"]
    await standing(bench, change, **MANUAL)
    bench.milvus.add_collection("docs_g0", the_manuals(owner=owner_of(bench)))
    bench.milvus.databases["default"].aliases["current"] = "docs_g0"
    await bench.settle(DOCS)
    steps = plan_of(bench)["steps"]
    assert isinstance(steps, list)
    assert [step["action"] for step in steps] == [Action.MOVE_ALIAS]
    approve(bench)
    moved_at_the_last_moment(bench)

    await observed(bench)

    assert bench.milvus.databases["default"].aliases == {"current": "others"}
    assert made(bench) == []


async def test_a_deleted_object_leaves_an_alias_to_whoever_took_it(bench: Bench) -> None:
    await standing(bench, CHANGES["an alias removed"], deletionPolicy="Delete")
    moved_at_the_last_moment(bench)
    bench.world.delete(DOCS)

    for _ in range(10):
        if DOCS in bench.world.bodies:
            await bench.reconcile(DOCS)
            bench.clock.advance(5)

    assert DOCS not in bench.world.bodies
    assert bench.milvus.databases["default"].aliases == {"current": "others"}
    assert made(bench) == ["drop_collection"]
