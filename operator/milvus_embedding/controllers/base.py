"""What a controller is given and what it gives back.

A request carries a key and nothing about the event behind it: a controller looks at the world as it is. It does not
write its status, emit Events or schedule itself; it returns an Outcome, and the runtime does those, once and only when
something differs. `World` remembers what was read through it, so that a change of it wakes the reader.
"""

from collections.abc import Sequence
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
    """

    status: Draft | None
    requeue_after: float | None = None
    backoff: bool = False
    notes: tuple[Note, ...] = ()
    wake: tuple[Key, ...] = ()


class Controller(Protocol[R_contra]):
    """One per kind."""

    async def reconcile(self, resource: R_contra, world: World) -> Outcome:
        """Brings the outside towards what `resource` declares. Any exception that gets out is a bug: InternalError."""

    async def forget(self, key: Key) -> None:
        """The object is gone: drop what is held in memory for it."""
