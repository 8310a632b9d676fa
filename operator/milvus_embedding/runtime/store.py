"""What an event sets in motion: cache, indexes and queue brought in line, and nothing else.

Every sight of an object, by watch, list, GET or answer to our own write, comes through here. It is synchronous, so a
reconcile never sees half of an event.
"""

from collections.abc import Callable, Hashable, Iterable

from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import NAMESPACES, SECRETS
from milvus_embedding.runtime.cache import Body, Cache, Change, Entry, key_of
from milvus_embedding.runtime.namespaces import Namespaces
from milvus_embedding.runtime.queue import Priority, WorkQueue
from milvus_embedding.runtime.references import RefIndex
from milvus_embedding.runtime.usage import UsageIndex

USAGE_DELAY = 2.0
"""Seconds until a changed number of users wakes the used object: ten new collections make one status write."""

CONTROL_LANE = "control"
"""The lane of objects that cannot be parsed or are gone: their work calls nobody."""


class Store:
    """Cache, references and usage over one queue.

    lane: the lane in which an object is reconciled.
    signal: what others may rely on in an object; those who read it are woken only when it changes.
    upstream: whom a change of the object wakes besides its readers.
    """

    def __init__(
        self,
        *,
        queue: WorkQueue[Key],
        lane: Callable[[Resource], str],
        signal: Callable[[Resource], Hashable],
        upstream: Callable[[Resource], Iterable[Key]],
    ) -> None:
        self.cache = Cache(signal)
        self.references = RefIndex()
        self.usage = UsageIndex()
        self.namespaces = Namespaces()
        self.queue = queue
        self._lane = lane
        self._upstream = upstream
        self._secrets: dict[Key, int] = {}

    def prime(self, kind: str, body: Body) -> Entry | None:
        """Takes an object of the first list without waking anyone; the caller decides when it is reconciled."""
        change = self.cache.put(key_of(kind, body), body, watched=True)
        if change.entry is not None and change.entry.resource is not None:
            self.usage.put(change.entry.resource)
        return change.entry

    def observe(self, kind: str, body: Body, *, watched: bool = True) -> None:
        """Takes a version of an object, and wakes whom it concerns."""
        key = key_of(kind, body)
        before = self.cache.get(key)
        change = self.cache.put(key, body, watched=watched)
        if change.entry is None:
            return
        if change.essence and watched:
            self.queue.forget(key)
            self.wake(key)
        if change.essence or change.signal:
            self._spread(key, before, change)

    def vanish(self, key: Key, uid: str | None = None) -> None:
        """The object is gone (that uid only, if given)."""
        gone = self.cache.remove(key, uid)
        if gone is None:
            return
        self.queue.drop(key)
        self.queue.add(key, CONTROL_LANE)
        self.wake_known(self.references.readers(key))
        self.wake_known(self._upstream(gone.resource) if gone.resource is not None else ())
        self._usage_changed(self.usage.remove(key))

    def secret_seen(self, key: Key, version: int) -> None:
        """A Secret in some version; of it only the version is kept. Its readers are woken if that is new."""
        if self._secrets.get(key) != version:
            self._secrets[key] = version
            self.wake_known(self.references.readers(key))

    def secret_gone(self, key: Key) -> None:
        """A Secret was deleted."""
        self._secrets.pop(key, None)
        self.wake_known(self.references.readers(key))

    def namespace_seen(self, body: Body, *, watched: bool = True) -> None:
        """A Namespace in some version. Those who read its labels are woken if they are others now."""
        if self.namespaces.put(body, watched=watched):
            self.wake_known(self.references.readers(key_of(NAMESPACES.kind, body)))

    def namespace_gone(self, key: Key) -> None:
        """A Namespace was deleted."""
        if self.namespaces.remove(key.name):
            self.wake_known(self.references.readers(key))

    def known(self, kind: str) -> Iterable[Key]:
        """The keys of all objects of a kind, Secrets and Namespaces included."""
        match kind:
            case SECRETS.kind:
                return self._secrets.keys()
            case NAMESPACES.kind:
                return self.namespaces.keys()
            case _:
                return self.cache.keys(kind)

    def secrets(self) -> dict[Key, int]:
        """The Secrets seen and their versions."""
        return dict(self._secrets)

    def wake(self, key: Key, *, delay: float = 0.0, priority: Priority = Priority.NEW) -> None:
        """Queues an object in its lane."""
        self.queue.add_after(key, self.lane_of(key), delay, priority)

    def wake_known(self, keys: Iterable[Key]) -> None:
        """Queues those of the objects that exist."""
        for key in keys:
            if self.cache.get(key) is not None:
                self.wake(key)

    def lane_of(self, key: Key) -> str:
        """The lane of an object as it is now."""
        entry = self.cache.get(key)
        return self._lane(entry.resource) if entry is not None and entry.resource is not None else CONTROL_LANE

    def _spread(self, key: Key, before: Entry | None, change: Change) -> None:
        if change.signal:
            self.wake_known(self.references.readers(key))
        after = change.entry.resource if change.entry is not None else None
        # Of a status alone upstream learns nothing, and its pass costs a GET of every Secret.
        concerned = (before.resource if before is not None else None, after) if change.essence else ()
        for resource in concerned:
            if resource is not None:
                self.wake_known(self._upstream(resource))
        if after is not None:
            self._usage_changed(self.usage.put(after))

    def _usage_changed(self, keys: Iterable[Key]) -> None:
        for key in keys:
            if self.cache.get(key) is not None:
                self.wake(key, delay=USAGE_DELAY)
