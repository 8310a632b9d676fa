"""The `Kube` port on the asyncio client of the `kubernetes` package.

Only its authentication, TLS and connection pool are used: bodies go as JSON, not through the generated models, whose
repr prints the data of Secrets. Does not retry, cache or log.
"""

import asyncio
import base64
import binascii
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from milvus_embedding.clients.kube import workloads
from milvus_embedding.clients.kube.bodies import bodies, integer, mapping
from milvus_embedding.clients.kube.errors import no_answer, translate
from milvus_embedding.clients.kube.port import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    MILVUSES,
    NAMESPACES,
    PODS,
    SECRETS,
    Access,
    Body,
    Forbidden,
    KubeError,
    LeaseRecord,
    NotFound,
    NotLeading,
    Page,
    Refused,
    ResourceType,
)
from milvus_embedding.clients.kube.secrets import (
    Conflict,
    SecretFailed,
    SecretForbidden,
    SecretFound,
    SecretMissing,
    SecretRead,
    SecretWrite,
    WriteRefused,
)
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload
from milvus_embedding.domain.scrub import Scrubber

_PAGE = 500
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"
_AS_OURS = ("fieldManager", workloads.FIELD_MANAGER)
_NOT_OF_LEADERS = (f"/apis/{LEASES.group}/", "/apis/authorization.k8s.io/")
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class KubeAdapter:
    """One API server. `timeout` is the deadline of a request in seconds."""

    def __init__(
        self,
        api: client.ApiClient,
        scrubber: Scrubber,
        *,
        timeout: float = 15.0,
        lease_remaining: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._api = api
        self._scrubber = scrubber
        self._timeout = timeout
        self._lease_remaining = lease_remaining

    def within(self, lease_remaining: Callable[[], float]) -> "KubeAdapter":
        """The same server over the same connections, whose writes but those of Leases are sent only while the lease
        lasts, and waited for no longer: they raise NotLeading. `lease_remaining` is in seconds.
        """
        return KubeAdapter(self._api, self._scrubber, timeout=self._timeout, lease_remaining=lease_remaining)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def pages(
        self, type_: ResourceType, namespace: str | None, *, metadata_only: bool = False, selector: str = ""
    ) -> AsyncIterator[Page]:
        query = [("limit", str(_PAGE))]
        if selector:
            query.append(("labelSelector", selector))
        token = ""
        while True:
            continued = [*query, ("continue", token)] if token else query
            accept = _METADATA_LIST if metadata_only else _JSON
            listed = await self._call("GET", type_.path(namespace), query=continued, accept=accept)
            meta = mapping(listed.get("metadata"))
            yield Page(bodies(listed.get("items")), str(meta.get("resourceVersion", "")))
            token = str(meta.get("continue") or "")
            if not token:
                return

    async def count(self, type_: ResourceType, namespace: str | None, *, selector: str = "") -> int | None:
        query = [("limit", "1"), *([("labelSelector", selector)] if selector else [])]
        listed = await self._call("GET", type_.path(namespace), query=query, accept=_METADATA_LIST)
        meta = mapping(listed.get("metadata"))
        here = len(bodies(listed.get("items")))
        if not meta.get("continue"):
            return here
        rest = meta.get("remainingItemCount")
        return here + rest if isinstance(rest, int) else None

    async def get(self, type_: ResourceType, namespace: str | None, name: str) -> Body:
        return await self._call("GET", type_.path(namespace, name))

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        return await self._call("PATCH", type_.path(namespace, name, "status"), body=patch, content=_MERGE_PATCH)

    async def patch_finalizers(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        return await self._call(
            "PATCH", type_.path(namespace, name), query=[_AS_OURS], body=patch, content=_MERGE_PATCH
        )

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        return await self._read(SECRETS, namespace, name)

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        return await self._read(CONFIG_MAPS, namespace, name)

    async def write_secret(self, secret: SecretWrite) -> str:
        try:
            body = await self._secret_body(secret)
            if secret.resource_version is None:
                written = await self._call("POST", SECRETS.path(secret.namespace), body=body)
            else:
                written = await self._call("PUT", SECRETS.path(secret.namespace, secret.name), body=body)
        except NotFound:
            if secret.resource_version is None:
                raise WriteRefused(f"namespace {secret.namespace} does not exist") from None
            raise Conflict(f"Secret {secret.namespace}/{secret.name} is gone") from None
        except (Forbidden, Refused) as error:
            raise WriteRefused(str(error)) from None
        return str(mapping(written.get("metadata")).get("resourceVersion", ""))

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        found = [workloads.workload(body) for body in await self._all(DEPLOYMENTS, namespace, selector)]
        return sorted(found, key=lambda workload: workload.name)

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        listed = await self._all(PODS, namespace, selector)
        try:
            found = [workloads.pod(body) for body in listed]
        except ValueError:
            raise Refused(f"GET {PODS.path(namespace)}: a pod without a creation time") from None
        return sorted(found, key=lambda pod: pod.name)

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        path = DEPLOYMENTS.path(workload.namespace, workload.name)
        patch = workloads.annotation_patch(workload, config_hash)
        await self._call("PATCH", path, query=[_AS_OURS], body=patch, content=_MERGE_PATCH)

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        return workloads.milvus(await self._call("GET", MILVUSES.path(namespace, name)))

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        path = MILVUSES.path(milvus.namespace, milvus.name)
        applied = workloads.milvus_configuration(milvus, config_hashes)
        await self._call("PATCH", path, query=[_AS_OURS, ("force", "false")], body=applied, content=_APPLY_PATCH)

    async def read_lease(self, namespace: str, name: str) -> LeaseRecord:
        return _lease(await self._call("GET", LEASES.path(namespace, name)))

    async def create_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        return _lease(await self._call("POST", LEASES.path(namespace), body=_lease_body(name, lease)))

    async def update_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        return _lease(await self._call("PUT", LEASES.path(namespace, name), body=_lease_body(name, lease)))

    async def is_allowed(self, access: Access) -> bool:
        attributes = {
            "verb": access.verb,
            "group": access.type.group,
            "resource": access.type.plural,
            "subresource": access.subresource,
            "namespace": access.namespace or "",
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
        }
        answer = await self._call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return mapping(answer.get("status")).get("allowed") is True

    async def served(self, group: str, version: str) -> frozenset[str]:
        try:
            listed = await self._call("GET", f"/apis/{group}/{version}")
        except NotFound:
            return frozenset()
        return frozenset(str(resource.get("name")) for resource in bodies(listed.get("resources")))

    async def create_event(self, namespace: str, event: Body) -> str:
        created = await self._call("POST", EVENTS.path(namespace), body=event)
        return str(mapping(created.get("metadata")).get("name", ""))

    async def patch_event(self, namespace: str, name: str, patch: Body) -> None:
        await self._call("PATCH", EVENTS.path(namespace, name), body=patch, content=_MERGE_PATCH)

    async def kube_system_uid(self) -> str:
        body = await self._call("GET", NAMESPACES.path(None, "kube-system"))
        return str(mapping(body.get("metadata")).get("uid", ""))

    async def _all(self, type_: ResourceType, namespace: str, selector: str) -> list[Body]:
        return [body async for page in self.pages(type_, namespace, selector=selector) for body in page.items]

    async def _read(self, type_: ResourceType, namespace: str, name: str) -> SecretRead:
        try:
            body = await self._call("GET", type_.path(namespace, name))
            return _found(body)
        except NotFound:
            return SecretMissing()
        except Forbidden:
            return SecretForbidden()
        except (KubeError, binascii.Error) as error:
            return SecretFailed(str(error))

    async def _secret_body(self, secret: SecretWrite) -> Body:
        """What to send. A replacement keeps what others put beside the data: annotations, labels, owners, type."""
        metadata: dict[str, object] = {"name": secret.name, "namespace": secret.namespace, "labels": {**secret.labels}}
        data = {key: base64.b64encode(value).decode() for key, value in secret.data.items()}
        if secret.resource_version is None:
            return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}
        current = await self._call("GET", SECRETS.path(secret.namespace, secret.name))
        before = mapping(current.get("metadata"))
        if before.get("resourceVersion") != secret.resource_version:
            raise Conflict(f"Secret {secret.namespace}/{secret.name} was changed meanwhile")
        labels = {**mapping(before.get("labels")), **secret.labels}
        return {**current, "metadata": {**before, "labels": labels}, "data": data}

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Body | None = None,
        content: str = _JSON,
        accept: str = _JSON,
    ) -> dict[str, object]:
        what = f"{method} {path}"
        try:
            async with asyncio.timeout(self._patience(method, path)):
                status, raw = await self._send(method, path, query=query, body=body, content=content, accept=accept)
        except (aiohttp.ClientError, TimeoutError, OSError, ApiException) as error:
            raise no_answer(error, what) from None
        if not 200 <= status < 300:
            # A refusal may quote what it refuses: of Secrets, and of templates with keys in their environment.
            secret = "/secrets" in path or (status == 422 and "/embedding.milvus.io/" not in path)
            raise translate(status=status, body=raw, what=what, secret=secret, scrubber=self._scrubber)
        return _parsed(raw, what)

    def _patience(self, method: str, path: str) -> float:
        """For how long to wait for an answer. Raises NotLeading."""
        if method == "GET" or path.startswith(_NOT_OF_LEADERS):
            return self._timeout
        remaining = self._lease_remaining()
        if remaining <= 0:
            raise NotLeading(f"{method} {path}: not sent, as this process does not hold the lease any more")
        return min(self._timeout, remaining)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None,
        body: Body | None,
        content: str,
        accept: str,
    ) -> tuple[int, bytes]:
        headers = {"Accept": accept, "Content-Type": content}
        _, url, headers, _, _ = await self._api.param_serialize(
            method, path, query_params=query, header_params=headers, auth_settings=["BearerToken"]
        )
        response = await self._api.call_api(
            method, url, headers, body=None if body is None else _plain(body), _request_timeout=self._timeout
        )
        return response.status, await response.read()  # type: ignore[no-untyped-call]


