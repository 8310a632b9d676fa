"""The ways in which a deletion does not go on: the object is let go without a drop, or it has to wait."""

from typing import Final

from milvus_embedding.api.annotations import FORCE_RELEASE
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason

WAY_OUT: Final = f'to delete the object and keep what is in Milvus, annotate it with {FORCE_RELEASE}: "true"'
AGAIN_SECONDS: Final = 4.0


class Stays(Exception):
    """There is nothing that we may or can drop: the finalizer goes at once. `str()` names what stays, and why."""


class Again(Exception):
    """Nothing to tell yet: look again in that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


def held_up(why: str, *, retry_after: float = AGAIN_SECONDS) -> Blocked:
    """DeletionBlocked, with the way out."""
    return Blocked(Reason.DELETION_BLOCKED, f"not deleted yet: {why}; {WAY_OUT}", retry_after=retry_after)
