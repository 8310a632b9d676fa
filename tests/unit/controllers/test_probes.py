"""KeyProbes: as few questions as possible, and never a stale answer."""

import asyncio
from collections.abc import Callable

import pytest

from milvus_embedding.clients.dashscope.port import KeyProbe, ProbeResult
from milvus_embedding.controllers import probes as module
from milvus_embedding.controllers.probes import KeyProbes
from tests.fakes.dashscope import ACCEPTED, UNREACHABLE, FakeKeyProbe
from tests.fakes.world import Clock
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import CONNECTION, DEV, DEV_KEY, PROD, PROD_KEY, connection, credential

DAY = 86400.0


class SlowProbe(KeyProbe):
    """Answers when it is told to, one question at a time."""

    def __init__(self) -> None:
        self.questions: asyncio.Queue[tuple[str, asyncio.Future[ProbeResult]]] = asyncio.Queue()
        self.asked = 0

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        self.asked += 1
        answer: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
        await self.questions.put((key, answer))
        return await answer


def make(probe: KeyProbe, clock: Clock, wake: Callable[[object], None] = lambda key: None) -> KeyProbes:
    return KeyProbes(probe, wake=wake, clock=clock, today=clock.today, patience=0.01)


async def ask(probes: KeyProbes, value: str = "good", *, interval: float = DAY) -> tuple[str, float] | None:
    answer = await probes.ask(DEV, value, "", interval=interval)
    return (str(answer.result.verdict), answer.again_after) if answer else None


async def test_an_acceptance_stands_for_the_interval() -> None:
    clock, probe = Clock(), FakeKeyProbe({"good": ACCEPTED})
    probes = make(probe, clock)

    assert await ask(probes) == ("Accepted", DAY)
    clock.advance(DAY - 10)
    assert await ask(probes) == ("Accepted", 10)
    assert len(probe.calls) == 1
    clock.advance(10)
    await ask(probes)
    await asyncio.sleep(0)
    assert len(probe.calls) == 2
    assert await ask(probes) == ("Accepted", DAY)


@pytest.mark.parametrize("start", [0.0, 1000.0])
async def test_a_rejection_is_asked_about_every_few_seconds_and_then_every_minute(start: float) -> None:
    clock, probe = Clock(start), FakeKeyProbe()
    probes = make(probe, clock)

    assert await ask(probes) == ("Rejected", module.REJECTED_AGAIN)
    for _ in range(int(module.LONG)):
        clock.advance(1)
        await ask(probes)
        await asyncio.sleep(0)
    within = len(probe.calls)
    assert within <= module.LONG / module.REJECTED_AGAIN + 1
    for _ in range(600):
        clock.advance(1)
        await ask(probes)
        await asyncio.sleep(0)
    assert len(probe.calls) - within <= 11


async def test_an_answer_that_says_nothing_is_asked_for_every_30_seconds() -> None:
    clock, probe = Clock(), FakeKeyProbe({"good": UNREACHABLE})

    assert await ask(make(probe, clock)) == ("Unreachable", 30)


async def test_one_request_per_key_at_a_time() -> None:
    clock, probe = Clock(), SlowProbe()
    probes = make(probe, clock)

    answers = await asyncio.gather(*(ask(probes) for _ in range(20)))

    assert answers == [None] * 20
    assert probe.asked == 1
    probes.forget(DEV)


async def test_an_answer_that_comes_late_wakes_who_is_concerned() -> None:
    clock, probe = Clock(), SlowProbe()
    woken: list[object] = []
    both = asyncio.Event()

    def wake(key: object) -> None:
        woken.append(key)
        if len(woken) == 2:
            both.set()

    probes = make(probe, clock, wake)
    assert await probes.ask(DEV, "good", "", interval=DAY, wake=(CONNECTION,)) is None

    _, answer = await probe.questions.get()
    answer.set_result(ACCEPTED)
    await both.wait()

    assert woken == [DEV, CONNECTION]
    assert await ask(probes) == ("Accepted", DAY)


async def test_the_same_answer_again_wakes_nobody() -> None:
    clock, woken = Clock(), list[object]()
    probes = make(FakeKeyProbe({"good": ACCEPTED}), clock, woken.append)
    await ask(probes)
    woken.clear()

    clock.advance(DAY)
    await ask(probes)
    await asyncio.sleep(0)

    assert woken == []


