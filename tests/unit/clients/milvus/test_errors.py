"""What gRPC and Milvus say, and which error of the port it is."""

import grpc
import pytest
from pymilvus.grpc_gen import common_pb2

from milvus_embedding.clients.milvus.errors import Call, code_of, from_rpc, from_status, timed_out
from milvus_embedding.clients.milvus.port import (
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
from milvus_embedding.domain.scrub import Scrubber

READ = Call("DescribeCollection", changing=False, endpoint="http://milvus:19530", timeout_seconds=60)
CHANGE = Call("CreateCollection", changing=True, endpoint="http://milvus:19530", timeout_seconds=60)
REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.7:19530: "
    "Failed to connect to remote host: Connection refused"
)
CODE = grpc.StatusCode


class FailedCall(grpc.RpcError):
    """What gRPC raises, as far as it is read."""

    def __init__(self, code: grpc.StatusCode, details: str | None) -> None:
        super().__init__()
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details


@pytest.mark.parametrize(
    ("code", "details", "reading", "changing"),
    [
        pytest.param(CODE.UNAVAILABLE, REFUSED, Unreachable, Unreachable, id="never connected, so nothing happened"),
        pytest.param(
            CODE.UNAVAILABLE, "DNS resolution failed for milvus:19530", Unreachable, Unreachable, id="no such name"
        ),
        pytest.param(
            CODE.UNAVAILABLE, "Socket closed", Unreachable, ConnectionLost, id="connection lost in the middle"
        ),
        pytest.param(CODE.UNAVAILABLE, "no healthy upstream", Unreachable, ConnectionLost, id="a gateway's own words"),
        pytest.param(CODE.UNAVAILABLE, None, Unreachable, ConnectionLost, id="unavailable without a word"),
        pytest.param(CODE.DEADLINE_EXCEEDED, "Deadline Exceeded", Unreachable, OutcomeUnknown, id="no answer in time"),
        pytest.param(CODE.INTERNAL, "stream terminated", Unreachable, OutcomeUnknown, id="the stream broke"),
        pytest.param(CODE.CANCELLED, "", Unreachable, OutcomeUnknown, id="cancelled by the server"),
        pytest.param(CODE.UNKNOWN, "panic", Unreachable, OutcomeUnknown, id="the server fell over"),
        pytest.param(CODE.UNAUTHENTICATED, "auth check failure", AuthenticationFailed, AuthenticationFailed, id="who?"),
        pytest.param(
            CODE.PERMISSION_DENIED, "permission deny to op", PermissionDenied, PermissionDenied, id="no privilege"
        ),
        pytest.param(CODE.UNIMPLEMENTED, "unknown method", Unimplemented, Unimplemented, id="an older server"),
        pytest.param(CODE.RESOURCE_EXHAUSTED, "rate limit", RateLimited, RateLimited, id="too many requests"),
        pytest.param(CODE.INVALID_ARGUMENT, "bad", Rejected, Rejected, id="a bad argument"),
    ],
)
def test_calls_without_an_answer(
    code: grpc.StatusCode, details: str | None, reading: type[MilvusError], changing: type[MilvusError]
) -> None:
    error = FailedCall(code, details)
    assert type(from_rpc(error, READ, Scrubber())) is reading
    assert type(from_rpc(error, CHANGE, Scrubber())) is changing


@pytest.mark.parametrize(
    ("details", "words"),
    [
        pytest.param(REFUSED, "connection refused", id="refused"),
        pytest.param("DNS resolution failed for x", "its name cannot be resolved", id="name"),
        pytest.param("failed to connect to all addresses; Ssl handshake failed", "the TLS handshake failed", id="tls"),
        pytest.param("failed to connect to all addresses; No route to host", "there is no route to it", id="route"),
        pytest.param("failed to connect to all addresses; strange", "the connection failed", id="anything else"),
    ],
)
def test_why_it_cannot_be_reached_is_said_without_addresses_that_change(details: str, words: str) -> None:
    error = from_rpc(FailedCall(CODE.UNAVAILABLE, details), READ, Scrubber())
    assert str(error) == f"Milvus at http://milvus:19530 cannot be reached: {words}."


