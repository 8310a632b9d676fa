"""All collections of a connection gone at once: that is one piece of news, which the connection tells.

Kept in memory only: it decides about Events and about waking the connection, which judges by the statuses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.replaced import SEVERAL, is_gone, owners

COUNTED_AGAIN = 5.0


@dataclass(frozen=True, slots=True)
class Toll:
    """What one more loss means to others. quiet: it is no Event of its own."""

    wake: tuple[Key, ...] = ()
    quiet: bool = False


@dataclass(slots=True)
class _Count:
    """`missing` were not seen at the last look, `lost` are proven to be. `known` is how many there should be."""

    missing: set[Key] = field(default_factory=set)
    lost: set[Key] = field(default_factory=set)
    known: int = 0
    counted: float | None = None


class Losses:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[Key, _Count] = {}

    def missing(self, collection: MilvusCollection, connection: Key) -> Toll:
        """It was not seen once."""
        self._counts.setdefault(connection, _Count()).missing.add(collection.key)
        return Toll(quiet=True)

    def lost(self, collection: MilvusCollection, connection: Key, world: World) -> Toll:
        """The last one to be lost wakes the connection."""
        count = self._counts.setdefault(connection, _Count())
        count.missing.add(collection.key)
        count.lost.add(collection.key)
        several = max(SEVERAL, self._known(count, connection, world))
        tells = len(count.lost) >= several and not is_gone(collection)
        return Toll((connection,) if tells else (), quiet=len(count.missing) >= several)

    def present(self, key: Key, connection: Key) -> None:
        if (count := self._counts.get(connection)) is not None:
            count.missing.discard(key)
            count.lost.discard(key)
            if not count.missing:
                del self._counts[connection]

    def forget(self, key: Key) -> None:
        for connection in list(self._counts):
            self.present(key, connection)

    def _known(self, count: _Count, connection: Key, world: World) -> int:
        """Thousands may ask at the same time."""
        if count.counted is None or self._clock() - count.counted > COUNTED_AGAIN:
            count.known = len(owners(world.list(MilvusCollection), connection))
            count.counted = self._clock()
        return count.known