async def test_a_new_value_is_asked_at_once_and_the_old_question_is_dropped() -> None:
    clock, probe = Clock(), SlowProbe()
    probes = make(probe, clock)
    await ask(probes, "old")
    _, old = await probe.questions.get()

    await ask(probes, "new")

    key, new = await probe.questions.get()
    assert key == "new"
    assert old.cancelled()
    new.set_result(ACCEPTED)
    await asyncio.sleep(0)
    assert await ask(probes, "new") == ("Accepted", DAY)


async def test_another_endpoint_is_another_question() -> None:
    clock, probe = Clock(), FakeKeyProbe({"good": ACCEPTED})
    probes = make(probe, clock)
    await probes.ask(DEV, "good", "", interval=DAY)
    await probes.ask(DEV, "good", "https://dashscope-intl.aliyuncs.com/x", interval=DAY)

    assert [call.url for call in probe.calls] == ["", "https://dashscope-intl.aliyuncs.com/x"]


async def test_a_remembered_acceptance_counts_from_its_own_time() -> None:
    clock, probe = Clock(), FakeKeyProbe({"good": ACCEPTED})
    probes = make(probe, clock)
    then = clock.today()
    clock.advance(100)
    probes.trust(DEV, "good", "", at=then)

    assert await ask(probes) == ("Accepted", DAY - 100)
    assert probe.calls == []


async def test_a_restart_with_remembered_proof_asks_nothing(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    asked = len(bench.key_probe.calls)

    bench.clock.advance(3600)
    bench.restart()
    await bench.settle()

    assert len(bench.key_probe.calls) == asked == 2


async def test_a_remembered_proof_that_is_older_than_the_interval_is_asked_for_again(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()

    bench.clock.advance(2 * DAY)
    bench.restart()
    await bench.settle()

    assert len(bench.key_probe.calls) == 4


async def test_a_proof_of_another_value_is_no_proof(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.secret("apikey-dev", apikey="sk-bad-0123456789")
    bench.restart()

    await bench.reconcile(DEV)

    assert bench.condition(DEV) == ("False", "KeyRejected")


async def test_while_dashscope_is_asked_the_key_is_not_ready(make_bench: MakeBench) -> None:
    probe = SlowProbe()
    bench = make_bench(key_probe=probe, patience=0.01)
    bench.quickstart()

    await bench.reconcile(CONNECTION)
    await bench.reconcile(DEV)

    assert bench.condition(DEV) == ("False", "Probing")
    assert bench.condition(DEV, "KeyValid") == ("Unknown", "Probing")
    assert bench.rendered_keys() == {}
    for key in (DEV, PROD):
        await bench.credentials.forget(key)


async def test_what_is_sent_is_one_short_text_to_the_declared_endpoint(bench: Bench) -> None:
    url = "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
    bench.secret("apikey-dev", apikey=DEV_KEY)
    bench.apply(connection(embedding={"dashscope": {"url": url}}), credential())

    await bench.reconcile(DEV)

    assert [(call.url, call.key, call.model) for call in bench.key_probe.calls] == [(url, DEV_KEY, "text-embedding-v3")]


async def test_a_disabled_probe_asks_nothing(bench: Bench) -> None:
    bench.secret("apikey-dev", apikey=DEV_KEY)
    bench.apply(connection(), credential(probe={"enabled": False}))

    await bench.settle()

    assert bench.key_probe.calls == []
    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY}


async def test_without_egress_one_question_answers_for_all_keys(bench: Bench) -> None:
    bench.quickstart()
    bench.key_probe.results = {DEV_KEY: UNREACHABLE, PROD_KEY: UNREACHABLE}

    await bench.settle(DEV, PROD, CONNECTION)

    assert len(bench.key_probe.calls) == 1
    assert bench.condition(DEV) == bench.condition(PROD) == ("True", "Ready")
    assert bench.condition(PROD, "KeyValid") == ("Unknown", "ProviderUnreachable")


async def test_an_answer_that_says_nothing_is_asked_for_less_often_in_the_long_run() -> None:
    clock, probe = Clock(), FakeKeyProbe({"good": UNREACHABLE})
    probes = make(probe, clock)
    await ask(probes)
    for _ in range(11):
        clock.advance(30)
        await ask(probes)
        await asyncio.sleep(0)

    assert await ask(probes) == ("Unreachable", 300 - 30)


class BrokenProbe(KeyProbe):
    """Breaks its promise never to raise."""

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        raise RuntimeError(f"odd: {key}")


async def test_a_probe_that_fails_unexpectedly_says_nothing_about_the_key(caplog: pytest.LogCaptureFixture) -> None:
    assert await ask(make(BrokenProbe(), Clock()), "sk-secret-0123") == ("Unreachable", 30)
    assert "RuntimeError" in caplog.text
    assert "sk-secret" not in caplog.text
