"""Who bears the finalizer: collections under Delete and DeleteIfEmpty, from before they are made in Milvus.

An object without it was never made, or is to leave its collection behind; either way its deletion waits for nobody.
"""

from milvus_embedding.api.annotations import FINALIZER
from milvus_embedding.api.collection import AdoptionPolicy, DeletionPolicy, MilvusCollection
from milvus_embedding.clients.kube.port import Forbidden
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason


def bears(collection: MilvusCollection) -> bool:
    return FINALIZER in collection.metadata.finalizers


def drops(collection: MilvusCollection) -> bool:
    """Whether its policies, as they are now, ask for a drop."""
    spec = collection.spec
    return spec.deletion_policy is not DeletionPolicy.RETAIN and spec.adoption_policy is not AdoptionPolicy.OBSERVE


async def add(collection: MilvusCollection, world: World) -> None:
    """Raises Blocked, Conflict or KubeError."""
    try:
        await world.add_finalizer(collection)
    except Forbidden:
        raise _forbidden(collection) from None


async def remove(collection: MilvusCollection, world: World) -> None:
    """Raises Blocked, Conflict or KubeError."""
    try:
        await world.remove_finalizer(collection)
    except Forbidden:
        raise _forbidden(collection) from None


def _forbidden(collection: MilvusCollection) -> Blocked:
    text = (
        f"spec.deletionPolicy {collection.spec.deletion_policy}: the operator may not patch milvuscollections, as its "
        "finalizer needs; give its ServiceAccount patch on milvuscollections"
    )
    return Blocked(Reason.FINALIZER_FORBIDDEN, text, retry_after=10)
