"""A contract server for each version, and one DashScope stand-in for all, started when first asked for."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.lifecycle.stage import LABELS, Stage
from tests.unit.controllers.manifests import DEV_KEY

MILVUS_YAML = """
credential:
{credentials}
function:
  textEmbedding:
    providers:
      dashscope:
        credential: apikey_dev
        url: "{url}"
"""


class Servers:
    """One per version; a collection of its own per case keeps cases apart."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._config = folder / "config"
        self._config.mkdir()
        credentials = "\n".join(f'  {label}:\n    apikey: "{DEV_KEY}"' for label in LABELS)
        text = MILVUS_YAML.format(credentials=credentials, url=url)
        (self._config / "milvus.yaml").write_text(text, encoding="utf-8")
        self._running: dict[str, EmbeddedMilvus] = {}

    def of(self, version: str) -> EmbeddedMilvus:
        if version not in self._running:
            server = EmbeddedMilvus(self._folder / version, self._config, version=version, retry_backoff_seconds=0.0)
            self._running[version] = server.start()
        return self._running[version]

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with DashScopeStandIn([DEV_KEY]) as dashscope:
        found = Servers(tmp_path_factory.mktemp("lifecycle"), dashscope.url)
        yield found
        found.stop()


MakeStage = Callable[[str], Stage]


@pytest.fixture
async def make_stage(servers: Servers, caplog: pytest.LogCaptureFixture) -> AsyncIterator[MakeStage]:
    """Makes a stage on the server of a version. At the end nothing that was told may hold a secret."""
    stages: list[Stage] = []

    def make(version: str) -> Stage:
        stages.append(Stage(servers.of(version)))
        return stages[-1]

    yield make
    for stage in stages:
        await stage.close()
        stage.bench.assert_no_secret_in(caplog.text)