def _parsed(raw: bytes, what: str) -> dict[str, object]:
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Refused(f"{what}: the answer is no JSON object")
    return parsed


def _plain(value: object) -> object:
    """As json.dumps takes it: read-only mappings and tuples included."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def _found(body: Body) -> SecretFound:
    metadata = mapping(body.get("metadata"))
    data = {k: base64.b64decode(str(v)) for k, v in mapping(body.get("binaryData")).items()}
    if body.get("kind") == "ConfigMap":
        data |= {k: str(v).encode() for k, v in mapping(body.get("data")).items()}
    else:
        data |= {k: base64.b64decode(str(v)) for k, v in mapping(body.get("data")).items()}
    labels = {k: str(v) for k, v in mapping(metadata.get("labels")).items()}
    return SecretFound(data=data, labels=labels, resource_version=str(metadata.get("resourceVersion", "")))


def _lease(body: Body) -> LeaseRecord:
    spec, metadata = mapping(body.get("spec")), mapping(body.get("metadata"))
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        duration_seconds=integer(spec.get("leaseDurationSeconds")),
        acquire_time=str(spec.get("acquireTime") or ""),
        renew_time=str(spec.get("renewTime") or ""),
        transitions=integer(spec.get("leaseTransitions")),
        resource_version=str(metadata.get("resourceVersion", "")),
    )


def _lease_body(name: str, lease: LeaseRecord) -> Body:
    metadata = {"name": name}
    if lease.resource_version:
        metadata["resourceVersion"] = lease.resource_version
    spec = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.duration_seconds,
        "acquireTime": lease.acquire_time,
        "renewTime": lease.renew_time,
        "leaseTransitions": lease.transitions,
    }
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
