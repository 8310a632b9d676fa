"""The adapter against an HTTP server that answers as an API server does."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from kubernetes.aio import client

from milvus_embedding.clients.kube.adapter import KubeAdapter
from milvus_embedding.clients.kube.port import (
    OUR_TYPES,
    SECRETS,
    Access,
    Expired,
    Forbidden,
    KubeError,
    LeaseRecord,
    NotFound,
    NotLeading,
    Refused,
    Unauthorized,
    Unavailable,
)
from milvus_embedding.clients.kube.secrets import (
    Conflict,
    SecretFailed,
    SecretForbidden,
    SecretFound,
    SecretMissing,
    SecretWrite,
    WriteRefused,
)
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Workload
from milvus_embedding.domain.scrub import Scrubber

KEY = "sk-0123456789abcdef"
COLLECTIONS = OUR_TYPES["MilvusCollection"]
Answer = tuple[int, object]


class Server:
    """Answers (method, path) as told; anything else is 404. Keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Answer | Callable[[web.Request], Answer]] = {}
        self.asked: list[tuple[str, str, str, object]] = []
        self.awake = asyncio.Event()
        self.awake.set()

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        content_type = request.headers.get("Content-Type", "")
        self.asked.append((request.method, request.path_qs, content_type, body))
        await self.awake.wait()
        answer = self.answers.get((request.method, request.path), (404, {"message": "not found"}))
        status, content = answer(request) if callable(answer) else answer
        return web.Response(status=status, text=json.dumps(content), content_type="application/json")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def kube(server: Server) -> AsyncIterator[KubeAdapter]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = client.Configuration()
    host, port = runner.addresses[0][:2]
    configuration.host = f"http://{host}:{port}"
    scrubber = Scrubber()
    scrubber.learn(KEY)
    adapter = KubeAdapter(client.ApiClient(configuration), scrubber, timeout=5)
    yield adapter
    await adapter.close()
    await runner.cleanup()


def secret(data: dict[str, bytes], version: str = "7", **metadata: object) -> dict[str, object]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    meta = {"name": "s", "namespace": "ns", "resourceVersion": version, **metadata}
    return {"kind": "Secret", "type": "Opaque", "metadata": meta, "data": encoded}


SECRET_PATH = "/api/v1/namespaces/ns/secrets/s"
STATUS_PATH = "/apis/embedding.milvus.io/v1alpha1/namespaces/ns/milvuscollections/docs/status"


async def test_a_list_is_read_page_by_page(server: Server, kube: KubeAdapter) -> None:
    def pages(request: web.Request) -> Answer:
        last = request.query.get("continue") == "more"
        meta = {"resourceVersion": "9"} if last else {"resourceVersion": "9", "continue": "more"}
        return 200, {"metadata": meta, "items": [{"metadata": {"name": "b" if last else "a"}}]}

    server.answers["GET", "/apis/embedding.milvus.io/v1alpha1/milvuscollections"] = pages
    pages_read = [page async for page in kube.pages(COLLECTIONS, None)]
    assert [page.items[0]["metadata"] for page in pages_read] == [{"name": "a"}, {"name": "b"}]
    assert {page.resource_version for page in pages_read} == {"9"}
    assert "limit=500" in server.asked[0][1]


async def test_an_empty_list_is_one_page(server: Server, kube: KubeAdapter) -> None:
    server.answers["GET", "/api/v1/namespaces/ns/secrets"] = 200, {"metadata": {}, "items": None}
    assert [list(p.items) async for p in kube.pages(SECRETS, "ns", selector="a=b")] == [[]]
    assert "labelSelector=a%3Db" in server.asked[0][1]


@pytest.mark.parametrize(
    ("metadata", "items", "number"),
    [
        pytest.param({}, 0, 0, id="an empty list is none"),
        pytest.param({}, 1, 1, id="a list that ends is all"),
        pytest.param({"continue": "more", "remainingItemCount": 41}, 1, 42, id="what remains is added"),
        pytest.param({"continue": "more"}, 1, None, id="a server that does not tell leaves it unknown"),
    ],
)
async def test_objects_are_counted_by_a_list_of_one(
    metadata: dict[str, object], items: int, number: int | None, server: Server, kube: KubeAdapter
) -> None:
    answer = {"metadata": metadata, "items": [{"metadata": {"name": "a"}}] * items}
    server.answers["GET", "/api/v1/namespaces/ns/secrets"] = 200, answer
    assert await kube.count(SECRETS, "ns", selector="a=b") == number
    assert [path for _, path, _, _ in server.asked] == ["/api/v1/namespaces/ns/secrets?limit=1&labelSelector=a%3Db"]


