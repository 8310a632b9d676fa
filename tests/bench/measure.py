"""One run: an operator, an empty Milvus, and the phases that the numbers come from.

Nothing is asserted. What cannot be measured is None and is shown as such.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milvus_embedding.devkit.controlplane import Binary
from tests.bench import manifests
from tests.bench.api import ReadyWatch
from tests.bench.audit import AuditTail
from tests.bench.process import usage
from tests.bench.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.api import Api
    from tests.bench.candidates import Candidate
    from tests.bench.process import Usage
    from tests.e2e.lab import Lab

_READY_SECONDS = 900.0
_QUIET_SECONDS = 3.0
_QUIET_WITHIN = 60.0
_POLL_SECONDS = 0.1
_CHANGE_EVERY = 0.2
_OWN_PLURALS = ("milvuscollections", "embeddingcredentials", "milvusconnections")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """objects: collections of the first phase. singles: those made one by one, and those changed.

    resync_seconds: at it `objects` are looked at as often per second as 10,000 are at the default of 600 s.
    """

    objects: int = 500
    singles: int = 30

    @property
    def resync_seconds(self) -> float:
        return 600.0 * self.objects / 10_000


@dataclass(slots=True, kw_only=True)
class Run:
    """What one run measured. Seconds and MiB; latencies in milliseconds, unsorted."""

    candidate: str
    objects: int
    created: float = 0.0
    all_ready: float = 0.0
    cpu: float | None = None
    milvus_cpu: float | None = None
    apiserver_cpu: float | None = None
    rss: float | None = None
    peak: float | None = None
    writes: dict[str, int] = field(default_factory=dict)
    milvus_calls: dict[str, int] = field(default_factory=dict)
    single_latencies: list[float] = field(default_factory=list)
    restart_seconds: float = 0.0
    restart_writes: dict[str, int] = field(default_factory=dict)
    restart_changing_calls: int = 0
    backlog: float = 0.0
    changed_latencies: list[float] = field(default_factory=list)
    resync_looks: float | None = None
    resync_writes: int | None = None


class Bench:
    """Measures candidates one after another on one API server."""

    def __init__(self, lab: Lab, api: Api, plan: Plan, *, say: Callable[[str], None]) -> None:
        self._lab = lab
        self._api = api
        self._plan = plan
        self._say = say
        self._numbers = itertools.count(1)

    def measure(self, candidate: Candidate) -> Run:
        """An empty Milvus and a new namespace, all phases, and nothing left behind."""
        namespace = f"bench-{next(self._numbers)}"
        self._api.create_namespace(namespace)
        directory = self._lab.directory / namespace
        run = Run(candidate=candidate.name, objects=self._plan.objects)
        try:
            with Site(directory) as site, ReadyWatch(self._api, namespace) as watch:
                phases = Phases(candidate, site, watch, namespace=namespace, lab=self._lab, api=self._api, run=run)
                try:
                    self._all(phases)
                finally:
                    candidate.stop()
        finally:
            self._api.delete_all(namespace, _OWN_PLURALS)
            shutil.rmtree(directory, ignore_errors=True)
        return run

    def _all(self, phases: Phases) -> None:
        plan, run = self._plan, phases.run
        phases.begin()
        phases.burst(plan.objects)
        self._say(f"{run.candidate}: {plan.objects} collections Ready after {run.all_ready:.1f} s")
        phases.singles(plan.singles)
        self._say(f"{run.candidate}: {plan.singles} single collections")
        phases.restart(plan.objects + plan.singles)
        self._say(f"{run.candidate}: restarted, {sum(run.restart_writes.values())} writes")
        if phases.candidate.resyncs:
            phases.changes_while_resyncing(plan.singles, plan.resync_seconds)
            self._say(f"{run.candidate}: {plan.singles} changes while all resync")
        phases.backlog(plan.objects)
        self._say(f"{run.candidate}: a backlog of {plan.objects} done in {run.backlog:.1f} s")


class Phases:
    """The phases of a run, in the order in which they are called."""

    def __init__(
        self,
        candidate: Candidate,
        site: Site,
        watch: ReadyWatch,
        *,
        namespace: str,
        lab: Lab,
        api: Api,
        run: Run,
    ) -> None:
        self.candidate = candidate
        self.run = run
        self._site = site
        self._watch = watch
        self._namespace = namespace
        self._lab = lab
        self._api = api

    def begin(self) -> None:
        """Starts the operator and warms it up with one collection: imports and connections are not what is measured."""
        self.candidate.start(self._site)
        self.candidate.prepare(self._namespace, self._site)
        self._create_and_wait(["warm-up"])
        quiet(lambda: sum(self._site.counters().calls.values()))

    def burst(self, objects: int) -> None:
        """All at once, on an operator that is idle."""
        tail, calls, before = self._tail(), self._site.counters(), self._usages()
        names = [f"docs-{number:04}" for number in range(objects)]
        sent, ready = self._create_and_wait(names)
        quiet(tail.read)
        after, run = self._usages(), self.run
        run.created = max(sent.values()) - min(sent.values())
        run.all_ready = max(ready.values()) - min(sent.values())
        run.writes = dict(tail.writes)
        run.milvus_calls = dict(self._site.counters().since(calls).calls)
        if before and after:
            run.cpu, run.milvus_cpu, run.apiserver_cpu = (b.cpu - a.cpu for a, b in zip(before, after, strict=True))
            run.rss, run.peak = after[0].rss, after[0].peak

    def singles(self, count: int) -> None:
        """One at a time, on an operator that is idle: from the request to the Ready that a watch sees."""
        for number in range(count):
            name = f"single-{number:02}"
            sent, ready = self._create_and_wait([name])
            self.run.single_latencies.append(1000 * (ready[name] - sent[name]))

    def restart(self, objects: int) -> None:
        """With nothing changed, until every collection was looked at and nothing happens any more."""
        quiet(self._tail().read)
        self.candidate.stop()
        tail, before = self._tail(), self._site.counters()
        started = time.monotonic()
        self.candidate.start(self._site)
        self._wait_for_looks(objects, before.calls.get("DescribeCollection", 0))
        self.run.restart_seconds = time.monotonic() - started
        quiet(lambda: tail.read() + sum(self._site.counters().calls.values()))
        self.run.restart_writes = dict(tail.writes)
        self.run.restart_changing_calls = self._site.counters().since(before).changing

    def changes_while_resyncing(self, count: int, resync_seconds: float) -> None:
        """Specs of some, changed one by one, while all are looked at in turn."""
        self.candidate.stop()
        before = self._site.counters().calls.get("DescribeCollection", 0)
        self.candidate.start(self._site, [f"--resync-seconds={resync_seconds:g}"])
        # The first looks after a start are faster than the resyncs that are meant.
        self._wait_for_looks(self.run.objects, before)
        tail, pause = self._tail(), threading.Event()
        started, looks = time.monotonic(), self._site.counters().calls.get("DescribeCollection", 0)
        names = [f"single-{number:02}" for number in range(count)]
        for name in names:
            pause.wait(_CHANGE_EVERY)
            sent = time.monotonic()
            generation = self._api.change_collection(self._namespace, name, {"driftPolicy": "Report"})
            seen = self._wait_ready([(name, generation)])
            self.run.changed_latencies.append(1000 * (seen[name] - sent))
        # On to a whole turn, in which nothing but these changes may be written.
        pause.wait(max(0.0, started + resync_seconds - time.monotonic()))
        looked = self._site.counters().calls.get("DescribeCollection", 0) - looks
        self.run.resync_looks = looked / (time.monotonic() - started)
        quiet(tail.read, seconds=_POLL_SECONDS)
        self.run.resync_writes = sum(number for name, number in tail.by_object.items() if name not in names)

    def backlog(self, objects: int) -> None:
        """As many again, made while the operator is down; then nobody but the operator sets the pace."""
        self.candidate.stop()
        names = [f"later-{number:04}" for number in range(objects)]
        self._create(names)
        started = time.monotonic()
        self.candidate.start(self._site)
        self.run.backlog = max(self._wait_ready([(name, 1) for name in names]).values()) - started

    def _usages(self) -> list[Usage]:
        """Of the operator, Milvus and the API server; empty where the system does not tell."""
        pids = (self.candidate.pid, self._site.pid, self._lab.plane.pids[Binary.KUBE_APISERVER])
        known = [used for pid in pids if (used := usage(pid)) is not None]
        return known if len(known) == len(pids) else []

    def _create(self, names: Sequence[str]) -> dict[str, float]:
        bodies = [manifests.collection(self._namespace, name) for name in names]
        return self._api.create_collections(self._namespace, bodies)

    def _create_and_wait(self, names: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
        sent = self._create(names)
        return sent, self._wait_ready([(name, 1) for name in names])

    def _wait_ready(self, wanted: Sequence[tuple[str, int]]) -> dict[str, float]:
        return self._watch.wait(wanted, within=_READY_SECONDS, check=self.candidate.require_running)

    def _wait_for_looks(self, objects: int, before: int) -> None:
        def looked_at_all() -> bool:
            self.candidate.require_running()
            return self._site.counters().calls.get("DescribeCollection", 0) - before >= objects

        until(looked_at_all)

    def _tail(self) -> AuditTail:
        return AuditTail(self._lab.plane.audit_log, self.candidate.user)


def until(condition: Callable[[], bool], *, within: float = _READY_SECONDS) -> None:
    """Polls until the condition holds. Raises RuntimeError if it does not in time."""
    pause, deadline = threading.Event(), time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"what was waited for did not come within {within:g} s")
        pause.wait(_POLL_SECONDS)


def quiet(count: Callable[[], int], *, seconds: float = _QUIET_SECONDS, within: float = _QUIET_WITHIN) -> None:
    """Polls until the number has not changed for some seconds, or gives up waiting for that."""
    pause, deadline = threading.Event(), time.monotonic() + within
    last, since = count(), time.monotonic()
    while time.monotonic() < min(since + seconds, deadline):
        pause.wait(_POLL_SECONDS)
        if (now := count()) != last:
            last, since = now, time.monotonic()
