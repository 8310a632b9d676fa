"""No login, API key or certificate's key is in a log line at DEBUG, an exception or a repr, whatever goes wrong."""

import base64
import logging
import traceback
from collections.abc import Iterator

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import MilvusError
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.milvus.target import Target, TlsFiles
from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.scrub import Scrubber
from tests.unit.clients.milvus.conftest import API_KEY, ConnectTo
from tests.unit.clients.milvus.schemas import PLAIN, embedding

PASSWORD = "Correct-Horse-0123456789"
TOKEN = f"root:{PASSWORD}"
PEM_KEY = b"-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5IGF0IGFsbA==\n-----END PRIVATE KEY-----\n"
SPELLINGS = [
    PASSWORD,
    base64.b64encode(TOKEN.encode()).decode(),
    base64.b64encode(PASSWORD.encode()).decode().rstrip("="),
    API_KEY,
    "bm90IGEga2V5",
]


def told(error: BaseException) -> Iterator[str]:
    """All that a careless handler could write of it: the whole chain, also what `from None` hides."""
    yield "".join(traceback.format_exception(error))
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield f"{one!s} {one!r} {one.args!r}"
        ahead += [one.__cause__, one.__context__]


async def failure(client: PymilvusClient, call: str) -> str:
    try:
        match call:
            case "list":
                await client.list_databases()
            case "create":
                await client.create_collection("default", "docs", PLAIN)
            case _:
                await client.create_collection("default", "docs", embedding())
    except MilvusError as error:
        return "\n".join([*told(error), repr(client), str(client)])
    raise AssertionError("it worked")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"user": "nobody", "password": PASSWORD}, id="a login that is refused"),
        pytest.param({"token": TOKEN + "-old"}, id="a token that is refused"),
        pytest.param({"token": TOKEN, "uri": "http://127.0.0.1:1"}, id="nobody there"),
        pytest.param({"token": TOKEN, "uri": "http://no-such-host.invalid:1"}, id="no such host"),
        pytest.param({"token": TOKEN, "uri": "http://169.254.169.254:1"}, id="an address that is refused"),
        pytest.param(
            {"token": TOKEN, "secure": True, "tls": TlsFiles(ca=b"none", certificate=PEM_KEY, key=PEM_KEY)},
            id="certificates that are none",
        ),
    ],
)
async def test_of_a_login(
    connect: ConnectTo, embedded: EmbeddedMilvus, log: pytest.LogCaptureFixture, target: dict[str, object]
) -> None:
    embedded.users = {"root": PASSWORD}
    embedded.restart()
    uri = embedded.uri.replace("http", "https") if target.pop("secure", False) else embedded.uri
    wanted = Target(**{"uri": uri, "timeout_seconds": 5, **target})  # type: ignore[arg-type]
    text = await failure(connect(wanted), "list")

    assert [spelling for spelling in SPELLINGS if spelling in text + log.text + repr(wanted)] == []


@pytest.mark.parametrize("fault", ["break_connection", "time_out_after_success"])
async def test_of_a_call_without_an_answer(
    connect: ConnectTo, embedded: EmbeddedMilvus, log: pytest.LogCaptureFixture, fault: str
) -> None:
    embedded.users = {"root": PASSWORD}
    embedded.restart()
    getattr(embedded.faults, fault)("CreateCollection")
    text = await failure(connect(Target(uri=embedded.uri, token=TOKEN, timeout_seconds=5)), "create")

    assert [spelling for spelling in SPELLINGS if spelling in text + log.text] == []


async def test_of_an_answer_that_quotes_them(embedded: EmbeddedMilvus, log: pytest.LogCaptureFixture) -> None:
    scrubber = Scrubber()
    registry = MilvusRegistry[str](scrubber=scrubber)
    client = await registry.get("milvus", Target(uri=embedded.uri, token=TOKEN, timeout_seconds=5))
    assert isinstance(client, PymilvusClient)
    scrubber.learn(PASSWORD, API_KEY)  # as their readers do
    embedded.faults.fail("CreateCollection", code=65535, reason=f"you are {TOKEN}, your key is {API_KEY}")
    text = await failure(client, "create")
    await registry.close()

    assert "you are" in text
    assert [spelling for spelling in SPELLINGS if spelling in text + log.text] == []


async def test_of_a_provider_that_refuses_the_key(
    client: PymilvusClient, dashscope: DashScopeStandIn, log: pytest.LogCaptureFixture
) -> None:
    dashscope.keys.clear()
    text = await failure(client, "embedding")

    assert [spelling for spelling in SPELLINGS if spelling in text + log.text] == []
