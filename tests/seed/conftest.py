"""One stage per test, with its own Milvus and DashScope; nothing that was told holds a key."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.fakes.dashscope import ACCEPTED, FakeKeyProbe
from tests.seed.stage import KEYS, SeedBench, Stage, adapter


@pytest.fixture
def dashscope() -> Iterator[DashScopeStandIn]:
    with DashScopeStandIn(KEYS.values()) as stand_in:
        yield stand_in


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[EmbeddedMilvus]:
    config = tmp_path / "config"
    config.mkdir()
    (config / "user.yaml").write_text("", encoding="utf-8")
    with EmbeddedMilvus(tmp_path / "data", config, retry_backoff_seconds=0.0) as server:
        yield server


@pytest.fixture
async def stage(
    milvus: EmbeddedMilvus, dashscope: DashScopeStandIn, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Stage]:
    client = adapter(milvus)
    bench = SeedBench(milvus=client, key_probe=FakeKeyProbe(dict.fromkeys(KEYS.values(), ACCEPTED)))  # type: ignore[arg-type]
    yield Stage(milvus, dashscope, bench)
    bench.close()
    await client.close()
    bench.assert_no_secret_in(caplog.text)
