"""All metrics of the operator in one registry, each of them with a sample, as a leader that has seen everything."""

from collections.abc import Mapping
from datetime import UTC, datetime

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.observer import Service
from milvus_embedding.controllers import signals
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.cache import Cache, Entry, key_of
from milvus_embedding.runtime.census import Census
from milvus_embedding.runtime.dispatch import Running
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.queue import WorkQueue
from milvus_embedding.runtime.readings import read_process, read_queue, read_watches
from milvus_embedding.runtime.vitals import Vitals
from milvus_embedding.wiring import build, expose

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLLECTION, CONNECTION = MilvusCollection.KIND, MilvusConnection.KIND
MINUTE_AGO = "2026-01-02T03:03:05Z"

Status = Mapping[str, object]


def condition(type_: str, status: str, reason: str, *, since: str = MINUTE_AGO) -> dict[str, str]:
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": since}


def cached(kind: str, *statuses: Status | None) -> Cache:
    """Objects of a kind with these statuses; None: without."""
    cache = Cache(lambda resource: None)
    put(cache, kind, *statuses)
    return cache


def put(cache: Cache, kind: str, *statuses: Status | None) -> None:
    for number, status in enumerate(statuses):
        metadata = {"name": f"o{number}", "namespace": "ns", "uid": f"{kind}{number}", "generation": 1}
        body = {"metadata": {**metadata, "resourceVersion": str(number + 1)}, "spec": {}, "status": status or {}}
        cache.put(key_of(kind, body), body, watched=True)


def entries(cache: Cache, kind: str) -> list[Entry]:
    return list(cache.entries(kind))


def everything() -> Metrics:
    """Registered by the functions that the operator registers with, and fed by those that it counts with."""
    metrics = Metrics()
    clock = lambda: 0.0  # noqa: E731
    vitals = Vitals(clock=clock, reconcile_timeout=600, lease_duration=15)
    vitals.renew_age = lambda: 1.0
    read_process(metrics, vitals)
    queue: WorkQueue[Key] = WorkQueue(clock=clock)
    key = Key(COLLECTION, "ns", "o0")
    queue.add(key, "collections of ns/secret-project")
    queue.fail(key)
    running = [Running(key, 0.0)]
    read_queue(metrics, queue, running=lambda: running, family=signals.family, clock=clock)
    told = lambda: [(COLLECTION, 1.0)]  # noqa: E731
    read_watches(metrics, alive=told, heard=told, unseen=told)
    metrics.register(Census(_cache().entries, now=lambda: NOW))
    product = build(owner_id="o", wake=lambda key: None, scrubber=Scrubber())
    product.gate.failed("circuit", key, Blocked(Reason.KEY_REJECTED, "no", shared=True))
    expose(product, metrics)
    _count(metrics)
    return metrics


def _count(metrics: Metrics) -> None:
    with metrics.reconcile(COLLECTION) as measured:
        measured.outcome = "success"
    for service, method in ((Service.MILVUS, "CreateCollection"), (Service.DASHSCOPE, "probe")):
        with metrics.call(service, method) as observed:
            observed.result = "ok"
    metrics.waited("new", 0.1)
    metrics.retried(COLLECTION)
    metrics.status_written(COLLECTION)
    metrics.event("Ready", "written")
    metrics.api_error("Unavailable")
    metrics.audited(COLLECTION, "ok")
    metrics.leads(True)


def _cache() -> Cache:
    waits = [condition("Drifted", "True", "Drifted"), condition("PlanApproved", "False", "AwaitingApproval")]
    cache = cached(COLLECTION, {"conditions": waits, "plan": {"class": "Disruptive"}})
    put(cache, CONNECTION, {"rollout": {"phase": "Rolling", "startTime": MINUTE_AGO}})
    return cache
