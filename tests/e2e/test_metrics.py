"""/metrics of a running operator: what the docs say and nothing else, nobody's names, traces where they are sent to."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.e2e.lab import Lab, eventually
from tests.e2e.stage import COLLECTION, CONNECTION, Stage
from tests.unit.runtime.test_metrics import documented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import OperatorProcess


def test_a_running_operator_shows_just_the_metrics_that_are_documented(stage: Stage, operator: OperatorProcess) -> None:
    stage.bring_up()

    families = [f for f in parse(operator.ask("/metrics")[1]) if f.name.startswith("milvus_embedding_")]
    described = documented()

    assert {f"{f.name}_total" if f.type == "counter" else f.name for f in families} == set(described)
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels if label != "le"}
        assert not family.samples or labels == described[name].labels, name


def test_a_connection_whose_milvus_is_there_counts_as_well_and_no_metric_names_it(
    stage: Stage, operator: OperatorProcess
) -> None:
    stage.apply(stage.connection())
    stage.ready(CONNECTION)
    # The metrics are read from the cache, which has the status at the latest when its watch tells.
    eventually(
        "it is counted", lambda: operator.metric("milvus_embedding_objects", kind=CONNECTION, status="True") >= 1
    )
    assert operator.metric("milvus_embedding_watch_alive") == 6
    assert operator.metric("milvus_embedding_unseen_objects") == 0
    text = operator.ask("/metrics")[1]
    assert f'milvus_embedding_watch_event_age_seconds{{kind="{CONNECTION}"}}' in text
    assert 'milvus_embedding_rollouts{phase="TimedOut"} 0' in text
    assert operator.metric("milvus_embedding_milvus_calls_total", method="GetVersion", result="ok") >= 1
    assert stage.namespace not in operator.ask("/metrics")[1]


class Collector(ThreadingHTTPServer):
    """Takes traces on loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[bytes] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def shows(self, text: str) -> bool:
        return any(text.encode() in body for body in self.received)


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


def test_traces_tell_of_reconciles_and_calls_and_of_no_key(own_lab: Lab) -> None:
    with collector() as traces:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        with own_lab.operator("--traces", environment=environment) as operator, Stage(own_lab) as stage:
            operator.wait_ready()
            stage.bring_up()
            eventually("a span of its creation", lambda: traces.shows("milvus CreateCollection"))
            eventually("a span of its pass", lambda: traces.shows(f"reconcile {COLLECTION}"))
            eventually("a span of the probe", lambda: traces.shows("dashscope probe"))
        assert not any(traces.shows(secret) for secret in own_lab.known_secrets)
