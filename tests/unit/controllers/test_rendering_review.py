"""What a review of rendering found: labels in use survive the loss of what remembers them, nobody is told to revoke a
key that may be needed, one tenant's broken key holds up nobody else, and what no roll would reach is rolled.
"""

import dataclasses
import json

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import PermissionDenied
from milvus_embedding.controllers.base import Stale
from milvus_embedding.domain.rendering.document import FILE_KEY
from milvus_embedding.domain.rendering.state import KEY
from tests.fakes.dashscope import ACCEPTED, REJECTED, UNREACHABLE
from tests.fakes.workloads import mounting
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.plant import DATA_NODE, PROXY, SECRET, Plant

SECOND, THIRD = "sk-dev-2222222222222222", "sk-dev-3333333333333333"
BY_LABEL = {
    "dashscope": {
        "model": "text-embedding-v3",
        "credentialRef": {"name": "apikey-prod", "namespace": "milvus"},
    }
}
WITH_DEV = {"credentialRef": {"name": "apikey-dev"}}
TO_SEARCH = {"from": "Names", "names": ["search"]}
NS = "milvus"


@pytest.fixture
def plant(bench: Bench) -> Plant:
    return Plant(bench).helm()


def lose(plant: Plant, *keys: str) -> None:
    """These keys of the rendered Secret, or all of it."""
    if not keys:
        del plant.bench.world.secrets[manifests.CONFIG]
        return
    data = plant.bench.world.secrets[manifests.CONFIG].data
    plant.bench.world.secrets[manifests.CONFIG].data = {k: v for k, v in data.items() if k not in keys}


async def in_use(plant: Plant) -> None:
    """A collection in Milvus names apikey_prod."""
    plant.bench.quickstart(embedding=BY_LABEL)
    plant.connection(minIntervalSeconds=0)
    await plant.delivered()
    assert plant.bench.condition(manifests.DOCS) == ("True", "Ready")


# 1: what remembers labels is lost


async def test_with_the_secret_a_retained_label_is_lost_and_nothing_is_rolled(plant: Plant) -> None:
    await in_use(plant)
    plant.bench.world.remove(manifests.PROD)
    await plant.run(120)
    assert plant.told("LabelsRetained") == ("True", "LabelsRetained")

    lose(plant)
    await plant.run(900)

    assert plant.rolls() == 1
    assert plant.told() == plant.told("ConfigRendered") == ("False", "ConfigIncomplete")
    assert "apikey_prod" in plant.bench.message(manifests.CONNECTION, "ConfigRendered")
    assert "releaseLabels" in plant.bench.message(manifests.CONNECTION, "ConfigRendered")
    plant.bench.restart()
    lose(plant)
    await plant.run(900)
    assert plant.rolls() == 1, "nor after another loss"


async def test_a_lost_label_comes_back_with_its_credential_and_nothing_is_rolled(plant: Plant) -> None:
    await in_use(plant)
    before = plant.config["hash"]
    plant.bench.world.remove(manifests.PROD)
    await plant.run(120)
    lose(plant)
    await plant.run(300)

    plant.bench.apply(manifests.credential(manifests.PROD))
    await plant.run(300)

    assert plant.bench.rendered_keys()["apikey_prod"] == manifests.PROD_KEY
    assert plant.config["hash"] == before
    assert plant.is_delivered
    assert plant.rolls() == 1
    assert plant.bench.condition(manifests.PROD) == ("True", "Ready")


async def test_a_lost_label_can_be_released(plant: Plant) -> None:
    await in_use(plant)
    plant.bench.world.remove(manifests.PROD)
    await plant.run(120)
    lose(plant)
    await plant.run(300)

    plant.connection(embedding={"dashscope": WITH_DEV, "releaseLabels": ["apikey_prod"]}, minIntervalSeconds=0)
    await plant.delivered()

    assert plant.told("ConfigRendered") == ("True", "Rendered")


