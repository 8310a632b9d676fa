"""/healthz, /readyz and /metrics: over HTTP, and what they are decided on."""

import http.client

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.runtime.dispatch import Running
from milvus_embedding.runtime.health import Health, HealthServer
from milvus_embedding.runtime.metrics import CONTENT_TYPE, Metrics
from milvus_embedding.runtime.vitals import Phase, Vitals

KEY = Key("MilvusCollection", "ns", "docs")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def vitals(clock: Clock) -> Vitals:
    return Vitals(clock=clock, reconcile_timeout=600, lease_duration=15)


def fetch(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_what_is_well_answers_200_and_what_is_not_503_with_the_reason() -> None:
    metrics = Metrics()
    metrics.status_written("MilvusCollection")
    problems = {"live": "", "ready": "standing by"}
    health = Health(metrics.render, CONTENT_TYPE)
    health.live_if(lambda: problems["live"])
    health.ready_if(lambda: problems["ready"])
    server = HealthServer("127.0.0.1:0", health)
    server.start()
    try:
        assert fetch(server.port, "/healthz") == (200, "ok\n")
        assert fetch(server.port, "/readyz") == (503, "standing by\n")
        problems.update(live="stuck", ready="")
        assert fetch(server.port, "/healthz") == (503, "stuck\n")
        assert fetch(server.port, "/readyz") == (503, "stuck\n")
        assert 'status_writes_total{kind="MilvusCollection"} 1.0' in fetch(server.port, "/metrics")[1]
        assert fetch(server.port, "/other")[0] == 404
    finally:
        server.stop()


def test_a_process_that_just_started_is_alive_and_not_ready() -> None:
    v = vitals(Clock())
    assert (v.alive(), v.ready()) == ("", "connecting to the API server")


def test_a_standby_is_ready() -> None:
    v = vitals(Clock())
    v.phase = Phase.STANDBY
    assert v.ready() == ""


def test_a_leader_without_all_its_watches_is_alive_and_not_ready() -> None:
    v = vitals(Clock())
    v.phase = Phase.RUNNING
    v.watches = lambda: "watches are missing: x"
    assert (v.alive(), v.ready()) == ("", "watches are missing: x")


@pytest.mark.parametrize(
    ("after", "alive"),
    [
        pytest.param(9, True, id="a short lag of the event loop is normal"),
        pytest.param(11, False, id="a long one is not"),
    ],
)
def test_event_loop(after: float, alive: bool) -> None:
    clock = Clock()
    v = vitals(clock)
    clock.now = after
    assert (v.alive() == "") is alive


@pytest.mark.parametrize(
    ("seconds", "alive"),
    [
        pytest.param(719, True, id="a reconcile may take its time and two minutes"),
        pytest.param(721, False, id="and is stuck after that"),
    ],
)
def test_workers(seconds: float, alive: bool) -> None:
    clock = Clock()
    v = vitals(clock)
    v._beat = clock.now = 1000
    v.running = lambda: [Running(KEY, 1000 - seconds)]
    assert v.alive() == ("" if alive else f"reconciles are stuck: {KEY}")


def test_a_lease_that_was_not_renewed_for_its_duration_is_fatal() -> None:
    v = vitals(Clock())
    v.renew_age = lambda: 16.0
    assert v.alive() == "the lease was not renewed for 16 s"
    v.phase = Phase.STOPPING
    assert v.alive() == ""


def test_what_ends_the_process_is_told_until_it_ends() -> None:
    v = vitals(Clock())
    v.fatal = "watches ended: x"
    assert v.alive() == "watches ended: x"
