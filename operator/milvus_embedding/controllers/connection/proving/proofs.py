"""What an attempt to prove a key tells, what users are told of it, and when to try again.

Only the provider's 401 speaks against a key. Everything else is not known: that Milvus does not have the key yet, that
it or the provider does not answer, that something stands in the way.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from milvus_embedding.clients.milvus.port import (
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    ProviderCause,
    ProviderFailed,
    RateLimited,
    Unreachable,
)
from milvus_embedding.domain.conditions import Assertion, false, true, unknown
from milvus_embedding.domain.reasons import Reason

CONDITION: Final = "Effective"
DELIVERY_WINDOW: Final = 120.0
DELIVERY_PAUSE: Final = 1.0
DELIVERY_LONG_PAUSE: Final = 60.0
FIRST_PAUSE: Final = 5.0
LONG_PAUSE: Final = 300.0


class Verdict(StrEnum):
    """What is known of one value of a key, as Milvus uses it."""

    PROVEN = "Proven"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Proof:
    """The newest answer about a label: `digest` says about which value, `at` when it came. `message` is for users, and
    for those of the connection only if it `concerns_all`.
    """

    digest: str
    verdict: Verdict
    at: datetime
    message: str
    concerns_all: bool = False

    def says_the_same(self, other: "Proof | None") -> bool:
        """Apart from the time."""
        return other is not None and (self.digest, self.verdict, self.message) == (
            other.digest,
            other.verdict,
            other.message,
        )


class InTheWay(Exception):
    """Something that is not ours has the temporary collection's name. The message names it and the fix."""


PROVEN_MESSAGE: Final = "Milvus embeds with this key: a temporary collection proved it"
_BY_CAUSE: Final = {
    ProviderCause.KEY_NOT_FOUND: "Milvus does not have the key yet",
    ProviderCause.KEY_REJECTED: "the provider refuses the key that Milvus has (401)",
    ProviderCause.RATE_LIMITED: "the provider limits the rate",
    ProviderCause.DISABLED: "the provider is disabled in milvus.yaml: remove enable: false",
}


def judge(error: MilvusError | InTheWay) -> tuple[Verdict, str]:
    """The verdict of an attempt that failed, and a sentence that stays the same from one attempt to the next."""
    match error:
        case ProviderFailed(cause=ProviderCause.KEY_REJECTED):
            return Verdict.REFUSED, _BY_CAUSE[ProviderCause.KEY_REJECTED]
        case ProviderFailed(cause=cause) if cause in _BY_CAUSE:
            return Verdict.UNKNOWN, _BY_CAUSE[cause]
        case InTheWay():
            return Verdict.UNKNOWN, str(error)
        case Unreachable():
            return Verdict.UNKNOWN, f"Milvus does not answer: {error}"
        case OutcomeUnknown():
            return Verdict.UNKNOWN, f"Milvus did not answer in time; looking what became of it ({error})"
        case RateLimited():
            return Verdict.UNKNOWN, "Milvus limits the rate"
        case PermissionDenied():
            return Verdict.UNKNOWN, f"{error} Grant it, or set spec.embedding.verify of the connection to None"
        case _:
            return Verdict.UNKNOWN, str(error)


def concerns_the_key(error: MilvusError | InTheWay) -> bool:
    """Whether other labels of the same Milvus may fare better."""
    return isinstance(error, ProviderFailed)


def next_pause(error: MilvusError | InTheWay, *, former: float, waited: float) -> float:
    """Seconds to the next attempt. `former`: the last pause for the same cause (0: none), `waited`: since its first."""
    if isinstance(error, ProviderFailed) and error.cause is ProviderCause.KEY_NOT_FOUND:
        if waited < DELIVERY_WINDOW:
            return DELIVERY_PAUSE
        return min(DELIVERY_LONG_PAUSE, 2 * max(DELIVERY_PAUSE, former))
    return min(LONG_PAUSE, max(FIRST_PAUSE, 2 * former))


def effective(proof: Proof | None, *, is_recorded: bool, is_rolled_back: bool, is_told_all: bool = True) -> Assertion:
    """The condition Effective of a credential under `verify: Canary`.

    proof: the newest, None if there is none yet. is_recorded: the rendered Secret remembers that the present value is
    proven. is_rolled_back: the present value was refused, and the former one is rendered again. is_told_all: the reader
    may know what is wrong with the connection.
    """
    if is_rolled_back:
        return false(CONDITION, Reason.ROLLED_BACK_KEY, ROLLED_BACK_MESSAGE)
    if is_recorded:
        return true(CONDITION, Reason.EFFECTIVE, PROVEN_MESSAGE)
    if proof is None or proof.verdict is Verdict.PROVEN:
        # What was proven and is not recorded is another value, or will be recorded in a moment.
        return unknown(CONDITION, Reason.PROVING, "not proven through Milvus yet")
    if proof.verdict is Verdict.REFUSED:
        return false(CONDITION, Reason.NOT_EFFECTIVE, f"{proof.message}; put a valid key into the Secret")
    if proof.concerns_all and not is_told_all:
        return unknown(CONDITION, Reason.PROVING, "not proven yet: it cannot be tried at the moment")
    return unknown(CONDITION, Reason.PROVING, f"not proven yet: {proof.message}")


ROLLED_BACK_MESSAGE: Final = (
    "the provider refused the new key when Milvus used it (401), so the former one is rendered again; "
    "put another key into the Secret"
)
