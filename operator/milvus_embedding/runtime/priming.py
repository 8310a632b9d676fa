"""Fills the cache before anything is reconciled, and decides in which order the first look at each object comes."""

from collections.abc import Callable, Sequence
from typing import Final

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import NAMESPACES, OUR_TYPES, SECRETS, Expired, Kube, Page, ResourceType
from milvus_embedding.domain.conditions import find
from milvus_embedding.runtime.cache import Body, Entry, key_of, version_of
from milvus_embedding.runtime.queue import Priority
from milvus_embedding.runtime.store import Store

_PER_SECOND: Final = 200.0
_LONGEST_SPREAD: Final = 60.0


async def prime(
    kube: Kube, store: Store, *, scopes: Sequence[str | None], secret_selector: str, namespaces: bool = False
) -> None:
    """Lists everything once, Namespaces only if told. Raises KubeError."""
    if namespaces:
        await _each(kube, NAMESPACES, None, store.namespace_seen, names_only=True)
    for kind, type_ in OUR_TYPES.items():

        def take(item: Body, kind: str = kind) -> None:
            store.prime(kind, item)

        for scope in scopes:
            await _each(kube, type_, scope, take)
    for scope in scopes:
        await _each(kube, SECRETS, scope, lambda item: _secret(store, item), selector=secret_selector, names_only=True)


def enqueue(store: Store, random: Callable[[], float]) -> None:
    """Queues all objects: those that were Ready as they are now spread over a while, the others at once."""
    entries = [(Key(kind, e.metadata.namespace, e.metadata.name), e) for kind in OUR_TYPES for e in _all(store, kind)]
    spread = min(len(entries) / _PER_SECOND, _LONGEST_SPREAD)
    for key, entry in entries:
        if settled(entry):
            store.wake(key, delay=random() * spread, priority=Priority.RESYNC)
        else:
            store.wake(key)


def settled(entry: Entry) -> bool:
    """Whether the object was Ready with its present spec when an operator looked last."""
    ready = find(entry.status, "Ready")
    current = entry.status.get("observedGeneration") == entry.generation
    return current and ready is not None and ready.get("status") == "True" and entry.metadata.deletion_timestamp is None


async def _each(
    kube: Kube,
    type_: ResourceType,
    scope: str | None,
    take: Callable[[Body], None],
    *,
    selector: str = "",
    names_only: bool = False,
) -> None:
    for again in (True, False):
        try:
            async for page in kube.pages(type_, scope, metadata_only=names_only, selector=selector):
                _page(page, take)
            return
        except Expired:
            if not again:
                raise


def _page(page: Page, take: Callable[[Body], None]) -> None:
    for item in page.items:
        take(item)


def _secret(store: Store, item: Body) -> None:
    store.secret_seen(key_of(SECRETS.kind, item), version_of(item))


def _all(store: Store, kind: str) -> Sequence[Entry]:
    return store.cache.of_kind(kind)
