"""A connection with more credentials than its status can show, and what a thousand of them cost."""

from collections import Counter

import pytest

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.controllers import eligibility
from milvus_embedding.controllers.connection import report
from tests.fakes.dashscope import ACCEPTED
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DEV, DOCS, PROD, collection, connection, credential
from tests.unit.controllers.test_collection_references import BY_LABEL

LAST = PROD


@pytest.fixture
def two_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (eligibility, report):
        monkeypatch.setattr(module, "LABELS_SHOWN", 2)


async def crowded(bench: Bench) -> None:
    """Four labels, of which apikey_prod is not among the first two."""
    bench.quickstart()
    for name in ("a", "b"):
        bench.secret(name, apikey=f"sk-{name}-0123456789")
        bench.key_probe.results[f"sk-{name}-0123456789"] = ACCEPTED
        bench.apply(credential(DEV._replace(name=name)))
    bench.apply(connection(embedding={}))


@pytest.mark.usefixtures("two_shown")
async def test_a_credential_that_is_not_shown_becomes_ready(bench: Bench) -> None:
    await crowded(bench)
    await bench.settle()

    labels = bench.world.status(CONNECTION)["labels"]
    assert isinstance(labels, list)
    assert [entry["label"] for entry in labels] == ["a", "apikey_dev"]
    assert bench.condition(LAST) == ("True", "Ready")


@pytest.mark.usefixtures("two_shown")
async def test_a_collection_may_use_a_label_that_is_not_shown(bench: Bench) -> None:
    await crowded(bench)
    by_last = {"dashscope": {**BY_LABEL["dashscope"], "credentialRef": {"name": LAST.name, "namespace": "milvus"}}}
    bench.apply(collection(embedding=by_last))

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.usefixtures("two_shown")
async def test_the_default_key_may_be_one_that_is_not_shown(bench: Bench) -> None:
    await crowded(bench)
    bench.apply(connection(embedding={"dashscope": {"credentialRef": {"name": LAST.name}}}))

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.usefixtures("two_shown")
async def test_a_label_that_is_not_shown_is_held_against_an_older_newcomer(bench: Bench) -> None:
    await crowded(bench)
    await bench.settle()
    rival = DEV._replace(name="rival")
    bench.secret("rival", apikey="sk-rival-0123456789")
    bench.apply(credential(rival, label="apikeyprod", created="2000-01-01T00:00:00Z"))

    await bench.settle()

    assert bench.condition(rival) == ("False", "LabelConflict")
    assert bench.condition(LAST) == ("True", "Ready")


async def test_a_pass_looks_through_the_credentials_and_the_collections_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.quickstart()
    for number in range(50):
        bench.apply(credential(Key(DEV.kind, "milvus", f"without-a-secret-{number}")))
    listed: Counter[type[object]] = Counter()
    world_list = bench.world.list

    def counted(kind: type[object]) -> object:
        listed[kind] += 1
        return world_list(kind)  # type: ignore[type-var]

    monkeypatch.setattr(bench.world, "list", counted)
    await bench.reconcile(CONNECTION)

    assert listed == {EmbeddingCredential: 1, MilvusCollection: 1}
