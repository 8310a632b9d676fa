"""First lists and later comparisons, against an API server in memory."""

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import Unavailable
from milvus_embedding.runtime.audit import PATIENCE, Auditor
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.priming import enqueue, prime
from milvus_embedding.runtime.queue import WorkQueue
from milvus_embedding.runtime.store import CONTROL_LANE, Store
from tests.fakes.kube import FakeKube

KIND = "EmbeddingFunction"
SPEC = {"dashscope": {"model": "m"}}
KEY = Key(KIND, "ns", "f")
SECRET = Key("Secret", "ns", "s")
READER = Key(KIND, "ns", "reader")


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.kube = FakeKube()
        self.dead: list[str] = []
        self.metrics = Metrics()
        self.queue: WorkQueue[Key] = WorkQueue(clock=lambda: self.now, random=lambda: 0.5)
        self.store = Store(
            queue=self.queue, lane=lambda resource: "lane", signal=lambda resource: None, upstream=lambda resource: ()
        )
        self.auditor = Auditor(
            self.kube,
            self.store,
            scopes=[None],
            secret_selector="",
            every=600,
            clock=lambda: self.now,
            metrics=self.metrics,
            on_dead=self.dead.append,
        )

    async def prime(self) -> None:
        await prime(self.kube, self.store, scopes=[None], secret_selector="")

    def woken(self) -> list[str]:
        self.queue.advance()
        names = []
        for lane in ("lane", CONTROL_LANE):
            while (key := self.queue.take(lane)) is not None:
                self.queue.done(key)
                names.append(key.name)
        return names

    def listed(self) -> list[str]:
        return [what for verb, what in self.kube.requests if verb == "list"]


def with_status(bench: Bench, name: str, *, ready: str, observed: int = 1) -> None:
    body = bench.kube.put(KIND, name, SPEC)
    body["status"] = {"observedGeneration": observed, "conditions": [{"type": "Ready", "status": ready}]}


async def test_priming_reads_all_pages_and_wakes_nobody() -> None:
    bench = Bench()
    for number in range(5):
        bench.kube.put(KIND, f"f{number}", SPEC)
    bench.kube.put_secret("s", {"k": b"v"})
    await bench.prime()
    assert bench.store.cache.size(KIND) == 5
    assert list(bench.store.secrets()) == [SECRET]
    assert bench.woken() == []


async def test_what_was_not_ready_comes_first_and_the_rest_is_spread() -> None:
    bench = Bench()
    with_status(bench, "settled", ready="True")
    with_status(bench, "waiting", ready="False")
    with_status(bench, "changed", ready="True", observed=0)
    bench.kube.put(KIND, "new", SPEC)
    await bench.prime()
    enqueue(bench.store, lambda: 0.5)
    assert sorted(bench.woken()) == ["changed", "new", "waiting"]
    bench.now = 1
    assert bench.woken() == ["settled"]


async def test_a_deletion_that_nobody_told_is_found_and_proven_by_get() -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    bench.store.references.replace(READER, [KEY])
    bench.store.observe(KIND, bench.kube.put(KIND, "reader", SPEC))
    bench.woken()
    bench.kube.delete(KIND, "f")
    await bench.auditor.audit(KIND)
    assert bench.store.cache.get(KEY) is None
    assert sorted(bench.woken()) == ["f", "reader"]
    assert ("get", str(KEY)) in bench.kube.requests


async def test_an_object_that_nobody_told_is_fetched_and_reconciled() -> None:
    bench = Bench()
    await bench.prime()
    bench.kube.put(KIND, "f", SPEC)
    await bench.auditor.audit(KIND)
    assert bench.woken() == ["f"]


async def test_a_watch_that_stays_behind_is_dead_after_its_time_and_not_before() -> None:
    bench = Bench()
    await bench.prime()
    bench.kube.put(KIND, "f", SPEC)
    await bench.auditor.audit(KIND)
    await bench.auditor.tick()
    bench.now = PATIENCE
    bench.auditor._due = dict.fromkeys(bench.auditor._due, 1e9)
    await bench.auditor.tick()
    assert bench.dead == []
    bench.now = PATIENCE + 1
    await bench.auditor.tick()
    assert bench.dead == ["the watch of EmbeddingFunction did not tell of EmbeddingFunction ns/f for 30 s"]


async def test_a_watch_that_is_a_moment_late_is_alive() -> None:
    bench = Bench()
    await bench.prime()
    body = bench.kube.put(KIND, "f", SPEC)
    await bench.auditor.audit(KIND)
    bench.store.observe(KIND, body)
    bench.now = 1000
    await bench.auditor.tick()
    assert bench.dead == []


async def test_our_own_write_that_the_watch_has_not_told_yet_costs_no_get() -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()
    bench.store.observe(KIND, bench.kube.put(KIND, "f", SPEC), watched=False)
    await bench.auditor.audit(KIND)
    assert not [what for verb, what in bench.kube.requests if verb == "get"]
    assert bench.woken() == []


@pytest.mark.parametrize("change", ["changed", "deleted"])
async def test_a_secret_that_changed_unseen_wakes_its_readers(change: str) -> None:
    bench = Bench()
    bench.kube.put_secret("s", {"k": b"v"})
    bench.kube.put(KIND, "reader", SPEC)
    await bench.prime()
    bench.store.references.replace(READER, [SECRET])
    if change == "deleted":
        del bench.kube.secrets["ns", "s"]
    else:
        bench.kube.put_secret("s", {"k": b"w"})
    await bench.auditor.audit("Secret")
    assert bench.woken() == ["reader"]


async def test_a_relist_is_followed_by_an_audit_of_that_kind_within_two_seconds() -> None:
    bench = Bench()
    bench.now = 10
    await bench.auditor.tick()
    bench.kube.requests.clear()
    bench.auditor.relisted(KIND)
    bench.now = 11
    await bench.auditor.tick()
    assert bench.listed() == []
    bench.now = 12
    await bench.auditor.tick()
    assert bench.listed() == [KIND]


async def test_all_kinds_are_audited_soon_after_start_and_then_every_ten_minutes() -> None:
    bench = Bench()
    bench.now = 5
    await bench.auditor.tick()
    assert len(bench.listed()) == 5
    bench.now = 604
    await bench.auditor.tick()
    assert len(bench.listed()) == 5
    bench.now = 605
    await bench.auditor.tick()
    assert len(bench.listed()) == 10


async def test_an_audit_that_failed_drops_nothing_is_told_once_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.kube.put(KIND, "f", SPEC)
    await bench.prime()

    def down(verb: str, what: str) -> None:
        raise Unavailable("no answer in time")

    bench.kube.fail = down
    bench.now = 5
    await bench.auditor.tick()
    assert bench.store.cache.get(KEY) is not None
    assert len(caplog.records) == 1
    assert f'audits_total{{found="failed",kind="{KIND}"}} 1.0' in bench.metrics.render().decode()
    bench.kube.fail = lambda verb, what: None
    bench.kube.requests.clear()
    bench.now = 7
    await bench.auditor.tick()
    assert len(bench.listed()) == 5
