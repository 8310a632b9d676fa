"""The table of features on a real server: what 2.3.5 has is made as declared; what it lacks is never called Ready."""

import itertools

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from tests.contract.features import FEATURES, Spec, declared
from tests.contract.reading_back import assert_as_declared, wanted
from tests.milvus235.server import ROOT, ROOT_PASSWORD, RealMilvus
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS

VERSION = (2, 3, 5)
LOADS = {"loaded into a resource group"}
"""The others are not loaded: it takes three seconds each."""
HAS = [sentence for sentence, feature in FEATURES.items() if feature.since <= VERSION]
LACKS = [sentence for sentence, feature in FEATURES.items() if feature.since > VERSION]
NAMES = (f"c{number}" for number in itertools.count())


def _apply(bench: Bench, server: RealMilvus, sentence: str) -> None:
    spec: Spec = declared(FEATURES[sentence], next(NAMES))
    if sentence not in LOADS:
        spec["load"] = {"enabled": False}
    bench.world.put_secret("milvus", "milvus-auth", {"username": ROOT, "password": ROOT_PASSWORD})
    bench.secret("apikey-dev", apikey=manifests.DEV_KEY)
    bench.apply(manifests.connection(uri=server.uri, authSecretRef={"name": "milvus-auth"}, requestTimeoutSeconds=20))
    bench.apply(manifests.credential(), manifests.collection(**spec))


@pytest.mark.parametrize("sentence", HAS)
async def test_what_it_has_is_made_as_declared_and_left_alone(
    bench: Bench, real: RealMilvus, milvus: PymilvusClient, sentence: str
) -> None:
    _apply(bench, real, sentence)
    await bench.settle_ready(DOCS)
    before = await assert_as_declared(milvus, wanted(bench))
    for _ in range(3):
        await bench.reconcile(DOCS)
        assert not bench.changed
        assert bench.condition(DOCS) == ("True", "Ready")
    assert await assert_as_declared(milvus, wanted(bench)) == before


@pytest.mark.parametrize("sentence", LACKS)
async def test_what_it_lacks_is_never_called_ready(bench: Bench, real: RealMilvus, sentence: str) -> None:
    """It refuses some of it, and forgets the rest without a word."""
    _apply(bench, real, sentence)
    for _ in range(8):
        for key in sorted(bench.world.bodies):
            await bench.reconcile(key)
        assert bench.condition(DOCS)[0] != "True"
        bench.clock.advance(2.0)
    assert len(bench.message(DOCS)) > 20
