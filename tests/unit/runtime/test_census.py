"""Objects as numbers: by kind and reason, drift, plans and rollouts with their ages; no status can add a label."""

from collections.abc import Mapping

import pytest

from milvus_embedding.domain.reasons import Reason
from milvus_embedding.runtime.cache import Cache
from milvus_embedding.runtime.census import Census
from tests.unit.runtime.exposition import COLLECTION, CONNECTION, NOW, Status, cached, condition

Labels = tuple[str, ...]
HOUR_AGO, DAY_AGO = "2026-01-02T02:04:05Z", "2026-01-01T03:04:05Z"


def count(cache: Cache) -> dict[str, dict[Labels, float]]:
    families = Census(cache.entries, now=lambda: NOW).collect()
    return {
        family.name.removeprefix("milvus_embedding_"): {tuple(s.labels.values()): s.value for s in family.samples}
        for family in families
    }


def ready(status: str, reason: str) -> Status:
    return {"observedGeneration": 1, "conditions": [condition("Ready", status, reason)]}


def test_objects_are_counted_by_kind_status_reason_and_class() -> None:
    cache = cached(COLLECTION, ready("True", "Ready"), ready("True", "Ready"), ready("False", "Lost"))
    assert count(cache)["objects"] == {
        (COLLECTION, "True", "Ready", "fine"): 2,
        (COLLECTION, "False", "Lost", "yours"): 1,
    }


@pytest.mark.parametrize(
    ("status", "labels"),
    [
        pytest.param(None, ("Unknown", "New", "waiting"), id="without a status it is new"),
        pytest.param({"conditions": "many"}, ("Unknown", "New", "waiting"), id="so is one whose conditions are none"),
        pytest.param(ready("Perhaps", "sk-1234"), ("Unknown", "Other", "waiting"), id="a foreign reason is Other"),
        pytest.param({"conditions": [{"type": "Ready"}]}, ("Unknown", "Other", "waiting"), id="an empty Ready"),
        pytest.param(ready("Unknown", "Unreachable"), ("Unknown", "Unreachable", "waiting"), id="unknown"),
    ],
)
def test_a_status_of_any_shape_is_counted(status: Status | None, labels: Labels) -> None:
    assert count(cached(COLLECTION, status))["objects"] == {(COLLECTION, *labels): 1}


def test_every_reason_has_a_class() -> None:
    cache = cached(COLLECTION, *(ready("False", str(reason)) for reason in Reason))
    assert {labels[2]: labels[3] for labels in count(cache)["objects"]} == {str(r): str(r.kind) for r in Reason}


def test_an_object_whose_present_spec_was_not_seen_is_unobserved() -> None:
    cache = cached(COLLECTION, {"observedGeneration": 1}, {"observedGeneration": 0}, None)
    assert count(cache)["objects_unobserved"][COLLECTION,] == 2


def test_the_oldest_open_drift_is_told_and_without_drift_it_is_0() -> None:
    drifts = [{"conditions": [condition("Drifted", "True", "Drifted", since=at)]} for at in (HOUR_AGO, DAY_AGO)]
    told = count(cached(COLLECTION, *drifts, {"conditions": [condition("Drifted", "False", "NoDrift", since=DAY_AGO)]}))
    assert (told["drifted_objects"], told["drift_seconds"]) == ({(COLLECTION,): 2}, {(COLLECTION,): 86400})
    told = count(cached(COLLECTION))
    assert (told["drifted_objects"], told["drift_seconds"]) == ({(COLLECTION,): 0}, {(COLLECTION,): 0})


def plan(class_: str, reason: str, *, approved: str = "False", since: str = HOUR_AGO) -> Status:
    return {"conditions": [condition("PlanApproved", approved, reason, since=since)], "plan": {"class": class_}}


def test_plans_that_wait_are_counted_by_class_and_reason_with_the_oldest() -> None:
    told = count(
        cached(
            COLLECTION,
            plan("Disruptive", "AwaitingApproval"),
            plan("Disruptive", "AwaitingApproval", since=DAY_AGO),
            plan("Rebuild", "RebuildNeeded"),
            plan("InPlace", "Approved", approved="True"),
            plan("x" * 99, "sk-1234"),
        )
    )
    assert told["plans_waiting"] == {
        ("Disruptive", "AwaitingApproval"): 2,
        ("Rebuild", "RebuildNeeded"): 1,
        ("Other", "Other"): 1,
    }
    assert told["plan_waiting_seconds"]["Disruptive", "AwaitingApproval"] == 86400


def rollout(phase: object, since: object = HOUR_AGO) -> Status:
    return {"rollout": {"phase": phase, "startTime": since}}


@pytest.mark.parametrize(
    ("status", "phase", "age"),
    [
        pytest.param(rollout("Rolling"), "Rolling", 3600, id="since it began"),
        pytest.param(rollout("Idle"), "Idle", 0, id="idle has no age"),
        pytest.param(rollout("TimedOut", "soon"), "TimedOut", 0, id="a time that is none"),
        pytest.param(rollout("Rolling", "2026-01-02T02:04:05"), "Rolling", 3600, id="a time without a zone is UTC"),
        pytest.param(rollout("Rolling", "2027-01-01T00:00:00Z"), "Rolling", 0, id="the clock of another"),
        pytest.param(rollout(7), "Other", 3600, id="a phase that is none"),
    ],
)
def test_rollouts_are_counted_by_phase(status: Mapping[str, object], phase: str, age: float) -> None:
    told = count(cached(CONNECTION, status))
    assert (told["rollouts"][phase,], told["rollout_seconds"][phase,]) == (1, age)
    assert sum(told["rollouts"].values()) == 1


def test_every_phase_is_there_so_that_an_alert_sees_it_come_and_go() -> None:
    phases = {"Idle", "Debouncing", "AwaitingApproval", "Rolling", "TimedOut"}
    assert {phase for (phase,) in count(cached(CONNECTION))["rollouts"]} == phases
