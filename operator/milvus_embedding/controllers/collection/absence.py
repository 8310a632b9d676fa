"""Telling a collection that somebody dropped from one that is only not to be seen.

An object that had a collection gets an empty one in its place by approval alone: that would look healthy and be empty.
Absence is believed after two looks, two seconds apart, each with the database there and the name not in its list.
"""

from collections.abc import Callable

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.collection.observe import is_absent
from milvus_embedding.domain.reasons import Reason

BETWEEN_LOOKS = 2.0


class Unproven(Blocked):
    """The first of two looks did not see it: no news yet."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.MILVUS_ERROR, message, retry_after=BETWEEN_LOOKS)


class Absences:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._first_look: dict[Key, float] = {}

    async def require_proof(self, collection: MilvusCollection, milvus: Milvus) -> None:
        """Returns if the object never had a collection, or if its absence is proven; else raises Blocked."""
        known = collection.status.collection.id
        if not known:
            return
        name = collection.effective_collection_name
        try:
            absent = await is_absent(milvus, collection.spec.database, name)
        except MilvusError as error:
            raise blocked_by(error, doing=f"looking for collection {name}") from None
        if not absent:
            self._first_look.pop(collection.key, None)
            raise Blocked(Reason.MILVUS_ERROR, f"Milvus is of two minds whether {name} exists", retry_after=2)
        first = self._first_look.setdefault(collection.key, self._clock())
        if self._clock() - first < BETWEEN_LOOKS:
            raise Unproven(f"collection {name} is not to be seen; looking again")

    def forget(self, key: Key) -> None:
        self._first_look.pop(key, None)
