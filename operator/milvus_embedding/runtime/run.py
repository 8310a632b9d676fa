"""Runs the operator: what starts when, and how all of it ends.

Order at start: health, our kinds, permissions, leadership, then the caller's wiring, the first lists, and kopf. At the
end the reverse. A process that lost its lease, a watch or a permission exits with code 75 and is started again by
whoever runs it; nothing is ever re-run in place. Which controllers there are is the caller's matter.
"""

import asyncio
import contextlib
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.adapter import KubeAdapter
from milvus_embedding.clients.kube.connect import NoClusterError, connect, kubeconfig_path
from milvus_embedding.clients.kube.port import Kube, KubeError
from milvus_embedding.clients.observer import CallObserver
from milvus_embedding.controllers.base import Controller
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.crds import wait_until_served
from milvus_embedding.runtime.health import Health, HealthServer
from milvus_embedding.runtime.lease import Durations, Elector, suspend_aware_clock
from milvus_embedding.runtime.logs import configure
from milvus_embedding.runtime.metrics import CONTENT_TYPE, Metrics
from milvus_embedding.runtime.preflight import Preflight, Scope
from milvus_embedding.runtime.readings import read_process
from milvus_embedding.runtime.service import Service
from milvus_embedding.runtime.settings import SettingError, Settings
from milvus_embedding.runtime.tracing import NO_SPANS, Calls, Spans, open_spans
from milvus_embedding.runtime.vitals import Phase, Vitals

_log = logging.getLogger(__name__)

EXIT_OK: Final = 0
EXIT_CONFIGURATION: Final = 1
EXIT_RESTART: Final = 75
"""Something outside changed in a way that only a new start answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the caller brings.

    controllers: one per kind, by its name.
    lane: in which lane an object is reconciled (one per connection).
    family: the class of a lane, for metrics: a lane itself may name an object.
    workers: how many reconciles a lane may have at the same time.
    signal: what others may rely on in an object; those who read it are woken only when it changes.
    upstream: whom a change of an object wakes besides its readers.
    close: called at the end, when no reconcile runs any more.
    """

    controllers: Mapping[str, Controller[Any]]
    lane: Callable[[Resource], str]
    family: Callable[[str], str]
    workers: Callable[[str], int]
    signal: Callable[[Resource], Hashable]
    upstream: Callable[[Resource], Iterable[Key]]
    close: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the wiring can build on.

    observer: to be told of every call to Milvus and DashScope. owner: the owner id. lease_remaining: for how many
    seconds nobody else can take over. wake: queues an object.
    """

    settings: Settings
    kube: Kube
    scrubber: Scrubber
    metrics: Metrics
    observer: CallObserver
    owner: str
    lease_remaining: Callable[[], float]
    wake: Callable[[Key], None]


Builder = Callable[[Services], Awaitable[Wiring]]


class Stopped(Exception):
    """A signal came while starting."""


def main(settings: Settings, build: Builder) -> NoReturn:
    """Configures logging, runs the operator and ends the process."""
    scrubber = Scrubber()
    _leave_no_core()
    # The clients write certificates to files, and the way we end leaves them no time to remove them.
    tempfile.tempdir = tempfile.mkdtemp(prefix="milvus-embedding-")
    configure(as_json=settings.log_format == "json", level=settings.log_level, scrubber=scrubber)

    async def run_and_exit() -> None:
        try:
            code = await run(settings, build, scrubber=scrubber)
        except BaseException:
            _log.exception("the operator failed")
            code = EXIT_RESTART
        # Calls to Milvus that still run in threads, or tasks that do not end, must not hold the process.
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)

    asyncio.run(run_and_exit())
    raise AssertionError("unreachable")


def _leave_no_core() -> None:
    """The memory holds keys; a file that a crash leaves behind must not."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def run(settings: Settings, build: Builder, *, scrubber: Scrubber) -> int:
    """Runs the operator until a signal or until it has to be started again; returns the exit code."""
    try:
        spans = open_spans(traces=settings.traces, instance=settings.effective_identity)
        api = await connect(settings.kubeconfig)
    except (NoClusterError, SettingError) as error:
        _log.error("%s", error)
        return EXIT_CONFIGURATION
    kube = KubeAdapter(api, scrubber, timeout=settings.request_timeout)
    process = Process(settings, build, kube=kube, scrubber=scrubber, spans=spans)
    try:
        return await process.run()
    except Stopped:
        return EXIT_OK
    finally:
        await spans.close()
        await kube.close()


