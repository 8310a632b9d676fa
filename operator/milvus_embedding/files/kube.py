"""The `Kube` port over manifests, in memory: what the runtime needs of an API server where there is none.

Statuses and written Secrets live as long as the process; a Secret that has a folder is kept there as well. Uids are
derived from names: the same object has the same one in every run.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, NoReturn

from milvus_embedding.api.annotations import CONNECTION_LABEL
from milvus_embedding.api.metadata import GROUP
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import (
    OUR_TYPES,
    SECRETS,
    Access,
    Body,
    LeaseRecord,
    NotFound,
    Page,
    Refused,
    ResourceType,
)
from milvus_embedding.clients.kube.secrets import (
    Conflict,
    SecretFound,
    SecretMissing,
    SecretRead,
    SecretWrite,
    WriteRefused,
)
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload
from milvus_embedding.files.directory import ConfigDirectory
from milvus_embedding.files.manifests import Manifests, Place
from milvus_embedding.validation.documents import SourcedDocument

OWNER: Final = "files"
"""The owner id of what is made without a cluster, unless another one is given."""


class FileKube:
    """An API server that holds what the manifests say.

    folder: where the rendered Secret of a connection is kept, as (its place, the connection's name, the folder).
    """

    def __init__(self, manifests: Manifests, *, folder: tuple[Place, str, ConfigDirectory] | None = None) -> None:
        self._version = 0
        self._objects: dict[Key, dict[str, object]] = {}
        self._secrets: dict[Place, SecretFound] = {}
        self._config_maps: dict[Place, SecretFound] = {}
        self._folders: dict[Place, ConfigDirectory] = {}
        self.on_secret: Callable[[Key, int], None] = lambda key, version: None
        for document in manifests.objects:
            key = Key(document.kind, document.namespace, document.name)
            self._objects[key] = self._admitted(key, document)
        for place, secret in manifests.secrets.items():
            self._secrets[place] = SecretFound(secret.data, secret.labels, self._next())
        for place, config_map in manifests.config_maps.items():
            self._config_maps[place] = SecretFound(config_map.data, config_map.labels, self._next())
        if folder is not None:
            self._attach(*folder)

    def objects(self) -> Mapping[Key, Body]:
        """All objects with their present status."""
        return self._objects

    async def pages(
        self, type_: ResourceType, namespace: str | None, *, metadata_only: bool = False, selector: str = ""
    ) -> AsyncIterator[Page]:
        items: list[Body] = [
            body for key, body in self._objects.items() if key.kind == type_.kind and namespace in (None, key.namespace)
        ]
        if type_ is SECRETS:
            items = [
                {"metadata": {"namespace": place[0], "name": place[1], "resourceVersion": secret.resource_version}}
                for place, secret in self._secrets.items()
                if namespace in (None, place[0])
            ]
        yield Page(items, str(self._version))

    async def get(self, type_: ResourceType, namespace: str | None, name: str) -> Body:
        return self._object(type_, namespace or "", name)

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        body = self._object(type_, namespace, name)
        metadata = _mapping(body["metadata"])
        wanted = _mapping(patch.get("metadata")).get("resourceVersion")
        if wanted not in (None, metadata["resourceVersion"]):
            raise Conflict(f"{type_.kind} {namespace}/{name} was changed meanwhile")
        changed: dict[str, object] = {**body, "metadata": {**metadata, "resourceVersion": self._next()}}
        changed["status"] = _patched(_mapping(body.get("status")), _mapping(patch.get("status")))
        self._objects[Key(type_.kind, namespace, name)] = changed
        return changed

    async def patch_finalizers(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        body = self._object(type_, namespace, name)
        metadata, told = _mapping(body["metadata"]), _mapping(patch["metadata"])
        if told["resourceVersion"] != metadata["resourceVersion"]:
            raise Conflict(f"{type_.kind} {namespace}/{name} was changed meanwhile")
        held = {**metadata, "finalizers": told["finalizers"], "resourceVersion": self._next()}
        self._objects[Key(type_.kind, namespace, name)] = changed = {**body, "metadata": held}
        return changed

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        return self._secrets.get((namespace, name)) or SecretMissing()

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        return self._config_maps.get((namespace, name)) or SecretMissing()

    async def write_secret(self, secret: SecretWrite) -> str:
        place = (secret.namespace, secret.name)
        present = self._secrets.get(place)
        if (present.resource_version if present else None) != secret.resource_version:
            raise Conflict(f"Secret {secret.namespace}/{secret.name} was changed meanwhile")
        folder = self._folders.get(place)
        if folder is not None:
            try:
                folder.write(secret.data)
            except OSError as error:
                raise WriteRefused(f"{folder.path} cannot be written: {error.strerror}") from None
        written = SecretFound(dict(secret.data), dict(secret.labels), self._next())
        self._secrets[place] = written
        self.on_secret(Key(SECRETS.kind, *place), int(written.resource_version))
        return written.resource_version

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        # Not an empty list: that would say that a cluster was looked at.
        raise NotFound("there are no Deployments without a cluster", 404)

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        raise NotFound("there are no pods without a cluster", 404)

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        raise NotFound(f"there is no Deployment {workload.namespace}/{workload.name} without a cluster", 404)

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        raise NotFound(f"there is no Milvus {namespace}/{name} without a cluster", 404)

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        raise NotFound(f"there is no Milvus {milvus.namespace}/{milvus.name} without a cluster", 404)

    async def read_lease(self, namespace: str, name: str) -> LeaseRecord:
        _no_leases()

    async def create_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        _no_leases()

    async def update_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        _no_leases()

    async def is_allowed(self, access: Access) -> bool:
        return True

    async def served(self, group: str, version: str) -> frozenset[str]:
        return frozenset(type_.plural for type_ in OUR_TYPES.values()) if group == GROUP else frozenset()

    async def create_event(self, namespace: str, event: Body) -> str:
        return ""

    async def patch_event(self, namespace: str, name: str, patch: Body) -> None:
        return None

    async def kube_system_uid(self) -> str:
        return OWNER

    def _object(self, type_: ResourceType, namespace: str, name: str) -> Body:
        body = self._objects.get(Key(type_.kind, namespace, name))
        if body is None:
            raise NotFound(f"{type_.kind} {namespace}/{name} is not in the manifests", 404)
        return body

    def _admitted(self, key: Key, document: SourcedDocument) -> dict[str, object]:
        """The object as an API server would have stored it: without a status of the user's making."""
        metadata: dict[str, object] = {
            **_mapping(document.body.get("metadata")),
            "namespace": key.namespace,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{GROUP}/{key.kind}/{key.namespace}/{key.name}")),
            "generation": 1,
            "resourceVersion": self._next(),
        }
        return {**{k: v for k, v in document.body.items() if k != "status"}, "metadata": metadata}

    def _attach(self, place: Place, connection: str, folder: ConfigDirectory) -> None:
        self._folders[place] = folder
        data = folder.load()
        if data is not None:
            self._secrets[place] = SecretFound(data, {CONNECTION_LABEL: connection}, self._next())

    def _next(self) -> str:
        self._version += 1
        return str(self._version)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _patched(before: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """RFC 7386: None removes, maps merge, everything else replaces."""
    merged = dict(before)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = _patched(_mapping(merged.get(name)), value)
        else:
            merged[name] = value
    return merged


def _no_leases() -> NoReturn:
    raise Refused("there are no Leases without a cluster")
