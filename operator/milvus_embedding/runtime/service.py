"""The leader's part of a process: cache, queue, workers and watches, from the first list to the last reconcile."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import ApiServer, KubeError
from milvus_embedding.controllers.base import Controller
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.audit import Auditor
from milvus_embedding.runtime.census import Census
from milvus_embedding.runtime.dispatch import Dispatcher
from milvus_embedding.runtime.headcount import HeadCount
from milvus_embedding.runtime.informer import Watching, build_registry, watch
from milvus_embedding.runtime.manager import Manager, Pace
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.priming import enqueue, prime
from milvus_embedding.runtime.readings import read_queue, read_watches
from milvus_embedding.runtime.recorder import Recorder
from milvus_embedding.runtime.settings import Settings
from milvus_embedding.runtime.store import CONTROL_LANE, Store
from milvus_embedding.runtime.supervisor import PermissionWatch, Supervisor
from milvus_embedding.runtime.tracing import NO_SPANS, Spans
from milvus_embedding.runtime.vitals import Phase, Vitals

_log = logging.getLogger(__name__)

_CONTROL_WORKERS: Final = 4
_PRIMING_RETRY: Final = 2.0
_TASKS_STOP_SECONDS: Final = 0.5
_KOPF_STOP_SECONDS: Final = 0.5
"""It holds nothing of ours, and would wait five seconds for tasks that are younger than itself."""


class Parts(Protocol):
    """The part of run.Wiring that is needed here."""

    @property
    def controllers(self) -> Mapping[str, Controller[Any]]: ...
    @property
    def lane(self) -> Callable[[Resource], str]: ...
    @property
    def family(self) -> Callable[[str], str]: ...
    @property
    def workers(self) -> Callable[[str], int]: ...
    @property
    def signal(self) -> Callable[[Resource], Hashable]: ...
    @property
    def upstream(self) -> Callable[[Resource], Iterable[Key]]: ...


class Service:
    """Serves `scopes` until it is signalled, loses the lease or finds that it has to be started again."""

    def __init__(
        self,
        settings: Settings,
        *,
        kube: ApiServer,
        metrics: Metrics,
        scrubber: Scrubber,
        vitals: Vitals,
        scopes: Sequence[str | None],
        lost: asyncio.Event,
        kubeconfig: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        random: Callable[[], float],
        lease_remaining: Callable[[], float],
        sees_namespaces: bool,
        spans: Spans = NO_SPANS,
    ) -> None:
        self._settings = settings
        self._kube = kube
        self._metrics = metrics
        self._scrubber = scrubber
        self._vitals = vitals
        self._scopes = scopes
        self._lost = lost
        self._kubeconfig = kubeconfig
        self._clock = clock
        self._now = now
        self._random = random
        self._lease_remaining = lease_remaining
        self._sees_namespaces = sees_namespaces
        self._spans = spans
        self._store: Store | None = None
        self._fatal = asyncio.Event()
        self._stopped = asyncio.Event()
        self._drained: bool | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._recorder = Recorder(kube, metrics=metrics, instance=settings.effective_identity, clock=clock, now=now)

    def wake(self, key: Key) -> None:
        """Queues an object if it exists; for wirings that learn something outside of a reconcile."""
        if self._store is not None:
            self._store.wake_known([key])

    async def run(self, parts: Parts, signalled: asyncio.Event) -> bool:
        """Returns whether all reconciles had ended when it returned."""
        dispatcher: Dispatcher[Key] = Dispatcher(
            work=lambda key: manager.work(key),
            limit=lambda lane: self._limit(parts, lane),
            clock=self._clock,
            on_take=lambda priority, waited: self._metrics.waited(priority.name.lower(), waited),
        )
        store = self._store = Store(
            queue=dispatcher.queue, lane=parts.lane, signal=parts.signal, upstream=parts.upstream
        )
        manager = self._manager(parts, store)
        self._vitals.running = dispatcher.running
        self._expose(dispatcher, store, parts.family)
        # Before the first lists: one that is not permitted any more would be repeated for ever.
        self._spawn(self._permissions().run(), "permissions")
        await self._prime(store, signalled)
        if not signalled.is_set() and not self._fatal.is_set():
            enqueue(store, self._random)
            await self._watch(dispatcher, store, signalled)
        await self._shut_down(dispatcher)
        return self._drained is True

    async def _prime(self, store: Store, signalled: asyncio.Event) -> None:
        while not signalled.is_set() and not self._ended():
            try:
                await prime(
                    self._kube,
                    store,
                    scopes=self._scopes,
                    secret_selector=self._settings.secret_selector,
                    namespaces=self._sees_namespaces,
                )
                return
            except KubeError as error:
                _log.warning("the first list failed and is repeated: %s", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(signalled.wait(), _PRIMING_RETRY)

    async def _watch(self, dispatcher: Dispatcher[Key], store: Store, signalled: asyncio.Event) -> None:
        auditor = self._auditor(store)
        supervisor = Supervisor(self._scopes, clock=self._clock, on_dead=self._die, namespaces=self._sees_namespaces)
        self._vitals.watches = lambda: supervisor.problem
        headcount = self._headcount(store, auditor)
        read_watches(self._metrics, alive=supervisor.living, heard=supervisor.silence, unseen=headcount.unseen)

        async def cleanup() -> None:
            await self._shut_down(dispatcher)
            self._stopped.set()

        registry = build_registry(
            store,
            kubeconfig=self._kubeconfig,
            relisted=auditor.relisted,
            cleanup=cleanup,
            heard=supervisor.heard,
            namespaces=self._sees_namespaces,
        )
        watching = Watching(
            scopes=self._scopes, secret_selector=self._settings.secret_selector, kubeconfig=self._kubeconfig
        )
        # All of ours before kopf's: at its end it cancels whatever task is younger than itself.
        self._spawn(self._recorder.run(), "events")
        self._spawn(auditor.run(), "audit")
        self._spawn(headcount.run(), "headcount")
        self._spawn(supervisor.run(), "supervisor")
        # kopf takes the signals for itself while it runs; its cleanup tells of one.
        ends = [asyncio.create_task(event.wait()) for event in (self._fatal, self._lost, signalled, self._stopped)]
        dispatcher.start()
        self._vitals.phase = Phase.RUNNING
        kopf_task = asyncio.create_task(watch(registry, watching, self._stopped), name="kopf")
        try:
            await asyncio.wait({kopf_task, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended() or signalled.is_set():
                # Before kopf is cancelled: it waits for tasks that are younger than itself.
                await self._shut_down(dispatcher)
        finally:
            self._vitals.phase = Phase.STOPPING
            await self._end_kopf(kopf_task, ends)

    async def _end_kopf(self, kopf_task: asyncio.Task[None], ends: Sequence[asyncio.Task[Any]]) -> None:
        # It may never end: the process does, whatever kopf does.
        for task in (kopf_task, *ends):
            task.cancel()
        await asyncio.wait({kopf_task, *ends}, timeout=_KOPF_STOP_SECONDS)
        if not kopf_task.done() or kopf_task.cancelled():
            return
        error = kopf_task.exception()
        if error is not None:
            self._die(f"the watches failed: {self._scrubber.quote(f'{type(error).__name__}: {error}')}")

    async def _shut_down(self, dispatcher: Dispatcher[Key]) -> None:
        """Ends all of our tasks but this one; the second call finds nothing left to do."""
        self._vitals.phase = Phase.STOPPING
        grace = 0.0 if self._lost.is_set() else self._settings.shutdown_grace
        drained = await dispatcher.stop(grace)
        self._drained = drained if self._drained is None else self._drained
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_TASKS_STOP_SECONDS)
        self._tasks.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._recorder.flush()

    def _manager(self, parts: Parts, store: Store) -> Manager:
        return Manager(
            store=store,
            kube=self._kube,
            controllers=parts.controllers,
            events=self._recorder,
            metrics=self._metrics,
            scrubber=self._scrubber,
            pace=Pace(timeout=self._settings.reconcile_timeout, resync=self._settings.resync_seconds),
            now=self._now,
            random=self._random,
            lease_remaining=self._lease_remaining,
            read_only=self._settings.read_only,
            spans=self._spans,
        )

    def _auditor(self, store: Store) -> Auditor:
        return Auditor(
            self._kube,
            store,
            scopes=self._scopes,
            secret_selector=self._settings.secret_selector,
            every=self._settings.audit_seconds,
            clock=self._clock,
            metrics=self._metrics,
            on_dead=self._die,
            namespaces=self._sees_namespaces,
        )

    def _headcount(self, store: Store, auditor: Auditor) -> HeadCount:
        return HeadCount(
            self._kube,
            store,
            scopes=self._scopes,
            secret_selector=self._settings.secret_selector,
            every=self._settings.count_seconds,
            on_differs=auditor.request,
            namespaces=self._sees_namespaces,
        )

    def _permissions(self) -> PermissionWatch:
        return PermissionWatch(
            self._kube,
            served=self._scopes,
            left_out=[scope for scope in self._settings.scopes if scope not in self._scopes],
            every=self._settings.permission_seconds,
            on_lost=self._die,
            on_gained=self._die,
            namespaces=self._sees_namespaces,
        )

    def _expose(self, dispatcher: Dispatcher[Key], store: Store, family: Callable[[str], str]) -> None:
        read_queue(self._metrics, dispatcher.queue, running=dispatcher.running, family=family, clock=self._clock)
        self._metrics.register(Census(store.cache.entries, now=self._now))

    def _limit(self, parts: Parts, lane: str) -> int:
        return _CONTROL_WORKERS if lane == CONTROL_LANE else parts.workers(lane)

    def _die(self, reason: str) -> None:
        if not self._vitals.fatal:
            self._vitals.fatal = reason
        self._fatal.set()

    def _ended(self) -> bool:
        if self._lost.is_set() and not self._vitals.fatal:
            self._vitals.fatal = "the lease was lost"
        return self._fatal.is_set() or self._lost.is_set()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))