async def test_a_lost_label_that_nothing_in_milvus_names_is_forgotten(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    del plant.bench.world.secrets["milvus", "apikey-prod"]
    lose(plant)

    await plant.delivered()

    assert list(plant.bench.rendered_keys()) == ["apikey_dev"]
    assert plant.told("ConfigRendered") == ("True", "Rendered")


async def test_with_the_secret_and_the_source_a_label_in_use_is_lost_and_nothing_is_rolled(plant: Plant) -> None:
    """Only Milvus names it: the collection's resource is gone, and the collection was kept."""
    await in_use(plant)
    plant.bench.world.remove(manifests.DOCS)
    del plant.bench.world.secrets["milvus", "apikey-prod"]
    await plant.run(60)

    lose(plant)
    await plant.run(900)

    assert plant.rolls() == 1
    assert plant.told("ConfigRendered") == ("False", "ConfigIncomplete")
    assert plant.bench.condition(manifests.PROD, "Delivered") == ("False", "NotDelivered")


async def test_a_new_collection_does_not_get_a_label_that_lost_its_key(plant: Plant) -> None:
    await in_use(plant)
    del plant.bench.world.secrets["milvus", "apikey-prod"]
    lose(plant)
    await plant.run(60)

    more = manifests.DOCS._replace(name="more")
    plant.bench.apply(manifests.collection(more, embedding=BY_LABEL))
    await plant.run(60)

    assert plant.bench.condition(more) == ("False", "CredentialNotReady")


async def test_without_its_memory_the_document_still_has_the_keys(plant: Plant) -> None:
    await in_use(plant)
    plant.bench.world.remove(manifests.PROD)
    await plant.run(60)
    text = plant.bench.config()[FILE_KEY]

    lose(plant, KEY)
    await plant.run(600)

    assert plant.bench.config()[FILE_KEY] == text
    assert plant.rolls() == 1
    assert plant.told("LabelsRetained") == ("True", "LabelsRetained")


async def test_without_memory_and_status_a_key_in_the_document_is_of_the_credential_that_claims_it(
    plant: Plant,
) -> None:
    await in_use(plant)
    text = plant.bench.config()[FILE_KEY]
    plant.bench.world.remove(manifests.CONNECTION)
    del plant.bench.world.secrets["milvus", "apikey-prod"]
    lose(plant, KEY)

    plant.connection(minIntervalSeconds=0)
    await plant.run(60)

    assert plant.bench.config()[FILE_KEY] == text


@pytest.mark.parametrize(
    "text", [b"", b"{", b"credential: 1", b"credential: {apikey_prod: {apikey: [1]}, 3: {apikey: k}}", b"[]"]
)
async def test_a_document_that_cannot_be_read_tells_nothing(plant: Plant, text: bytes) -> None:
    await in_use(plant)
    plant.bench.world.remove(manifests.PROD)
    await plant.run(60)
    plant.bench.world.secrets[manifests.CONFIG].data = {FILE_KEY: text}

    await plant.run(300)

    assert list(plant.bench.rendered_keys()) == ["apikey_dev"]
    assert plant.told("ConfigRendered") == ("False", "ConfigIncomplete")
    assert plant.rolls() == 1


# 2: which keys can be revoked


async def test_while_nobody_proved_the_new_key_the_former_one_is_not_to_be_revoked(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.bench.key_probe.results[SECOND] = UNREACHABLE
    plant.bench.secret("apikey-dev", apikey=SECOND)
    await plant.until(lambda: plant.rolls(DATA_NODE) == 2)
    await plant.run(400)
    assert plant.rotation()["deliveredGeneration"] == 2
    assert "safeToRevokeBefore" not in plant.rotation()

    plant.bench.key_probe.results[SECOND] = REJECTED
    await plant.run(1200)

    assert plant.bench.rendered_keys()["apikey_dev"] == manifests.DEV_KEY
    assert plant.rotation()["deliveredGeneration"] == 3
    assert "safeToRevokeBefore" not in plant.rotation(), "that one is in use again"


async def test_a_key_for_which_its_user_answers_lets_the_former_one_be_revoked(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    plant.bench.apply(manifests.credential(manifests.DEV, probe={"enabled": False}))
    await plant.delivered()

    plant.rotate(SECOND)
    await plant.delivered()
    await plant.run(400)

    assert plant.rotation()["safeToRevokeBefore"]


async def test_under_a_canary_the_former_key_is_not_to_be_revoked_until_the_new_one_embeds(plant: Plant) -> None:
    denied = PermissionDenied("no privilege")
    plant.bench.quickstart()
    plant.connection(embedding={"dashscope": WITH_DEV, "verify": "Canary"}, minIntervalSeconds=0)
    await plant.delivered()
    plant.bench.milvus.fail_before("create_collection", *[denied] * 5000)
    plant.rotate(SECOND)
    await plant.until(lambda: plant.rolls(DATA_NODE) == 2)
    await plant.run(400)

    assert plant.rotation()["deliveredGeneration"] == 2
    assert "safeToRevokeBefore" not in plant.rotation()


async def test_back_to_an_earlier_key_nothing_is_told_until_the_next_new_one(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.rotate(SECOND)
    await plant.delivered()
    await plant.run(400)
    assert plant.rotation()["safeToRevokeBefore"]

    plant.rotate(manifests.DEV_KEY)
    await plant.run(8)
    assert "safeToRevokeBefore" not in plant.rotation()
    await plant.delivered()
    await plant.run(400)
    assert "safeToRevokeBefore" not in plant.rotation()

    plant.rotate(THIRD)
    await plant.run(4000)
    assert plant.rotation()["safeToRevokeBefore"]


# 3: one tenant's broken key


@pytest.mark.parametrize("namespace", ["milvus", "search"])
@pytest.mark.parametrize("broken", ["without a Secret", "rejected"])
async def test_a_broken_new_key_that_a_collection_names_holds_up_nobody(
    plant: Plant, namespace: str, broken: str
) -> None:
    plant.bench.quickstart()
    plant.connection(embedding={"dashscope": WITH_DEV, "allowedNamespaces": TO_SEARCH}, minIntervalSeconds=0)
    await plant.delivered()
    bad = Key("EmbeddingCredential", namespace, "team-b")
    if broken == "rejected":
        plant.bench.secret("team-b", namespace=namespace, apikey="sk-wrong-000000000000")
        plant.bench.key_probe.results["sk-wrong-000000000000"] = REJECTED
    plant.bench.apply(manifests.credential(bad, label=None))
    plant.bench.world.uses[bad] = 1

    plant.rotate(SECOND)
    await plant.run(400)

    assert plant.rolls() == 2
    assert plant.told("ConfigRendered") == ("True", "Rendered")
    assert plant.bench.condition(bad)[0] == "False"


# 7: pods that no roll would reach


@pytest.mark.parametrize("how", ["evicted", "stripped"])
async def test_a_credential_that_comes_back_reaches_pods_that_started_without_it(plant: Plant, how: str) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.bench.world.remove(manifests.PROD)
    await plant.run(280)
    assert "apikey_prod" not in plant.bench.rendered_keys()
    if how == "evicted":
        plant.fleet.restart_pods(PROXY, namespace=NS)
    else:
        plant.fleet.change(PROXY, lambda w: dataclasses.replace(w, template=mounting(SECRET)), namespace=NS)
    await plant.run(280)
    rolls = plant.rolls()

    plant.bench.apply(manifests.credential(manifests.PROD))
    await plant.run(900)

    assert plant.is_delivered
    assert plant.bench.condition(manifests.PROD, "Delivered") == ("True", "Delivered")
    assert plant.rolls() == rolls + 1
    assert plant.config["renderedHash"] != plant.config["hash"]
    told = plant.config
    plant.bench.restart()
    lose(plant)
    await plant.run(900)
    assert plant.config == told, "and it stays so, without the Secret too"
    assert plant.rolls() == rolls + 1


@pytest.mark.parametrize("lost", [False, True], ids=["the Secret is kept", "the Secret is lost"])
async def test_back_to_the_former_key_pods_that_started_meanwhile_are_rolled(plant: Plant, *, lost: bool) -> None:
    """A: the pod bears the hash of the former key and has the newer one."""
    plant.quickstart(minIntervalSeconds=0, debounceSeconds=300)
    await plant.delivered()
    await plant.run(200)
    plant.rotate(SECOND)
    await plant.run(60)
    plant.fleet.restart_pods(PROXY, namespace=NS)
    await plant.run(60)
    plant.rotate(manifests.DEV_KEY)
    if lost:
        lose(plant)
    await plant.run(20)
    assert not plant.is_delivered
    assert plant.bench.condition(manifests.DEV, "Delivered") == ("False", "NotDelivered")

    await plant.delivered()

    assert plant.rolls() == 2
    await plant.run(4000)
    assert plant.rolls() == 2


# 9: invariant 15


@pytest.mark.parametrize("change", ["a label goes", "a value is replaced"])
async def test_without_a_lease_that_lasts_no_value_is_taken_from_the_secret(plant: Plant, change: str) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    before = plant.bench.rendered_keys()
    plant.bench.world.lease_lasts = False

    if change == "a label goes":
        plant.connection(embedding={"dashscope": WITH_DEV, "releaseLabels": ["apikey_prod"]})
    else:
        plant.rotate(SECOND)
    await plant.run(60)

    assert plant.bench.rendered_keys() == before
    with pytest.raises(Stale):
        await plant.bench.reconcile(manifests.CONNECTION)
    plant.bench.world.lease_lasts = True
    await plant.run(60)
    assert plant.bench.rendered_keys() != before


async def test_a_further_label_needs_no_lease(plant: Plant) -> None:
    plant.quickstart()
    await plant.delivered()
    plant.bench.world.lease_lasts = False

    plant.rotate(THIRD, "team-c")
    plant.bench.apply(manifests.credential(manifests.DEV._replace(name="team-c")))
    await plant.run(60)

    assert plant.bench.rendered_keys()["team_c"] == THIRD


# 18: a value that was refused


async def test_a_refusal_is_forgotten_when_its_source_has_another_key_that_is_not_taken(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    kept = plant.bench.world.secrets[manifests.CONFIG]
    known = json.loads(kept.data[KEY])
    mark = {"generation": 3, "refused": "digest of another", "changed": "2026-01-01T00:00:00Z"}
    known["rotations"]["apikey_dev"] |= mark
    kept.data = {**kept.data, KEY: json.dumps(known).encode()}
    plant.bench.key_probe.results[THIRD] = REJECTED
    plant.bench.secret("apikey-dev", apikey=THIRD)

    await plant.run(20)

    assert plant.bench.rendered_keys()["apikey_dev"] == manifests.DEV_KEY
    assert "refused" not in json.loads(plant.bench.config()[KEY])["rotations"]["apikey_dev"]


# B: reads


async def test_a_credential_reads_the_rendered_secret_once_in_a_pass_at_most(plant: Plant) -> None:
    plant.bench.quickstart()
    plant.connection(embedding={"dashscope": WITH_DEV, "verify": "Canary"})
    await plant.delivered()
    plant.bench.restart()
    calls = plant.bench.world.outside.calls
    before = len(calls)

    await plant.bench.reconcile(manifests.DEV)

    assert len([call for call in calls[before:] if "read_secret" in call and SECRET in call]) == 1


# 24: invariant 13


async def test_only_the_connections_namespace_is_told_what_is_wrong_with_milvus(plant: Plant) -> None:
    plant.bench.quickstart()
    plant.connection(embedding={"dashscope": WITH_DEV, "verify": "Canary", "allowedNamespaces": TO_SEARCH})
    guest = Key("EmbeddingCredential", "search", "team-b")
    plant.bench.secret("team-b", namespace="search", apikey=THIRD)
    plant.bench.key_probe.results[THIRD] = ACCEPTED
    plant.bench.apply(manifests.credential(guest, label=None))
    plant.bench.milvus.fail_before("create_collection", *[PermissionDenied("user embedder lacks it.")] * 5000)

    await plant.run(600)

    assert "user embedder" in plant.bench.message(manifests.DEV, "Effective")
    assert plant.bench.condition(guest, "Effective") == ("Unknown", "Proving")
    assert "embedder" not in plant.bench.message(guest, "Effective")
