"""A label in use is never removed; its credential may go."""

import asyncio

import pytest

from milvus_embedding.clients.milvus.port import OutcomeUnknown
from milvus_embedding.controllers.base import SecretForbidden
from tests.fakes.dashscope import ACCEPTED
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
)
from tests.unit.controllers.test_collection_references import BY_LABEL

CONTROL = (DEV, PROD, CONNECTION)


def without_default(**embedding: object) -> dict[str, object]:
    return connection(embedding={"dashscope": {}, **embedding})


async def used(bench: Bench) -> None:
    """A ready collection that names apikey_dev, which is nobody's default."""
    bench.quickstart(embedding=BY_LABEL)
    bench.apply(without_default())
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")


async def look_again(bench: Bench) -> None:
    """The connection's next look at the labels of all collections."""
    bench.clock.advance(60)
    await bench.reconcile(CONNECTION)


def label_states(bench: Bench) -> dict[str, str]:
    listed = bench.world.status(CONNECTION).get("labels", [])
    assert isinstance(listed, list)
    return {entry["label"]: entry["state"] for entry in listed}


@pytest.mark.parametrize("gone", ["the credential", "its Secret", "both"])
async def test_a_label_in_use_stays_with_its_last_good_key(bench: Bench, gone: str) -> None:
    await used(bench)
    if gone != "its Secret":
        bench.world.remove(DEV)
    if gone != "the credential":
        del bench.world.secrets["milvus", "apikey-dev"]

    await look_again(bench)

    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY, "apikey_prod": PROD_KEY}
    assert bench.condition(CONNECTION) == ("True", "Ready")


async def test_a_retained_label_is_told_with_its_number_of_collections(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)

    await look_again(bench)

    assert bench.condition(CONNECTION, "LabelsRetained") == ("True", "LabelsRetained")
    assert "apikey_dev (1)" in bench.message(CONNECTION, "LabelsRetained")
    assert label_states(bench) == {"apikey_dev": "Retained", "apikey_prod": "Active"}
    assert (await bench.reconcile(CONNECTION)).requeue_after == 60


async def test_a_label_without_credential_that_no_collection_names_is_dropped(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(PROD)

    await look_again(bench)

    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY}
    assert bench.condition(CONNECTION, "LabelsRetained") == ("False", "NoLabelsRetained")


async def test_the_default_label_is_in_use_by_collections_that_name_none(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.world.remove(DEV)

    await look_again(bench)

    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY, "apikey_prod": PROD_KEY}
    assert "apikey_dev (1)" in bench.message(CONNECTION, "LabelsRetained")

    bench.milvus.drop("docs")
    await look_again(bench)

    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}


async def test_it_is_dropped_once_the_last_collection_is_gone(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    await look_again(bench)

    bench.milvus.drop("docs")
    await look_again(bench)

    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}


