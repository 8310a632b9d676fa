"""--read-only: everything is looked at and told, nothing is changed in Milvus, and no finalizer moves."""

from tests.fakes.milvus import FakeMilvus
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS, collection


async def made_before(make_bench: MakeBench, policy: str) -> Bench:
    """A collection that is Ready, and a process that starts with --read-only then."""
    milvus = FakeMilvus()
    bench = make_bench(milvus=milvus)
    bench.quickstart(deletionPolicy=policy)
    await bench.settle_ready(DOCS)
    milvus.read_only = bench.read_only = True
    bench.restart()
    milvus.calls.clear()
    return bench


async def test_a_collection_that_is_there_stays_ready(make_bench: MakeBench) -> None:
    bench = await made_before(make_bench, "Retain")

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.milvus.changing == []


async def test_one_that_is_not_there_is_not_made(make_bench: MakeBench) -> None:
    milvus = FakeMilvus()
    milvus.read_only = True
    bench = make_bench(milvus=milvus, read_only=True)
    bench.quickstart(deletionPolicy="Delete")

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "ReadOnly")
    assert "--read-only" in bench.message(DOCS)
    assert milvus.databases["default"].collections == {}
    assert bench.world.finalizers(DOCS) == ()


async def test_a_missing_database_is_not_made(make_bench: MakeBench) -> None:
    milvus = FakeMilvus()
    milvus.read_only = True
    bench = make_bench(milvus=milvus, read_only=True)
    bench.quickstart(database="team", createDatabase=True)

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "ReadOnly")
    assert list(milvus.databases) == ["default"]


async def test_a_deletion_waits_and_says_so(make_bench: MakeBench) -> None:
    bench = await made_before(make_bench, "Delete")
    bench.world.delete(DOCS)

    for _ in range(3):
        await bench.reconcile(DOCS)
        bench.clock.advance(5)

    assert bench.condition(DOCS) == ("False", "DeletionBlocked")
    assert "--read-only" in bench.message(DOCS)
    assert bench.milvus.changing == []


async def test_no_finalizer_moves(make_bench: MakeBench) -> None:
    bench = await made_before(make_bench, "Delete")
    finalizers = bench.world.finalizers(DOCS)
    bench.apply(collection(deletionPolicy="Retain"))

    await bench.settle()

    assert finalizers
    assert bench.world.finalizers(DOCS) == finalizers
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_a_changed_spec_shows_its_plan_and_is_not_carried_out(make_bench: MakeBench) -> None:
    bench = await made_before(make_bench, "Retain")
    bench.apply(collection(description="new"))

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "ReadOnly")
    assert "--read-only" in bench.message(DOCS)
    plan = bench.world.status(DOCS)["plan"]
    assert [step["path"] for step in plan["steps"]] == ["spec.description"]  # type: ignore[index]
    assert bench.milvus.changing == []
