"""An embedded Milvus for the tests of the adapter, and clients of it that are closed at the end."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.scrub import Scrubber

API_KEY = "sk-0123456789abcdef"
MILVUS_YAML = """
credential:
  apikey_dev:
    apikey: "{key}"
function:
  textEmbedding:
    providers:
      dashscope:
        url: "{url}"
"""


@dataclass
class Clock:
    """A monotonic clock that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


ConnectTo = Callable[[Target], PymilvusClient]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dashscope() -> Iterator[DashScopeStandIn]:
    with DashScopeStandIn([API_KEY]) as stand_in:
        yield stand_in


@pytest.fixture
def config_dir(tmp_path: Path, dashscope: DashScopeStandIn) -> Path:
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "milvus.yaml").write_text(MILVUS_YAML.format(key=API_KEY, url=dashscope.url))
    return directory


@pytest.fixture
def embedded(tmp_path: Path, config_dir: Path) -> Iterator[EmbeddedMilvus]:
    with EmbeddedMilvus(tmp_path / "data", config_dir, retry_backoff_seconds=0.0) as server:
        yield server


@pytest.fixture
async def connect(clock: Clock) -> AsyncIterator[ConnectTo]:
    """Makes clients with the test's clock; all are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(target: Target) -> PymilvusClient:
            client = PymilvusClient(target, scrubber=Scrubber(), monotonic=clock)
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
def client(connect: ConnectTo, embedded: EmbeddedMilvus) -> PymilvusClient:
    return connect(Target(uri=embedded.uri, timeout_seconds=10))
