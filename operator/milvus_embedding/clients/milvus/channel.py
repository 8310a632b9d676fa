"""A gRPC channel to one Milvus, and unary calls on it that asyncio can await.

No threads of ours: gRPC finishes a call in a thread of the channel, which wakes the event loop. Nothing is ever sent
twice: pymilvus' client would send CreateCollection again when a connection breaks, and each one pays the provider.
"""

import asyncio
import base64
import contextlib
import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc

from milvus_embedding.clients.milvus.target import Target

# The sub-channel pool of the process shares back-off between channels: after an outage of 20 s it took 8 s more.
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_GRACE = 2.0

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)


class UnaryCall(Protocol[Request, Response]):
    """A method of a generated stub."""

    def future(self, request: Request, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Any:
        """Starts the call."""


def open_channel(target: Target) -> grpc.Channel:
    """Connects to nothing: the first call does. Raises ValueError for files that are no PEM."""
    options = list(_OPTIONS)
    # With the scheme, or a host named unix or ipv4 would be taken for another scheme of gRPC's.
    address = f"dns:///{target.address}"
    if not target.secure:
        return grpc.insecure_channel(address, options=options)
    tls = target.tls
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca if tls and tls.ca else _roots(),
        private_key=tls.key if tls else None,
        certificate_chain=tls.certificate if tls else None,
    )
    named = [("grpc.ssl_target_name_override", tls.server_name)] if tls and tls.server_name else []
    return grpc.secure_channel(address, credentials, options=[*options, *named])


def _roots() -> bytes | None:
    """Those of the system, or of SSL_CERT_FILE, as DashScope's client has them; None: gRPC brings its own.

    Raises ValueError if the file cannot be read.
    """
    path = ssl.get_default_verify_paths().cafile
    if path is None or os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path} with the authorities to trust cannot be read: {error.strerror}") from None


def metadata(target: Target, database: str) -> list[tuple[str, str]]:
    """What every call carries. The database goes here too: some requests of older servers have no field for it."""
    pairs = [("dbname", database)]
    if target.credentials:
        pairs.append(("authorization", base64.b64encode(target.credentials.encode()).decode()))
    return pairs


async def invoke(
    call: UnaryCall[Request, Response], request: Request, *, seconds: float, metadata: Sequence[tuple[str, str]]
) -> Response:
    """One call. Raises grpc.RpcError, or TimeoutError if even gRPC did not end it in time. A cancelled task cancels
    the call.
    """
    loop = asyncio.get_running_loop()
    rpc = call.future(request, timeout=seconds, metadata=metadata)
    ended: asyncio.Future[None] = loop.create_future()
    rpc.add_done_callback(lambda _: _wake(loop, ended))
    try:
        async with asyncio.timeout(seconds + _GRACE):
            await ended
    except BaseException:
        rpc.cancel()
        raise
    response: Response = rpc.result()
    return response


def _wake(loop: asyncio.AbstractEventLoop, ended: "asyncio.Future[None]") -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(_resolve, ended)


def _resolve(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)


Clock = Callable[[], float]
"""A monotonic clock, in seconds."""
