"""The exception that becomes a condition: what keeps an object from being reconciled further."""

from milvus_embedding.domain.reasons import Reason


class Blocked(Exception):
    """`reason` and a message for users. `retry_after` in seconds where time itself may help; else a change wakes.

    shared: all that depend on the same credential and model meet it too.
    """

    def __init__(self, reason: Reason, message: str, *, retry_after: float | None = None, shared: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.shared = shared
