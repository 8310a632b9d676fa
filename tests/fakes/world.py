"""A World in memory: objects as their manifests, Secrets with ways to fail, and a record of every read and write."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import (
    Conflict,
    Resource,
    SecretFound,
    SecretMissing,
    SecretRead,
    SecretWrite,
    T,
    World,
    WriteRefused,
)

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
    """`unreadable` answers for a Secret instead of what is there; `refusal` is raised by the next write."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.bodies: dict[Key, Body] = {}
        self.secrets: dict[tuple[str, str], StoredSecret] = {}
        self.config_maps: dict[tuple[str, str], StoredSecret] = {}
        self.unreadable: dict[tuple[str, str], SecretRead] = {}
        self.refusal: WriteRefused | Conflict | None = None
        self.uses: Counter[Key] = Counter()
        self.reads: list[tuple[str, str]] = []
        self.writes: list[SecretWrite] = []
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
            status = body.get("status") or (before or {}).get("status")
            self._store(key, {**body, "metadata": metadata, **({"status": status} if status else {})})

    def set_status(self, key: Key, status: Mapping[str, object]) -> None:
        """Replaces the whole status."""
        self._store(key, {**self.bodies[key], "status": dict(status)})

    def remove(self, key: Key) -> None:
        del self.bodies[key], self._parsed[key]

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
        found = self._parsed.get(Key(kind.KIND, namespace, name))
        return found if isinstance(found, kind) else None

    def list(self, kind: type[T]) -> Sequence[T]:
        return [found for _, found in sorted(self._parsed.items()) if isinstance(found, kind)]

    def used_by(self, key: Key) -> int:
        return self.uses[key]

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        self.reads.append((namespace, name))
        if answer := self.unreadable.get((namespace, name)):
            return answer
        return _found(self.secrets.get((namespace, name)))

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        self.reads.append((namespace, name))
        return _found(self.config_maps.get((namespace, name)))

    async def write_secret(self, secret: SecretWrite) -> str:
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


def _generation(before: Body | None, body: Mapping[str, object]) -> int:
    if before is None:
        return 1
    generation = cast("dict[str, int]", before["metadata"])["generation"]
    return generation if before["spec"] == body["spec"] else generation + 1


def _found(stored: StoredSecret | None) -> SecretRead:
    if stored is None:
        return SecretMissing()
    return SecretFound(dict(stored.data), dict(stored.labels), str(stored.version))
