"""What the operator counts and measures, for /metrics. docs/monitoring.md has each metric and the question it answers.

Labels are kinds, reasons, outcomes and classes of lanes: never names of users' objects, addresses or text from outside.
What is not counted but read when somebody asks is registered by `gauge` and `register` (readings.py, census.py).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from milvus_embedding.clients.observer import Observed, Service

PREFIX = "milvus_embedding_"
_RECONCILES = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 600)
_WAITS = (0.005, 0.05, 0.25, 1, 5, 30, 120, 600)
_CALLS = (0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the number."""


@dataclass(slots=True)
class Measured:
    """A reconcile that is being measured; whoever runs it sets the outcome."""

    outcome: str = "error"


class Metrics:
    """One set of metrics in a registry of its own. `perf` measures durations, in seconds."""

    def __init__(
        self, registry: CollectorRegistry | None = None, perf: Callable[[], float] = time.perf_counter
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry()
        self._perf = perf
        self._reconciles = self._counter("reconciles", "Reconciles by kind and outcome", "kind", "outcome")
        self._durations = self._histogram("reconcile_seconds", "Duration of reconciles by kind", _RECONCILES, "kind")
        self._retries = self._counter("retries", "Reconciles that have to be repeated later, by kind", "kind")
        self._waits = self._histogram(
            "queue_wait_seconds", "Time that keys waited for a worker, by priority", _WAITS, "priority"
        )
        self._status_writes = self._counter("status_writes", "Statuses written by kind", "kind")
        self._events = self._counter(
            "kubernetes_events", "Events by reason and what became of them", "reason", "result"
        )
        self._api_errors = self._counter("api_errors", "Failed requests to the API server by error", "error")
        self._audits = self._counter("audits", "Audits by kind and finding", "kind", "found")
        self._audited = self._gauge("audit_timestamp_seconds", "Unix time of the last audit by kind", "kind")
        self._milvus_calls = self._counter("milvus_calls", "Calls to Milvus by method and result", "method", "result")
        self._milvus_seconds = self._histogram(
            "milvus_call_seconds", "Duration of calls to Milvus by method", _CALLS, "method"
        )
        self._probes = self._counter("dashscope_probes", "Questions to DashScope about keys, by result", "result")
        self._probe_seconds = self._histogram(
            "dashscope_probe_seconds", "Duration of questions to DashScope about keys", _CALLS
        )
        self._leader = self._gauge("leader", "1 while this process leads")

    @contextmanager
    def reconcile(self, kind: str) -> Iterator[Measured]:
        """Measures the block; its outcome is "error" unless it is set."""
        measured = Measured()
        started = self._perf()
        try:
            yield measured
        finally:
            self._durations.labels(kind).observe(self._perf() - started)
            self._reconciles.labels(kind, measured.outcome).inc()

    @contextmanager
    def call(self, service: Service, method: str) -> Iterator[Observed]:
        """Measures one call to Milvus or DashScope; its result is "Unfinished" unless it is set."""
        observed = Observed()
        started = self._perf()
        try:
            yield observed
        finally:
            seconds = self._perf() - started
            if service is Service.MILVUS:
                self._milvus_seconds.labels(method).observe(seconds)
                self._milvus_calls.labels(method, observed.result).inc()
            else:
                self._probe_seconds.observe(seconds)
                self._probes.labels(observed.result).inc()

    def refused(self, service: Service, method: str) -> None:
        """A call to Milvus was not sent, as the breaker is open."""
        if service is Service.MILVUS:
            self._milvus_calls.labels(method, "BreakerOpen").inc()

    def waited(self, priority: str, seconds: float) -> None:
        """A key was taken from the queue; `priority` is new or resync."""
        self._waits.labels(priority).observe(seconds)

    def retried(self, kind: str) -> None:
        """A reconcile will be repeated after a delay that grows."""
        self._retries.labels(kind).inc()

    def status_written(self, kind: str) -> None:
        self._status_writes.labels(kind).inc()

    def event(self, reason: str, result: str) -> None:
        """`result` is written, failed, limited or dropped."""
        self._events.labels(reason, result).inc()

    def api_error(self, error: str) -> None:
        """`error` is the name of its class."""
        self._api_errors.labels(error).inc()

    def audited(self, kind: str, found: str, count: int = 1) -> None:
        """`found` is gone, new or behind, and at the end of each audit ok or failed."""
        self._audits.labels(kind, found).inc(count)
        if found == "ok":
            self._audited.labels(kind).set_to_current_time()

    def leads(self, leader: bool) -> None:
        self._leader.set(leader)

    def gauge(self, name: str, text: str, labels: Sequence[str], read: Callable[[], Samples]) -> None:
        """Registers a gauge whose values are read at each scrape, from the thread that serves it."""
        self.register(_Read(f"{PREFIX}{name}", text, labels, read))

    def register(self, collector: Collector) -> None:
        """Adds a collector; it is asked at each scrape, from the thread that serves it."""
        self.registry.register(collector)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}{name}", text, labels, buckets=buckets, registry=self.registry)


class _Read(Collector):
    def __init__(self, name: str, text: str, labels: Sequence[str], read: Callable[[], Samples]) -> None:
        self._name, self._text, self._labels, self._read = name, text, labels, read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, number in self._read():
            family.add_metric(values, number)
        yield family
