"""A collection that this object had and that is gone, or replaced by another: going on takes an approval."""

from collections.abc import Collection

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.approval import UnderWay
from milvus_embedding.domain.planning.deciding import Decision
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.steps import Action


def is_replacing(collection: MilvusCollection, approved: Collection[str]) -> bool:
    """Whether the status says that a new collection is made in place of the lost one, and that is still approved.

    It was written before the creation, so that a process that was killed in between knows the new one for its own.
    """
    begun, status = UnderWay.of(collection.status.plan), collection.status.plan
    if begun is None or status is None or begun.hash not in approved:
        return False
    return any(step.action == Action.RECREATE_COLLECTION for step in status.steps)


def accepts(decision: Decision) -> bool:
    """Whether the other collection in its place was approved as the one that counts from now on."""
    return any(step.action is Action.ACCEPT_COLLECTION for step in decision.runs)


def loss(known_id: str | None, want: Desired, have: Observed | None) -> str:
    """What became of it."""
    if have is None:
        return f"collection {want.name} (id {known_id}) is gone from Milvus"
    return f"another collection (id {have.id}) stands in the place of id {known_id}"
