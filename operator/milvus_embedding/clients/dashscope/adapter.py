"""Asks DashScope over HTTP whether a key embeds.

One short text is sent, in the native request body that Milvus uses too. Of the answer only the HTTP status and the
error code are looked at; nothing of it is logged or raised.
"""

import asyncio
import contextlib
import json
import re
import socket
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from milvus_embedding.clients.dashscope.port import NATIVE_ENDPOINT, KeyProbe, ProbeResult, Verdict
from milvus_embedding.clients.observer import UNOBSERVED, CallObserver, Service
from milvus_embedding.domain.endpoints import check_address, check_endpoint

TIMEOUT_SECONDS = 10.0
BODY_LIMIT = 64 * 1024
"""Bytes of an answer that are read; a vector of 2,048 numbers takes about 45 KiB."""

_CODE = re.compile(r"[A-Za-z.]{1,64}")
_UNREACHABLE = ProbeResult(Verdict.UNREACHABLE)


class HttpKeyProbe(KeyProbe):
    """A connection of its own per probe: probes are rare, and nothing of one key must be left for the next."""

    def __init__(
        self,
        *,
        allowed_endpoints: Sequence[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        observer: CallObserver = UNOBSERVED,
    ) -> None:
        """`allowed_endpoints` are the patterns of --allow-endpoint; `transport` replaces the network."""
        self._observer = observer
        self._allowed = tuple(allowed_endpoints)
        self._transport = transport
        self._tls: ssl.SSLContext | None = None

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        endpoint = url or NATIVE_ENDPOINT
        if check_endpoint(endpoint, self._allowed):
            return _UNREACHABLE
        with self._observer.call(Service.DASHSCOPE, "probe") as observed:
            result = await self._probe(endpoint, key, model)
            observed.result = result_of(result)
            return result

    async def _probe(self, endpoint: str, key: str, model: str) -> ProbeResult:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                if _through_proxy(endpoint):
                    return await self._ask(endpoint, key, model, address="")
                addresses = await _resolve(endpoint)
                if not addresses or any(map(check_address, addresses)):
                    return _UNREACHABLE
                return await self._ask_one_of(addresses, endpoint, key, model)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):  # TimeoutError is an OSError
            return _UNREACHABLE

    async def _ask_one_of(self, addresses: Sequence[str], endpoint: str, key: str, model: str) -> ProbeResult:
        """The next address only where no connection was made, so that nothing is sent twice."""
        for address in addresses[:-1]:
            with contextlib.suppress(httpx.ConnectError):
                return await self._ask(endpoint, key, model, address=address)
        return await self._ask(endpoint, key, model, address=addresses[-1])

    async def _ask(self, endpoint: str, key: str, model: str, *, address: str) -> ProbeResult:
        """`address` was checked: a name that is looked up again may stand for another. "" leaves it to a proxy. The
        certificate is checked against the name all the same.
        """
        url = httpx.URL(endpoint)
        headers = {"Authorization": f"Bearer {key}", "Host": url.netloc.decode("ascii")}
        client = httpx.AsyncClient(
            transport=self._transport,
            verify=await self._context(),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=not address,
        )
        request = client.build_request(
            "POST",
            url.copy_with(host=address) if address else url,
            headers=headers,
            json=request_body(model),
            extensions={"sni_hostname": url.host} if address else None,
        )
        async with client:
            response = await client.send(request, stream=True)
            try:
                return judge(response.status_code, await _read(response))
            finally:
                await response.aclose()

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)  # reads hundreds of certificates
        return self._tls


def request_body(model: str) -> dict[str, object]:
    """DashScope's native body for one text, as Milvus' own live check sends it."""
    return {
        "model": model,
        "input": {"texts": ["check"]},
        "parameters": {"text_type": "document", "output_type": "dense"},
    }


def judge(status: int, body: bytes) -> ProbeResult:
    """Only a vector is acceptance, and only a 401 rejects the key."""
    if status == HTTPStatus.OK and _has_embedding(body):
        return ProbeResult(Verdict.ACCEPTED, status)
    verdict = Verdict.REJECTED if status == HTTPStatus.UNAUTHORIZED else Verdict.REFUSED
    return ProbeResult(verdict, status, _error_code(body))


def result_of(result: ProbeResult) -> str:
    """The verdict in one word of a closed set; of refusals those that ask for different help."""
    if result.verdict is not Verdict.REFUSED:
        return str(result.verdict)
    if result.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "RateLimited"
    return "ServerError" if result.status >= HTTPStatus.INTERNAL_SERVER_ERROR else str(result.verdict)


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > BODY_LIMIT:
            break
    return bytes(body[:BODY_LIMIT])


def _has_embedding(body: bytes) -> bool:
    if len(body) >= BODY_LIMIT:
        return b'"embedding"' in body  # cut off, so it is no JSON any more
    match _json(body):
        case {"output": {"embeddings": [{"embedding": [int() | float(), *_]}, *_]}}:
            return True
    return False


def _error_code(body: bytes) -> str:
    match _json(body):
        case {"code": str(code)} if _CODE.fullmatch(code):
            return code
    return ""


def _json(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def _through_proxy(endpoint: str) -> bool:
    """Then the proxy looks names up, and what it may reach is its own business."""
    parts = urlsplit(endpoint)
    proxies = getproxies()
    return bool(proxies.get(parts.scheme) or proxies.get("all")) and not proxy_bypass(parts.hostname or "")


async def _resolve(endpoint: str) -> list[str]:
    """The addresses of the endpoint's host, none if nobody knows it."""
    host = urlsplit(endpoint).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(item[4][0]) for item in found))
