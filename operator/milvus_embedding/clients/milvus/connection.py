"""Calls to one Milvus: lazily connected, bounded in number and time, guarded by a breaker, errors translated.

Knows no RPC in particular but GetVersion, its probe, and those that ask the provider. Belongs to one event loop.

A call that changes something is sent only while this process holds the lease, and ends before the lease may: Milvus has
no compare-and-set that would tell a former leader from the present one. Calls that ask the provider may last longer
than a lease; they end with the process that loses it.
"""

import asyncio
import dataclasses
import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import grpc

from milvus_embedding.clients.milvus.breaker import Breaker
from milvus_embedding.clients.milvus.channel import Clock, invoke, metadata, open_channel
from milvus_embedding.clients.milvus.errors import (
    Call,
    code_of,
    from_rpc,
    from_status,
    result_of,
    timed_out,
    unreachable,
)
from milvus_embedding.clients.milvus.port import MilvusError, NotLeading, OutcomeUnknown, Unreachable
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.clients.observer import OK, UNOBSERVED, CallObserver, Service
from milvus_embedding.domain.endpoints import check_address, check_endpoint
from milvus_embedding.domain.scrub import Scrubber

if TYPE_CHECKING:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2_grpc

PROBE_TIMEOUT_SECONDS = 10
ASKING_PROVIDER: Final = frozenset({"CreateCollection", "AddCollectionFunction", "AlterCollectionFunction"})


class Connection:
    """`workers` calls at most are under way at once; the others wait. Probes do not wait.

    lease_remaining: for how many seconds nobody else can take over.
    """

    def __init__(
        self,
        target: Target,
        *,
        scrubber: Scrubber,
        monotonic: Clock,
        workers: int,
        observer: CallObserver = UNOBSERVED,
        lease_remaining: Callable[[], float],
    ) -> None:
        self._target = target
        self._observer = observer
        self._scrubber = scrubber
        self._breaker = Breaker(monotonic)
        self._lease_remaining = lease_remaining
        self._slots = asyncio.Semaphore(workers)
        self._opening = asyncio.Lock()
        self._channel: grpc.Channel | None = None
        self._stub: milvus_pb2_grpc.MilvusServiceStub | None = None
        self._probe: asyncio.Task[None] | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def call(self, method: str, request: object, *, database: str, changing: bool = False) -> object:
        """One RPC. Raises any MilvusError; a response that is returned has a status of success."""
        call = Call(method, changing, self._target.uri, self._target.timeout_seconds)
        self._refuse_if_closed(call)
        if self._breaker.reason:
            self._observer.refused(Service.MILVUS, method)
            self._probe_soon()
            raise Unreachable(self._breaker.reason)
        async with self._slots:
            return await self._run(call, request, database)

    async def server_version(self) -> str:
        """GetVersion, which also asks whether the server is back: at most once per 2 s while the breaker is open."""
        timeout = min(PROBE_TIMEOUT_SECONDS, self._target.timeout_seconds)
        call = Call("GetVersion", False, self._target.uri, timeout)
        self._refuse_if_closed(call)
        if not self._breaker.take_probe():
            raise Unreachable(self._breaker.reason)
        return await self._get_version(call)

    @property
    def broken(self) -> bool:
        """Whether the breaker is open: the server did not answer when it was asked last."""
        return bool(self._breaker.reason)

    async def drain(self) -> None:
        """Refuses new calls, waits for those under way (each has its deadline), then closes."""
        self._closed = True
        await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """Ends calls under way: they raise as calls whose connection broke."""
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await asyncio.to_thread(channel.close)

    async def _get_version(self, call: Call) -> str:
        pb = await load()
        response = await self._run(call, pb.milvus.GetVersionRequest(), self._target.database)
        return str(getattr(response, "version", ""))

    def _probe_soon(self) -> None:
        """Without this a breaker that a collection opened would stay open until somebody asks for the version."""
        if self._breaker.take_probe():
            self._probe = asyncio.create_task(self._probe_once())

    async def _probe_once(self) -> None:
        timeout = min(PROBE_TIMEOUT_SECONDS, self._target.timeout_seconds)
        try:
            await self._get_version(Call("GetVersion", False, self._target.uri, timeout))
        except MilvusError:
            return  # the breaker has taken notice

    async def _run(self, call: Call, request: object, database: str) -> object:
        self._refuse_if_closed(call)
        self._under_way += 1
        self._idle.clear()
        try:
            with self._observed(call):
                return await self._answer(call, request, database)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    @contextmanager
    def _observed(self, call: Call) -> Iterator[None]:
        with self._observer.call(Service.MILVUS, call.method) as observed:
            try:
                yield
            except MilvusError as error:
                observed.result = result_of(error)
                raise
            observed.result = OK

    async def _answer(self, call: Call, request: object, database: str) -> object:
        response = await self._send(call, request, database)
        error = from_status(_status(response), call, self._scrubber)
        if error is None:
            self._breaker.reset()
            return response
        raise self._noted(error)

    async def _send(self, call: Call, request: object, database: str) -> object:
        try:
            stub = await self._open(call)
            rpc = getattr(stub, call.method)
            headers = metadata(self._target, database)
            call = self._within_lease(call)
            response: object = await invoke(rpc, request, seconds=call.timeout_seconds, metadata=headers)
        except grpc.RpcError as error:
            cut_off = code_of(error) is grpc.StatusCode.UNAVAILABLE
            raise self._noted(from_rpc(error, call, self._scrubber), cut_off=cut_off) from None
        except (grpc.FutureCancelledError, TimeoutError):
            raise self._noted(timed_out(call)) from None
        return response

    def _within_lease(self, call: Call) -> Call:
        """Directly before it is sent. Raises NotLeading."""
        remaining = self._lease_remaining()
        if not call.changing:
            return call
        if remaining <= 0:
            raise NotLeading(f"{call.method} is not sent, as this process does not hold the lease any more")
        if call.method in ASKING_PROVIDER:
            return call
        return dataclasses.replace(call, timeout_seconds=min(call.timeout_seconds, remaining))

    def _noted(self, error: MilvusError, *, cut_off: bool = False) -> MilvusError:
        """Any other error is an answer: the server lives."""
        if isinstance(error, Unreachable) or cut_off:
            self._breaker.trip(str(error))
        elif not isinstance(error, OutcomeUnknown):
            self._breaker.reset()
        return error

    async def _open(self, call: Call) -> "milvus_pb2_grpc.MilvusServiceStub":
        async with self._opening:
            if self._stub is None:
                pb = await load()
                await self._refuse_link_local(call)
                try:
                    self._channel = open_channel(self._target)
                except ValueError as error:
                    raise self._noted(unreachable(call, f"its TLS files are unusable ({error})")) from None
                self._stub = pb.service.MilvusServiceStub(self._channel)
            return self._stub

    async def _refuse_link_local(self, call: Call) -> None:
        problem = check_endpoint(self._target.uri, ())
        for address in [] if problem else await _resolve(self._target.host, self._target.port):
            problem = problem or check_address(address)
        if problem:
            raise self._noted(unreachable(call, problem.rstrip(".")))

    def _refuse_if_closed(self, call: Call) -> None:
        if self._closed:
            raise unreachable(call, "this connection was closed or replaced")


async def _resolve(host: str, port: int) -> list[str]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [host]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # gRPC resolves for itself, and says what is wrong
    return [str(item[4][0]) for item in found]


def _status(response: object) -> "common_pb2.Status":
    """Some responses carry a status (one under another name), others are one."""
    status: common_pb2.Status = getattr(response, "status", None) or getattr(response, "alter_status", response)
    return status
