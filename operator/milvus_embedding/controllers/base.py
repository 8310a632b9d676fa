"""What a controller is given and what it gives back.

A request carries a key and nothing about the event behind it: a controller looks at the world as it is. It does not
write its status, emit Events or schedule itself; it returns an Outcome, and the runtime does those, once and only when
something differs. `World` remembers what was read through it, so that a change of it wakes the reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
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
from milvus_embedding.domain.conditions import Draft
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload

__all__ = [
    "Conflict",
    "Controller",
    "Note",
    "Outcome",
    "R_contra",
    "Resource",
    "SecretFailed",
    "SecretForbidden",
    "SecretFound",
    "SecretMissing",
    "SecretRead",
    "SecretWrite",
    "Stale",
    "T",
    "World",
    "WriteRefused",
]

Resource = MilvusConnection | EmbeddingCredential | EmbeddingFunction | MilvusCollection
T = TypeVar("T", MilvusConnection, EmbeddingCredential, EmbeddingFunction, MilvusCollection)
R_contra = TypeVar(
    "R_contra", MilvusConnection, EmbeddingCredential, EmbeddingFunction, MilvusCollection, contravariant=True
)


class World(Protocol):
    """What one reconcile sees. Objects come from the cache, Secrets by GET."""

    @property
    def now(self) -> datetime:
        """Aware, UTC, fixed for the duration of one reconcile."""

    def get(self, kind: type[T], namespace: str, name: str) -> T | None:
        """The object, and a promise to be woken when what others may rely on in it changes, appears or goes."""

    def list(self, kind: type[T]) -> Sequence[T]:
        """All objects of a kind, sorted by namespace and name. Not remembered: see `Controller.upstream`."""

    def used_by(self, key: Key) -> int:
        """How many collections refer to a credential or function, directly or through a function."""

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        """Fresh; remembered like `get`."""

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        """Fresh; remembered like `get`. Data as bytes."""

    async def write_secret(self, secret: SecretWrite) -> str:
        """Returns the new resourceVersion. Raises Conflict or WriteRefused."""

    async def add_finalizer(self, resource: Resource) -> None:
        """Adds ours to an object that is as it was read. Raises Conflict or KubeError."""

    async def remove_finalizer(self, resource: Resource) -> None:
        """Removes ours, which may end the object. Raises Conflict or KubeError."""

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace, as far as the operator may see them; remembered like `get`."""

    async def exists(self, key: Key) -> bool:
        """Whether an object of one of our kinds is there, by GET: a cache proves no absence. Raises KubeError."""

    async def confirm(self, resource: Resource) -> None:
        """Directly before an act that cannot be taken back: the object is, by GET, still the one that was decided on
        (uid, generation, annotations, not deleted), and the lease outlasts a call. Raises Stale or KubeError.
        """

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        """Fresh. Raises KubeError."""

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        """Fresh. Raises KubeError."""

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        """Fresh. Raises KubeError (NotFound also if the cluster has no such kind)."""

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        """Rolls a Deployment. Raises KubeError or Conflict."""

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        """Sets all of our annotations on a Milvus resource. Raises KubeError or Conflict."""


class Stale(Exception):
    """What was decided on is not so any more, or the lease does not last. Not an error: look again at once."""


@dataclass(frozen=True, slots=True)
class Note:
    """An Event besides the one that every change of Ready gives by itself."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`status` None leaves the status as it is. `requeue_after` is in seconds; None leaves it to the resync. With
    `backoff` the queue chooses the delay, growing with each such outcome in a row (requeue_after is then its ceiling).
    quiet: a change of Ready is no Event of its own; another object tells it, or it is no news yet.
    """

    status: Draft | None
    requeue_after: float | None = None
    backoff: bool = False
    notes: tuple[Note, ...] = ()
    wake: tuple[Key, ...] = ()
    quiet: bool = False


class Controller(Protocol[R_contra]):
    """One per kind."""

    async def reconcile(self, resource: R_contra, world: World) -> Outcome:
        """Brings the outside towards what `resource` declares. Any exception that gets out is a bug: InternalError."""

    async def forget(self, key: Key) -> None:
        """The object is gone: drop what is held in memory for it."""