async def test_a_status_is_patched_as_merge_patch(server: Server, kube: KubeAdapter) -> None:
    server.answers["PATCH", STATUS_PATH] = 200, {"metadata": {"resourceVersion": "8"}}
    patch = {"metadata": {"resourceVersion": "7"}, "status": {"conditions": ({"type": "Ready"},)}}
    assert await kube.patch_status(COLLECTIONS, "ns", "docs", patch) == {"metadata": {"resourceVersion": "8"}}
    _, _, content_type, body = server.asked[0]
    assert content_type == "application/merge-patch+json"
    assert body == {"metadata": {"resourceVersion": "7"}, "status": {"conditions": [{"type": "Ready"}]}}


async def test_finalizers_are_patched_as_merge_patch_of_the_object(server: Server, kube: KubeAdapter) -> None:
    path = STATUS_PATH.removesuffix("/status")
    server.answers["PATCH", path] = 200, {"metadata": {"resourceVersion": "8"}}
    patch = {"metadata": {"resourceVersion": "7", "uid": "u", "finalizers": ["embedding.milvus.io/collection"]}}
    assert await kube.patch_finalizers(COLLECTIONS, "ns", "docs", patch) == {"metadata": {"resourceVersion": "8"}}
    _, asked, content_type, body = server.asked[0]
    assert asked == f"{path}?fieldManager=milvus-embedding-operator"
    assert content_type == "application/merge-patch+json"
    assert body == patch


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(401, Unauthorized, id="401 is about the credentials"),
        pytest.param(403, Forbidden, id="403 is about a permission"),
        pytest.param(404, NotFound, id="404 is absence"),
        pytest.param(409, Conflict, id="409 is a conflict"),
        pytest.param(410, Expired, id="410 is too old"),
        pytest.param(422, Refused, id="422 is final"),
        pytest.param(429, Unavailable, id="429 is for later"),
        pytest.param(503, Unavailable, id="503 is for later"),
    ],
)
async def test_an_answer_becomes_an_error(
    server: Server, kube: KubeAdapter, status: int, error: type[Exception]
) -> None:
    server.answers["PATCH", STATUS_PATH] = status, {"message": f"said {KEY} and {'x' * 1000}"}
    with pytest.raises(error) as caught:
        await kube.patch_status(COLLECTIONS, "ns", "docs", {})
    assert KEY not in str(caught.value)
    assert len(str(caught.value)) <= 200


async def test_no_server_is_unavailable_without_its_address(kube: KubeAdapter) -> None:
    kube._api.configuration.host = "http://127.0.0.1:1"
    with pytest.raises(Unavailable, match="GET /api/v1/namespaces/kube-system: Client") as caught:
        await kube.kube_system_uid()
    assert "127.0.0.1" not in str(caught.value)


async def test_an_answer_that_is_no_json_is_refused(server: Server, kube: KubeAdapter) -> None:
    server.answers["GET", SECRET_PATH] = 200, ["no object"]
    with pytest.raises(Refused, match="no JSON object"):
        await kube.get(SECRETS, "ns", "s")


async def test_a_secret_is_read_decoded_and_its_repr_has_no_data(server: Server, kube: KubeAdapter) -> None:
    server.answers["GET", SECRET_PATH] = 200, secret({"apikey": KEY.encode()}, labels={"a": "b"})
    found = await kube.read_secret("ns", "s")
    assert found == SecretFound({"apikey": KEY.encode()}, {"a": "b"}, "7")
    assert KEY not in repr(found)


