"""L24 at every external call: whatever happens at one of them, a deletion ends the same, and nothing else goes."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest

from milvus_embedding.clients.kube.port import Unavailable
from milvus_embedding.clients.milvus.port import OutcomeUnknown, Unreachable
from milvus_embedding.controllers.base import Conflict, Stale
from tests.fakes.milvus import Call, FakeMilvus
from tests.fakes.outside import Outside
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import DOCS

CALLS = {"Delete": 19, "DeleteIfEmpty": 29}
"""External calls of an undisturbed deletion, to Milvus and to Kubernetes; a test holds it to what is counted."""


class Killed(Exception):
    """The process ends here; nobody catches it."""


@dataclass
class Trouble:
    """What happens at the call of that number: `before` it is done, or after it was."""

    at: int = -1
    what: str = ""
    number: int = 0
    seen: list[str] = field(default_factory=list)

    @contextmanager
    def around(self, method: str, *, kubernetes: bool) -> Iterator[None]:
        number, self.number = self.number, self.number + 1
        self.seen.append(method)
        hit = number == self.at
        if hit and self.what == "killed before":
            raise Killed
        if hit and self.what == "error that did nothing":
            raise Unavailable("no answer") if kubernetes else Unreachable("connection refused")
        yield
        if hit and self.what == "killed after":
            raise Killed
        if hit and self.what == "time-out that succeeded":
            raise Unavailable("no answer in time") if kubernetes else OutcomeUnknown("no answer in time")


class TroubledMilvus(FakeMilvus):
    def __init__(self) -> None:
        super().__init__()
        self.trouble = Trouble()

    @asynccontextmanager
    async def _call(self, call: Call) -> AsyncIterator[None]:
        if call.method == "server_version":
            yield
            return
        with self.trouble.around(call.method, kubernetes=False):
            async with super()._call(call):
                yield


class TroubledOutside(Outside):
    trouble: Trouble

    @contextmanager
    def call(self, method: str, what: str) -> Iterator[None]:
        if not method.startswith(("confirm", "exists", "remove_", "add_")):
            yield
            return
        with self.trouble.around(method, kubernetes=True):
            yield


async def deleted(make_bench: MakeBench, policy: str, trouble: Trouble) -> Bench:
    """A deletion to its end, with a new process after each kill, as the runtime would go on after an error."""
    milvus = TroubledMilvus()
    bench = make_bench(milvus=milvus)
    outside = TroubledOutside()
    outside.trouble = Trouble()
    bench.world.outside = outside
    bench.quickstart(deletionPolicy=policy, aliases=["current"])
    await bench.settle_ready(DOCS)
    milvus.databases["default"].collections["of_others"] = milvus.databases["default"].collections["docs"]
    milvus.trouble = outside.trouble = trouble
    bench.world.delete(DOCS)
    for _ in range(30):
        if DOCS not in bench.world.bodies:
            return bench
        try:
            outcome = await bench.reconcile(DOCS)
            bench.clock.advance(outcome.requeue_after or 0.0)
        except Killed:
            bench.restart()
        except (Conflict, Stale, Unavailable):
            bench.clock.advance(1)
    raise AssertionError(f"not gone: {bench.message(DOCS)}")


@pytest.mark.parametrize("policy", CALLS)
async def test_l24_the_undisturbed_deletion(make_bench: MakeBench, policy: str) -> None:
    trouble = Trouble()
    await deleted(make_bench, policy, trouble)

    assert trouble.number == CALLS[policy], trouble.seen


@pytest.mark.parametrize("what", ["killed before", "killed after", "error that did nothing", "time-out that succeeded"])
@pytest.mark.parametrize(("policy", "at"), [(policy, at) for policy, calls in CALLS.items() for at in range(calls)])
async def test_l24_the_end_is_the_same(make_bench: MakeBench, policy: str, at: int, what: str) -> None:
    bench = await deleted(make_bench, policy, Trouble(at, what))

    left = bench.milvus.databases["default"]
    assert list(left.collections) == ["of_others"]
    assert left.aliases == {}
    dropped = [call.name for call in bench.milvus.calls if call.method == "drop_collection"]
    assert set(dropped) == {"docs"}
    assert len(dropped) <= 2


@pytest.mark.parametrize("what", ["killed before", "killed after", "error that did nothing", "time-out that succeeded"])
@pytest.mark.parametrize("at", range(CALLS["DeleteIfEmpty"]))
async def test_l24_rows_are_kept_under_delete_if_empty_whatever_happens(
    make_bench: MakeBench, at: int, what: str
) -> None:
    milvus = TroubledMilvus()
    bench = make_bench(milvus=milvus)
    bench.quickstart(deletionPolicy="DeleteIfEmpty")
    await bench.settle_ready(DOCS)
    milvus.collection("docs").rows["_default"] = 1
    milvus.trouble = Trouble(at, what)
    bench.world.delete(DOCS)

    for _ in range(30):
        if DOCS not in bench.world.bodies:
            break
        try:
            outcome = await bench.reconcile(DOCS)
            bench.clock.advance(outcome.requeue_after or 0.0)
        except Killed:
            bench.restart()

    assert DOCS not in bench.world.bodies
    assert "docs" in milvus.databases["default"].collections
    assert milvus.count("drop_collection") == 0


KILLS: dict[str, Callable[[int], Trouble]] = {
    "killed before": lambda at: Trouble(at, "killed before"),
    "killed after": lambda at: Trouble(at, "killed after"),
}


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("at", range(8))
async def test_killed_while_it_is_made_and_deleted_then_leaves_nothing(
    make_bench: MakeBench, at: int, kill: str
) -> None:
    """The finalizer comes before the creation: what a killed creation left is found by the deletion."""
    milvus = TroubledMilvus()
    bench = make_bench(milvus=milvus)
    outside = TroubledOutside()
    outside.trouble = Trouble()
    bench.world.outside = outside
    bench.quickstart(deletionPolicy="Delete")
    await bench.settle(*[key for key in bench.world.bodies if key != DOCS])
    milvus.trouble = outside.trouble = KILLS[kill](at)
    with pytest.raises(Killed):
        await bench.settle(DOCS)
    bench.restart()

    bench.world.delete(DOCS)
    for _ in range(20):
        if DOCS not in bench.world.bodies:
            break
        outcome = await bench.reconcile(DOCS)
        bench.clock.advance(outcome.requeue_after or 0.0)

    assert DOCS not in bench.world.bodies
    assert milvus.databases["default"].collections == {}
