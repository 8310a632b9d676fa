"""What may happen between two looks of a connection: changes that no event tells of, looks that are old."""

import pytest

from milvus_embedding.controllers.base import SecretFailed, SecretForbidden, SecretRead
from milvus_embedding.domain.schema import Function, FunctionKind
from tests.fakes.dashscope import ACCEPTED, REJECTED
from tests.fakes.milvus import FakeMilvus
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import (
    CONFIG,
    CONNECTION,
    DEV,
    DEV_KEY,
    DOCS,
    PROD,
    PROD_KEY,
    connection,
    credential,
    manifest,
)
from tests.unit.controllers.test_labels_in_use import look_again, used, without_default
from tests.unit.domain.specs import wanted

INTL = "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
NEW_KEY = "sk-new-0123456789"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(SecretFailed("the API server answered 500"), 2), (SecretForbidden(), 10)],
    ids=["an API error", "a right that is missing"],
)
async def test_a_source_that_could_not_be_read_is_read_again(bench: Bench, answer: SecretRead, seconds: float) -> None:
    bench.quickstart()
    await bench.settle()
    bench.secret("apikey-prod", apikey=NEW_KEY)
    bench.key_probe.results[NEW_KEY] = ACCEPTED
    bench.world.unreadable["milvus", "apikey-prod"] = answer
    assert (await bench.reconcile(CONNECTION)).requeue_after == seconds

    del bench.world.unreadable["milvus", "apikey-prod"]
    await bench.reconcile(CONNECTION)

    assert bench.rendered_keys()["apikey_prod"] == NEW_KEY


async def test_an_old_look_takes_no_label_away(bench: Bench) -> None:
    await used(bench)
    kept = bench.milvus.databases["default"].collections.pop("docs")
    bench.world.remove(PROD)
    await bench.reconcile(CONNECTION)
    assert set(bench.rendered_keys()) == {"apikey_dev"}

    bench.milvus.databases["default"].collections["docs"] = kept
    bench.world.remove(DOCS)
    bench.world.remove(DEV)
    bench.clock.advance(1)
    await bench.reconcile(CONNECTION)

    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY}


