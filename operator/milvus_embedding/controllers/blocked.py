"""The exception that becomes a condition: what keeps an object from being reconciled further."""

from milvus_embedding.domain.reasons import Reason


class Blocked(Exception):
    """`reason` and a message for users. `retry_after` in seconds where time itself may help; else a change wakes.

    shared: all that depend on the same credential and model meet it too; `told_to_others` is what they are told of it,
    without any name that is not theirs.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        shared: bool = False,
        told_to_others: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.shared = shared
        self.told_to_others = told_to_others
