"""An API key goes to the host of the endpoint, proven by its certificate, at an address that was looked at."""

import logging
import ssl
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
import trustme

from milvus_embedding.clients.dashscope import adapter
from milvus_embedding.clients.dashscope.adapter import HttpKeyProbe
from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from tests.fakes.dashscope import ACCEPTED, UNREACHABLE
from tests.unit.clients.dashscope.test_probe import EMBEDDED, KEY, probe_of, resolved_to

NAME = "dashscope.test"


class _Service(BaseHTTPRequestHandler):
    """Embeds for whoever asks, and remembers under which name it was asked."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.asked.append(self.headers["Host"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(EMBEDDED)))
        self.end_headers()
        self.wfile.write(EMBEDDED)

    def log_message(self, format: str, *args: object) -> None:
        return


class _Server(HTTPServer):
    asked: list[str]

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that the client broke off is what is tested."""


@contextmanager
def service(authority: trustme.CA, name: str) -> Iterator[_Server]:
    """Over TLS, with a certificate of `authority` for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with _Server(("127.0.0.1", 0), _Service) as server:
        server.asked = []
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch, authority: trustme.CA) -> None:
    """The system's roots are this authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: context)


@pytest.mark.usefixtures("trusting")
async def test_a_service_with_a_certificate_of_a_trusted_authority_for_its_name_gets_the_key(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    resolved_to(monkeypatch, "127.0.0.1")
    with service(authority, NAME) as server:
        url = f"https://{NAME}:{server.server_port}/embed"
        assert await HttpKeyProbe().probe(url=url, key=KEY, model="m") == ACCEPTED
        assert server.asked == [f"{NAME}:{server.server_port}"]


@pytest.mark.usefixtures("trusting")
async def test_a_service_with_a_certificate_for_another_name_does_not_get_it(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    resolved_to(monkeypatch, "127.0.0.1")
    with service(authority, "other.test") as server:
        url = f"https://{NAME}:{server.server_port}/embed"
        assert await HttpKeyProbe().probe(url=url, key=KEY, model="m") == UNREACHABLE
        assert server.asked == []


async def test_a_service_with_a_certificate_that_nobody_vouches_for_does_not_get_it(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    resolved_to(monkeypatch, "127.0.0.1")
    with service(authority, NAME) as server:
        url = f"https://{NAME}:{server.server_port}/embed"
        assert await HttpKeyProbe().probe(url=url, key=KEY, model="m") == UNREACHABLE
        assert server.asked == []


@pytest.mark.parametrize(
    "addresses",
    [("169.254.169.254",), ("192.0.2.1", "169.254.169.254"), ("fe80::1%eth0",), ("::ffff:169.254.169.254",), ()],
    ids=["link-local", "one of several", "version 6", "mapped", "none"],
)
async def test_a_name_that_stands_for_a_refused_address_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    resolved_to(monkeypatch, *addresses)
    assert await probe_of(handler).probe(url="http://rebinding.test/", key=KEY, model="m") == UNREACHABLE


async def test_a_name_is_looked_up_once_so_that_a_second_answer_cannot_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolved_to(monkeypatch, "127.0.0.1")
    with DashScopeStandIn([KEY]) as dashscope:
        url = dashscope.url.replace("127.0.0.1", "rebinding.test")
        assert await HttpKeyProbe().probe(url=url, key=KEY, model="text-embedding-v3") == ACCEPTED
    assert asked == [url]


async def test_the_next_address_is_tried_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    with DashScopeStandIn([KEY]) as dashscope:
        url = dashscope.url.replace("127.0.0.1", "two.test")
        assert await HttpKeyProbe().probe(url=url, key=KEY, model="text-embedding-v3") == ACCEPTED


async def test_behind_a_proxy_names_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolved_to(monkeypatch)
    monkeypatch.setattr(adapter, "getproxies", lambda: {"https": "http://proxy.test:3128"})
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(200, content=EMBEDDED)

    assert await probe_of(handler).probe(url=f"https://{NAME}/embed", key=KEY, model="m") == ACCEPTED
    assert (seen, asked) == ([NAME], [])


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_key_is_in_no_log_line_exception_or_repr_when_it_goes_wrong(
    caplog: pytest.LogCaptureFixture, error: type[httpx.TransportError]
) -> None:
    caplog.set_level(logging.DEBUG)
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise error(f"failed with {request.headers['Authorization']}", request=request)

    probe = probe_of(handler)
    try:
        result = await probe.probe(url="http://127.0.0.1:9/", key=KEY, model="m")
    except Exception:  # the probe never raises; if it did, this is what a log would have of it
        caplog.handler.stream.write(traceback.format_exc())
        raise
    assert requests
    assert KEY not in "".join((caplog.text, repr(result), repr(probe), repr(requests), repr(requests[0].headers)))
