"""Creations whose outcome nobody knows. Until the write horizon has passed the call may still happen, and absence is
not believed; kept in memory only, because creating is idempotent and is read back.
"""

from collections.abc import Callable

from milvus_embedding.api.references import Key
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.schema import FunctionKind

ATTEMPTS = 3
ATTEMPT_SECONDS = 30.0
MARGIN_SECONDS = 10.0


def write_horizon(want: Desired) -> float:
    """Seconds after which a CreateCollection that was given up cannot happen any more: its live checks are over."""
    checks = sum(f.kind is FunctionKind.TEXT_EMBEDDING for f in want.schema.functions)
    return checks * ATTEMPTS * ATTEMPT_SECONDS + MARGIN_SECONDS


class Pending:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[Key, float] = {}

    def add(self, key: Key, horizon: float) -> None:
        self._until[key] = self._clock() + horizon

    def remaining(self, key: Key) -> float:
        """Seconds until absence may be believed; 0 if nothing is pending."""
        left = self._until.get(key, 0.0) - self._clock()
        if left <= 0:
            self._until.pop(key, None)
        return max(0.0, left)

    def settle(self, key: Key) -> None:
        self._until.pop(key, None)