async def test_an_old_look_may_keep_one(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    await look_again(bench)
    looks = bench.milvus.count("list_databases")

    for _ in range(5):
        await bench.reconcile(CONNECTION)

    assert bench.milvus.count("list_databases") == looks


@pytest.mark.parametrize("spelling", ["APIKEY_DEV", "apikey.dev", "apikeydev"])
async def test_a_label_is_in_use_in_whatever_spelling_milvus_takes_for_it(bench: Bench, spelling: str) -> None:
    await used(bench)
    bench.milvus.drop("docs")
    bench.world.remove(DOCS)
    name_label(bench.milvus, spelling, FunctionKind.TEXT_EMBEDDING)
    bench.world.remove(DEV)

    await look_again(bench)

    assert "apikey_dev" in bench.rendered_keys()


async def test_a_function_of_an_unknown_kind_uses_the_label_that_it_names(bench: Bench) -> None:
    await used(bench)
    bench.milvus.drop("docs")
    bench.world.remove(DOCS)
    name_label(bench.milvus, "apikey_dev", FunctionKind.BM25)
    bench.world.remove(DEV)

    await look_again(bench)

    assert "apikey_dev" in bench.rendered_keys()


def name_label(milvus: FakeMilvus, label: str, kind: FunctionKind) -> None:
    """A collection of somebody else with such a function."""
    function = Function(name="f", kind=kind, inputs=("document",), outputs=("dense",), params={"credential": label})
    schema = wanted(functions=[]).schema
    milvus.add_collection("theirs", type(schema)(fields=schema.fields, functions=(function,)))


async def test_a_look_through_many_collections_stands_longer(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    list_databases = bench.milvus.list_databases

    async def slow() -> object:
        bench.clock.advance(10)
        return await list_databases()

    bench.milvus.list_databases = slow  # type: ignore[assignment,method-assign]
    await look_again(bench)
    looks = bench.milvus.count("list_databases")

    bench.clock.advance(99)
    await bench.reconcile(CONNECTION)

    assert bench.milvus.count("list_databases") == looks


async def test_a_key_is_not_known_to_embed_at_another_endpoint(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.key_probe.results = {DEV_KEY: REJECTED, PROD_KEY: ACCEPTED}

    bench.apply(connection(embedding={"dashscope": {"url": INTL, "credentialRef": {"name": "apikey-dev"}}}))
    await bench.settle()

    assert bench.condition(DEV, "KeyValid") == ("False", "KeyRejected")
    assert bench.condition(PROD, "KeyValid") == ("True", "KeyAccepted")
    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY, "apikey_prod": PROD_KEY}


async def test_at_another_endpoint_a_restart_asks_nothing_either(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(connection(embedding={"dashscope": {"url": INTL}}))
    await bench.settle()
    asked, writes = len(bench.key_probe.calls), len(bench.world.writes)

    bench.restart()
    await bench.settle()

    assert (len(bench.key_probe.calls), len(bench.world.writes)) == (asked, writes)


async def test_a_memory_without_the_time_of_the_proof_is_not_rewritten(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    stored = bench.world.secrets[CONFIG]
    lines = stored.data["state.json"].decode().splitlines()
    stored.data["state.json"] = "\n".join(line for line in lines if "proven_at" not in line).encode()

    bench.restart()
    await bench.reconcile(CONNECTION)

    assert '"proven_at": ""' not in bench.config()["state.json"]


async def test_an_authority_in_a_config_map_is_read_again_while_milvus_does_not_answer(bench: Bench) -> None:
    bench.apply(connection(uri="https://milvus:19530", tls={"caRef": {"kind": "ConfigMap", "name": "ca"}}))
    bench.world.put_secret("milvus", "ca", {"ca.crt": "old"})
    bench.world.config_maps = dict(bench.world.secrets)
    bench.milvus.unreachable = True

    outcome = await bench.reconcile(CONNECTION)

    assert bench.condition(CONNECTION) == ("False", "Unreachable")
    assert outcome.requeue_after == 10


async def test_a_name_too_long_for_the_secrets_label_is_told_before_anything_is_written(bench: Bench) -> None:
    key = CONNECTION._replace(name="m" * 64)
    bench.apply(manifest(key, {"uri": "http://milvus:19530", "embedding": {}}))

    await bench.reconcile(key)

    assert bench.condition(key, "ConfigRendered") == ("False", "InvalidSpec")
    assert "63" in bench.message(key)
    assert bench.world.writes == []


async def rivals_without_keys(bench: Bench) -> None:
    """Two external credentials, of which neither is ever rendered."""
    bench.apply(connection(embedding={}))
    bench.apply(credential(DEV, apiKeySecretRef=None, external={}, label="a_b", created="2025-01-01T00:00:00Z"))
    bench.apply(credential(PROD, apiKeySecretRef=None, external={}, label="ab", created="2025-02-01T00:00:00Z"))
    await bench.settle()
    assert bench.condition(PROD) == ("False", "LabelConflict")


async def test_who_lost_a_label_is_woken_when_its_rival_goes_without_having_been_rendered(bench: Bench) -> None:
    await rivals_without_keys(bench)
    bench.world.remove(DEV)

    assert PROD in (await bench.reconcile(CONNECTION)).wake
    await bench.reconcile(PROD)

    assert bench.condition(PROD) == ("True", "External")
    assert (await bench.reconcile(CONNECTION)).wake == ()


async def test_a_default_credential_that_lost_its_label_is_told_on_the_connection(bench: Bench) -> None:
    await rivals_without_keys(bench)
    bench.apply(connection(embedding={"dashscope": {"credentialRef": {"name": PROD.name}}}))

    await bench.reconcile(CONNECTION)

    assert bench.condition(CONNECTION) == ("False", "ConfigIncomplete")
    assert "has no label" in bench.message(CONNECTION)


async def test_a_credential_that_is_being_deleted_says_nothing_new(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    deleted = credential(DEV)
    deleted["metadata"] = {**deleted["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}  # type: ignore[dict-item]
    bench.apply(deleted)

    await bench.settle()

    assert bench.condition(DEV) == ("True", "Ready")


@pytest.mark.parametrize(
    "value",
    ["sk-\u200b0123456789", "\ufeffsk-0123456789", "sk-“0123456789”", "sk-0123\u00a0456789"],
    ids=["a zero-width space", "a byte order mark", "typographic quotes", "a non-breaking space"],
)
async def test_a_key_pasted_with_invisible_characters_does_not_replace_a_good_one(bench: Bench, value: str) -> None:
    bench.quickstart()
    await bench.settle()
    bench.secret("apikey-dev", apikey=value)

    await bench.settle()

    assert bench.condition(DEV) == ("False", "KeyInvalid")
    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY


async def test_a_damaged_memory_is_restored_rather_than_thrown_away(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.world.secrets[CONFIG].data["state.json"] = b"{"

    await bench.reconcile(CONNECTION)

    assert "labels whose credential is gone are then lost" in bench.message(CONNECTION)


async def test_without_default_a_collection_counts_for_no_label(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(without_default())
    await bench.settle()
    bench.world.remove(DEV)

    await look_again(bench)

    assert set(bench.rendered_keys()) == {"apikey_prod"}


def by_environment() -> dict[str, object]:
    return connection(embedding={"delivery": "Environment", "dashscope": {"credentialRef": {"name": "apikey-dev"}}})


@pytest.mark.parametrize("milvus", ["answers", "does not answer"])
async def test_delivery_does_not_become_environment_while_collections_name_labels(bench: Bench, milvus: str) -> None:
    await used(bench)
    before = bench.config()
    bench.milvus.unreachable = milvus != "answers"
    bench.apply(by_environment())

    outcome = await bench.reconcile(CONNECTION)

    assert bench.condition(CONNECTION, "ConfigRendered") == ("False", "LabelsInUse")
    assert bench.config() == before
    assert outcome.requeue_after == 60


async def test_delivery_may_become_environment_when_collections_name_no_label(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()

    bench.apply(by_environment())
    await bench.settle(CONNECTION)

    assert "embedding.yaml" not in bench.config()
    assert bench.config()["MILVUS_DASHSCOPE_API_KEY"] == DEV_KEY


async def test_a_credential_is_told_once_on_its_way_to_ready(bench: Bench) -> None:
    bench.quickstart()
    await bench.reconcile(DEV)
    assert not bench.changed
    await bench.reconcile(CONNECTION)

    await bench.reconcile(DEV)

    assert bench.condition(DEV) == ("True", "Ready")


async def test_a_credential_that_is_not_rendered_in_a_moment_says_so(bench: Bench) -> None:
    bench.quickstart()
    assert (await bench.reconcile(DEV)).requeue_after == 1

    await bench.reconcile(DEV)

    assert bench.condition(DEV) == ("False", "NotDelivered")
