"""paused: the generation is taken note of, Ready keeps its status, and its reason says why nothing happens."""

from collections.abc import Iterable

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.domain.conditions import Assertion, Truth
from milvus_embedding.domain.reasons import Reason

_SUMMARIES = ("Reconciling", "Stalled")


def while_paused(
    resource: MilvusConnection | MilvusCollection, conditions: Iterable[Assertion]
) -> tuple[Assertion, ...]:
    """The conditions as they are, or with a Ready that was and has reason Paused if the object is paused."""
    listed = tuple(conditions)
    if not resource.spec.paused:
        return listed
    kept = tuple(c for c in listed if c.type != "Ready" and c.type not in _SUMMARIES)
    return (paused_ready(resource, "spec.paused is true: nothing is changed until it is removed"), *kept)


def paused_ready(resource: MilvusConnection | MilvusCollection, message: str) -> Assertion:
    """Ready with the status that it has now."""
    present = resource.status.condition("Ready")
    status = Truth(present.status) if present is not None else Truth.UNKNOWN
    return Assertion("Ready", status, Reason.PAUSED, message)
