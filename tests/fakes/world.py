"""A World in memory: objects as their manifests, Secrets with ways to fail, and a record of every read and write."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from milvus_embedding.api.annotations import FINALIZER, PREFIX
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import Metadata
from milvus_embedding.api.references import METADATA_NAME, Key
from milvus_embedding.controllers.base import (
    Conflict,
    Resource,
    SecretFound,
    SecretMissing,
    SecretRead,
    SecretWrite,
    Stale,
    T,
    World,
    WriteRefused,
)
from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload
from tests.fakes.outside import Outside
from tests.fakes.workloads import Fleet

Body = dict[str, object]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Seconds that pass only when a test says so; `today` is the same moment as a date."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def today(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(slots=True)
class StoredSecret:
    """A Secret as the API server has it."""

    data: dict[str, bytes] = field(repr=False)
    labels: dict[str, str]
    version: int


class FakeWorld(World):
    """`unreadable` answers for a Secret instead of what is there; `refusal` is raised by the next write.

    `namespaces`: the labels of those that the operator sees. `hidden`: objects that exist, and that no list showed.
    `fleet`: the workloads. `outside`: every call that leaves the process, and how to end it at one of them. With
    `lease_lasts` False, nothing is confirmed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.bodies: dict[Key, Body] = {}
        self.secrets: dict[tuple[str, str], StoredSecret] = {}
        self.config_maps: dict[tuple[str, str], StoredSecret] = {}
        self.unreadable: dict[tuple[str, str], SecretRead] = {}
        self.refusal: WriteRefused | Conflict | None = None
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.hidden: set[Key] = set()
        self.uses: Counter[Key] = Counter()
        self.reads: list[tuple[str, str]] = []
        self.writes: list[SecretWrite] = []
        self.outside = Outside()
        self.fleet = Fleet(clock.today, self.outside)
        self.lease_lasts = True
        self._parsed: dict[Key, Resource] = {}
        self._version = 0

    def put(self, *bodies: Mapping[str, object]) -> None:
        """Takes manifests, as `kubectl apply` would: statuses stay, the generation counts changes of the spec."""
        for body in bodies:
            metadata = cast("dict[str, object]", dict(cast("Mapping[str, object]", body["metadata"])))
            key = Key(str(body["kind"]), str(metadata.setdefault("namespace", "default")), str(metadata["name"]))
            before = self.bodies.get(key)
            metadata.setdefault("uid", f"uid-of-{key.name}")
            metadata.setdefault("creationTimestamp", "2025-01-01T00:00:00Z")
            metadata["generation"] = _generation(before, body)
            if before is not None:
                kept = cast("Mapping[str, object]", before["metadata"])
                metadata |= {name: kept[name] for name in ("finalizers", "deletionTimestamp") if name in kept}
            status = body.get("status") or (before or {}).get("status")
            self._store(key, {**body, "metadata": metadata, **({"status": status} if status else {})})

    def set_status(self, key: Key, status: Mapping[str, object]) -> None:
        """Replaces the whole status."""
        self._store(key, {**self.bodies[key], "status": dict(status)})

    def remove(self, key: Key) -> None:
        del self.bodies[key], self._parsed[key]

    def delete(self, *keys: Key) -> None:
        """As `kubectl delete` does: what bears a finalizer stays, and is marked."""
        for key in keys:
            body = self.bodies[key]
            metadata = cast("dict[str, object]", body["metadata"])
            if not metadata.get("finalizers"):
                self.remove(key)
                continue
            generation = cast("int", metadata["generation"]) + 1
            marked = {**metadata, "deletionTimestamp": timestamp(self.now), "generation": generation}
            self._store(key, {**body, "metadata": marked})

    def annotate(self, key: Key, **annotations: str) -> None:
        """Ours, with _ for - in their names."""
        body = self.bodies[key]
        metadata = cast("dict[str, object]", body["metadata"])
        named = {f"{PREFIX}{name.replace('_', '-')}": value for name, value in annotations.items()}
        before = cast("Mapping[str, str]", metadata.get("annotations") or {})
        self._store(key, {**body, "metadata": {**metadata, "annotations": {**before, **named}}})

    def finalizers(self, key: Key) -> tuple[str, ...]:
        metadata = cast("Mapping[str, object]", self.bodies[key]["metadata"])
        return tuple(cast("Sequence[str]", metadata.get("finalizers") or ()))

    def resource(self, key: Key) -> Resource:
        return self._parsed[key]

    def status(self, key: Key) -> Mapping[str, object]:
        return cast("Mapping[str, object]", self.bodies[key].get("status") or {})

    def put_secret(
        self, namespace: str, name: str, data: Mapping[str, str], *, labels: Mapping[str, str] | None = None
    ) -> None:
        """As a user would write it."""
        self._version += 1
        encoded = {key: value.encode() for key, value in data.items()}
        self.secrets[namespace, name] = StoredSecret(encoded, dict(labels or {}), self._version)

    @property
    def now(self) -> datetime:
        return self._clock.today()

    def get(self, kind: type[T], namespace: str, name: str) -> T | None:
        key = Key(kind.KIND, namespace, name)
        found = self._parsed.get(key) if key not in self.hidden else None
        return found if isinstance(found, kind) else None

    def list(self, kind: type[T]) -> Sequence[T]:
        shown = sorted(key for key in self._parsed if key not in self.hidden)
        return [found for key in shown if isinstance(found := self._parsed[key], kind)]

    def used_by(self, key: Key) -> int:
        return self.uses[key]

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        self.reads.append((namespace, name))
        with self.outside.call("read_secret", f"{namespace}/{name}"):
            if answer := self.unreadable.get((namespace, name)):
                return answer
            return _found(self.secrets.get((namespace, name)))

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        self.reads.append((namespace, name))
        with self.outside.call("read_config_map", f"{namespace}/{name}"):
            if answer := self.unreadable.get((namespace, name)):
                return answer
            return _found(self.config_maps.get((namespace, name)))

    async def write_secret(self, secret: SecretWrite) -> str:
        with self.outside.call("write_secret", f"{secret.namespace}/{secret.name}"):
            return self._write_secret(secret)

    async def add_finalizer(self, resource: Resource) -> None:
        with self.outside.call("add_finalizer", str(resource.key)):
            self._set_finalizers(resource, [*resource.metadata.finalizers, FINALIZER])

    async def remove_finalizer(self, resource: Resource) -> None:
        with self.outside.call("remove_finalizer", str(resource.key)):
            self._set_finalizers(resource, [name for name in resource.metadata.finalizers if name != FINALIZER])

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        labels = self.namespaces.get(namespace)
        return {METADATA_NAME: namespace, **labels} if labels is not None else {}

    async def exists(self, key: Key) -> bool:
        with self.outside.call("exists", str(key)):
            return key in self.bodies

    async def confirm(self, resource: Resource) -> None:
        with self.outside.call("confirm", str(resource.key)):
            present = self._parsed.get(resource.key)
            if present is None or _identity(present.metadata) != _identity(resource.metadata) or not self.lease_lasts:
                raise Stale(f"{resource.key} is not as it was decided on")

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        return await self.fleet.list_workloads(namespace, selector)

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        return await self.fleet.list_pods(namespace, selector)

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        return await self.fleet.read_milvus(namespace, name)

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        await self.fleet.annotate_workload(workload, config_hash)

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        await self.fleet.apply_milvus(milvus, config_hashes)

    def _set_finalizers(self, resource: Resource, finalizers: Sequence[str]) -> None:
        present = self._parsed.get(resource.key)
        if present is None or present.metadata != resource.metadata:
            raise Conflict(f"{resource.key} was changed")
        body = self.bodies[resource.key]
        metadata = cast("dict[str, object]", body["metadata"])
        self._store(resource.key, {**body, "metadata": {**metadata, "finalizers": [*finalizers]}})
        if resource.is_deleted and not finalizers:
            self.remove(resource.key)

    def _write_secret(self, secret: SecretWrite) -> str:
        if refusal := self.refusal:
            self.refusal = None
            raise refusal
        present = self.secrets.get((secret.namespace, secret.name))
        if (str(present.version) if present else None) != secret.resource_version:
            raise Conflict(f"Secret {secret.name} is not as it was read")
        self._version += 1
        self.writes.append(secret)
        self.secrets[secret.namespace, secret.name] = StoredSecret(
            dict(secret.data), dict(secret.labels), self._version
        )
        return str(self._version)

    def _store(self, key: Key, body: Body) -> None:
        self.bodies[key] = body
        self._parsed[key] = cast("Resource", KINDS[key.kind].parse(body))


def _identity(metadata: Metadata) -> tuple[object, ...]:
    return metadata.uid, metadata.generation, metadata.deletion_timestamp, dict(metadata.annotations)


def _generation(before: Body | None, body: Mapping[str, object]) -> int:
    if before is None:
        return 1
    generation = cast("dict[str, int]", before["metadata"])["generation"]
    return generation if before["spec"] == body["spec"] else generation + 1


def _found(stored: StoredSecret | None) -> SecretRead:
    if stored is None:
        return SecretMissing()
    return SecretFound(dict(stored.data), dict(stored.labels), str(stored.version))
