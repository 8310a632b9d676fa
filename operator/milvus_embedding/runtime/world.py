"""The `World` of one reconcile: the cache for objects, GET for Secrets, and a memory of what was read."""

from collections.abc import Callable, Sequence
from datetime import datetime

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import CONFIG_MAPS, SECRETS, Kube
from milvus_embedding.controllers.base import SecretRead, SecretWrite, T
from milvus_embedding.runtime.cache import Cache
from milvus_embedding.runtime.references import RefIndex


class ReconcileWorld:
    """Made for one reconcile of `reader` and thrown away after it."""

    def __init__(
        self,
        *,
        reader: Key,
        now: datetime,
        cache: Cache,
        references: RefIndex,
        used_by: Callable[[Key], int],
        kube: Kube,
    ) -> None:
        self._reader = reader
        self._now = now
        self._cache = cache
        self._references = references
        self._used_by = used_by
        self._kube = kube
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
        return await self._kube.write_secret(secret)

    def _remember(self, key: Key) -> None:
        if key != self._reader:
            self.reads.add(key)
            self._references.add(self._reader, key)
