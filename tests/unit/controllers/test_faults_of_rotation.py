"""Keys that rotate, come back, are taken back or move to another endpoint, and what Milvus has all the while.

K01, K03 and K24 are in test_rolling, the other faults of keys in test_faults_of_keys.
"""

import dataclasses
import json
from collections.abc import Mapping

import pytest
import yaml

from milvus_embedding.clients.dashscope.port import ProbeResult
from milvus_embedding.controllers.connection.proving.canary import Proof, Verdict
from milvus_embedding.domain.canary import MARK
from milvus_embedding.domain.rendering.documents import digest
from tests.fakes.dashscope import ACCEPTED, REJECTED, UNREACHABLE, FakeKeyProbe, ProbeCall
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.manifests import (
    CONFIG,
    CONNECTION,
    DEV,
    DEV_KEY,
    DOCS,
    PROD,
    PROD_KEY,
    collection,
    connection,
)
from tests.unit.controllers.plant import DATA_NODE, PROXY, Plant
from tests.unit.controllers.test_collection_references import BY_LABEL

SECOND, THIRD = "sk-dev-2222222222222222", "sk-dev-3333333333333333"
SINGAPORE = "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
WITH_DEV = {"credentialRef": {"name": "apikey-dev"}}
WITH_PROD = {"credentialRef": {"name": "apikey-prod"}}


@pytest.fixture
async def plant(bench: Bench) -> Plant:
    """Everything is delivered, by one roll."""
    plant = Plant(bench).helm()
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    return plant


def memory(bench: Bench) -> dict[str, object]:
    found = json.loads(bench.config()["state.json"])
    assert isinstance(found, dict)
    return found


def provider(bench: Bench) -> Mapping[str, object]:
    """The provider's section as Milvus gets it."""
    document = yaml.safe_load(bench.config()["embedding.yaml"])
    found = document.get("function", {}).get("textEmbedding", {}).get("providers", {}).get("dashscope", {})
    assert isinstance(found, dict)
    return found


async def test_k02_two_rotations_within_the_debounce_are_one_roll(plant: Plant) -> None:
    plant.rotate(SECOND)
    await plant.run(10)
    plant.rotate(THIRD)

    await plant.delivered()

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 2
    assert plant.bench.rendered_keys()["apikey_dev"] == THIRD
    rotation = plant.rotation()
    assert (rotation["generation"], rotation["deliveredGeneration"], rotation["effectiveGeneration"]) == (3, 3, 3)


async def test_k04_back_to_the_old_value_within_the_debounce_rolls_nothing(plant: Plant) -> None:
    before = plant.config["hash"]
    plant.rotate(SECOND)
    await plant.run(10)
    plant.rotate(DEV_KEY)

    await plant.delivered()

    assert plant.config["hash"] == before
    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 1
    assert (plant.rotation()["generation"], plant.rotation()["deliveredGeneration"]) == (3, 3)


async def test_k04_back_to_the_old_value_after_the_roll_is_one_more(plant: Plant) -> None:
    before = plant.config["hash"]
    plant.rotate(SECOND)
    await plant.delivered()
    plant.rotate(DEV_KEY)

    await plant.delivered()

    assert plant.config["hash"] == before
    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 3


async def test_k14_what_changed_twice_while_the_operator_was_down_is_one_roll(plant: Plant) -> None:
    plant.rotate(SECOND)
    plant.rotate(THIRD)
    plant.bench.clock.advance(6 * 3600)
    plant.fleet.restart_pods(PROXY, namespace="milvus")
    plant.bench.restart()

    await plant.delivered()

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 2
    assert plant.bench.rendered_keys()["apikey_dev"] == THIRD
    assert (plant.rotation()["generation"], plant.rotation()["deliveredGeneration"]) == (2, 2)


def as_the_former_version_wrote(plant: Plant) -> None:
    """Its memory has neither generations nor contents, and its document may be laid out otherwise."""
    stored, found = plant.bench.world.secrets[CONFIG], memory(plant.bench)
    stored.data["state.json"] = json.dumps({"version": 1, "labels": found["labels"]}).encode()
    document = yaml.safe_load(stored.data["embedding.yaml"])
    stored.data["embedding.yaml"] = yaml.safe_dump(document, default_flow_style=True).encode()


async def test_k17_an_operator_with_another_renderer_rolls_nothing(plant: Plant) -> None:
    before = plant.config
    as_the_former_version_wrote(plant)
    plant.bench.restart()

    await plant.run(400)

    assert plant.config == before
    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 1
    assert plant.bench.condition(DEV, "Delivered") == ("True", "Delivered")


