"""An API server in memory, as far as the `Kube` port shows it: versions, conflicts, statuses, leases, permissions.

Deployments, pods and Milvus resources are put like our own kinds; nothing acts on them.

Failures are injected by setting `fail`: it is called before every request and may raise.
"""

import copy
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from milvus_embedding.api.annotations import CONFIG_HASH
from milvus_embedding.api.metadata import API_VERSION
from milvus_embedding.api.references import METADATA_NAME, Key
from milvus_embedding.clients.kube import workloads
from milvus_embedding.clients.kube.bodies import mapping
from milvus_embedding.clients.kube.port import (
    DEPLOYMENTS,
    MILVUSES,
    NAMESPACES,
    OUR_TYPES,
    PODS,
    SECRETS,
    Access,
    Body,
    Forbidden,
    LeaseRecord,
    NotFound,
    Page,
    Refused,
    ResourceType,
)
from milvus_embedding.clients.kube.secrets import Conflict, SecretFound, SecretMissing, SecretRead, SecretWrite
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload
from tests.fakes.selectors import matches

Object = dict[str, Any]
Request = tuple[str, str]


class FakeKube:
    """Satisfies `ApiServer`. `requests` holds (verb, key or name) of everything asked. `owned_by_others`: components of
    Milvus resources whose annotation is another field manager's.
    """

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[Key, Object] = {}
        self.secrets: dict[tuple[str, str], SecretFound] = {}
        self.leases: dict[tuple[str, str], LeaseRecord] = {}
        self.events: dict[str, Object] = {}
        self.denied: set[Access] = set()
        self.plurals = {type_.plural for type_ in OUR_TYPES.values()}
        self.requests: list[Request] = []
        self.fail: Callable[[str, str], None] = lambda verb, what: None
        self.before_status: Callable[[Key], None] = lambda key: None
        self.page_size = 2
        self.owned_by_others: set[Component] = set()

    def put(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, object],
        *,
        namespace: str = "ns",
        metadata: Mapping[str, object] | None = None,
    ) -> Object:
        """Creates or changes an object as a user does; a changed spec is a new generation."""
        key = Key(kind, namespace, name)
        before = self.objects.get(key)
        generation = 1 if before is None else before["metadata"]["generation"] + (before["spec"] != spec)
        uid = f"uid-{self._next()}" if before is None else before["metadata"]["uid"]
        status = {} if before is None else before.get("status", {})
        meta = {"name": name, "namespace": namespace, "uid": uid, "generation": generation, **(metadata or {})}
        body = {
            "apiVersion": API_VERSION if kind in OUR_TYPES else "v1",
            "kind": kind,
            "metadata": meta,
            "spec": dict(spec),
            "status": status,
        }
        return self._store(key, body)

    def delete(self, kind: str, name: str, *, namespace: str = "ns") -> Object:
        """Removes an object; returns it with the version of the deletion."""
        body = self.objects.pop(Key(kind, namespace, name))
        body["metadata"]["resourceVersion"] = self._next()
        return body

    def put_secret(self, name: str, data: Mapping[str, bytes], *, namespace: str = "ns") -> None:
        self.secrets[namespace, name] = SecretFound(data=data, labels={}, resource_version=self._next())

    def put_namespace(self, name: str, **labels: str) -> Object:
        """Creates a Namespace or gives it other labels."""
        metadata = {"name": name, "uid": f"uid-of-{name}", "labels": {METADATA_NAME: name, **labels}}
        return self._store(Key(NAMESPACES.kind, "", name), {"kind": NAMESPACES.kind, "metadata": metadata})

    def status_writes(self) -> list[str]:
        """What statuses were written, in order."""
        return [what for verb, what in self.requests if verb == "patch_status"]

    async def pages(
        self, type_: ResourceType, namespace: str | None, *, metadata_only: bool = False, selector: str = ""
    ) -> AsyncIterator[Page]:
        self._ask("list", type_.kind)
        matching = self._matching(type_, namespace)
        found = [{"metadata": b["metadata"]} if metadata_only else copy.deepcopy(b) for b in matching]
        version = str(self.version)
        for start in range(0, max(1, len(found)), self.page_size):
            yield Page(found[start : start + self.page_size], version)

    async def count(self, type_: ResourceType, namespace: str | None, *, selector: str = "") -> int | None:
        self._ask("count", type_.kind)
        number = len(self._matching(type_, namespace))
        return number if not selector or number <= 1 else None

    async def get(self, type_: ResourceType, namespace: str | None, name: str) -> Body:
        key = Key(type_.kind, namespace or "", name)
        self._ask("get", str(key))
        return copy.deepcopy(self._existing(key))

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        key = Key(type_.kind, namespace, name)
        self._ask("patch_status", str(key))
        self.before_status(key)
        body = copy.deepcopy(self._existing(key))
        metadata = patch["metadata"]
        assert isinstance(metadata, Mapping)
        if metadata["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict(f"{key} was changed")
        _merge(body.setdefault("status", {}), patch["status"])
        return copy.deepcopy(self._store(key, body))

    async def patch_finalizers(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        key = Key(type_.kind, namespace, name)
        self._ask("patch_finalizers", str(key))
        body = copy.deepcopy(self._existing(key))
        told = mapping(patch["metadata"])
        if any(body["metadata"].get(field) != told[field] for field in ("resourceVersion", "uid")):
            raise Conflict(f"{key} was changed")
        assert set(told) == {"resourceVersion", "uid", "finalizers"}
        body["metadata"]["finalizers"] = told["finalizers"]
        stored = self._store(key, body)
        if body["metadata"].get("deletionTimestamp") and not told["finalizers"]:
            del self.objects[key]
        return copy.deepcopy(stored)

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        self._ask("read_secret", f"{namespace}/{name}")
        return self.secrets.get((namespace, name)) or SecretMissing()

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        self._ask("read_config_map", f"{namespace}/{name}")
        return SecretMissing()

    async def write_secret(self, secret: SecretWrite) -> str:
        self._ask("write_secret", f"{secret.namespace}/{secret.name}")
        present = self.secrets.get((secret.namespace, secret.name))
        if (present.resource_version if present else None) != secret.resource_version:
            raise Conflict("changed meanwhile")
        labels = {**(present.labels if present else {}), **secret.labels}
        version = self._next()
        self.secrets[secret.namespace, secret.name] = SecretFound(secret.data, labels, version)
        return version

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        return sorted(map(workloads.workload, self._selected(DEPLOYMENTS, namespace, selector)), key=lambda w: w.name)

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        return sorted(map(workloads.pod, self._selected(PODS, namespace, selector)), key=lambda pod: pod.name)

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        key = Key(DEPLOYMENTS.kind, workload.namespace, workload.name)
        self._ask("annotate_workload", str(key))
        self._change(key, workloads.annotation_patch(workload, config_hash))

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        return workloads.milvus(await self.get(MILVUSES, namespace, name))

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        key = Key(MILVUSES.kind, milvus.namespace, milvus.name)
        self._ask("apply_milvus", str(key))
        if self.owned_by_others & set(config_hashes):
            raise Refused(f"{key}: an annotation is owned by another field manager", 409)
        applied = workloads.milvus_configuration(milvus, config_hashes)
        hashes = {component: config_hashes.get(component) for component in milvus.components}
        parts = {c.in_milvus_resource: {"podAnnotations": {CONFIG_HASH: hash_}} for c, hash_ in hashes.items()}
        self._change(key, {**applied, "spec": {"components": parts}})

    async def read_lease(self, namespace: str, name: str) -> LeaseRecord:
        self._ask("read_lease", name)
        if (namespace, name) not in self.leases:
            raise NotFound("no such lease", 404)
        return self.leases[namespace, name]

    async def create_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        self._ask("create_lease", name)
        if (namespace, name) in self.leases:
            raise Conflict("exists")
        return self._lease(namespace, name, lease)

    async def update_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        self._ask("update_lease", name)
        if (namespace, name) not in self.leases:
            raise NotFound("no such lease", 404)
        if self.leases[namespace, name].resource_version != lease.resource_version:
            raise Conflict("changed")
        return self._lease(namespace, name, lease)

    async def is_allowed(self, access: Access) -> bool:
        self._ask("review", f"{access.verb} {access.resource}")
        return access not in self.denied

    async def served(self, group: str, version: str) -> frozenset[str]:
        self._ask("discover", f"{group}/{version}")
        return frozenset(self.plurals)

    async def create_event(self, namespace: str, event: Body) -> str:
        self._ask("create_event", namespace)
        body = copy.deepcopy(dict(event))
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        name = str(metadata["name"])
        self.events[name] = body
        return name

    async def patch_event(self, namespace: str, name: str, patch: Body) -> None:
        self._ask("patch_event", namespace)
        if name not in self.events:
            raise NotFound("no such event", 404)
        _merge(self.events[name], patch)

    async def kube_system_uid(self) -> str:
        self._ask("get", "kube-system")
        return "cluster-uid"

    def forbid(self, verb: str, what: str = "") -> None:
        """From now on requests of that verb (on what contains `what`) are forbidden."""

        def fail(asked: str, on: str) -> None:
            if asked == verb and what in on:
                raise Forbidden(f"{verb} {on}: forbidden", 403)

        self.fail = fail

    def _matching(self, type_: ResourceType, namespace: str | None) -> list[Object]:
        if type_ == SECRETS:
            return [
                {"metadata": {"namespace": ns, "name": name, "resourceVersion": secret.resource_version}}
                for (ns, name), secret in self.secrets.items()
                if namespace in (None, ns)
            ]
        return [b for k, b in self.objects.items() if k.kind == type_.kind and namespace in (None, k.namespace)]

    def _selected(self, type_: ResourceType, namespace: str, selector: str) -> list[Object]:
        self._ask("list", type_.kind)
        return [b for b in self._matching(type_, namespace) if matches(selector, b["metadata"].get("labels", {}))]

    def _change(self, key: Key, patch: Body) -> None:
        """A patch of a spec; what it says of the metadata has to be so."""
        body = copy.deepcopy(self._existing(key))
        if any(body["metadata"].get(name) != told for name, told in mapping(patch["metadata"]).items()):
            raise Conflict(f"{key} was changed")
        before = copy.deepcopy(body["spec"])
        _merge(body["spec"], patch.get("spec", {}))
        body["metadata"]["generation"] += before != body["spec"]
        self._store(key, body)

    def _ask(self, verb: str, what: str) -> None:
        self.requests.append((verb, what))
        self.fail(verb, what)

    def _existing(self, key: Key) -> Object:
        if key not in self.objects:
            raise NotFound(f"{key}: HTTP 404", 404)
        return self.objects[key]

    def _store(self, key: Key, body: Object) -> Object:
        body["metadata"]["resourceVersion"] = self._next()
        self.objects[key] = body
        return body

    def _lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        stored = dataclasses.replace(lease, resource_version=self._next())
        self.leases[namespace, name] = stored
        return stored

    def _next(self) -> str:
        self.version += 1
        return str(self.version)


def _merge(target: Object, patch: object) -> None:
    assert isinstance(patch, Mapping)
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, Mapping):
            inner = target.setdefault(name, {})
            _merge(inner, value)
        else:
            target[name] = copy.deepcopy(value)