async def test_a_config_map_is_read_as_bytes(server: Server, kube: KubeAdapter) -> None:
    body = {
        "kind": "ConfigMap",
        "metadata": {"resourceVersion": "3"},
        "data": {"ca": "pem"},
        "binaryData": {"b": "AAE="},
    }
    server.answers["GET", "/api/v1/namespaces/ns/configmaps/c"] = 200, body
    assert await kube.read_config_map("ns", "c") == SecretFound({"ca": b"pem", "b": b"\0\1"}, {}, "3")


async def test_what_goes_wrong_with_reading_a_secret_is_the_answer(server: Server, kube: KubeAdapter) -> None:
    assert await kube.read_secret("ns", "s") == SecretMissing()
    server.answers["GET", SECRET_PATH] = 403, {"message": "forbidden"}
    assert await kube.read_secret("ns", "s") == SecretForbidden()
    server.answers["GET", SECRET_PATH] = 500, {"message": f"oops {KEY}"}
    failed = await kube.read_secret("ns", "s")
    assert isinstance(failed, SecretFailed)
    assert "HTTP 500" in failed.detail
    assert KEY not in failed.detail


def write(version: str | None) -> SecretWrite:
    return SecretWrite(namespace="ns", name="s", labels={"ours": "1"}, data={"k": b"new"}, resource_version=version)


async def test_a_new_secret_is_created(server: Server, kube: KubeAdapter) -> None:
    server.answers["POST", "/api/v1/namespaces/ns/secrets"] = 201, secret({}, "11")
    assert await kube.write_secret(write(None)) == "11"


async def test_a_secret_that_exists_is_replaced_and_keeps_what_others_put_there(
    server: Server, kube: KubeAdapter
) -> None:
    before = secret({"k": b"old", "gone": b"x"}, annotations={"theirs": "1"}, labels={"theirs": "2"})
    server.answers["GET", SECRET_PATH] = 200, before
    server.answers["PUT", SECRET_PATH] = 200, secret({}, "8")
    assert await kube.write_secret(write("7")) == "8"
    body = server.asked[-1][3]
    assert isinstance(body, dict)
    assert body["data"] == {"k": base64.b64encode(b"new").decode()}
    assert body["metadata"]["labels"] == {"theirs": "2", "ours": "1"}
    assert body["metadata"]["annotations"] == {"theirs": "1"}
    assert body["metadata"]["resourceVersion"] == "7"


async def test_a_secret_that_changed_since_it_was_read_is_not_written(server: Server, kube: KubeAdapter) -> None:
    server.answers["GET", SECRET_PATH] = 200, secret({}, "8")
    with pytest.raises(Conflict):
        await kube.write_secret(write("7"))
    assert [method for method, *_ in server.asked] == ["GET"]


async def test_a_secret_that_is_gone_since_it_was_read_is_a_conflict(kube: KubeAdapter) -> None:
    with pytest.raises(Conflict):
        await kube.write_secret(write("7"))


@pytest.mark.parametrize("status", [403, 413, 422])
async def test_a_write_that_is_refused_says_so_and_quotes_nothing(
    server: Server, kube: KubeAdapter, status: int
) -> None:
    content = {"message": "Invalid value: topsecret", "reason": "Invalid", "details": {"causes": [{"field": "data"}]}}
    refusal = {"message": "secrets is forbidden"} if status == 403 else content
    server.answers["POST", "/api/v1/namespaces/ns/secrets"] = status, refusal
    with pytest.raises(WriteRefused) as caught:
        await kube.write_secret(write(None))
    assert "topsecret" not in str(caught.value)
    assert str(status) in str(caught.value)


async def test_a_write_without_answer_is_not_taken_for_refused(server: Server, kube: KubeAdapter) -> None:
    server.answers["POST", "/api/v1/namespaces/ns/secrets"] = 500, {}
    with pytest.raises(Unavailable):
        await kube.write_secret(write(None))


async def test_a_lease_goes_there_and_back(server: Server, kube: KubeAdapter) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
    lease = LeaseRecord(holder="a", duration_seconds=15, acquire_time="t1", renew_time="t2", transitions=3)

    def stored(request: web.Request) -> Answer:
        body = server.asked[-1][3]
        assert isinstance(body, dict)
        return 200, {**body, "metadata": {**body["metadata"], "resourceVersion": "5"}}

    server.answers["POST", path] = server.answers["PUT", f"{path}/l"] = stored
    created = await kube.create_lease("ns", "l", lease)
    assert (created.holder, created.transitions, created.resource_version) == ("a", 3, "5")
    assert await kube.update_lease("ns", "l", created) == created
    with pytest.raises(NotFound):
        await kube.read_lease("ns", "l")