async def test_k17_a_document_that_only_looks_otherwise_is_no_edit(plant: Plant) -> None:
    stored = plant.bench.world.secrets[CONFIG]
    document = yaml.safe_load(stored.data["embedding.yaml"])
    stored.data["embedding.yaml"] = yaml.safe_dump(document, default_flow_style=True).encode()

    await plant.run(100)

    assert len(memory(plant.bench)["documents"]) == 1  # type: ignore[arg-type]
    assert plant.told() == ("True", "Delivered")


async def test_k18_a_restored_cluster_keeps_its_old_key_and_rolls_nothing(plant: Plant) -> None:
    """The backup holds sources, rendered Secret, workloads and statuses of one moment; the key was revoked since."""
    plant.bench.key_probe.results[DEV_KEY] = REJECTED
    plant.bench.restart()
    plant.bench.clock.advance(2 * 86400)

    await plant.run(400)

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 1
    assert plant.bench.rendered_keys()["apikey_dev"] == DEV_KEY


async def test_k18_a_restored_rendered_secret_does_not_count_generations_backwards(plant: Plant) -> None:
    backup = dict(plant.bench.world.secrets[CONFIG].data)
    plant.rotate(THIRD)
    await plant.delivered()
    plant.rotate(SECOND)
    await plant.delivered()
    plant.bench.world.secrets[CONFIG].data = backup
    plant.bench.restart()

    await plant.delivered()

    assert plant.bench.rendered_keys()["apikey_dev"] == SECOND
    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 3
    assert plant.rotation()["generation"] == plant.rotation()["deliveredGeneration"] == 3


async def test_k18_a_restored_key_that_was_revoked_since_is_not_rolled_over_a_newer_one(plant: Plant) -> None:
    backup = dict(plant.bench.world.secrets[CONFIG].data)
    plant.rotate(SECOND)
    await plant.delivered()
    rolls = plant.rolls(PROXY)
    plant.bench.world.secrets[CONFIG].data = backup
    plant.rotate(DEV_KEY)
    plant.bench.key_probe.results[DEV_KEY] = REJECTED
    plant.bench.restart()
    plant.bench.clock.advance(2 * 86400)

    await plant.run(400)

    assert plant.rolls(PROXY) == rolls
    assert plant.told() == ("False", "KeyRejected")
    plant.rotate(THIRD)
    await plant.delivered()
    assert plant.rolls(PROXY) == rolls + 1


def answer(bench: Bench, verdict: Verdict, value: str) -> None:
    """The canary has found that out about a value of the default label."""
    mark = digest(value, owner_id=OWNER_ID, connection="milvus/milvus")
    proof = Proof(mark, verdict, bench.clock.today(), "told by Milvus")
    bench.canary.proofs = lambda _: {"apikey_dev": proof}  # type: ignore[method-assign, assignment]


async def with_a_bad_candidate(plant: Plant) -> None:
    """A key that nobody could ask about was rolled, and Milvus gets a 401 with it."""
    plant.connection(embedding={"dashscope": WITH_DEV, "verify": "Canary"}, minIntervalSeconds=0)
    plant.rotate(SECOND)
    plant.bench.key_probe.results[SECOND] = UNREACHABLE
    await plant.until(lambda: plant.rolls(PROXY) == 2)
    await plant.until(lambda: plant.is_delivered)
    answer(plant.bench, Verdict.REFUSED, SECOND)


async def test_k20_a_key_that_is_refused_after_the_roll_gives_way_to_the_proven_one_once(plant: Plant) -> None:
    await with_a_bad_candidate(plant)

    await plant.delivered()

    assert plant.bench.rendered_keys()["apikey_dev"] == DEV_KEY
    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 3
    assert plant.bench.condition(DEV) == ("False", "RolledBackKey")
    assert plant.bench.condition(DEV, "Effective") == ("False", "RolledBackKey")
    assert plant.rotation()["generation"] == 3

    plant.bench.restart()
    answer(plant.bench, Verdict.REFUSED, SECOND)
    await plant.run(400)
    assert plant.rolls(PROXY) == 3


