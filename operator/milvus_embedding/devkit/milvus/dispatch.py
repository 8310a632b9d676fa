"""What happens around every RPC: authentication, counting, faults, and refusals as responses."""

import base64
import binascii
import contextlib
import functools
import hmac
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import grpc
from milvus_lite.adapter.grpc.errors import to_status_kwargs
from milvus_lite.exceptions import MilvusLiteError

from milvus_embedding.devkit.milvus.faults import Calls, Fault, Faults
from milvus_embedding.devkit.milvus.memory import Memory
from milvus_embedding.devkit.milvus.proto import Message
from milvus_embedding.devkit.milvus.provider import ProviderError
from milvus_embedding.devkit.milvus.status import RefusedError, refuse

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Message, Message]

Precheck = Callable[[str, Message, grpc.ServicerContext], None]
_UNAUTHENTICATED = "auth check failure, please check api key is correct"


class Authentication(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """User and password per call, as pymilvus sends them. `users` is read at each call."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users

    def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Handler | None]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = continuation(handler_call_details)
        metadata = {str(key): value for key, value in handler_call_details.invocation_metadata or ()}
        if handler is None or self._accepts(str(metadata.get("authorization", ""))):
            return handler
        return grpc.unary_unary_rpc_method_handler(_deny, handler.request_deserializer, handler.response_serializer)

    def _accepts(self, token: str) -> bool:
        try:
            user, _, password = base64.b64decode(token).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        expected = self._users.get(user)
        return expected is not None and hmac.compare_digest(expected.encode(), password.encode())


def _deny(request: Message, context: grpc.ServicerContext) -> Message:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, _UNAUTHENTICATED)
    raise AssertionError("abort raises")


class Dispatch(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Runs `precheck` and then the handler; counts the call and does to it what a fault says."""

    def __init__(
        self, calls: Calls, faults: Faults, precheck: Precheck, *, clock: Callable[[], float], memory: Memory
    ) -> None:
        self._calls = calls
        self._faults = faults
        self._precheck = precheck
        self._clock = clock
        self._memory = memory

    def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Handler | None]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        rpc = str(handler_call_details.method).rsplit("/", 1)[-1]
        behaviour = handler.unary_unary

        def run(request: Message, context: grpc.ServicerContext) -> Message:
            return self._run(rpc, behaviour, request, context)

        return grpc.unary_unary_rpc_method_handler(run, handler.request_deserializer, handler.response_serializer)

    def _run(
        self,
        rpc: str,
        behaviour: Callable[[Message, grpc.ServicerContext], Message],
        request: Message,
        context: grpc.ServicerContext,
    ) -> Message:
        self._calls.add(rpc, context.peer())
        self._faults.run_due(self._clock())
        fault = self._faults.take(rpc)
        if fault and fault.late_seconds is not None:
            late = functools.partial(self._late, rpc, behaviour, request, context)
            self._faults.put_off(self._clock() + fault.late_seconds, late)
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "injected")
        if fault and not fault.after and (answer := _apply(fault, rpc, context)) is not None:
            return answer
        response = self._answer(rpc, behaviour, request, context)
        if fault and fault.after:
            _apply(fault, rpc, context)
        return response

    def _late(
        self,
        rpc: str,
        behaviour: Callable[[Message, grpc.ServicerContext], Message],
        request: Message,
        context: grpc.ServicerContext,
    ) -> None:
        """Nobody hears what comes of it."""
        with contextlib.suppress(Exception):
            self._answer(rpc, behaviour, request, context)

    def _answer(
        self,
        rpc: str,
        behaviour: Callable[[Message, grpc.ServicerContext], Message],
        request: Message,
        context: grpc.ServicerContext,
    ) -> Message:
        try:
            if (stale := self._memory.recall(rpc, request, context)) is not None:
                return stale
            self._precheck(rpc, request, context)
            self._memory.before(rpc, request, context, seconds=self._faults.stale_seconds)
            return behaviour(request, context)
        except RefusedError as error:
            return refuse(rpc, error)
        except ProviderError as error:
            return refuse(rpc, RefusedError(str(error)))
        except MilvusLiteError as error:
            status = to_status_kwargs(error)
            return refuse(rpc, RefusedError(str(status["reason"]), int(status["code"])))
        except NotImplementedError:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown method {rpc}")
            raise


def _apply(fault: Fault, rpc: str, context: grpc.ServicerContext) -> Message | None:
    if fault.gate is not None:
        fault.gate.pass_through()
    if fault.grpc_code is not None:
        context.abort(fault.grpc_code, fault.reason)
    return refuse(rpc, RefusedError(fault.reason, fault.code)) if fault.code else None