@pytest.mark.parametrize(("answer", "allowed"), [(True, True), (False, False), (None, False)])
async def test_access_reviews(server: Server, kube: KubeAdapter, answer: object, allowed: bool) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    server.answers["POST", path] = 201, {"status": {"allowed": answer}}
    assert await kube.is_allowed(Access("patch", COLLECTIONS, "ns", "status")) is allowed
    body = server.asked[0][3]
    assert isinstance(body, dict)
    assert body["spec"]["resourceAttributes"] == {
        "verb": "patch",
        "group": "embedding.milvus.io",
        "resource": "milvuscollections",
        "subresource": "status",
        "namespace": "ns",
    }


async def test_discovery_of_an_absent_group_is_empty_and_a_failure_is_none(server: Server, kube: KubeAdapter) -> None:
    assert await kube.served("embedding.milvus.io", "v1alpha1") == frozenset()
    server.answers["GET", "/apis/embedding.milvus.io/v1alpha1"] = 200, {"resources": [{"name": "milvuscollections"}]}
    assert await kube.served("embedding.milvus.io", "v1alpha1") == {"milvuscollections"}
    server.answers["GET", "/apis/embedding.milvus.io/v1alpha1"] = 503, {}
    with pytest.raises(KubeError):
        await kube.served("embedding.milvus.io", "v1alpha1")


DEPLOYMENTS_PATH = "/apis/apps/v1/namespaces/ns/deployments"
MILVUS_PATH = "/apis/milvus.io/v1beta1/namespaces/ns/milvuses/m"
PROXY = Workload(namespace="ns", name="proxy", uid="u", resource_version="7", component=Component.PROXY)
MILVUS = MilvusResource(namespace="ns", name="m", uid="u", resource_version="7")


async def test_workloads_and_pods_come_sorted_from_all_pages(server: Server, kube: KubeAdapter) -> None:
    def pages(request: web.Request) -> Answer:
        last = request.query.get("continue") == "more"
        name = "a" if last else "b"
        item = {"metadata": {"name": name, "creationTimestamp": "2026-01-02T03:04:05Z"}}
        return 200, {"metadata": {} if last else {"continue": "more"}, "items": [item]}

    server.answers["GET", DEPLOYMENTS_PATH] = pages
    server.answers["GET", "/api/v1/namespaces/ns/pods"] = pages
    assert [found.name for found in await kube.list_workloads("ns", "a=b")] == ["a", "b"]
    assert [found.name for found in await kube.list_pods("ns", "a=b")] == ["a", "b"]
    assert all("labelSelector=a%3Db" in path for _, path, _, _ in server.asked)


async def test_a_pod_that_no_api_server_would_list_is_refused(server: Server, kube: KubeAdapter) -> None:
    server.answers["GET", "/api/v1/namespaces/ns/pods"] = 200, {"items": [{"metadata": {"name": "p"}}]}
    with pytest.raises(Refused, match="creation time"):
        await kube.list_pods("ns", "")


async def test_a_roll_is_a_merge_patch_under_our_name(server: Server, kube: KubeAdapter) -> None:
    server.answers["PATCH", f"{DEPLOYMENTS_PATH}/proxy"] = 200, {}
    await kube.annotate_workload(PROXY, "h1")
    _, path, content_type, _ = server.asked[0]
    assert path.endswith("?fieldManager=milvus-embedding-operator")
    assert content_type == "application/merge-patch+json"


async def test_a_milvus_is_applied_under_our_name_and_never_by_force(server: Server, kube: KubeAdapter) -> None:
    server.answers["PATCH", MILVUS_PATH] = 200, {}
    await kube.apply_milvus(MILVUS, {Component.STANDALONE: "h1"})
    _, path, content_type, _ = server.asked[0]
    assert path.endswith("?fieldManager=milvus-embedding-operator&force=false")
    assert content_type == "application/apply-patch+yaml"


