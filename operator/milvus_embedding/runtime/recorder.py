"""Writes Events: repeated ones are counted instead of multiplied, and no object can flood the API server.

core/v1 Events: every tool shows them, and the permission is the one that operators usually have. An Event that cannot
be written is dropped; nothing ever waits for one.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import uuid4

from milvus_embedding.api.metadata import API_VERSION
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import Kube, KubeError
from milvus_embedding.controllers.base import Conflict, Note
from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.runtime.metrics import Metrics

_log = logging.getLogger(__name__)

COMPONENT: Final = "milvus-embedding-operator"
BURST: Final = 25
REFILL_SECONDS: Final = 300.0
"""An object may have 25 Events at once and one more every five minutes, as with Kubernetes' own components."""

_SAME_SECONDS: Final = 600.0
_REMEMBERED: Final = 4096
_WAITING: Final = 1000
_LONGEST_MESSAGE: Final = 1024


class Subject(NamedTuple):
    """What an Event is about."""

    key: Key
    uid: str


class EventSink(Protocol):
    """Takes Events without waiting."""

    def record(self, subject: Subject, note: Note) -> None: ...


@dataclass(slots=True)
class _Written:
    """An Event in the API; `at` is on the clock, in seconds."""

    name: str
    count: int
    at: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Recorder:
    """An EventSink on the API server; `run` writes what was recorded."""

    def __init__(
        self,
        kube: Kube,
        *,
        metrics: Metrics,
        instance: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._metrics = metrics
        self._instance = instance
        self._clock = clock
        self._now = now
        self._waiting: asyncio.Queue[tuple[Subject, Note, datetime]] = asyncio.Queue(_WAITING)
        self._written: OrderedDict[tuple[Subject, Note], _Written] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._complained = False

    def record(self, subject: Subject, note: Note) -> None:
        if not self._admit(subject.uid):
            self._metrics.event(note.reason, "limited")
            return
        try:
            self._waiting.put_nowait((subject, note, self._now()))
        except asyncio.QueueFull:
            self._metrics.event(note.reason, "dropped")

    async def run(self) -> None:
        """Writes Events until cancelled."""
        while True:
            await self._write(*await self._waiting.get())

    async def flush(self) -> None:
        """Writes what is waiting."""
        while not self._waiting.empty():
            await self._write(*self._waiting.get_nowait())

    async def _write(self, subject: Subject, note: Note, at: datetime) -> None:
        try:
            await self._create_or_count(subject, note, at)
        except (KubeError, Conflict) as error:
            self._metrics.event(note.reason, "failed")
            if not self._complained:
                self._complained = True
                _log.warning("Events cannot be written (said once): %s", error)
        else:
            self._metrics.event(note.reason, "written")

    async def _create_or_count(self, subject: Subject, note: Note, at: datetime) -> None:
        known = self._written.get((subject, note))
        namespace = subject.key.namespace
        if known is not None and self._clock() - known.at < _SAME_SECONDS:
            known.count += 1
            known.at = self._clock()
            patch = {"count": known.count, "lastTimestamp": timestamp(at)}
            await self._kube.patch_event(namespace, known.name, patch)
            return
        name = await self._kube.create_event(namespace, self._event(subject, note, at))
        self._written[subject, note] = _Written(name, 1, self._clock())
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _event(self, subject: Subject, note: Note, at: datetime) -> dict[str, object]:
        key = subject.key
        involved = {
            "apiVersion": API_VERSION,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": subject.uid,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{key.name[:230]}.{uuid4().hex[:16]}", "namespace": key.namespace},
            "involvedObject": involved,
            "type": "Warning" if note.warning else "Normal",
            "reason": note.reason,
            "message": note.message[:_LONGEST_MESSAGE],
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance[:128],
            "firstTimestamp": timestamp(at),
            "lastTimestamp": timestamp(at),
            "count": 1,
        }

    def _admit(self, uid: str) -> bool:
        now = self._clock()
        bucket = self._buckets.get(uid) or _Bucket(BURST, now)
        bucket.tokens = min(float(BURST), bucket.tokens + (now - bucket.at) / REFILL_SECONDS)
        bucket.at = now
        self._buckets[uid] = bucket
        self._buckets.move_to_end(uid)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
