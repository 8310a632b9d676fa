"""What is not counted but read at each scrape: the queue, what is worked on, watches, the lease, the event loop.

Everything here is called from the thread that serves the scrape, while the event loop goes on: it only reads copies.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import Info, ProcessCollector

from milvus_embedding import __version__
from milvus_embedding.api.references import Key
from milvus_embedding.runtime.dispatch import Running
from milvus_embedding.runtime.metrics import PREFIX, Metrics, Samples
from milvus_embedding.runtime.queue import WorkQueue


class _Vitals(Protocol):
    @property
    def lag(self) -> float: ...
    @property
    def renew_age(self) -> Callable[[], float | None]: ...


def read_process(metrics: Metrics, vitals: _Vitals) -> None:
    """What every replica shows, a standby too."""
    ProcessCollector(registry=metrics.registry)
    Info(f"{PREFIX}build", "The version that runs", registry=metrics.registry).info({"version": __version__})
    metrics.gauge("event_loop_lag_seconds", "For how long the event loop did not run", (), lambda: [((), vitals.lag)])

    def renewed() -> Samples:
        age = vitals.renew_age()
        return [] if age is None else [((), age)]

    metrics.gauge("lease_renew_age_seconds", "Time since this replica renewed the Lease", (), renewed)


def read_queue(
    metrics: Metrics,
    queue: WorkQueue[Key],
    *,
    running: Callable[[], Iterable[Running[Key]]],
    family: Callable[[str], str],
    clock: Callable[[], float],
) -> None:
    """What waits and what is worked on. `family`: the class of a lane, as a lane itself may name an object."""

    def waiting() -> tuple[dict[str, int], dict[str, float]]:
        depths: dict[str, int] = {}
        ages: dict[str, float] = {}
        for lane, depth, age in queue.waiting():
            name = family(lane)
            depths[name] = depths.get(name, 0) + depth
            ages[name] = max(ages.get(name, 0.0), age)
        return depths, ages

    def at_work() -> tuple[dict[str, int], dict[str, float]]:
        numbers: dict[str, int] = {}
        ages: dict[str, float] = {}
        now = clock()
        for run in running():
            numbers[run.key.kind] = numbers.get(run.key.kind, 0) + 1
            ages[run.key.kind] = max(ages.get(run.key.kind, 0.0), now - run.since)
        return numbers, ages

    gauge = metrics.gauge
    gauge("queue_depth", "Keys that wait for a worker, by class of lane", ("lane",), lambda: _one(waiting()[0]))
    gauge("queue_age_seconds", "Longest wait for a worker, by class of lane", ("lane",), lambda: _one(waiting()[1]))
    gauge("queue_scheduled", "Keys that wait for their time", (), lambda: [((), queue.scheduled)])
    gauge("queue_retrying", "Keys whose last reconcile failed", (), lambda: [((), queue.retrying)])
    gauge("reconciles_running", "Reconciles under way by kind", ("kind",), lambda: _one(at_work()[0]))
    text = "Age of the oldest reconcile under way by kind"
    gauge("reconcile_running_seconds", text, ("kind",), lambda: _one(at_work()[1]))


def read_watches(
    metrics: Metrics,
    *,
    alive: Callable[[], Iterable[tuple[str, float]]],
    heard: Callable[[], Iterable[tuple[str, float]]],
    unseen: Callable[[], Iterable[tuple[str, float]]],
) -> None:
    """By kind: whether its watches are there, when they told something last, and what they did not tell."""
    gauge = metrics.gauge
    gauge("watch_alive", "1 while all watches of the kind are there", ("kind",), lambda: _listed(alive()))
    text = "Time since a watch of the kind told of something"
    gauge("watch_event_age_seconds", text, ("kind",), lambda: _listed(heard()))
    text = "By how many objects cache and API server differed when they were counted last"
    gauge("unseen_objects", text, ("kind",), lambda: _listed(unseen()))


def _one(values: dict[str, int] | dict[str, float]) -> Samples:
    return _listed(values.items())


def _listed(values: Iterable[tuple[str, float]]) -> Samples:
    return [((name,), number) for name, number in values]