async def test_k20_another_key_ends_it(plant: Plant) -> None:
    await with_a_bad_candidate(plant)
    await plant.delivered()

    plant.rotate(THIRD)
    await plant.until(lambda: plant.bench.rendered_keys()["apikey_dev"] == THIRD)
    answer(plant.bench, Verdict.PROVEN, THIRD)
    await plant.delivered()

    assert plant.bench.condition(DEV) == ("True", "Ready")
    assert plant.bench.condition(DEV, "Effective") == ("True", "Effective")
    assert plant.rotation()["effectiveGeneration"] == plant.rotation()["generation"] == 4


async def test_k20_a_refusal_before_all_pods_have_the_key_says_nothing(plant: Plant) -> None:
    plant.connection(embedding={"dashscope": WITH_DEV, "verify": "Canary"}, approval="Manual")
    plant.rotate(SECOND)
    plant.bench.key_probe.results[SECOND] = UNREACHABLE
    answer(plant.bench, Verdict.REFUSED, SECOND)

    await plant.run(200)

    assert plant.bench.rendered_keys()["apikey_dev"] == SECOND


async def test_k25_a_pod_that_started_between_writing_and_rolling_is_not_taken_for_delivered(plant: Plant) -> None:
    plant.rotate(SECOND)
    await plant.run(4)
    plant.fleet.restart_pods(PROXY, namespace="milvus")
    await plant.run(4)
    assert plant.rolls(PROXY) == 1
    assert plant.bench.condition(DEV, "Delivered") == ("False", "NotDelivered")

    await plant.delivered()

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 2


class ByRegion(FakeKeyProbe):
    """Keys of one region are refused in the other one."""

    def __init__(self, results: Mapping[str, ProbeResult], there: Mapping[str, ProbeResult]) -> None:
        super().__init__(results)
        self.there = dict(there)

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        if url == SINGAPORE:
            self.calls.append(ProbeCall(url, key, model))
            return self.there.get(key, REJECTED)
        return await super().probe(url=url, key=key, model=model)


@pytest.fixture
async def abroad(bench: Bench) -> Bench:
    """A ready collection; the connection is about to move to another region."""
    bench.key_probe = ByRegion(bench.key_probe.results, {})
    bench.restart()
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")
    return bench


def there(bench: Bench) -> dict[str, ProbeResult]:
    assert isinstance(bench.key_probe, ByRegion)
    return bench.key_probe.there


def move(bench: Bench) -> None:
    bench.apply(connection(embedding={"dashscope": {**WITH_DEV, "url": SINGAPORE}}))


async def test_k28_a_url_that_refuses_keys_in_use_is_not_rendered(abroad: Bench) -> None:
    before = abroad.config()["embedding.yaml"]
    move(abroad)
    await abroad.settle(CONNECTION)

    assert abroad.config()["embedding.yaml"] == before
    assert abroad.condition(CONNECTION, "ConfigRendered") == ("False", "WouldBreak")
    assert "apikey_dev" in abroad.message(CONNECTION, "ConfigRendered")
    assert "spec.embedding.dashscope.url" in abroad.message(CONNECTION, "ConfigRendered")


async def test_k28_it_is_rendered_with_keys_that_are_good_there(abroad: Bench) -> None:
    move(abroad)
    await abroad.settle(CONNECTION)
    there(abroad)[SECOND] = ACCEPTED
    abroad.secret("apikey-dev", apikey=SECOND)
    await abroad.settle(CONNECTION)

    assert provider(abroad)["url"] == SINGAPORE
    assert abroad.rendered_keys() == {"apikey_dev": SECOND, "apikey_prod": PROD_KEY}
    assert abroad.condition(CONNECTION, "ConfigRendered") == ("True", "Rendered")


async def test_k28_a_key_that_nobody_uses_holds_nothing_up(abroad: Bench) -> None:
    there(abroad)[DEV_KEY] = ACCEPTED
    move(abroad)
    await abroad.settle(CONNECTION)

    assert provider(abroad)["url"] == SINGAPORE


async def test_k28_an_address_that_takes_no_such_requests_is_not_rendered(abroad: Bench) -> None:
    nothing = ProbeResult(verdict=UNREACHABLE.verdict.__class__.REFUSED, status=404)
    there(abroad).update({DEV_KEY: nothing, PROD_KEY: nothing})
    move(abroad)
    await abroad.settle(CONNECTION)

    assert "url" not in provider(abroad)
    assert abroad.condition(CONNECTION, "ConfigRendered") == ("False", "WouldBreak")


async def test_k28_that_nobody_can_be_asked_there_blocks_nothing(abroad: Bench) -> None:
    there(abroad).update({DEV_KEY: UNREACHABLE, PROD_KEY: UNREACHABLE})
    move(abroad)
    await abroad.settle(CONNECTION)

    assert provider(abroad)["url"] == SINGAPORE


