"""Compares what the operator knows with what the API server lists.

After a watch was interrupted for long, deletions are never told; and a watch can die without a sign. So after each
re-list, and every ten minutes, names and versions are listed (metadata only) and compared: what is gone is dropped,
what is new is fetched, and a watch that is half a minute behind is dead. What this finds wakes objects; it repairs no
watch.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import (
    NAMESPACES,
    OUR_TYPES,
    SECRETS,
    Expired,
    Kube,
    KubeError,
    NotFound,
    ResourceType,
)
from milvus_embedding.runtime.cache import Body, key_of, version_of
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.store import Store

_log = logging.getLogger(__name__)

AUDITED: Final[Mapping[str, ResourceType]] = {**OUR_TYPES, SECRETS.kind: SECRETS, NAMESPACES.kind: NAMESPACES}
RELIST_DELAY: Final = 2.0
PATIENCE: Final = 30.0
_FIRST: Final = 5.0
_TICK: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Suspicion:
    version: int
    since: float


def audited(*, namespaces: bool) -> Sequence[str]:
    """The kinds that are compared; Namespaces only where they are watched."""
    return [kind for kind in AUDITED if namespaces or kind != NAMESPACES.kind]


class Auditor:
    """on_dead: called with one sentence when a watch is found dead. namespaces: whether Namespaces are watched."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        *,
        scopes: Sequence[str | None],
        secret_selector: str,
        every: float,
        clock: Callable[[], float],
        metrics: Metrics,
        on_dead: Callable[[str], None],
        namespaces: bool = False,
    ) -> None:
        self._kube = kube
        self._store = store
        self._scopes = scopes
        self._secret_selector = secret_selector
        self._every = every
        self._clock = clock
        self._metrics = metrics
        self._on_dead = on_dead
        self._due = dict.fromkeys(audited(namespaces=namespaces), clock() + _FIRST)
        self._suspects: dict[Key, _Suspicion] = {}
        self._complained = False

    def relisted(self, kind: str) -> None:
        """The watch of that kind listed anew: compare soon."""
        self._due[kind] = min(self._due[kind], self._clock() + RELIST_DELAY)

    def request(self, kind: str) -> None:
        """Something is known to differ: compare now."""
        self._due[kind] = self._clock()

    async def run(self) -> None:
        """Audits when it is time, until cancelled."""
        while True:
            await asyncio.sleep(_TICK)
            await self.tick()

    async def tick(self) -> None:
        """Does what is due now."""
        for kind in [kind for kind, when in self._due.items() if when <= self._clock()]:
            self._due[kind] = self._clock() + self._every
            try:
                await self.audit(kind)
            except KubeError as error:
                self._due[kind] = self._clock() + RELIST_DELAY
                self._metrics.audited(kind, "failed")
                self._complain(kind, error)
            else:
                self._complained = False
        self._judge()

    async def audit(self, kind: str) -> None:
        """Compares one kind. Raises KubeError."""
        known = self._known(kind)
        listed = await self._list(kind)
        gone = [key for key in known if key not in listed]
        for key in gone:
            await self._missing(key)
        behind = [key for key, version in listed.items() if self._watched(key) < version]
        new = [key for key in behind if key not in known]
        for key in behind:
            await self._behind(key, listed[key])
        for found, count in (("gone", len(gone)), ("new", len(new)), ("behind", len(behind) - len(new))):
            if count:
                self._metrics.audited(kind, found, count)
                _log.info("audit of %s: %d %s", kind, count, found)
        self._metrics.audited(kind, "ok")

    def _complain(self, kind: str, error: KubeError) -> None:
        """Once, until an audit succeeds: while the API server is away all of them fail, every two seconds."""
        if not self._complained:
            self._complained = True
            _log.warning("the audit of %s failed and is repeated: %s", kind, error)

    async def _list(self, kind: str) -> dict[Key, int]:
        type_ = AUDITED[kind]
        selector = self._secret_selector if type_ is SECRETS else ""
        listed: dict[Key, int] = {}
        for scope in self._scopes:
            for again in (True, False):
                try:
                    async for page in self._kube.pages(type_, scope, metadata_only=True, selector=selector):
                        listed |= {key_of(kind, item): version_of(item) for item in page.items}
                        self._read(type_, page.items)
                    break
                except Expired:
                    if not again:
                        raise
        return listed

    def _read(self, type_: ResourceType, items: Iterable[Body]) -> None:
        """Of a Namespace the list shows all that is kept: nothing has to be fetched."""
        if type_ is NAMESPACES:
            for item in items:
                self._store.namespace_seen(item, watched=False)

    def _known(self, kind: str) -> frozenset[Key]:
        return frozenset(self._store.known(kind))

    def _watched(self, key: Key) -> int:
        if key.kind == NAMESPACES.kind:
            return self._store.namespaces.watched(key.name)
        if key.kind == SECRETS.kind:
            return self._store.secrets().get(key, 0)
        entry = self._store.cache.get(key)
        return entry.watched if entry is not None else 0

    def _exists(self, key: Key) -> bool:
        if key.kind == NAMESPACES.kind:
            return key.name in self._store.namespaces
        return key.kind == SECRETS.kind or self._store.cache.get(key) is not None

    async def _missing(self, key: Key) -> None:
        """Absence is proven by GET, not by a list."""
        if key.kind == SECRETS.kind:
            self._store.secret_gone(key)  # wakes those who read it, and they read it by GET
            return
        if key.kind == NAMESPACES.kind:
            self._store.namespace_gone(key)  # no label is no grant, and takes away nothing that runs
            return
        try:
            body = await self._kube.get(AUDITED[key.kind], key.namespace, key.name)
        except NotFound:
            self._store.vanish(key)
        else:
            self._store.observe(key.kind, body, watched=False)

    async def _behind(self, key: Key, version: int) -> None:
        self._suspects.setdefault(key, _Suspicion(version, self._clock()))
        if key.kind == NAMESPACES.kind:
            return
        if key.kind == SECRETS.kind:
            self._store.wake_known(self._store.references.readers(key))
            return
        entry = self._store.cache.get(key)
        if entry is not None and entry.version >= version:
            return  # our own write, which the watch will tell in a moment
        try:
            body = await self._kube.get(AUDITED[key.kind], key.namespace, key.name)
        except NotFound:
            return
        self._store.observe(key.kind, body, watched=False)
        self._store.wake(key)

    def _judge(self) -> None:
        for key, suspicion in list(self._suspects.items()):
            if not self._exists(key) or self._watched(key) >= suspicion.version:
                del self._suspects[key]
            elif self._clock() - suspicion.since > PATIENCE:
                del self._suspects[key]
                self._on_dead(f"the watch of {key.kind} did not tell of {key} for {PATIENCE:.0f} s")
