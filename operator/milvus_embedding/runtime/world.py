"""The `World` of one reconcile: the cache for objects, requests for all else, and a memory of what was read.

An act that cannot be taken back is given less time than `confirm` saw left of the lease, so that it has ended, one way
or the other, before somebody else may act.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from milvus_embedding.api.annotations import FINALIZER
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import Metadata
from milvus_embedding.api.model import InvalidObjectError
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import (
    CONFIG_MAPS,
    OUR_TYPES,
    SECRETS,
    Body,
    Kube,
    NotFound,
    Refused,
    Unavailable,
)
from milvus_embedding.controllers.base import Conflict, Resource, SecretRead, SecretWrite, Stale, T, WriteRefused
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload
from milvus_embedding.runtime.cache import Cache
from milvus_embedding.runtime.namespaces import Namespaces, namespace_key
from milvus_embedding.runtime.references import RefIndex
from milvus_embedding.runtime.settings import ACT_SECONDS

_READ_ONLY: Final = "the operator runs with --read-only"

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""Not in the cache."""


class ReconcileWorld:
    """Made for one reconcile of `reader` and thrown away after it. `lease_remaining` is in seconds.

    `saw` is told of the reader as our own write left it. read_only: every write is refused.
    """

    def __init__(
        self,
        *,
        reader: Key,
        now: datetime,
        cache: Cache,
        references: RefIndex,
        used_by: Callable[[Key], int],
        kube: Kube,
        namespaces: Namespaces | None = None,
        lease_remaining: Callable[[], float] = lambda: float("inf"),
        saw: Callable[[Body], None] = lambda body: None,
        read_only: bool = False,
    ) -> None:
        self._reader = reader
        self._now = now
        self._cache = cache
        self._references = references
        self._used_by = used_by
        self._kube = kube
        self._namespaces = namespaces or Namespaces()
        self._lease_remaining = lease_remaining
        self._saw = saw
        self._read_only = read_only
        self.reads: set[Key] = set()

    @property
    def now(self) -> datetime:
        return self._now

    def get(self, kind: type[T], namespace: str, name: str) -> T | None:
        key = Key(kind.KIND, namespace, name)
        self._remember(key)
        entry = self._cache.get(key)
        return entry.resource if entry is not None and isinstance(entry.resource, kind) else None

    def list(self, kind: type[T]) -> Sequence[T]:
        entries = self._cache.of_kind(kind.KIND)
        return [entry.resource for entry in entries if isinstance(entry.resource, kind)]

    def used_by(self, key: Key) -> int:
        return self._used_by(key)

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        self._remember(Key(SECRETS.kind, namespace, name))
        return await self._kube.read_secret(namespace, name)

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        self._remember(Key(CONFIG_MAPS.kind, namespace, name))
        return await self._kube.read_config_map(namespace, name)

    async def write_secret(self, secret: SecretWrite) -> str:
        if self._read_only:
            raise WriteRefused(_READ_ONLY)
        return await self._kube.write_secret(secret)

    async def add_finalizer(self, resource: Resource) -> None:
        await self._finalizers(resource, (*resource.metadata.finalizers, FINALIZER))

    async def remove_finalizer(self, resource: Resource) -> None:
        await self._finalizers(resource, [name for name in resource.metadata.finalizers if name != FINALIZER])

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        self._remember(namespace_key(namespace))
        return self._namespaces.labels(namespace)

    async def exists(self, key: Key) -> bool:
        type_ = OUR_TYPES[key.kind]
        try:
            await self._kube.get(type_, key.namespace, key.name)
        except NotFound:
            # A server that does not serve the kind, or not yet, has the same answer for every object.
            if type_.plural not in await self._kube.served(type_.group, type_.version):
                raise Unavailable(f"{key.kind} is not served, so nothing tells whether {key} exists") from None
            return False
        return True

    async def confirm(self, resource: Resource) -> None:
        key = resource.key
        try:
            body = await self._kube.get(OUR_TYPES[key.kind], key.namespace, key.name)
            present = KINDS[key.kind].parse(body).metadata
        except (NotFound, InvalidObjectError):
            raise Stale(f"{key} is gone or cannot be read any more") from None
        if _identity(present) != _identity(resource.metadata):
            raise Stale(f"{key} was changed meanwhile")
        if self._lease_remaining() <= ACT_SECONDS:
            raise Stale("the lease does not outlast the next act")

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        return await self._kube.list_workloads(namespace, selector)

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        return await self._kube.list_pods(namespace, selector)

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        return await self._kube.read_milvus(namespace, name)

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        self._require_writable()
        await _in_time(self._kube.annotate_workload(workload, config_hash))

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        self._require_writable()
        await _in_time(self._kube.apply_milvus(milvus, config_hashes))

    async def _finalizers(self, resource: Resource, finalizers: Sequence[str]) -> None:
        """Replaces the list, which is the present one as long as the resourceVersion is."""
        self._require_writable()
        key, metadata = resource.key, resource.metadata
        told = {"resourceVersion": metadata.resource_version, "uid": metadata.uid, "finalizers": list(finalizers)}
        try:
            body = await self._kube.patch_finalizers(OUR_TYPES[key.kind], key.namespace, key.name, {"metadata": told})
        except NotFound:
            raise Conflict(f"{key} is gone") from None
        self._saw(body)

    def _require_writable(self) -> None:
        if self._read_only:
            raise Refused(_READ_ONLY)

    def _remember(self, key: Key) -> None:
        if key != self._reader:
            self.reads.add(key)
            self._references.add(self._reader, key)


async def _in_time(act: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(ACT_SECONDS):
            await act
    except TimeoutError:
        raise Unavailable(f"no answer within {ACT_SECONDS:g} s") from None


def _identity(metadata: Metadata) -> tuple[object, ...]:
    annotations = {name: value for name, value in metadata.annotations.items() if name != _LAST_APPLIED}
    return metadata.uid, metadata.generation, metadata.deletion_timestamp, annotations
