"""A restart in peace writes nothing; a kill in the middle of work does no harm."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.controllers.signals import COLLECTION_WORKERS
from tests.e2e import audit
from tests.e2e.lab import eventually, path_of
from tests.e2e.stage import COLLECTION, CREDENTIAL, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Lab, OperatorProcess

COLLECTIONS, KILLED = 200, 100
WATCHED_KINDS = 5
COUNTED = "milvus_embedding_reconciles_total"


@pytest.fixture
def theatre(lab: Lab) -> Iterator[tuple[Stage, OperatorProcess]]:
    """A stage with an operator that the test stops and starts."""
    with lab.operator() as operator, Stage(lab) as stage:
        operator.wait_ready()
        stage.apply(stage.connection(), stage.secret(), stage.credential())
        stage.ready(CREDENTIAL)
        yield stage, operator


def create(stage: Stage, number: int) -> None:
    bodies = [stage.collection(f"docs-{i:03}") for i in range(number)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda body: stage.lab.api.create(path_of(COLLECTION, stage.namespace), body), bodies))


def ready(stage: Stage) -> int:
    """How many collections are Ready."""
    listed = (item.get("status", {}).get("conditions", []) for item in stage.lab.list(COLLECTION, stage.namespace))
    return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) for conditions in listed)


def test_a_restart_that_finds_nothing_new_writes_nothing(
    theatre: tuple[Stage, OperatorProcess], measured: dict[str, float]
) -> None:
    stage, operator = theatre
    start = time.monotonic()
    create(stage, COLLECTIONS)
    eventually("all Ready", lambda: ready(stage) == COLLECTIONS, within=90)
    measured[f"{COLLECTIONS} collections Ready after the first was applied"] = time.monotonic() - start
    eventually("usage is counted", lambda: stage.status(CREDENTIAL).get("usedBy") == COLLECTIONS)
    operator.wait_quiet()
    eventually("Events are written", lambda: len(stage.lab.list("Event", stage.namespace)) >= COLLECTIONS)
    versions = _versions(stage)
    assert operator.stop() == 0
    log, milvus, dashscope = stage.lab.plane.audit_log, stage.site.milvus, stage.site.dashscope
    writes, calls, requests = len(audit.changes(log)), milvus.changing_calls, len(dashscope.calls)

    operator.start()

    operator.wait_ready()
    start = time.monotonic()
    eventually(
        "every collection was looked at",
        lambda: operator.metric(COUNTED, kind=COLLECTION) >= COLLECTIONS,
        within=30,
    )
    measured[f"{COLLECTIONS} collections looked at after a restart"] = time.monotonic() - start
    # The comparison with a list, some seconds after the start, is the last thing that a start brings.
    audited = lambda: operator.metric("milvus_embedding_audits_total", found="ok") >= WATCHED_KINDS  # noqa: E731
    eventually("everything was audited", audited, within=30)
    assert operator.metric(COUNTED) == operator.metric(COUNTED, outcome="success") + operator.metric(
        COUNTED, outcome="requeue_after"
    )
    assert audit.changes(log)[writes:] == []
    assert milvus.changing_calls == calls
    assert len(dashscope.calls) == requests
    assert _versions(stage) == versions


def test_a_kill_in_the_middle_of_creating(theatre: tuple[Stage, OperatorProcess]) -> None:
    stage, operator = theatre
    create(stage, KILLED)
    eventually("some are made", lambda: stage.site.milvus.calls["CreateCollection"] >= KILLED // 4)
    operator.kill()
    made = stage.site.milvus.calls["CreateCollection"]
    assert made < KILLED, "all were made before the kill; the test shows nothing"

    operator.start()

    eventually("all Ready", lambda: ready(stage) == KILLED, within=60)
    created = stage.site.milvus.calls["CreateCollection"]
    # The key is in Milvus before the first is created, so that no call is refused but for the kill.
    assert KILLED <= created <= KILLED + COLLECTION_WORKERS
    with stage.site.client() as client:
        assert len(client.list_collections()) == KILLED
        for item in stage.lab.list(COLLECTION, stage.namespace):
            described = client.describe_collection(item["status"]["collection"]["name"])
            assert described["properties"]["embedding.milvus.io/uid"] == item["metadata"]["uid"]


def _versions(stage: Stage) -> dict[str, str]:
    listed = stage.lab.list(COLLECTION, stage.namespace) + stage.lab.list(CREDENTIAL, stage.namespace)
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed}
