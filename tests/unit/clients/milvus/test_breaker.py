"""The breaker by itself, on a clock of the test."""

from milvus_embedding.clients.milvus.breaker import PROBE_INTERVAL, Breaker
from tests.unit.clients.milvus.conftest import Clock


def test_it_is_closed_at_first_and_lets_every_probe_pass() -> None:
    breaker = Breaker(Clock())
    assert breaker.reason == ""
    assert breaker.take_probe()
    assert breaker.take_probe()


def test_open_it_tells_the_latest_reason() -> None:
    breaker = Breaker(Clock())
    breaker.trip("refused")
    breaker.trip("no route")
    assert breaker.reason == "no route"


def test_open_it_lets_one_probe_pass_per_interval() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.trip("refused")
    assert not breaker.take_probe()
    clock.advance(PROBE_INTERVAL)
    assert breaker.take_probe()
    assert not breaker.take_probe()
    clock.advance(PROBE_INTERVAL)
    assert breaker.take_probe()


def test_failures_while_it_is_open_do_not_put_the_next_probe_off() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.trip("refused")
    clock.advance(PROBE_INTERVAL)
    breaker.trip("refused")
    assert breaker.take_probe()


def test_an_answer_closes_it() -> None:
    breaker = Breaker(Clock())
    breaker.trip("refused")
    breaker.reset()
    assert breaker.reason == ""
    assert breaker.take_probe()
