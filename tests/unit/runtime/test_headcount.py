"""Counting objects, against an API server in memory: what no watch told of is noticed, and a late watch is none."""

import asyncio
from collections.abc import Mapping

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import SECRETS, Unavailable
from milvus_embedding.runtime.audit import Auditor
from milvus_embedding.runtime.headcount import AGAIN, PATIENCE, Difference, HeadCount, Place
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.priming import prime
from milvus_embedding.runtime.queue import WorkQueue
from milvus_embedding.runtime.store import Store
from tests.fakes.kube import FakeKube

KIND = "EmbeddingFunction"
SPEC = {"dashscope": {"model": "m"}}
NOTHING: Mapping[Place, Difference] = {}


class Bench:
    def __init__(self, *scopes: str | None, selector: str = "") -> None:
        self.kube = FakeKube()
        self.told: list[str] = []
        self.scopes = scopes or (None,)
        self.store = Store(
            queue=WorkQueue(clock=lambda: 0.0),
            lane=lambda resource: "lane",
            signal=lambda resource: None,
            upstream=lambda resource: (),
        )
        self.count = HeadCount(
            self.kube,
            self.store,
            scopes=self.scopes,
            secret_selector=selector,
            every=10,
            on_differs=self.told.append,
        )

    async def prime(self) -> None:
        await prime(self.kube, self.store, scopes=self.scopes, secret_selector="")
        self.kube.requests.clear()

    async def looks(self, number: int) -> None:
        suspects = NOTHING
        for _ in range(number):
            suspects = await self.count.look(suspects)


async def test_what_is_as_known_costs_one_small_list_per_kind_and_scope() -> None:
    bench = Bench("a", "b")
    bench.kube.put(KIND, "f", SPEC, namespace="a")
    bench.kube.put_secret("s", {"k": b"v"}, namespace="b")
    await bench.prime()
    assert await bench.count.look(NOTHING) == {}
    assert [verb for verb, _ in bench.kube.requests] == ["count"] * 10


async def test_the_last_object_of_a_kind_that_went_unseen_is_noticed_at_the_second_look() -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    bench.kube.delete(KIND, "f")
    suspects = await bench.count.look(NOTHING)
    assert suspects == {(KIND, None): Difference(-1)}
    assert dict(bench.count.unseen())[KIND] == 1
    assert bench.told == []
    await bench.count.look(suspects)
    assert bench.told == [KIND]


async def test_a_secret_that_went_unseen_is_noticed_in_its_namespace() -> None:
    bench = Bench("a", "b")
    bench.kube.put_secret("s", {"k": b"v"}, namespace="a")
    bench.kube.put_secret("s", {"k": b"v"}, namespace="b")
    await bench.prime()
    del bench.kube.secrets["b", "s"]
    assert await bench.count.look(NOTHING) == {("Secret", "b"): Difference(-1)}


async def test_a_watch_that_is_a_moment_late_is_no_reason() -> None:
    bench = Bench()
    await bench.prime()
    body = bench.kube.put(KIND, "f", SPEC)
    suspects = await bench.count.look(NOTHING)
    bench.store.observe(KIND, body)
    assert await bench.count.look(suspects) == {}
    assert bench.told == []


async def test_much_going_on_is_a_reason_only_when_it_never_agrees() -> None:
    bench = Bench()
    await bench.prime()
    suspects = NOTHING
    for number in range(PATIENCE):
        assert bench.told == []
        bench.kube.put(KIND, f"f{number}", SPEC)
        suspects = await bench.count.look(suspects)
    assert bench.told == [KIND]


async def test_a_difference_that_an_audit_leaves_standing_is_told_once() -> None:
    bench = Bench()
    await bench.prime()
    bench.kube.put(KIND, "f", SPEC)
    await bench.looks(2 * PATIENCE)
    assert bench.told == [KIND]


async def test_the_same_difference_is_told_again_after_it_was_gone() -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    for body in (bench.kube.delete(KIND, "f"), None):
        await bench.looks(2)
        if body is not None:
            bench.store.vanish(Key(KIND, "ns", "f"))
            await bench.looks(1)
            bench.store.observe(KIND, bench.kube.put(KIND, "f", SPEC))
            bench.kube.delete(KIND, "f")
    assert bench.told == [KIND, KIND]


async def test_selected_secrets_are_counted_no_further_than_one() -> None:
    """The server does not tell how many more match; the last one that went is noticed nonetheless."""
    bench = Bench(selector="team=search")
    for name in ("s", "t"):
        bench.kube.put_secret(name, {"k": b"v"})
    await bench.prime()
    bench.kube.put_secret("u", {"k": b"v"})
    assert await bench.count.look(NOTHING) == {}
    bench.kube.secrets.clear()
    assert await bench.count.look(NOTHING) == {(SECRETS.kind, None): Difference(-2)}


async def test_an_api_server_that_does_not_answer_is_no_difference() -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    bench.kube.delete(KIND, "f")

    def down(verb: str, what: str) -> None:
        raise Unavailable("no answer in time")

    bench.kube.fail = down
    assert await bench.count.look(NOTHING) == {}


async def test_what_differs_is_looked_at_again_soon_and_all_else_later(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    bench.kube.delete(KIND, "f")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr("milvus_embedding.runtime.headcount.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await bench.count.run()
    assert pauses == [10, AGAIN, 10, 10]


async def test_what_it_notices_is_audited_at_the_next_tick() -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    auditor = Auditor(
        bench.kube,
        bench.store,
        scopes=bench.scopes,
        secret_selector="",
        every=600,
        clock=lambda: 0.0,
        metrics=Metrics(),
        on_dead=bench.told.append,
    )
    bench.kube.delete(KIND, "f")
    auditor.request(KIND)
    await auditor.tick()
    assert bench.store.cache.get(Key(KIND, "ns", "f")) is None
