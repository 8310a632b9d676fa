"""The stand-in's HTTP server on loopback: keys that come and go, faults on demand, a record of calls without any key.

It answers the native endpoint only. The OpenAI-compatible one does not exist here, as it does not for Milvus.
"""

import hashlib
import json
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from milvus_embedding.devkit.dashscope.gate import Gate
from milvus_embedding.devkit.dashscope.service import (
    MalformedRequestError,
    Outcome,
    RateLimit,
    answer,
    failure,
    parse,
    refuse_key,
)

PATH = "/api/v1/services/embeddings/text-embedding/text-embedding"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the service saw it. The key is there only as a fingerprint (8 hex, never to be shown to users)."""

    model: str
    texts: int
    text_type: str
    dimension: int
    key_fingerprint: str
    status: int
    tokens: int = 0


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]


class DashScopeStandIn:
    """A DashScope on 127.0.0.1, running from `start` to `stop` or for a `with` block.

    `keys` may be changed at any time. `calls` and `usage` (tokens per model) grow; clear them as you like.
    """

    def __init__(
        self,
        keys: Collection[str],
        port: int = 0,
        *,
        rate_limit: RateLimit | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys: set[str] = set(keys)
        self.calls: list[Call] = []
        self.usage: Counter[str] = Counter()
        self.rate_limit = rate_limit
        self._clock = clock
        self._port = port
        self._lock = threading.Lock()
        self._failures: list[Outcome] = []
        self._gates: list[Gate] = []
        self._stopping = threading.Event()
        self._delay = 0.0
        self._server: _Server | None = None

    def __repr__(self) -> str:
        return f"DashScopeStandIn(port={self._port}, keys={len(self.keys)}, calls={len(self.calls)})"

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """The complete native endpoint, fit for `function.textEmbedding.providers.dashscope.url`."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    def start(self) -> Self:
        """Listens. With port 0 a free one is chosen and kept over restarts."""
        self._stopping.clear()
        self._server = _Server(self, self._port)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="dashscope", daemon=True).start()
        return self

    def stop(self) -> None:
        """Ends all connections, held ones included. Does nothing if it is not running."""
        self._stopping.set()
        self.release_all()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.close_connections()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fail_next(self, status: int, code: str, message: str = "", *, times: int = 1) -> None:
        """The next `times` requests get this error, whatever they ask."""
        with self._lock:
            self._failures.extend([failure(status, code, message or code)] * times)

    def respond_slowly(self, seconds: float) -> None:
        """Every later answer takes this much longer; 0 ends it."""
        self._delay = seconds

    def hold(self) -> Gate:
        """Requests that arrive from now on wait until the gate is released."""
        gate = Gate()
        with self._lock:
            self._gates.append(gate)
        return gate

    def release_all(self) -> None:
        """Opens every gate that is still closed."""
        with self._lock:
            gates, self._gates = self._gates, []
        for gate in gates:
            gate.release()

    def handle(self, key: str, body: bytes) -> Outcome:
        """One request from its key and body to its answer; waits where a test wants it to."""
        for gate in tuple(self._gates):
            gate.pass_through()
        if self._delay:
            self._stopping.wait(self._delay)
        try:
            request = parse(body)
        except MalformedRequestError as error:
            return failure(400, "InvalidParameter", str(error))
        with self._lock:
            outcome = refuse_key(key, self.keys) or self._injected() or self._throttled(request.model)
        outcome = outcome or answer(request)
        call = Call(
            model=request.model,
            texts=len(request.texts),
            text_type=request.text_type,
            dimension=request.dimension,
            key_fingerprint=fingerprint(key),
            status=outcome.status,
            tokens=outcome.tokens,
        )
        with self._lock:
            self.calls.append(call)
            self.usage[request.model] += outcome.tokens
        return outcome

    def _injected(self) -> Outcome | None:
        return self._failures.pop(0) if self._failures else None

    def _throttled(self, model: str) -> Outcome | None:
        return self.rate_limit.refuse(model, self._clock()) if self.rate_limit else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The default of 5 drops connections under 32 concurrent creates and costs a second each.
    request_queue_size = 128

    def __init__(self, stand_in: DashScopeStandIn, port: int) -> None:
        self.stand_in = stand_in
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, socket.socket):
            with self._connections_lock:
                self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            with self._connections_lock:
                self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Idle keep-alive connections block their threads until somebody hangs up."""
        with self._connections_lock:
            connections = tuple(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Request lines are not worth a log, and headers carry keys."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != PATH:
            self._send(failure(404, "InvalidParameter", "url error, please check url!"))
            return
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        self._send(self.server.stand_in.handle(key, body))

    def _send(self, outcome: Outcome) -> None:
        data = json.dumps({**outcome.body, "request_id": str(uuid.uuid4())}).encode()
        self.send_response(outcome.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
