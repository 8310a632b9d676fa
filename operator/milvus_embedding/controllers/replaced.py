"""Whether a connection leads to another Milvus than before: everything that was there is not there any more.

Another address, a volume that came up empty, a backup from before: to each collection this looks as if somebody had
dropped it. Told once, of the connection, it says what happened.
"""

from collections.abc import Iterable

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import World
from milvus_embedding.domain.conditions import Assertion, false
from milvus_embedding.domain.reasons import Reason

SEVERAL = 2
"""Of one collection nobody can tell whether the server was replaced or somebody dropped it."""

ABSENT = frozenset({Reason.LOST, Reason.DATABASE_NOT_FOUND, Reason.COLLECTION_NOT_FOUND})
ANOTHER = frozenset({Reason.OWNED_BY_OTHER, Reason.NAME_TAKEN, Reason.NOT_MATCHING, Reason.NAME_IS_ALIAS})


_BLIND = frozenset({Reason.NOT_ALLOWED, Reason.CONNECTION_NOT_FOUND, Reason.ENDPOINT_NOT_ALLOWED})


def owners(collections: Iterable[MilvusCollection], connection: Key) -> list[MilvusCollection]:
    """Those that have, or had, a collection in the Milvus of this connection, and see what becomes of it: one that is
    paused or may not look says nothing for or against.
    """
    place = (connection.namespace, connection.name)
    return [
        c
        for c in collections
        if c.status.collection.id
        and not c.is_deleted
        and (is_gone(c) or not _is_blind(c))
        and c.spec.connection_ref.resolve(c.namespace) == place
    ]


def is_gone(collection: MilvusCollection) -> bool:
    """Whether the last look of an object that had a collection did not find it, or another one in its place."""
    return _told(collection, ABSENT | ANOTHER)


def _is_blind(collection: MilvusCollection) -> bool:
    ready, available = (collection.status.condition(type_) for type_ in ("Ready", "Available"))
    if ready is not None and ready.reason == Reason.PAUSED:
        return True
    return available is not None and available.status == "Unknown" and available.reason in _BLIND


def replaced(connection: Key, world: World) -> Assertion | None:
    """Ready of the connection, if all of its collections are gone; None if that is not so."""
    had = owners(world.list(MilvusCollection), connection)
    if len(had) < SEVERAL or not all(is_gone(c) for c in had) or not any(_told(c, ABSENT) for c in had):
        return None
    text = (
        f"none of the {len(had)} collections that were in this Milvus is there: is it another server, an empty one or "
        "an older backup? Correct the address, or restore it. Nothing is created in their place; to begin anew, "
        "approve the plan of each"
    )
    return false("Ready", Reason.SERVER_REPLACED, text)


def _told(collection: MilvusCollection, reasons: frozenset[Reason]) -> bool:
    """Also while it is paused: then Available has it still."""
    conditions = (collection.status.condition("Ready"), collection.status.condition("Available"))
    return any(condition is not None and condition.reason in reasons for condition in conditions)
