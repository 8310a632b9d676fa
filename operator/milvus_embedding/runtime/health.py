"""Answers /healthz, /readyz and /metrics, and tells the truth.

The server has a thread of its own, so it answers also when the event loop is stuck, which is just when the answer
matters. It knows nothing about the operator but the checks it is given.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

_log = logging.getLogger(__name__)

_CLIENT_TIMEOUT: Final = 5.0


class Answer(NamedTuple):
    """What a path answers."""

    status: int
    content_type: str
    body: bytes


Check = Callable[[], str]
"""Returns "" when all is well, else one sentence. Called from the server's thread."""


class Health:
    """The checks, by what they decide: liveness (the process should be restarted) or readiness."""

    def __init__(self, metrics: Callable[[], bytes], metrics_type: str) -> None:
        self._metrics = metrics
        self._metrics_type = metrics_type
        self._live: list[Check] = []
        self._ready: list[Check] = []

    def live_if(self, check: Check) -> None:
        """Adds a check of /healthz; what is not alive is not ready either."""
        self._live.append(check)

    def ready_if(self, check: Check) -> None:
        """Adds a check of /readyz."""
        self._ready.append(check)

    def answer(self, path: str) -> Answer:
        """The answer for a path."""
        match path.split("?", 1)[0]:
            case "/healthz":
                return _verdict(self._live)
            case "/readyz":
                return _verdict([*self._live, *self._ready])
            case "/metrics":
                return Answer(200, self._metrics_type, self._metrics())
            case _:
                return Answer(404, "text/plain", b"not found\n")


class HealthServer:
    """Serves a Health at `address` (host:port; an empty host is all interfaces, port 0 a free one)."""

    def __init__(self, address: str, health: Health) -> None:
        """Raises OSError if the address cannot be had, ValueError if it is none."""
        host, _, port = address.rpartition(":")
        self._server = _Server((host.strip("[]"), int(port)), _handler(health))
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=1.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_TIMEOUT

        def do_GET(self) -> None:
            answer = health.answer(self.path)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not worth a line each."""

    return Handler


def _verdict(checks: Sequence[Check]) -> Answer:
    problems = [problem for check in checks if (problem := check())]
    text = "ok\n" if not problems else "".join(f"{problem}\n" for problem in problems)
    return Answer(503 if problems else 200, "text/plain; charset=utf-8", text.encode())