async def test_k28_set_back_it_is_as_it_was(abroad: Bench) -> None:
    before = abroad.config()["embedding.yaml"]
    move(abroad)
    await abroad.settle(CONNECTION)
    abroad.apply(connection())
    await abroad.settle(CONNECTION)

    assert abroad.config()["embedding.yaml"] == before
    assert abroad.condition(CONNECTION, "ConfigRendered") == ("True", "Rendered")


@pytest.fixture
async def by_default(bench: Bench) -> Bench:
    """A ready collection that uses the default key."""
    bench.quickstart()
    await bench.settle()
    assert provider(bench) == {"credential": "apikey_dev"}
    return bench


async def test_k29_a_default_that_collections_use_is_not_removed(by_default: Bench) -> None:
    by_default.apply(connection(embedding={"dashscope": {}}))
    await by_default.settle(CONNECTION)

    assert provider(by_default) == {"credential": "apikey_dev"}
    assert by_default.condition(CONNECTION, "ConfigRendered") == ("False", "WouldBreak")
    assert "apikey_dev" in by_default.message(CONNECTION, "ConfigRendered")


async def test_k29_release_labels_is_the_way_out(by_default: Bench) -> None:
    by_default.apply(connection(embedding={"dashscope": {}, "releaseLabels": ["apikey_dev"]}))
    await by_default.settle(CONNECTION)

    assert provider(by_default) == {}
    assert by_default.rendered_keys() == {"apikey_prod": PROD_KEY}
    assert by_default.condition(CONNECTION, "ConfigRendered") == ("True", "Rendered")


async def test_k29_a_default_that_nobody_uses_is_removed(by_default: Bench) -> None:
    by_default.milvus.drop("docs")
    by_default.apply(connection(embedding={"dashscope": {}}))
    await by_default.settle(CONNECTION)

    assert provider(by_default) == {}


async def test_k29_another_default_with_a_good_key_is_taken(by_default: Bench) -> None:
    by_default.apply(connection(embedding={"dashscope": WITH_PROD}))
    await by_default.settle(CONNECTION)

    assert provider(by_default) == {"credential": "apikey_prod"}


@pytest.mark.parametrize("situation", ["its key is refused", "there is no such credential"])
async def test_k29_another_default_is_not_taken_when(by_default: Bench, situation: str) -> None:
    if situation == "its key is refused":
        by_default.key_probe.results[PROD_KEY] = REJECTED
        by_default.clock.advance(86400)
        await by_default.settle(PROD)
    else:
        by_default.world.remove(PROD)
        await by_default.settle(CONNECTION)
    by_default.apply(connection(embedding={"dashscope": WITH_PROD}))
    await by_default.settle(CONNECTION)

    assert provider(by_default) == {"credential": "apikey_dev"}
    assert by_default.condition(CONNECTION, "ConfigRendered") == ("False", "WouldBreak")


def living(dashscope: object, **embedding: object) -> dict[str, object]:
    return connection(embedding={"dashscope": dashscope, "rollout": {"strategy": "Live"}, **embedding})


async def test_k30_live_adds_a_label_and_makes_it_the_default_in_two_steps(by_default: Bench) -> None:
    bench = by_default
    bench.apply(living(WITH_DEV))
    bench.world.remove(PROD)
    await bench.settle(CONNECTION)
    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY}

    bench.quickstart()
    bench.apply(living(WITH_PROD))
    outcome = await bench.reconcile(CONNECTION)
    assert set(bench.rendered_keys()) == {"apikey_dev", "apikey_prod"}
    assert provider(bench) == {"credential": "apikey_dev"}
    assert outcome.requeue_after is not None
    assert outcome.requeue_after <= 120

    bench.clock.advance(120)
    await bench.reconcile(CONNECTION)
    assert provider(bench) == {"credential": "apikey_prod"}


async def test_k30_live_leaves_the_label_of_a_former_default_for_a_while(by_default: Bench) -> None:
    bench = by_default
    bench.milvus.drop("docs")
    bench.clock.advance(120)
    bench.apply(living(WITH_PROD))
    bench.world.remove(DEV)
    bench.world.remove(DOCS)
    await bench.reconcile(CONNECTION)
    bench.clock.advance(60)
    await bench.reconcile(CONNECTION)
    assert set(bench.rendered_keys()) == {"apikey_dev", "apikey_prod"}

    bench.clock.advance(120)
    await bench.reconcile(CONNECTION)
    await bench.reconcile(CONNECTION)
    assert set(bench.rendered_keys()) == {"apikey_prod"}


