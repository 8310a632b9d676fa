"""The shell: events reach the store, and kopf names its tasks as the supervisor expects.

The second part runs kopf itself against an empty API server on loopback: it pins names that are private to kopf.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import OUR_TYPES
from milvus_embedding.runtime import informer
from milvus_embedding.runtime.informer import Watching, build_registry, build_settings, watch
from milvus_embedding.runtime.queue import WorkQueue
from milvus_embedding.runtime.store import Store
from milvus_embedding.runtime.supervisor import STOP_CHECKER, expected_watchers

KIND = "EmbeddingFunction"
KEY = Key(KIND, "ns", "f")


def new_store() -> Store:
    queue: WorkQueue[Key] = WorkQueue(clock=lambda: 0.0)
    return Store(queue=queue, lane=lambda resource: "lane", signal=lambda resource: None, upstream=lambda resource: ())


def event(type_: str | None, version: int, uid: str = "u1") -> dict[str, object]:
    metadata = {"name": "f", "namespace": "ns", "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return {"type": type_, "object": {"metadata": metadata, "spec": {"dashscope": {"model": "m"}}}}


async def test_events_keep_the_cache_and_deletions_of_earlier_lives_do_not_count() -> None:
    store, relisted = new_store(), list[str]()
    handle = informer._object_handler(KIND, store, relisted.append)
    await handle(event=event("ADDED", 1))
    await handle(event=event("MODIFIED", 5, uid="u2"))
    await handle(event=event("DELETED", 4, uid="u1"))
    entry = store.cache.get(KEY)
    assert entry is not None
    assert entry.uid == "u2"
    await handle(event=event("DELETED", 6, uid="u2"))
    assert store.cache.get(KEY) is None
    assert relisted == []


async def test_a_listed_object_tells_of_the_list() -> None:
    store, relisted = new_store(), list[str]()
    await informer._object_handler(KIND, store, relisted.append)(event=event(None, 1))
    await informer._secret_handler(store, relisted.append)(event=event(None, 1))
    assert relisted == [KIND, "Secret"]


async def test_of_secrets_only_versions_are_kept() -> None:
    store = new_store()
    handle = informer._secret_handler(store, lambda kind: None)
    await handle(event=event("ADDED", 3))
    assert store.secrets() == {Key("Secret", "ns", "f"): 3}
    await handle(event=event("DELETED", 4))
    assert store.secrets() == {}


def test_kopf_does_nothing_but_watch() -> None:
    settings = build_settings("team=search")
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert settings.queueing.worker_limit is None
    assert not settings.watching.initial_streaming
    assert settings.networking.error_backoffs


class EmptyCluster:
    """Discovery, empty lists and watches that never say anything."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self.kubeconfig = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            await self.closing.wait()
            return response
        return web.Response(text=json.dumps(self.answer(request.path)), content_type="application/json")

    def answer(self, path: str) -> dict[str, Any]:
        ours = {"name": "v1alpha1", "groupVersion": "embedding.milvus.io/v1alpha1", "version": "v1alpha1"}
        crds = {"name": "v1", "groupVersion": "apiextensions.k8s.io/v1", "version": "v1"}
        match path:
            case "/api":
                return {"versions": ["v1"]}
            case "/apis":
                groups = [("embedding.milvus.io", ours), ("apiextensions.k8s.io", crds)]
                return {"groups": [{"name": n, "preferredVersion": v, "versions": [v]} for n, v in groups]}
            case "/api/v1":
                return {"resources": [_kind("namespaces", "Namespace"), _kind("events"), _kind("secrets", "Secret")]}
            case "/apis/embedding.milvus.io/v1alpha1":
                return {"resources": [_kind(type_.plural, type_.kind) for type_ in OUR_TYPES.values()]}
            case "/apis/apiextensions.k8s.io/v1":
                return {"resources": [_kind("customresourcedefinitions", "CustomResourceDefinition")]}
            case _:
                return {"metadata": {"resourceVersion": "1"}, "items": []}


def _kind(plural: str, kind: str = "Event") -> dict[str, object]:
    namespaced = kind not in ("Namespace", "CustomResourceDefinition")
    verbs = ["get", "list", "watch", "create", "patch"]
    return {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": namespaced, "verbs": verbs}


@pytest.fixture
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmptyCluster]:
    cluster = EmptyCluster()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", cluster.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://{host}:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = tmp_path_factory.mktemp("kube") / "config"
    path.write_text(json.dumps(config))
    cluster.kubeconfig = str(path)
    yield cluster
    cluster.closing.set()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("scopes", "namespaces"),
    [
        pytest.param((None,), True, id="all namespaces and their labels"),
        pytest.param((None,), False, id="all namespaces without their labels"),
        pytest.param(("a", "b"), False, id="named namespaces"),
    ],
)
async def test_kopf_names_its_tasks_as_the_supervisor_expects(
    scopes: tuple[str | None, ...], namespaces: bool, cluster: EmptyCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = cluster.kubeconfig
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    stop, cleaned = asyncio.Event(), asyncio.Event()

    async def cleanup() -> None:
        stop.set()
        cleaned.set()

    registry = build_registry(
        new_store(), kubeconfig=kubeconfig, relisted=lambda kind: None, cleanup=cleanup, namespaces=namespaces
    )
    watching = Watching(scopes=scopes, secret_selector="", kubeconfig=kubeconfig)
    running = asyncio.create_task(watch(registry, watching, stop))
    expected = expected_watchers(scopes, namespaces=namespaces)
    wanted = expected | {STOP_CHECKER}
    names: set[str] = set()
    async with asyncio.timeout(20):
        while not wanted <= names:
            await asyncio.sleep(0.02)
            names = {task.get_name() for task in asyncio.all_tasks()}
    assert {name for name in names if name.startswith("watcher for")} == expected
    cluster.closing.set()  # kopf waits for all tasks younger than itself, and the server's are
    stop.set()
    await running
    assert cleaned.is_set()
