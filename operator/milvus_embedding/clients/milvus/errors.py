"""Turns what gRPC and Milvus say into the errors of the port.

The one question that matters beyond wording: can the call have happened? A call that changes something and was cut off
is OutcomeUnknown unless it is certain that nothing was sent. Texts of the server are quoted short and scrubbed, and
known situations get a sentence of ours that stays the same from one attempt to the next.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from milvus_embedding.clients.milvus.port import (
    NOT_FOUND,
    NOT_LOADED,
    AuthenticationFailed,
    ConnectionLost,
    DatabaseNotFound,
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    ProviderFailed,
    RateLimited,
    Rejected,
    Unimplemented,
    Unreachable,
)
from milvus_embedding.clients.milvus.provider_errors import recognise, without_bodies
from milvus_embedding.domain.scrub import Scrubber

if TYPE_CHECKING:
    from pymilvus.grpc_gen import common_pb2

COLLECTION_NOT_FOUND = NOT_FOUND
INDEX_NOT_FOUND = 700
ALIAS_NOT_FOUND = 1600
COLLECTION_NOT_LOADED, PARTITION_NOT_LOADED = sorted(NOT_LOADED)
UNCLASSIFIED = 65535

_DATABASE_NOT_FOUND = 800
_RATE_LIMIT, _UNIMPLEMENTED = 8, 10
# Of servers before 2.3, which set the legacy field alone.
_LEGACY = {3: 1402, 4: COLLECTION_NOT_FOUND, 25: INDEX_NOT_FOUND, 28: COLLECTION_NOT_FOUND, 49: _RATE_LIMIT}

_DATABASE_TEXT = re.compile(r"database not found|database[: ]?'?[\w-]*'? ?(?:does not exist|not found)", re.IGNORECASE)
# Of parts behind the proxy, which pass such errors on without their code.
_NOT_LOADED_TEXT = {"collection not loaded": COLLECTION_NOT_LOADED, "partition not loaded": PARTITION_NOT_LOADED}
_NOT_READY = re.compile(r"\bnot ready|is not serving|node is not healthy|state code: (?:Initializing|StandBy)", re.I)
_CUT_OFF = re.compile(r"context (?:deadline exceeded|canceled)|deadlineexceeded|rpc error: code = Unavailable", re.I)
_PERMISSION = re.compile(r"permission deny|permission denied|privilege not permitted", re.IGNORECASE)

# gRPC has no code for "nothing was sent"; these are the beginnings of the core's texts for it.
_NOT_SENT = re.compile(
    r"failed to connect to all addresses|connections to all backends failing|dns resolution failed"
    r"|name resolution failure|empty address list|domain name not found",
    re.IGNORECASE,
)
_CAUSES = (
    (re.compile(r"connection refused", re.IGNORECASE), "connection refused"),
    (re.compile(r"dns|domain name|name resolution", re.IGNORECASE), "its name cannot be resolved"),
    (re.compile(r"certificate|handshake|ssl|tls|peer name|verification", re.I), "the TLS handshake failed"),
    (re.compile(r"no route|unreachable", re.IGNORECASE), "there is no route to it"),
    (re.compile(r"timed? ?out|timeout", re.IGNORECASE), "it does not answer"),
    (re.compile(r"reset|broken pipe|closed|goaway", re.IGNORECASE), "the connection broke"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """What was called, for messages, and whether it changes something."""

    method: str
    changing: bool
    endpoint: str
    timeout_seconds: float


def result_of(error: MilvusError) -> str:
    """What became of a call, in one word of a closed set. That something is not there is an answer, not a failure."""
    match error:
        case ProviderFailed():
            return f"Provider{error.cause}"
        case Rejected(code=code) if code in (COLLECTION_NOT_FOUND, INDEX_NOT_FOUND, ALIAS_NOT_FOUND):
            return "NotFound"
        case _:
            return type(error).__name__


def from_rpc(error: grpc.RpcError, call: Call, scrubber: Scrubber) -> MilvusError:
    """For calls that ended without an answer of Milvus."""
    code, details = code_of(error), _details(error)
    match code:
        case grpc.StatusCode.UNAUTHENTICATED:
            return AuthenticationFailed(f"Milvus at {call.endpoint} refused the user name, password or token.")
        case grpc.StatusCode.PERMISSION_DENIED:
            return _denied(details, call, scrubber)
        case grpc.StatusCode.UNIMPLEMENTED:
            return Unimplemented(f"Milvus at {call.endpoint} does not know {call.method}; a newer version may.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return RateLimited(f'Milvus limits the rate of {call.method}, it says "{_quote(details, scrubber)}".')
        case grpc.StatusCode.UNAVAILABLE if _NOT_SENT.search(details) or not call.changing:
            return unreachable(call, _cause(details))
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return timed_out(call)
        case (
            grpc.StatusCode.INVALID_ARGUMENT
            | grpc.StatusCode.ALREADY_EXISTS
            | grpc.StatusCode.NOT_FOUND
            | grpc.StatusCode.FAILED_PRECONDITION
        ):
            return _refused(details, UNCLASSIFIED, call, scrubber)
    if code is grpc.StatusCode.UNAVAILABLE:
        return ConnectionLost(_may_have_happened(call, _cause(details)))
    return _interrupted(call, _cause(details))


def from_status(status: "common_pb2.Status", call: Call, scrubber: Scrubber) -> MilvusError | None:
    """For calls that Milvus answered; None if it says that all is well. The provider's failures go first: what Milvus
    quotes of them may contain anything, also what looks like an error of its own.
    """
    code = status.code or _LEGACY.get(status.error_code, UNCLASSIFIED if status.error_code else 0)
    if code == 0:
        return None
    text = status.reason or status.detail
    if call.changing and (failure := recognise(text, scrubber)):
        return failure
    if code == _RATE_LIMIT:
        return RateLimited(f'Milvus limits the rate of {call.method}, it says "{_quote(text, scrubber)}".')
    if code == _DATABASE_NOT_FOUND or _DATABASE_TEXT.search(text):
        return DatabaseNotFound(f'The database does not exist, Milvus says "{_quote(text, scrubber)}".')
    if code == _UNIMPLEMENTED and "unimplemented" in text.lower():
        return Unimplemented(f"Milvus at {call.endpoint} does not know {call.method}; a newer version may.")
    if _PERMISSION.search(text):
        return _denied(text, call, scrubber)
    if _NOT_READY.search(text):
        # The proxy says so before it does anything; a part behind it may say so halfway.
        happened = call.changing and "proxy" not in text.lower()
        return (_interrupted if happened else unreachable)(call, "it is starting and not ready yet")
    if _CUT_OFF.search(text):
        return _interrupted(call, "a part of Milvus did not answer in time")
    if code == UNCLASSIFIED:
        code = next((known for words, known in _NOT_LOADED_TEXT.items() if words in text), code)
    return _refused(text, code, call, scrubber)


def unreachable(call: Call, cause: str) -> Unreachable:
    """Nothing happened."""
    return Unreachable(f"Milvus at {call.endpoint} cannot be reached: {cause}.")


def timed_out(call: Call) -> MilvusError:
    """No answer in time."""
    if not call.changing:
        return unreachable(call, f"no answer to {call.method} within {call.timeout_seconds:.0f} s")
    return OutcomeUnknown(
        f"Milvus at {call.endpoint} did not answer {call.method} within {call.timeout_seconds:.0f} s; "
        "it may still happen."
    )


def _interrupted(call: Call, cause: str) -> MilvusError:
    if not call.changing:
        return unreachable(call, cause)
    return OutcomeUnknown(_may_have_happened(call, cause))


def _may_have_happened(call: Call, cause: str) -> str:
    return f"{call.method} of Milvus at {call.endpoint} was cut off ({cause}); it may have happened."


def _denied(text: str, call: Call, scrubber: Scrubber) -> PermissionDenied:
    return PermissionDenied(
        f'The user of {call.endpoint} lacks the privilege for {call.method}, Milvus says "{_quote(text, scrubber)}".'
    )


def _refused(text: str, code: int, call: Call, scrubber: Scrubber) -> Rejected:
    said = _quote(text, scrubber)
    return Rejected(f"Milvus refused {call.method} with code {code}" + (f': "{said}".' if said else "."), code)


def _quote(text: str, scrubber: Scrubber) -> str:
    return scrubber.quote(without_bodies(text))


def _cause(details: str) -> str:
    return next((words for pattern, words in _CAUSES if pattern.search(details)), "the connection failed")


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """The status of a call that failed. gRPC raises objects that are an RpcError and a Call at once."""
    code = getattr(error, "code", lambda: None)()
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN


def _details(error: grpc.RpcError) -> str:
    return str(getattr(error, "details", lambda: None)() or "")
