"""How users' objects are, as numbers: one walk through the cache per scrape, over statuses as they are in the API.

A status may have been written by another version, or by anybody who may write it: a value that is not one of ours is
counted as Other, so that nobody adds labels to the metrics.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.api.connection import RolloutPhase
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.domain.conditions import Truth
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.runtime.cache import Entry
from milvus_embedding.runtime.metrics import PREFIX

OTHER: Final = "Other"
NEW: Final = "New"
"""The reason of an object that has no status yet."""

_CLASSES: Final[Mapping[str, str]] = {str(reason): str(reason.kind) for reason in Reason} | {NEW: "waiting"}
_TRUTHS: Final = frozenset(str(truth) for truth in Truth)
_CHANGES: Final = frozenset(str(change) for change in ChangeClass)
_PHASES: Final = tuple(str(phase) for phase in RolloutPhase)
_NOTHING: Final[Mapping[str, object]] = {}

Labels = tuple[str, ...]
Condition = Mapping[str, object]


class Census(Collector):
    """`entries`: the objects of a kind, in any order; called from the thread that serves the scrape."""

    def __init__(self, entries: Callable[[str], Iterable[Entry]], *, now: Callable[[], datetime]) -> None:
        self._entries = entries
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        count = _Count(self._now())
        for kind in KINDS:
            for entry in self._entries(kind):
                count.take(kind, entry)
        return count.families()


class _Count:
    def __init__(self, now: datetime) -> None:
        self._now = now
        self._objects: Counter[Labels] = Counter()
        self._unobserved: Counter[Labels] = Counter({(kind,): 0 for kind in KINDS})
        self._drifted = _Ages({("MilvusCollection",): 0})
        self._plans = _Ages({})
        self._rollouts = _Ages({(phase,): 0 for phase in _PHASES})

    def take(self, kind: str, entry: Entry) -> None:
        conditions = _by_type(entry.status)
        ready = conditions.get("Ready", _NOTHING)
        reason = str(ready.get("reason", NEW if not ready else OTHER))
        reason = reason if reason in _CLASSES else OTHER
        status = _one_of(_TRUTHS, ready.get("status"), "Unknown")
        self._objects[kind, status, reason, _CLASSES.get(reason, "waiting")] += 1
        if entry.status.get("observedGeneration") != entry.generation:
            self._unobserved[kind,] += 1
        if kind == "MilvusCollection":
            self._take_collection(entry.status, conditions)
        elif kind == "MilvusConnection":
            self._take_connection(entry.status)

    def _take_collection(self, status: Mapping[str, object], conditions: Mapping[str, Condition]) -> None:
        drifted = conditions.get("Drifted")
        if drifted is not None and drifted.get("status") == "True":
            self._drifted.add(("MilvusCollection",), self._age(drifted.get("lastTransitionTime")))
        approved = conditions.get("PlanApproved")
        if approved is not None and approved.get("status") == "False":
            plan = status.get("plan")
            change = _one_of(_CHANGES, plan.get("class") if isinstance(plan, Mapping) else None, OTHER)
            reason = _one_of(_CLASSES, approved.get("reason"), OTHER)
            self._plans.add((change, reason), self._age(approved.get("lastTransitionTime")))

    def _take_connection(self, status: Mapping[str, object]) -> None:
        rollout = status.get("rollout")
        if isinstance(rollout, Mapping) and "phase" in rollout:
            phase = _one_of(_PHASES, rollout.get("phase"), OTHER)
            idle = phase == RolloutPhase.IDLE
            self._rollouts.add((phase,), 0.0 if idle else self._age(rollout.get("startTime")))

    def families(self) -> Iterator[GaugeMetricFamily]:
        yield _family("objects", "Objects by kind and Ready", ("kind", "status", "reason", "class"), self._objects)
        yield _family(
            "objects_unobserved",
            "Objects whose present spec no finished reconcile has seen",
            ("kind",),
            self._unobserved,
        )
        drifted = self._drifted
        yield _family("drifted_objects", "Objects that drifted from their spec", ("kind",), drifted.number)
        yield _family("drift_seconds", "Age of the oldest open drift", ("kind",), drifted.oldest)
        labels = ("class", "reason")
        yield _family(
            "plans_waiting", "Plans that are not carried out, by class and reason", labels, self._plans.number
        )
        yield _family("plan_waiting_seconds", "Age of the oldest plan that waits", labels, self._plans.oldest)
        yield _family("rollouts", "Connections by phase of their rollout", ("phase",), self._rollouts.number)
        yield _family("rollout_seconds", "Longest time in a phase of a rollout", ("phase",), self._rollouts.oldest)

    def _age(self, since: object) -> float:
        try:
            moment = datetime.fromisoformat(str(since))
        except ValueError:
            return 0.0
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (self._now - aware).total_seconds())


class _Ages:
    """How many there are per labels, and the age of the oldest in seconds (0 if there is none)."""

    def __init__(self, start: Mapping[Labels, int]) -> None:
        self.number: dict[Labels, float] = dict(start)
        self.oldest: dict[Labels, float] = dict.fromkeys(start, 0.0)

    def add(self, labels: Labels, age: float) -> None:
        self.number[labels] = self.number.get(labels, 0) + 1
        self.oldest[labels] = max(self.oldest.get(labels, 0.0), age)


def _family(name: str, text: str, labels: Labels, samples: Mapping[Labels, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def _by_type(status: Mapping[str, object]) -> dict[str, Condition]:
    listed = status.get("conditions")
    if not isinstance(listed, list):
        return {}
    return {str(c.get("type")): c for c in listed if isinstance(c, Mapping)}


def _one_of(known: Iterable[str], value: object, otherwise: str) -> str:
    text = str(value)
    return text if text in known else otherwise