def test_an_error_without_a_status_is_unknown() -> None:
    assert code_of(grpc.RpcError()) is CODE.UNKNOWN


def test_a_deadline_tells_how_long_was_waited() -> None:
    assert "within 60 s" in str(timed_out(READ))
    assert isinstance(timed_out(CHANGE), OutcomeUnknown)


def status(code: int, reason: str = "", legacy: int = 0) -> common_pb2.Status:
    message = common_pb2.Status(code=code, reason=reason)
    message.error_code = legacy
    return message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(status(100, "collection not found"), Rejected, id="a missing collection"),
        pytest.param(status(800, "database not found[database=a]"), DatabaseNotFound, id="a missing database"),
        pytest.param(status(65535, "database not found[database=a]"), DatabaseNotFound, id="the same, without a code"),
        pytest.param(status(65535, "database:a not found"), DatabaseNotFound, id="the same, of Milvus 2.3"),
        pytest.param(status(6, "database 'a' does not exist"), DatabaseNotFound, id="the same, of Milvus Lite"),
        pytest.param(status(8, "request is rejected by rate limiter"), RateLimited, id="Milvus' rate limit"),
        pytest.param(status(0, "rate", legacy=49), RateLimited, id="the same, of an old server"),
        pytest.param(status(10, "service unimplemented"), Unimplemented, id="a call that is switched off"),
        pytest.param(status(65535, "PrivilegeDropCollection: permission deny to op"), PermissionDenied, id="privilege"),
        pytest.param(status(1, "service not ready[proxy=3]: Abnormal"), Unreachable, id="a server that is starting"),
        pytest.param(status(1, "service not ready[rootcoord=1]"), OutcomeUnknown, id="a part that is starting"),
        pytest.param(status(65535, "context deadline exceeded"), OutcomeUnknown, id="a part of Milvus in doubt"),
        pytest.param(status(1100, "Invalid field name: a-b"), Rejected, id="an invalid parameter"),
        pytest.param(status(0, "something", legacy=1), Rejected, id="an old server without codes"),
    ],
)
def test_answers_that_are_errors(answer: common_pb2.Status, expected: type[MilvusError]) -> None:
    assert type(from_status(answer, CHANGE, Scrubber())) is expected


def test_success_is_no_error() -> None:
    assert from_status(status(0), CHANGE, Scrubber()) is None


def test_a_part_of_milvus_in_doubt_matters_to_changes_alone() -> None:
    assert isinstance(from_status(status(65535, "context canceled"), READ, Scrubber()), Unreachable)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(status(1100, "x"), 1100, id="as it comes"),
        pytest.param(status(0, "x", legacy=4), 100, id="of an old server"),
        pytest.param(status(65535, "fail to Query: collection not loaded[collection=1]"), 101, id="by its words"),
        pytest.param(status(65535, "fail to Query: partition not loaded[partition=[1]]"), 201, id="of a partition"),
        pytest.param(status(1100, "partition not loaded"), 1100, id="words never go before a code"),
    ],
)
def test_a_refusal_keeps_milvus_number(answer: common_pb2.Status, code: int) -> None:
    refusal = from_status(answer, READ, Scrubber())
    assert isinstance(refusal, Rejected)
    assert refusal.code == code


def test_a_provider_failure_goes_before_what_its_answer_looks_like() -> None:
    text = (
        'Check function [ali:TextEmbedding] failed, the err is: Call service failed, errs:[500, "database not found"]'
    )
    assert isinstance(from_status(status(65535, text), CHANGE, Scrubber()), ProviderFailed)


def test_quoted_text_is_short_scrubbed_and_one_line() -> None:
    scrubber = Scrubber()
    scrubber.learn("hunter2-secret")
    error = str(from_status(status(1100, "a\nhunter2-secret " + "x" * 500), READ, scrubber))
    assert "hunter2" not in error
    assert "\n" not in error
    assert len(error) < 300


def test_what_follows_a_providers_answer_is_never_quoted() -> None:
    text = 'insert failed: Call service failed, errs:[400 Bad Request, {"message":"private text"}]'
    assert "private" not in str(from_status(status(65535, text), READ, Scrubber()))
