"""A CreateCollection whose outcome nobody knows: the next describe decides, and nothing is paid twice on purpose."""

import asyncio

import pytest

from milvus_embedding.clients.milvus.port import ConnectionLost, OutcomeUnknown
from milvus_embedding.controllers.collection.pending import Pending, write_horizon
from tests.fakes.world import Clock
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS
from tests.unit.domain.specs import wanted

UNKNOWN = OutcomeUnknown("no answer in time")


async def start(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])


async def test_a_time_out_that_succeeded_creates_once(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_after("create_collection", UNKNOWN)

    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_collection") == 1


async def test_a_time_out_that_did_nothing_is_not_tried_again_before_the_write_horizon(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("create_collection", UNKNOWN)
    began = bench.clock()
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "OutcomeUnknown")

    while bench.milvus.count("create_collection") == 1:
        outcome = await bench.reconcile(DOCS)
        if bench.milvus.count("create_collection") == 1:
            assert bench.condition(DOCS) == ("False", "CreateOutcomeUnknown")
            assert outcome.requeue_after == 2
        bench.clock.advance(2)

    assert bench.clock() - began >= 100
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_a_creation_that_happens_late_is_found(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("create_collection", UNKNOWN)
    await bench.reconcile(DOCS)
    sent = bench.milvus.calls[-1].argument
    bench.clock.advance(50)
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("False", "CreateOutcomeUnknown")

    bench.milvus.add_collection("docs", sent)  # type: ignore[arg-type]
    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_collection") == 1


async def test_a_connection_that_broke_is_tried_again_soon(bench: Bench) -> None:
    await start(bench)
    bench.milvus.fail_before("create_collection", ConnectionLost("the server went away"))

    outcome = await bench.reconcile(DOCS)
    assert (outcome.requeue_after, outcome.wake) == (2, (CONNECTION,))
    bench.clock.advance(2)
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("True", "Ready")


async def test_a_creation_under_way_that_is_cancelled_is_found_by_the_next_pass(bench: Bench) -> None:
    await start(bench)
    hold = bench.milvus.hold("create_index")
    running = asyncio.create_task(bench.reconcile(DOCS))
    await hold.waiting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    hold.release()

    bench.restart()
    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_collection") == 1


def test_the_write_horizon_covers_the_live_checks_of_all_functions() -> None:
    assert write_horizon(wanted()) == 100
    assert write_horizon(wanted(functions=[])) == 10


def test_what_is_settled_is_not_pending() -> None:
    clock = Clock()
    pending = Pending(clock)
    assert pending.remaining(DOCS) == 0

    pending.add(DOCS, 100)
    clock.advance(40)
    assert pending.remaining(DOCS) == 60
    clock.advance(60)
    assert pending.remaining(DOCS) == 0

    pending.add(DOCS, 100)
    pending.settle(DOCS)
    assert pending.remaining(DOCS) == 0
