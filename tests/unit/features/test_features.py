"""Every feature of the table on the contract server: declared, created, read back equal, and never touched again."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.scrub import Scrubber
from tests.contract.features import FEATURES, declared
from tests.contract.reading_back import assert_as_declared, wanted
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench, over_servers
from tests.unit.controllers.manifests import DOCS
from tests.unit.devkit.milvus.builders import Workspace

EVERY_FIELD = Path(__file__).parents[3] / "examples" / "every-field" / "collection.yaml"
VERSIONS = ("2.6.0", "2.6.9", "3.0.0")
NAMES = (f"c{number}" for number in itertools.count())


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMilvus]:
    folder = tmp_path_factory.mktemp("milvus")
    with DashScopeStandIn({manifests.DEV_KEY}) as stand_in:
        workspace = Workspace(folder / "data", folder / "config", stand_in.url)
        workspace.config.mkdir()
        workspace.write({"apikey_dev": manifests.DEV_KEY}, default="apikey_dev")
        with EmbeddedMilvus(
            workspace.data, workspace.config, version=f"v{request.param}", retry_backoff_seconds=0
        ) as milvus:
            yield milvus


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """The controllers over a world in memory, with real clients."""
    async with over_servers() as bench:
        yield bench


@pytest.fixture
async def milvus(server: EmbeddedMilvus) -> AsyncIterator[PymilvusClient]:
    """A client beside the operator's."""
    client = PymilvusClient(Target(uri=server.uri, timeout_seconds=10), scrubber=Scrubber())
    yield client
    await client.close()


async def test_the_example_of_every_field_becomes_ready(
    bench: Bench, server: EmbeddedMilvus, milvus: PymilvusClient
) -> None:
    spec = yaml.safe_load(EVERY_FIELD.read_text())["spec"]
    bench.secret("apikey-dev", apikey=manifests.DEV_KEY)
    bench.apply(manifests.connection(uri=server.uri), manifests.credential(), manifests.function())
    bench.apply(manifests.manifest(DOCS, spec))

    await bench.settle()

    if server.version == "v2.6.0":
        assert bench.condition(DOCS) == ("False", "UnsupportedServer")
        return
    assert bench.condition(DOCS) == ("True", "Ready"), bench.message(DOCS)
    await milvus.drop_alias("default", "products_now")
    await milvus.drop_collection("default", "docs")


@pytest.mark.parametrize("sentence", FEATURES)
async def test_a_feature_is_made_as_declared_and_left_alone(
    bench: Bench, server: EmbeddedMilvus, milvus: PymilvusClient, sentence: str
) -> None:
    feature = FEATURES[sentence]
    version = tuple(int(number) for number in server.version.removeprefix("v").split("."))
    bench.secret("apikey-dev", apikey=manifests.DEV_KEY)
    bench.apply(manifests.connection(uri=server.uri), manifests.credential())
    bench.apply(manifests.collection(**declared(feature, next(NAMES))))

    await bench.settle()

    if version < feature.since:
        assert bench.condition(DOCS) == ("False", "UnsupportedServer")
        needed = ".".join(map(str, feature.since))
        assert needed in bench.message(DOCS)
        return
    assert bench.condition(DOCS) == ("True", "Ready"), bench.message(DOCS)
    want = wanted(bench)
    await assert_as_declared(milvus, want)
    before = server.changing_calls
    for _ in range(3):
        await bench.reconcile(DOCS)
        assert not bench.changed
    assert server.changing_calls == before
    for alias in want.aliases:
        await milvus.drop_alias(want.database, alias)
    await milvus.drop_collection(want.database, want.name)
