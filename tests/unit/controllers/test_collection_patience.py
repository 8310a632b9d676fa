"""How often a collection that cannot go on is looked at, and what its waiting costs others."""

from collections.abc import Callable

import pytest

from milvus_embedding.clients.milvus.port import OutcomeUnknown, Rejected, Unreachable
from milvus_embedding.controllers.collection.patience import LONG, LONG_PAUSE
from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.schema import LoadState
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS, collection
from tests.unit.domain.specs import wanted


async def start(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])


async def blocked_for_long(bench: Bench, seconds: float = LONG) -> float | None:
    """The pause after the cause has lasted for so long."""
    first = (await bench.reconcile(DOCS)).requeue_after
    assert first is not None
    assert first < LONG_PAUSE
    bench.clock.advance(seconds)
    return (await bench.reconcile(DOCS)).requeue_after


async def test_a_refused_creation_is_tried_once_a_minute_in_the_long_run(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("create_collection", *[Rejected("no", 1100)] * 2)

    assert await blocked_for_long(bench) == LONG_PAUSE


async def test_a_changed_spec_is_tried_quickly_again(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("create_collection", *[Rejected("no", 1100)] * 3)
    assert await blocked_for_long(bench) == LONG_PAUSE

    bench.apply(collection(shards=2))

    assert (await bench.reconcile(DOCS)).requeue_after == 4


async def test_a_server_that_does_not_answer_is_asked_as_often_as_before(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("describe", *[Unreachable("refused")] * 2)

    assert await blocked_for_long(bench) == 2


def by_somebody_else(bench: Bench) -> None:
    bench.milvus.add_collection("docs", wanted(shards=2).schema)


def by_another_owner(bench: Bench) -> None:
    bench.milvus.add_collection("docs", wanted(properties={OWNER: "cluster-9/a/b"}).schema)


def as_an_alias(bench: Bench) -> None:
    bench.milvus.add_collection("other", wanted().schema)
    bench.milvus.databases["default"].aliases["docs"] = "other"


@pytest.mark.parametrize(
    ("taken", "reason"),
    [(by_somebody_else, "NameTaken"), (by_another_owner, "OwnedByOther"), (as_an_alias, "NameIsAlias")],
    ids=["an unstamped collection", "a collection of another owner", "an alias"],
)
async def test_a_name_that_becomes_free_is_noticed(bench: Bench, taken: Callable[[Bench], None], reason: str) -> None:
    await start(bench)
    taken(bench)
    outcome = await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", reason)
    assert outcome.requeue_after == 30

    bench.milvus.drop("other" if reason == "NameIsAlias" else "docs")
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("True", "Ready")


async def test_waiting_for_an_unknown_outcome_writes_one_status(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("create_collection", OutcomeUnknown("no answer in time"))
    await bench.reconcile(DOCS)
    bench.clock.advance(2)
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "CreateOutcomeUnknown")

    for _ in range(20):
        bench.clock.advance(2)
        await bench.reconcile(DOCS)
        assert not bench.changed


async def test_a_collection_wakes_its_connection_once_per_outage(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("describe", *[Unreachable("refused")] * 5)

    assert (await bench.reconcile(DOCS)).wake == (CONNECTION,)
    assert [(await bench.reconcile(DOCS)).wake for _ in range(4)] == [()] * 4


async def test_a_load_that_others_began_is_not_waited_for_in_the_lane(bench: Bench) -> None:
    await start(bench)
    await bench.settle()
    bench.milvus.collection("docs").load = LoadState.LOADING
    before = bench.clock()

    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "Loading")
    assert bench.clock() - before < 0.1


async def test_an_error_that_differs_in_its_numbers_alone_is_written_once(bench: Bench) -> None:
    await start(bench)
    refusals = [Rejected(f"no quota [traceID=4f{number}c1 at=17{number}]", 1100) for number in range(10)]
    bench.milvus.fail_before("create_collection", *refusals, Rejected("no such thing", 1100))
    await bench.reconcile(DOCS)

    for _ in refusals[1:]:
        await bench.reconcile(DOCS)
        assert not bench.changed

    await bench.reconcile(DOCS)
    assert bench.message(DOCS).endswith("no such thing")
