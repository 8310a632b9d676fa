"""What the operator counts, for /metrics. Labels are kinds, lanes and outcomes, never names of users' objects or keys.

A lane is named after a connection's address by the wiring; the wiring must not put credentials into it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_PREFIX = "milvus_embedding_"
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 600)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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
        self._reconciles = Counter(
            f"{_PREFIX}reconciles", "Reconciles by kind and outcome", ["kind", "outcome"], registry=self.registry
        )
        self._durations = Histogram(
            f"{_PREFIX}reconcile_seconds",
            "Duration of reconciles by kind",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._status_writes = Counter(
            f"{_PREFIX}status_writes", "Statuses written by kind", ["kind"], registry=self.registry
        )
        self._events = Counter(
            f"{_PREFIX}kubernetes_events", "Events by what became of them", ["result"], registry=self.registry
        )
        self._api_errors = Counter(
            f"{_PREFIX}api_errors", "Failed requests to the API server", ["error"], registry=self.registry
        )
        self._audits = Counter(
            f"{_PREFIX}audits", "Audits by kind and finding", ["kind", "found"], registry=self.registry
        )
        self._leader = Gauge(f"{_PREFIX}leader", "1 while this process leads", registry=self.registry)

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

    def status_written(self, kind: str) -> None:
        self._status_writes.labels(kind).inc()

    def event(self, result: str) -> None:
        self._events.labels(result).inc()

    def api_error(self, error: str) -> None:
        """`error` is the name of its class."""
        self._api_errors.labels(error).inc()

    def audited(self, kind: str, found: str, count: int = 1) -> None:
        """`found` is ok, gone, new or behind."""
        self._audits.labels(kind, found).inc(count)

    def leads(self, leader: bool) -> None:
        self._leader.set(leader)

    def gauge(self, name: str, text: str, label: str, read: Callable[[], Iterable[tuple[str, float]]]) -> None:
        """Registers a gauge whose values are read at each scrape, from the thread that serves it."""
        self.registry.register(_Read(f"{_PREFIX}{name}", text, label, read))

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Read(Collector):
    def __init__(self, name: str, text: str, label: str, read: Callable[[], Iterable[tuple[str, float]]]) -> None:
        self._name, self._text, self._label, self._read = name, text, label, read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._text, labels=[self._label])
        for value, number in self._read():
            family.add_metric([value], number)
        yield family
