"""Runs the controllers over manifests until everything is Ready or nothing more will come of it.

Queue, store and manager are those of the operator. There is no watch: nothing but the controllers themselves changes
anything here, and their writes are told to the store as they happen.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import OUR_TYPES
from milvus_embedding.controllers import signals
from milvus_embedding.controllers.base import Note
from milvus_embedding.domain.conditions import find
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.kube import OWNER, FileKube
from milvus_embedding.runtime.dispatch import Dispatcher
from milvus_embedding.runtime.manager import Manager, Pace
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.priming import prime
from milvus_embedding.runtime.recorder import Subject
from milvus_embedding.runtime.store import Store
from milvus_embedding.wiring import Acting, Product, build

_STOP_SECONDS: Final = 1.0

HOPELESS: Final = frozenset(
    {
        Reason.CONNECTION_NOT_FOUND,
        Reason.CREDENTIAL_NOT_FOUND,
        Reason.CREDENTIAL_NOT_READY,
        Reason.DATABASE_NOT_FOUND,
        Reason.FUNCTION_NOT_FOUND,
        Reason.MILVUS_NOT_FOUND,
        Reason.MILVUS_NOT_READY,
        Reason.PAUSED,
        Reason.SECRET_KEY_MISSING,
        Reason.SECRET_NOT_FOUND,
    }
)
"""Reasons to wait in a cluster that are none here: nobody else adds what is missing while this runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An entry of `status.drift`; an empty value is one that is not there."""

    path: str
    want: str
    have: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One object's Ready condition; `status` is True, False or Unknown. `stalled`: only a change of it helps."""

    key: Key
    status: str
    reason: str
    message: str
    stalled: bool
    drift: tuple[Difference, ...] = ()

    @property
    def is_ready(self) -> bool:
        return self.status == "True"

    @property
    def is_final(self) -> bool:
        """Whether waiting longer is pointless."""
        return self.is_ready or self.stalled or self.reason in HOPELESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Who we are to Milvus, where keys and statements may go, and whether anything may be changed."""

    owner: str = OWNER
    accept_owner: tuple[str, ...] = ()
    allow_endpoint: tuple[str, ...] = ()
    read_only: bool = False


class Session:
    """One run over one set of manifests. `report` is called with each change that users care about."""

    def __init__(
        self,
        kube: FileKube,
        scrubber: Scrubber,
        *,
        options: Options | None = None,
        report: Callable[[Key, Note], None] = lambda key, note: None,
        acting: Acting | None = None,
        is_over: Callable[[Sequence["Result"]], bool] | None = None,
    ) -> None:
        """`acting`: what reaches outside, the real parts if None. `is_over` is asked when nothing is left to be done at
        once; if None, the run is over when waiting longer is pointless for every object.
        """
        self._kube = kube
        self._scrubber = scrubber
        self._options = options or Options()
        self._report = report
        self._acting = acting or Acting()
        self._is_enough = is_over or _all_final
        self._progress = asyncio.Event()

    async def run(self, seconds: float) -> tuple[Result, ...]:
        """Returns the results, sorted by key, after at most `seconds`."""
        dispatcher: Dispatcher[Key] = Dispatcher(
            work=lambda key: self._work(manager, key), limit=signals.workers, clock=time.monotonic
        )
        store = Store(queue=dispatcher.queue, lane=signals.lane, signal=signals.signal, upstream=signals.upstream)
        product = build(
            owner_id=self._options.owner,
            accepted_ids=self._options.accept_owner,
            allowed_endpoints=self._options.allow_endpoint,
            wake=lambda key: store.wake_known([key]),
            scrubber=self._scrubber,
            read_only=self._options.read_only,
            acting=self._acting,
        )
        manager = self._manager(store, product)
        await product.clients.prepare()
        self._kube.on_secret = store.secret_seen
        await prime(self._kube, store, scopes=(None,), secret_selector="")
        for key in self._kube.objects():
            store.wake(key)
        try:
            dispatcher.start()
            await self._settle(dispatcher, seconds)
        finally:
            await dispatcher.stop(_STOP_SECONDS)
            await product.close()
        return results(self._kube)

    async def _settle(self, dispatcher: Dispatcher[Key], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not self._is_over(dispatcher):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return

    def _is_over(self, dispatcher: Dispatcher[Key]) -> bool:
        if dispatcher.running() or any(dispatcher.queue.depth(lane) for lane in dispatcher.queue.lanes()):
            return False
        return self._is_enough(results(self._kube))

    async def _work(self, manager: Manager, key: Key) -> None:
        await manager.work(key)
        # The worker takes the key out of `running` before anybody who waits for this gets to look.
        self._progress.set()

    def _manager(self, store: Store, product: Product) -> Manager:
        return Manager(
            store=store,
            kube=self._kube,
            controllers=product.controllers,
            events=_Events(self._report),
            metrics=Metrics(),
            scrubber=self._scrubber,
            pace=Pace(),
            now=lambda: datetime.now(UTC),
            random=random.random,
        )


def _all_final(found: Sequence[Result]) -> bool:
    return all(result.is_final for result in found)


@dataclass(frozen=True, slots=True)
class _Events:
    """An EventSink that tells the caller instead of an API server."""

    report: Callable[[Key, Note], None]

    def record(self, subject: Subject, note: Note) -> None:
        self.report(subject.key, note)


def results(kube: FileKube) -> tuple[Result, ...]:
    """What the objects' statuses say now."""
    order = list(OUR_TYPES)
    keys = sorted(kube.objects(), key=lambda key: (order.index(key.kind), key))
    return tuple(_result(key, kube.objects()[key]) for key in keys)


def _result(key: Key, body: Mapping[str, object]) -> Result:
    status = body.get("status")
    known = status if isinstance(status, Mapping) else {}
    ready, stalled = find(known, "Ready") or {}, find(known, "Stalled") or {}
    return Result(
        key=key,
        status=str(ready.get("status", "Unknown")),
        reason=str(ready.get("reason", "")),
        message=str(ready.get("message", "")),
        stalled=stalled.get("status") == "True",
        drift=tuple(_drift(known)),
    )


def _drift(status: Mapping[object, object]) -> Iterator[Difference]:
    listed = status.get("drift")
    for entry in listed if isinstance(listed, list) else []:
        yield Difference(**{name: str(entry.get(name) or "") for name in ("path", "want", "have")})