async def test_a_milvus_that_is_not_there_is_not_found(server: Server, kube: KubeAdapter) -> None:
    with pytest.raises(NotFound):
        await kube.read_milvus("ns", "m")
    server.answers["GET", MILVUS_PATH] = 200, {"metadata": {"name": "m"}}
    assert (await kube.read_milvus("ns", "m")).name == "m"


async def test_a_stale_version_and_a_foreign_owner_are_told_apart(server: Server, kube: KubeAdapter) -> None:
    server.answers["PATCH", MILVUS_PATH] = 409, {"reason": "Conflict", "message": "the object has been modified"}
    with pytest.raises(Conflict, match="modified"):
        await kube.apply_milvus(MILVUS, {Component.STANDALONE: "h1"})
    field = ".spec.components.standalone.podAnnotations.embedding.milvus.io/config-hash"
    message = 'conflict with "kubectl" using milvus.io/v1beta1'
    cause = {"reason": "FieldManagerConflict", "message": message, "field": field}
    server.answers["PATCH", MILVUS_PATH] = 409, {"reason": "Conflict", "details": {"causes": [cause]}}
    with pytest.raises(Refused) as refused:
        await kube.apply_milvus(MILVUS, {Component.STANDALONE: "h1"})
    assert f"{field[1:]} is owned by field manager kubectl; remove it" in str(refused.value)


async def test_an_object_that_was_made_anew_conflicts(server: Server, kube: KubeAdapter) -> None:
    causes = [{"field": "metadata.uid"}, {"field": "metadata.uid"}]
    server.answers["PATCH", MILVUS_PATH] = 422, {"reason": "Invalid", "details": {"causes": causes}}
    with pytest.raises(Conflict):
        await kube.apply_milvus(MILVUS, {Component.STANDALONE: "h1"})


async def test_of_a_refused_template_no_value_is_quoted(server: Server, kube: KubeAdapter) -> None:
    status = {
        "reason": "Invalid",
        "message": "env: Invalid value: some-password",
        "details": {"causes": [{"field": "spec.template.spec.containers[0].env[0]"}]},
    }
    server.answers["PATCH", f"{DEPLOYMENTS_PATH}/proxy"] = 422, status
    with pytest.raises(Refused) as refused:
        await kube.annotate_workload(PROXY, "h1")
    assert "some-password" not in str(refused.value)
    assert "Invalid spec.template.spec.containers[0].env[0]" in str(refused.value)


EVENT = {"metadata": {"name": "e"}}
WRITES: dict[str, Callable[[KubeAdapter], Awaitable[object]]] = {
    "a status": lambda kube: kube.patch_status(COLLECTIONS, "ns", "docs", {"status": {}}),
    "finalizers": lambda kube: kube.patch_finalizers(COLLECTIONS, "ns", "docs", {"metadata": {}}),
    "a Secret": lambda kube: kube.write_secret(write(None)),
    "an Event": lambda kube: kube.create_event("ns", EVENT),
    "an Event again": lambda kube: kube.patch_event("ns", "e", EVENT),
}


@pytest.mark.parametrize("change", WRITES.values(), ids=list(WRITES))
async def test_nothing_is_written_without_the_lease(
    server: Server, kube: KubeAdapter, change: Callable[[KubeAdapter], Awaitable[object]]
) -> None:
    with pytest.raises(NotLeading, match="does not hold the lease any more"):
        await change(kube.within(lambda: 0.0))

    assert server.asked == []


async def test_reads_and_the_lease_itself_need_no_lease(server: Server, kube: KubeAdapter) -> None:
    lease = {"metadata": {"resourceVersion": "2"}, "spec": {"holderIdentity": "a"}}
    path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
    server.answers["GET", f"{path}/l"] = server.answers["PUT", f"{path}/l"] = 200, lease
    outside = kube.within(lambda: 0.0)

    record = await outside.read_lease("ns", "l")

    assert await outside.update_lease("ns", "l", record) == record


async def test_a_write_is_waited_for_no_longer_than_the_lease_lasts(server: Server, kube: KubeAdapter) -> None:
    server.awake.clear()
    with pytest.raises(Unavailable):
        await kube.within(lambda: 0.05).create_event("ns", EVENT)
    server.awake.set()