class Process:
    """One life of the operator process."""

    def __init__(
        self, settings: Settings, build: Builder, *, kube: KubeAdapter, scrubber: Scrubber, spans: Spans = NO_SPANS
    ) -> None:
        self._settings = settings
        self._build = build
        self._kube = kube
        self._scrubber = scrubber
        self._spans = spans
        self._clock = time.monotonic
        self._metrics = Metrics()
        self._vitals = Vitals(
            clock=self._clock,
            reconcile_timeout=settings.reconcile_timeout,
            lease_duration=settings.lease_duration,
        )
        self._signalled = asyncio.Event()
        self._preflight = Preflight(kube, settings.scopes, every=settings.permission_seconds)
        self._elector = Elector(
            kube,
            namespace=settings.effective_lease_namespace,
            name=settings.lease_name,
            identity=settings.effective_identity,
            durations=Durations(
                lease=settings.lease_duration,
                renew_deadline=settings.lease_renew_deadline,
                retry=settings.lease_retry_period,
            ),
            clock=suspend_aware_clock(),
            now=_now,
        )
        self._leased = kube.within(self._lease_remaining)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Starts, serves and stops; returns the exit code."""
        server = self._serve_health()
        self._spawn(self._vitals.beat(), "heartbeat")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled.set)
        try:
            scopes = await self._until_signal(self._admitted())
            await self._until_signal(self._lead())
            return await self._serve(await self._until_signal(self._admitted()) or scopes)
        finally:
            self._vitals.phase = Phase.STOPPING
            await _cancel(self._tasks)
            if server is not None:
                server.stop()

    async def _serve(self, scopes: tuple[Scope, ...]) -> int:
        self._vitals.phase = Phase.PRIMING
        service = Service(
            self._settings,
            kube=self._leased,
            metrics=self._metrics,
            scrubber=self._scrubber,
            vitals=self._vitals,
            scopes=scopes,
            lost=self._elector.lost,
            kubeconfig=kubeconfig_path(self._settings.kubeconfig),
            clock=self._clock,
            now=_now,
            random=random.random,
            lease_remaining=self._lease_remaining,
            sees_namespaces=await self._until_signal(self._preflight.sees_namespaces()),
            spans=self._spans,
        )
        wiring = await self._build(await self._services(service))
        try:
            clean = await service.run(wiring, self._signalled)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await wiring.close()
        # A reconcile that did not end may still have a call under way: then the lease runs out by itself.
        if clean and self._settings.leader_election and not self._elector.lost.is_set():
            await self._elector.release()
        if self._vitals.fatal:
            _log.error("exiting to be started again: %s", self._vitals.fatal)
            return EXIT_RESTART
        return EXIT_OK

    async def _services(self, service: Service) -> Services:
        return Services(
            settings=self._settings,
            kube=self._leased,
            scrubber=self._scrubber,
            metrics=self._metrics,
            observer=Calls(self._metrics, self._spans),
            owner=self._settings.owner or await self._cluster(),
            lease_remaining=self._lease_remaining,
            wake=service.wake,
        )

    async def _cluster(self) -> str:
        while True:
            try:
                return await self._kube.kube_system_uid()
            except KubeError as error:
                _log.warning("the uid of namespace kube-system cannot be read (or set --owner): %s", error)
                await self._until_signal(asyncio.sleep(2.0))

    async def _admitted(self) -> tuple[Scope, ...]:
        """Returns the scopes that can be served, when our kinds are there and at least one scope is permitted."""
        self._vitals.phase = Phase.WAITING_FOR_KINDS
        await wait_until_served(self._kube, clock=self._clock)
        self._vitals.phase = Phase.CHECKING_PERMISSIONS
        return await self._preflight.wait()

    async def _lead(self) -> None:
        self._vitals.phase = Phase.STANDBY
        if self._settings.leader_election:
            self._vitals.renew_age = lambda: self._elector.renew_age
            self._spawn(self._elector.run(), "lease")
            await self._elector.elected.wait()
        self._metrics.leads(True)

    def _lease_remaining(self) -> float:
        return self._elector.remaining if self._settings.leader_election else float("inf")

    def _serve_health(self) -> HealthServer | None:
        if not self._settings.health_address:
            return None
        health = Health(self._metrics.render, CONTENT_TYPE)
        health.live_if(self._vitals.alive)
        health.ready_if(self._vitals.ready)
        read_process(self._metrics, self._vitals)
        server = HealthServer(self._settings.health_address, health)
        server.start()
        return server

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _until_signal(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of the work. Raises Stopped if a signal comes first."""
        task = asyncio.ensure_future(work)
        signalled = asyncio.ensure_future(self._signalled.wait())
        try:
            await asyncio.wait({task, signalled}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Stopped
        finally:
            await _cancel([task, signalled])


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending, timeout=1.0)


def _now() -> datetime:
    return datetime.now(UTC)
