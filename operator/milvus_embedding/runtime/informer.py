"""kopf as a shell: it logs in, lists, watches and reconnects; its handlers only pass on what they see.

None of kopf's own ways to handle changes, retry, index, elect or store progress is used: each of them has a limit that
an operator of many objects meets (docs/adr tells which).
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import kopf

from milvus_embedding.clients.kube.port import NAMESPACES, OUR_TYPES, SECRETS, ResourceType
from milvus_embedding.runtime.cache import key_of, uid_of, version_of
from milvus_embedding.runtime.store import Store

_BACKOFFS: Final = (0.2, 0.5, 1.0, *([2.0] * 300))
"""Short and many: an API server that restarts answers 429 and 503 for a while, and giving up ends the process."""

_UNUSED_FINALIZER: Final = "embedding.milvus.io/kopf-unused"

_Event = Mapping[str, Any]
_Handler = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What is watched, and as whom. `kubeconfig` is a path; empty is the pod's service account."""

    scopes: Sequence[str | None]
    secret_selector: str
    kubeconfig: str


class NoDifferences(kopf.DiffBaseStorage):
    """Spares each event the copy of its object that kopf makes for handlers of changes; there are none."""

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """There is nothing to keep."""


def build_registry(
    store: Store,
    *,
    kubeconfig: str,
    relisted: Callable[[str], None],
    cleanup: Callable[[], Awaitable[None]],
    heard: Callable[[str], None] = lambda kind: None,
    namespaces: bool = False,
) -> kopf.OperatorRegistry:
    """Handlers for our kinds, Secrets and, if told, Namespaces. `relisted` is told of a kind that is listed (again),
    `heard` of the kind of every event.
    """
    registry = kopf.OperatorRegistry()
    for type_ in OUR_TYPES.values():
        _watch(registry, type_, heard, _object_handler(type_.kind, store, relisted))
    _watch(registry, SECRETS, heard, _secret_handler(store, relisted))
    if namespaces:
        _watch(registry, NAMESPACES, heard, _namespace_handler(store, relisted))

    async def on_cleanup(**_: object) -> None:
        await cleanup()

    # Retrying a cleanup that failed would only delay the end.
    kopf.on.cleanup(registry=registry, errors=kopf.ErrorsMode.IGNORED)(on_cleanup)
    if kubeconfig:
        os.environ["KUBECONFIG"] = kubeconfig  # the only way to tell kopf's login which file to read
        kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
    else:
        kopf.on.login(registry=registry)(kopf.login_with_service_account)
    return registry


def build_settings(secret_selector: str) -> kopf.OperatorSettings:
    """The settings of kopf; docs/adr has the reason for each."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 500
    settings.queueing.idle_timeout = 0.2
    settings.queueing.exit_timeout = 0.2
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _BACKOFFS
    settings.persistence.finalizer = _UNUSED_FINALIZER
    settings.persistence.diffbase_storage = NoDifferences()
    settings.process.ultimate_exiting_timeout = None
    if secret_selector:
        settings.watching.label_selectors[SECRETS.group, SECRETS.version, SECRETS.plural] = secret_selector
    return settings


async def watch(registry: kopf.OperatorRegistry, watching: Watching, stop: object) -> None:
    """Runs kopf until it is told to stop or fails."""
    namespaces = [scope for scope in watching.scopes if scope is not None]
    await kopf.operator(
        registry=registry,
        settings=build_settings(watching.secret_selector),
        stop_flag=stop,  # type: ignore[arg-type]
        clusterwide=not namespaces,
        namespaces=namespaces,
    )


def _watch(
    registry: kopf.OperatorRegistry, type_: ResourceType, heard: Callable[[str], None], handler: _Handler
) -> None:
    async def handle(event: _Event, **_: object) -> None:
        heard(type_.kind)
        await handler(event)

    kopf.on.event(type_.group, type_.version, type_.plural, registry=registry)(handle)


def _object_handler(kind: str, store: Store, relisted: Callable[[str], None]) -> _Handler:
    async def handle(event: _Event, **_: object) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            store.vanish(key_of(kind, body), uid_of(body))
            return
        store.observe(kind, body)
        if event["type"] is None:
            relisted(kind)

    return handle


def _secret_handler(store: Store, relisted: Callable[[str], None]) -> _Handler:
    async def handle(event: _Event, **_: object) -> None:
        body = event["object"]
        key = key_of(SECRETS.kind, body)
        if event["type"] == "DELETED":
            store.secret_gone(key)
            return
        store.secret_seen(key, version_of(body))
        if event["type"] is None:
            relisted(SECRETS.kind)

    return handle


def _namespace_handler(store: Store, relisted: Callable[[str], None]) -> _Handler:
    async def handle(event: _Event, **_: object) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            store.namespace_gone(key_of(NAMESPACES.kind, body))
            return
        store.namespace_seen(body)
        if event["type"] is None:
            relisted(NAMESPACES.kind)

    return handle
