"""The probe of a key: what is sent, what the answers mean, and that nothing else ever happens."""

import json
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.clients.dashscope import adapter
from milvus_embedding.clients.dashscope.adapter import BODY_LIMIT, HttpKeyProbe, judge
from milvus_embedding.clients.dashscope.port import NATIVE_ENDPOINT, ProbeResult, Verdict
from milvus_embedding.clients.observer import Service
from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from tests.fakes.dashscope import ACCEPTED, REJECTED, UNREACHABLE, FakeKeyProbe, ProbeCall
from tests.fakes.observer import Calls

KEY = "sk-0123456789abcdef"
URL = "http://127.0.0.1:9/embed"
EMBEDDED = json.dumps({"output": {"embeddings": [{"text_index": 0, "embedding": [0.1, 0.2]}]}}).encode()


def failure(code: object) -> bytes:
    return json.dumps({"code": code, "message": "private", "request_id": "r"}).encode()


def resolved_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name has these addresses and no proxy; who asked for one is in the list that is returned."""
    asked: list[str] = []

    async def resolve(endpoint: str) -> list[str]:
        asked.append(endpoint)
        return list(addresses)

    monkeypatch.setattr(adapter, "_resolve", resolve)
    monkeypatch.setattr(adapter, "getproxies", dict)
    return asked


def probe_of(handler: Callable[[httpx.Request], httpx.Response]) -> HttpKeyProbe:
    return HttpKeyProbe(transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        pytest.param(200, EMBEDDED, ACCEPTED, id="a vector"),
        pytest.param(401, failure("InvalidApiKey"), REJECTED, id="only a 401 rejects"),
        pytest.param(401, b"", ProbeResult(Verdict.REJECTED, 401), id="whatever is in it"),
        pytest.param(403, failure("AccessDenied"), ProbeResult(Verdict.REFUSED, 403, "AccessDenied"), id="no access"),
        pytest.param(400, failure("Arrearage"), ProbeResult(Verdict.REFUSED, 400, "Arrearage"), id="an unpaid bill"),
        pytest.param(
            429, failure("Throttling.RateQuota"), ProbeResult(Verdict.REFUSED, 429, "Throttling.RateQuota"), id="quota"
        ),
        pytest.param(503, b"<html>", ProbeResult(Verdict.REFUSED, 503), id="a gateway's page"),
        pytest.param(302, b"", ProbeResult(Verdict.REFUSED, 302), id="a redirect"),
        pytest.param(200, failure("Odd"), ProbeResult(Verdict.REFUSED, 200, "Odd"), id="success that holds an error"),
        pytest.param(200, b'{"output": {"embeddings": []}}', ProbeResult(Verdict.REFUSED, 200), id="no vector"),
        pytest.param(400, failure("not a code!"), ProbeResult(Verdict.REFUSED, 400), id="a code that is none"),
        pytest.param(400, failure(7), ProbeResult(Verdict.REFUSED, 400), id="a code that is a number"),
        pytest.param(400, failure("x" * 65), ProbeResult(Verdict.REFUSED, 400), id="a code that is too long"),
        pytest.param(200, b'{"embedding":' + b"1" * BODY_LIMIT, ACCEPTED, id="a vector too long to be read whole"),
        pytest.param(200, b"[" * 50_000, ProbeResult(Verdict.REFUSED, 200), id="a body made to exhaust the parser"),
    ],
)
async def test_verdicts(status: int, body: bytes, result: ProbeResult) -> None:
    probe = probe_of(lambda _: httpx.Response(status, content=body))
    assert await probe.probe(url=URL, key=KEY, model="text-embedding-v3") == result


async def test_the_request_is_dashscopes_native_one() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=EMBEDDED)

    await probe_of(handler).probe(url=URL, key=KEY, model="text-embedding-v3")
    [request] = seen
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {
        "model": "text-embedding-v3",
        "input": {"texts": ["check"]},
        "parameters": {"text_type": "document", "output_type": "dense"},
    }


async def test_without_a_url_the_native_endpoint_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved_to(monkeypatch, "192.0.2.1")
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=EMBEDDED)

    await probe_of(handler).probe(url="", key=KEY, model="text-embedding-v3")
    [request] = seen
    assert str(request.url.copy_with(host=request.headers["Host"])) == NATIVE_ENDPOINT


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(307, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    result = await probe_of(handler).probe(url=URL, key=KEY, model="text-embedding-v3")
    assert result.verdict is Verdict.REFUSED
    assert seen == [URL]


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("odd"),
        OSError("no"),
        TimeoutError(),
    ],
)
async def test_no_answer_is_unreachable_and_raises_nothing(error: Exception) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    assert await probe_of(handler).probe(url=URL, key=KEY, model="m") == UNREACHABLE


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fe80::1]/", "nonsense", "http://u:p@host/"])
async def test_refused_addresses_are_not_asked(url: str) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    assert await probe_of(handler).probe(url=url, key=KEY, model="m") == UNREACHABLE


async def test_addresses_that_are_not_allowed_are_not_asked() -> None:
    probe = HttpKeyProbe(
        allowed_endpoints=["*.aliyuncs.com"],
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=EMBEDDED)),
    )
    assert await probe.probe(url=URL, key=KEY, model="m") == UNREACHABLE


@pytest.mark.parametrize("key", ["line\nbreak", "schlüssel", "\x00"])
async def test_a_key_that_no_header_can_hold_raises_nothing(key: str) -> None:
    with DashScopeStandIn([KEY]) as dashscope:
        result = await HttpKeyProbe().probe(url=dashscope.url, key=key, model="text-embedding-v3")
    assert result.verdict in (Verdict.UNREACHABLE, Verdict.REJECTED)


async def test_against_the_stand_in_over_the_network() -> None:
    with DashScopeStandIn([KEY]) as dashscope:
        probe = HttpKeyProbe()
        assert await probe.probe(url=dashscope.url, key=KEY, model="text-embedding-v3") == ACCEPTED
        other = await probe.probe(url=dashscope.url, key="sk-another-key", model="text-embedding-v3")
        assert (other.verdict, other.status) == (Verdict.REJECTED, 401)
    gone = await probe.probe(url=dashscope.url, key=KEY, model="text-embedding-v3")
    assert gone == UNREACHABLE


async def test_a_key_is_in_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with DashScopeStandIn([KEY]) as dashscope:
        await HttpKeyProbe().probe(url=dashscope.url, key=KEY, model="text-embedding-v3")
    assert KEY not in caplog.text


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_has_a_verdict_and_only_vectors_are_accepted(status: int, body: bytes) -> None:
    result = judge(status, body)
    assert result.verdict in (Verdict.REJECTED, Verdict.REFUSED)
    assert (result.verdict is Verdict.REJECTED) == (status == 401)


async def test_the_fake_answers_by_key_and_remembers_what_was_asked() -> None:
    probe = FakeKeyProbe({KEY: ACCEPTED})
    assert await probe.probe(url=URL, key=KEY, model="m") == ACCEPTED
    assert await probe.probe(url=URL, key="other", model="m") == REJECTED
    assert probe.calls == [ProbeCall(URL, KEY, "m"), ProbeCall(URL, "other", "m")]


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        pytest.param(200, EMBEDDED, "Accepted", id="accepted"),
        pytest.param(401, b"", "Rejected", id="rejected"),
        pytest.param(429, b"", "RateLimited", id="too much"),
        pytest.param(502, b"", "ServerError", id="its own fault"),
        pytest.param(403, failure("AccessDenied"), "Refused", id="refused, whatever its code says"),
    ],
)
async def test_who_watches_is_told_the_result_in_a_word_of_ours(status: int, body: bytes, result: str) -> None:
    calls = Calls()
    probe = HttpKeyProbe(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body)), observer=calls)
    await probe.probe(url=URL, key=KEY, model="text-embedding-v3")
    assert calls.ended == [(Service.DASHSCOPE, "probe", result)]


async def test_an_address_that_may_not_be_asked_is_no_call() -> None:
    calls = Calls()
    await HttpKeyProbe(observer=calls).probe(url="http://169.254.169.254/x", key=KEY, model="text-embedding-v3")
    assert calls.ended == []
