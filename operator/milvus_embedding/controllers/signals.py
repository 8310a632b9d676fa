"""How one object's change concerns others: what they may rely on in it, whom it wakes besides its readers, and beside
whom it must not be made to wait.
"""

from collections.abc import Hashable, Iterable

from milvus_embedding.api.annotations import CONFIRM_DELETIONS
from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key

COLLECTION_WORKERS = 8
CONTROL_WORKERS = 8


def signal(resource: Resource) -> Hashable:
    """What the readers of an object may rely on. Counts and messages are not part of it."""
    metadata = resource.metadata
    basis = (metadata.uid, metadata.generation, resource.is_deleted)
    match resource:
        case MilvusConnection(status=status):
            labels = tuple((e.label, str(e.credential), e.state, e.rotation) for e in status.labels)
            confirmed = metadata.annotations.get(CONFIRM_DELETIONS, "")
            return (
                *basis,
                confirmed,
                status.config.hash,
                status.endpoint,
                status.server_version,
                labels,
                _states(resource),
            )
        case EmbeddingCredential(status=status):
            return (*basis, status.label, status.rotation, _states(resource))
        case _:
            return basis


def upstream(resource: Resource) -> Iterable[Key]:
    """A credential concerns its connection, which has not read it before it knows of it."""
    if isinstance(resource, EmbeddingCredential):
        namespace, name = resource.spec.connection_ref.resolve(resource.namespace)
        yield Key(MilvusConnection.KIND, namespace, name)


def lane(resource: Resource) -> str:
    """Collections of one Milvus share a lane, each connection has its own, and what calls no Milvus shares one."""
    match resource:
        case MilvusCollection():
            namespace, name = resource.spec.connection_ref.resolve(resource.namespace)
            return f"collections of {namespace}/{name}"
        case MilvusConnection():
            return f"connection {resource.namespace}/{resource.name}"
        case _:
            return resource.KIND


def family(lane_name: str) -> str:
    """The class of a lane, without the name of the connection."""
    return lane_name.partition(" ")[0]


def workers(lane_name: str, *, collections: int = COLLECTION_WORKERS) -> int:
    """How many objects of a lane are reconciled at a time; `collections` of one connection."""
    if lane_name.startswith("connection "):
        return 1
    return collections if lane_name.startswith("collections of ") else CONTROL_WORKERS


def _states(resource: MilvusConnection | EmbeddingCredential) -> tuple[tuple[str, str, str], ...]:
    return tuple((c.type, str(c.status), c.reason) for c in resource.status.conditions)
