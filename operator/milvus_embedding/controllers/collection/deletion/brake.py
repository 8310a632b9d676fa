"""Many collections deleted at once are more often a mistake than meant: a CRD, a namespace, a folder in Git gone.

More than three drops on one connection that were asked for within ten minutes are held until somebody confirms. What
waits is seen in the objects themselves, so a restart forgets only what was dropped before it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from milvus_embedding.api.annotations import CONFIRM_DELETIONS, FORCE_RELEASE
from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.deletion.finalizer import bears, drops
from milvus_embedding.controllers.collection.deletion.outcome import WAY_OUT, Again
from milvus_embedding.domain.conditions import parse_time, timestamp
from milvus_embedding.domain.reasons import Reason

MOST: Final = 3
WINDOW_SECONDS: Final = 600.0
GATHERING_SECONDS: Final = 2.0
"""Before the first drop: objects that are deleted together are not seen at the same moment."""
_REMEMBERED: Final = 64


class Brake:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._first_seen: dict[Key, float] = {}
        self._dropped: dict[Key, dict[Key, datetime]] = {}

    def require(self, collection: MilvusCollection, connection: MilvusConnection, world: World) -> None:
        """Raises Blocked or Again unless this deletion may drop now."""
        first = self._first_seen.setdefault(collection.key, self._clock())
        if (left := first + GATHERING_SECONDS - self._clock()) > 0:
            raise Again(left)
        asked = _asked(collection)
        if asked is None or _confirmed(connection, asked):
            return
        waiting = {o.key: moment for o in _waiting(connection, world) if (moment := _asked(o)) is not None}
        known = {**self._dropped.get(connection.key, {}), **waiting}
        near = sum(_near(moment, asked) for moment in known.values())
        if near > MOST:
            raise _held(connection, near, max(waiting.values(), default=asked))

    def dropped(self, collection: MilvusCollection, connection: Key) -> None:
        """A drop was sent."""
        if (asked := _asked(collection)) is not None:
            known = self._dropped.setdefault(connection, {})
            known[collection.key] = asked
            if len(known) > _REMEMBERED:
                del known[min(known, key=lambda key: known[key])]

    def forget(self, key: Key) -> None:
        self._first_seen.pop(key, None)


def _held(connection: MilvusConnection, number: int, latest: datetime) -> Blocked:
    until = timestamp(latest)
    text = (
        f"held: {number} collections of connection {connection.name} are deleted within 10 minutes, and more than "
        f"{MOST} need a confirmation: kubectl annotate milvusconnection {connection.name} -n {connection.namespace} "
        f"--overwrite {CONFIRM_DELETIONS}={until} confirms what was deleted until then; {WAY_OUT}"
    )
    return Blocked(Reason.DELETION_HELD, text, retry_after=30)


def _confirmed(connection: MilvusConnection, asked: datetime) -> bool:
    """By a time: what was deleted until then; "true" confirms as long as it is there."""
    told = connection.metadata.annotations.get(CONFIRM_DELETIONS, "").strip()
    if told == "true":
        return True
    until = parse_time(told)
    return until is not None and asked <= until


def _waiting(connection: MilvusConnection, world: World) -> list[MilvusCollection]:
    """Objects of this connection whose deletion may drop something."""
    place = (connection.namespace, connection.name)
    return [
        other
        for other in world.list(MilvusCollection)
        if other.is_deleted
        and bears(other)
        and drops(other)
        and other.metadata.annotations.get(FORCE_RELEASE) != "true"
        and other.spec.connection_ref.resolve(other.namespace) == place
    ]


def _asked(collection: MilvusCollection) -> datetime | None:
    return collection.metadata.deletion_timestamp


def _near(moment: datetime, other: datetime) -> bool:
    return abs((moment - other).total_seconds()) <= WINDOW_SECONDS
