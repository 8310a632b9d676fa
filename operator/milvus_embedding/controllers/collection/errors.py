"""From the ways in which Milvus fails to reasons that users see, and when to try again.

Seconds to the next try are short at first: whatever ends the cause, the object recovers within five seconds of it. The
queue makes them longer when it goes on, and patience.py when it goes on for long.
"""

from milvus_embedding.clients.milvus.port import (
    AuthenticationFailed,
    ConnectionLost,
    DatabaseNotFound,
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    ProviderCause,
    ProviderFailed,
    RateLimited,
    ReadOnly,
    Rejected,
    Unimplemented,
    Unreachable,
)
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason

SOON = 2.0
STEADY = 4.0

_PROVIDER = {
    ProviderCause.KEY_NOT_FOUND: (Reason.CREDENTIAL_NOT_DELIVERED, "Milvus does not have the key yet"),
    ProviderCause.KEY_REJECTED: (Reason.KEY_REJECTED, "the provider rejects the key that Milvus has"),
    ProviderCause.DIMENSION: (Reason.DIMENSION_MISMATCH, "the model's vectors do not fit the field"),
    ProviderCause.RATE_LIMITED: (Reason.RATE_LIMITED, "the provider limits the rate"),
    ProviderCause.MODEL: (Reason.MODEL_NOT_FOUND, "the provider refuses the model or its parameters"),
    ProviderCause.DISABLED: (Reason.PROVIDER_ERROR, "the provider is disabled in milvus.yaml"),
    ProviderCause.OTHER: (Reason.PROVIDER_ERROR, "the embedding could not be computed"),
}


def blocked_by(error: MilvusError, *, doing: str) -> Blocked:
    """`doing` is a verb phrase for the message, for instance "creating collection docs"."""
    match error:
        case ConnectionLost():
            text = f"{doing}: the connection broke; looking again what became of it ({error})"
            return Blocked(Reason.UNREACHABLE, text, retry_after=SOON)
        case Unreachable():
            return Blocked(Reason.UNREACHABLE, f"Milvus does not answer: {error}", retry_after=SOON)
        case OutcomeUnknown():
            text = f"{doing}: no answer in time; looking again what became of it ({error})"
            return Blocked(Reason.OUTCOME_UNKNOWN, text, retry_after=SOON)
        case AuthenticationFailed():
            return Blocked(Reason.AUTHENTICATION_FAILED, f"Milvus refuses the login: {error}", retry_after=STEADY)
        case PermissionDenied():
            text = f"{doing}: the user of the connection lacks the privilege ({error}); grant it"
            return Blocked(Reason.PERMISSION_DENIED, text, retry_after=STEADY)
        case DatabaseNotFound():
            text = f"{doing}: the database does not exist in Milvus; create it"
            return Blocked(Reason.DATABASE_NOT_FOUND, text, retry_after=STEADY)
        case ReadOnly():
            return Blocked(Reason.READ_ONLY, f"{doing}: {error}")
        case RateLimited():
            return Blocked(Reason.RATE_LIMITED, f"{doing}: Milvus limits the rate", retry_after=SOON)
        case Unimplemented():
            return Blocked(Reason.UNSUPPORTED_SERVER, f"{doing}: this Milvus does not know the call ({error})")
        case ProviderFailed(cause=cause):
            reason, text = _PROVIDER[cause]
            return Blocked(
                reason,
                f"{doing}: {text} ({error})",
                retry_after=STEADY,
                shared=cause is not ProviderCause.DIMENSION,
                told_to_others=f"{text}; collections of the same credential and model wait, and one at a time tries",
            )
        case Rejected():
            return Blocked(Reason.REJECTED_BY_MILVUS, f"{doing}: {error}", retry_after=STEADY)
        case _:
            return Blocked(Reason.MILVUS_ERROR, f"{doing}: {error}", retry_after=STEADY)