async def test_milvus_unreachable_counts_as_in_use(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(PROD)
    bench.milvus.unreachable = True

    await look_again(bench)

    assert "apikey_prod" in bench.rendered_keys()
    assert "apikey_prod (unknown)" in bench.message(CONNECTION, "LabelsRetained")


async def test_a_look_that_breaks_off_counts_as_in_use(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(PROD)
    bench.milvus.fail_before("describe", OutcomeUnknown("no answer in time"))

    await look_again(bench)

    assert "apikey_prod" in bench.rendered_keys()


async def test_a_collection_that_vanishes_during_the_look_proves_nothing(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    hold = bench.milvus.hold("describe")
    bench.clock.advance(60)
    looking = asyncio.create_task(bench.reconcile(CONNECTION))
    await hold.waiting.wait()
    renamed = bench.milvus.databases["default"].collections
    renamed["renamed"] = renamed.pop("docs")
    hold.release()
    await looking

    assert "apikey_dev" in bench.rendered_keys()


async def test_labels_of_collections_in_other_databases_count(bench: Bench) -> None:
    await used(bench)
    other = type(bench.milvus.databases["default"])()
    other.collections["foreign"] = bench.milvus.databases["default"].collections.pop("docs")
    bench.milvus.databases["team"] = other
    bench.world.remove(DEV)

    await look_again(bench)

    assert "apikey_dev" in bench.rendered_keys()


async def test_release_labels_drops_it_now(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    await look_again(bench)

    bench.apply(without_default(releaseLabels=["apikey_dev"]))
    await bench.reconcile(CONNECTION)

    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}


async def test_release_labels_drops_that_of_a_living_credential_too(bench: Bench) -> None:
    await used(bench)

    bench.apply(without_default(releaseLabels=["apikey_dev"]))
    await bench.settle(*CONTROL)

    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}
    assert bench.condition(DEV) == ("False", "Released")
    assert label_states(bench) == {"apikey_dev": "Released", "apikey_prod": "Active"}


async def test_a_new_credential_of_the_same_name_takes_the_label_up_again(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    await look_again(bench)
    bench.key_probe.results["sk-new-0123456789"] = ACCEPTED

    bench.secret("apikey-dev", apikey="sk-new-0123456789")
    bench.apply(credential())
    await bench.settle()

    assert bench.rendered_keys()["apikey_dev"] == "sk-new-0123456789"
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_a_credential_of_another_name_does_not_get_a_retained_label(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    await look_again(bench)
    thief = DEV._replace(name="thief")
    bench.secret("thief", apikey="sk-thief-0123456789")
    bench.key_probe.results["sk-thief-0123456789"] = ACCEPTED

    bench.apply(credential(thief, label="apikey_dev", created="2000-01-01T00:00:00Z"))
    await bench.settle()

    assert bench.condition(thief) == ("False", "LabelConflict")
    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY


async def test_the_same_credential_with_another_spelling_does_not_double_a_retained_label(bench: Bench) -> None:
    await used(bench)
    bench.world.remove(DEV)
    await look_again(bench)

    bench.apply(credential(label="apikeydev"))
    await bench.settle()

    assert bench.condition(DEV) == ("False", "LabelConflict")
    assert set(bench.rendered_keys()) == {"apikey_dev", "apikey_prod"}


async def test_a_credential_that_became_external_does_not_take_a_key_in_use_away(bench: Bench) -> None:
    await used(bench)

    bench.apply(credential(apiKeySecretRef=None, external={}))
    await look_again(bench)

    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY


async def test_a_renamed_label_of_the_default_credential_is_followed_at_once(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.world.remove(DEV)
    bench.apply(credential(label="fresh"))

    await bench.settle()

    assert 'credential": "fresh"' in bench.config()["embedding.yaml"]


async def test_the_default_key_outlives_its_credential(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()
    bench.world.remove(DEV)

    await look_again(bench)

    assert 'credential": "apikey_dev"' in bench.config()["embedding.yaml"]
    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY


async def test_a_rendered_secret_that_was_deleted_comes_back_with_the_same_hash(bench: Bench) -> None:
    await used(bench)
    before = bench.world.status(CONNECTION)["config"]
    text = bench.config()["embedding.yaml"]

    del bench.world.secrets[CONFIG]
    await bench.settle()

    assert bench.config()["embedding.yaml"] == text
    assert bench.world.status(CONNECTION)["config"] == before


async def test_a_rendered_secret_that_was_edited_by_hand_is_set_right(bench: Bench) -> None:
    await used(bench)
    text = bench.config()["embedding.yaml"]

    bench.world.secrets[CONFIG].data["embedding.yaml"] = b"credential: {}"
    await bench.reconcile(CONNECTION)

    assert bench.config()["embedding.yaml"] == text


async def test_without_memory_an_unreadable_source_leaves_its_label_out_and_says_so(bench: Bench) -> None:
    await used(bench)
    bench.world.uses[DEV] = 1
    del bench.world.secrets[CONFIG]
    bench.world.unreadable["milvus", "apikey-dev"] = SecretForbidden()

    await bench.settle(*CONTROL)

    assert bench.condition(CONNECTION) == ("False", "ConfigIncomplete")
    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}