async def test_k30_from_restart_to_live_to_none_nothing_more_is_said_of_pods_and_nothing_is_rolled(
    plant: Plant,
) -> None:
    plant.connection(strategy="Live")
    await plant.run(100)
    assert plant.bench.condition(DEV, "Delivered") == ("Unknown", "DeliveryUnknown")
    assert plant.rotation() == {"generation": 1}

    plant.bench.apply(connection(embedding={"dashscope": WITH_DEV, "rollout": {"strategy": "None"}}))
    await plant.run(100)

    assert plant.bench.condition(DEV, "Delivered") == ("Unknown", "DeliveryUnknown")
    assert plant.rolls(PROXY) == 1
    plant.connection()
    await plant.delivered()
    assert plant.rolls(PROXY) == 1
    assert plant.rotation()["deliveredGeneration"] == 1


@pytest.mark.parametrize("place", ["another database", "a database that cannot be read"])
async def test_k33_a_label_that_only_a_foreign_collection_names_stays(bench: Bench, place: str) -> None:
    bench.quickstart(embedding=BY_LABEL)
    bench.apply(connection(embedding={"dashscope": {}}))
    await bench.settle()
    stored = bench.milvus.databases["default"].collections.pop("docs")
    bench.milvus.databases["theirs"] = type(bench.milvus.databases["default"])()
    bench.milvus.databases["theirs"].collections["docs"] = stored
    bench.world.remove(DOCS)
    if place == "a database that cannot be read":
        bench.milvus.unreachable = True
    bench.world.remove(DEV)
    bench.clock.advance(60)

    await bench.settle(CONNECTION)

    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY


async def test_a_rotation_writes_the_secret_only_when_something_was_seen(plant: Plant) -> None:
    before = len(plant.bench.world.writes)
    plant.rotate(SECOND)
    await plant.delivered()
    await plant.run(400)
    document = plant.bench.config()["embedding.yaml"]
    after = len(plant.bench.world.writes)
    await plant.run(900)

    assert after - before == 3, "the value, that all pods have it, that the former one may be revoked"
    assert len(plant.bench.world.writes) == after
    assert plant.bench.config()["embedding.yaml"] == document


async def test_a_pod_that_started_while_somebody_had_edited_the_secret_is_rolled(plant: Plant) -> None:
    plant.bench.clock.advance(1000)
    plant.bench.world.secrets[CONFIG].data["embedding.yaml"] = b"credential: {}"
    plant.fleet.restart_pods(PROXY, namespace="milvus")

    await plant.run(4)
    assert plant.bench.rendered_keys()["apikey_dev"] == DEV_KEY
    assert plant.told()[0] == "False"

    await plant.delivered()

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 2


async def test_the_collection_of_the_canary_uses_no_label(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    stored = bench.milvus.databases["default"].collections["docs"]
    marked = {**stored.schema.properties, MARK: "true"}
    bench.milvus.databases["default"].collections["docs"] = dataclasses.replace(
        stored, schema=dataclasses.replace(stored.schema, properties=marked)
    )
    bench.world.remove(DEV)
    bench.world.remove(DOCS)
    bench.clock.advance(60)

    await bench.settle(CONNECTION)

    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}


async def test_a_collection_waits_for_a_key_that_was_never_delivered_and_not_for_a_newer_one(plant: Plant) -> None:
    plant.connection(approval="Manual")
    plant.rotate(SECOND)
    await plant.run(100)
    assert plant.bench.condition(DEV, "Delivered") == ("False", "NotDelivered")
    plant.bench.apply(collection(DOCS._replace(name="more"), embedding=BY_LABEL))
    await plant.run(60)

    assert plant.bench.condition(DOCS._replace(name="more")) == ("True", "Ready")


async def test_a_collection_that_waits_names_its_credential_and_why(bench: Bench) -> None:
    plant = Plant(bench).helm()
    plant.quickstart(approval="Manual")
    bench.apply(collection(embedding=BY_LABEL))
    await plant.run(100)

    assert bench.condition(DOCS) == ("False", "CredentialNotReady")
    assert "apikey-dev" in bench.message(DOCS)
    assert "NotDelivered" in bench.message(DOCS)
    assert "AwaitingApproval" in bench.message(DOCS)
