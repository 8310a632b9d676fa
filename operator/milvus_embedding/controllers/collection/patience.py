"""How often a cause is looked at again that is an object's own: as soon as its reason says at first, and once a minute
after five minutes.

Each look costs Milvus some calls, and a CreateCollection that Milvus refuses may have asked the provider by then. What
ends by itself (a load, an index, a server that comes back) is not slowed down.
"""

from collections.abc import Callable

from milvus_embedding.api.references import Key
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason

LONG = 300.0
LONG_PAUSE = 60.0

_ENDS_BY_ITSELF = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.OUTCOME_UNKNOWN,
        Reason.AUTHENTICATION_FAILED,
        Reason.CREATE_OUTCOME_UNKNOWN,
        Reason.INDEX_BUILDING,
        Reason.LOADING,
    }
)


class Patience:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Key, tuple[int, Reason, float]] = {}

    def retry_after(self, key: Key, generation: int, cause: Blocked) -> float | None:
        """Seconds until the next look at an object that meets `cause`; None if only a change may help."""
        if cause.retry_after is None or cause.shared or cause.reason in _ENDS_BY_ITSELF:
            self.forget(key)
            return cause.retry_after
        known = self._since.get(key)
        if known is None or known[:2] != (generation, cause.reason):
            known = self._since[key] = (generation, cause.reason, self._clock())
        return cause.retry_after if self._clock() - known[2] < LONG else max(LONG_PAUSE, cause.retry_after)

    def forget(self, key: Key) -> None:
        self._since.pop(key, None)
