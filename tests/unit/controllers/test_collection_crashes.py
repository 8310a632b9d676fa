"""The crash matrix: whatever happens at any call of a creation, the end is the same and nothing is done twice."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from milvus_embedding.clients.milvus.port import OutcomeUnknown, Unreachable
from tests.fakes.milvus import Call, FakeMilvus, StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS

SPEC: dict[str, object] = {"partitions": ["news"], "aliases": ["current"]}
CALLS = 12
"""External calls of the undisturbed creation; a test holds it to what is counted."""


class Crash(Exception):
    """The process ends here; nobody catches it."""


@dataclass(frozen=True)
class Disturbance:
    """What happens at the call of that number: raised before it is made, or after it was."""

    at: int
    before: Exception | None = None
    after: Exception | None = None


class DisturbedMilvus(FakeMilvus):
    """Counts the calls about collections, and disturbs one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.disturbance = Disturbance(-1)
        self.number = 0

    @asynccontextmanager
    async def _call(self, call: Call) -> AsyncIterator[None]:
        counted = call.method != "server_version"
        number, self.number = self.number, self.number + counted
        hit = counted and number == self.disturbance.at
        if hit and self.disturbance.before is not None:
            raise self.disturbance.before
        async with super()._call(call):
            yield
        if hit and self.disturbance.after is not None:
            raise self.disturbance.after


DISTURBANCES: dict[str, Callable[[int], Disturbance]] = {
    "crash before": lambda at: Disturbance(at, before=Crash()),
    "crash after": lambda at: Disturbance(at, after=Crash()),
    "time-out that succeeded": lambda at: Disturbance(at, after=OutcomeUnknown("no answer in time")),
    "error that did nothing": lambda at: Disturbance(at, before=Unreachable("connection refused")),
}


def end_state(milvus: FakeMilvus) -> tuple[StoredCollection, dict[str, str]]:
    database = milvus.databases["default"]
    return replace(database.collections["docs"], id=""), database.aliases


async def create(bench: Bench, milvus: DisturbedMilvus, disturbance: Disturbance) -> None:
    """Up to Ready, with a new process after each crash."""
    bench.quickstart(**SPEC)
    keys = [key for key in bench.world.bodies if key != DOCS]
    await bench.settle(*keys)
    milvus.calls.clear()
    milvus.number, milvus.disturbance = 0, disturbance
    for _ in range(2):
        try:
            await bench.settle_ready(DOCS)
            return
        except Crash:
            bench.restart()
    raise AssertionError("crashed twice")


async def test_the_undisturbed_creation(make_bench: MakeBench) -> None:
    milvus = DisturbedMilvus()
    await create(make_bench(milvus=milvus), milvus, Disturbance(-1))

    assert [call.method for call in milvus.changing] == [
        "create_collection",
        "create_partition",
        "create_index",
        "load",
        "create_alias",
    ]
    assert milvus.number == CALLS


@pytest.mark.parametrize("at", range(CALLS))
@pytest.mark.parametrize("what", DISTURBANCES)
async def test_l01_the_end_is_the_same_and_nothing_is_done_twice(make_bench: MakeBench, what: str, at: int) -> None:
    undisturbed = DisturbedMilvus()
    await create(make_bench(milvus=undisturbed), undisturbed, Disturbance(-1))
    milvus = DisturbedMilvus()
    bench = make_bench(milvus=milvus)

    await create(bench, milvus, DISTURBANCES[what](at))

    assert end_state(milvus) == end_state(undisturbed)
    assert sorted(call.method for call in milvus.changing) == sorted(call.method for call in undisturbed.changing)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_l05_a_creation_that_crashed_is_finished_whatever_the_policy_for_changes_is(
    make_bench: MakeBench,
) -> None:
    milvus = DisturbedMilvus()
    bench = make_bench(milvus=milvus)
    bench.quickstart(changePolicy={"inPlace": "Never"}, driftPolicy="Report")
    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])
    milvus.disturbance = Disturbance(milvus.number + 1, after=Crash())

    with pytest.raises(Crash):
        await bench.reconcile(DOCS)
    bench.restart()
    await bench.settle_ready(DOCS)

    assert [call.method for call in milvus.changing] == ["create_collection", "create_index", "load"]
