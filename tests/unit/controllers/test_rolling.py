"""From a rendered Secret to pods that run it: how often workloads are rolled, when they are not, and what is told."""

import dataclasses
from datetime import timedelta

import pytest

from milvus_embedding.domain.delivery.workload import Component
from tests.fakes.workloads import Mode, mounting
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.plant import DATA_NODE, PROXY, SECRET, STANDALONE, Plant

SECOND, THIRD = "sk-dev-2222222222222222", "sk-dev-3333333333333333"


@pytest.fixture
async def plant(bench: Bench) -> Plant:
    return Plant(bench).helm()


async def test_a_credential_is_rendered_rolled_once_and_its_collection_is_ready(plant: Plant) -> None:
    plant.quickstart()

    await plant.delivered()

    assert [call.name for call in plant.fleet.calls] == [f"milvus/{PROXY}", f"milvus/{DATA_NODE}"]
    assert plant.bench.condition(manifests.DOCS) == ("True", "Ready")
    assert plant.bench.condition(manifests.DEV, "Delivered") == ("True", "Delivered")


async def test_a_collection_is_not_created_before_its_key_is_in_all_pods(plant: Plant) -> None:
    plant.quickstart()
    await plant.until(lambda: plant.rolls(PROXY) == 1)
    assert plant.bench.condition(manifests.DOCS)[1] == "CredentialNotReady"
    assert "create_collection" not in str(plant.bench.milvus.calls)

    await plant.delivered()

    assert plant.bench.condition(manifests.DOCS) == ("True", "Ready")


async def test_a_rotation_is_one_more_roll_and_says_when_the_old_key_can_be_revoked(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.rotate(SECOND)

    await plant.until(lambda: plant.rolls(PROXY) == 2)
    during = plant.rotation()
    await plant.delivered()

    after = plant.rotation()
    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 2
    assert (during["generation"], during["effectiveGeneration"]) == (2, 1)
    assert (after["generation"], after["effectiveGeneration"]) == (2, 2)
    assert after["safeToRevokeBefore"]


async def test_a_collection_in_use_stays_ready_while_its_key_is_rotated(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.rotate(SECOND)

    await plant.until(lambda: plant.rolls(PROXY) == 2)

    assert plant.bench.condition(manifests.DOCS) == ("True", "Ready")


@pytest.mark.parametrize("what", ["ten resyncs", "a restart", "a deleted Secret", "a deleted Secret and a restart"])
async def test_nothing_is_rolled_without_a_change(plant: Plant, what: str) -> None:
    plant.quickstart()
    await plant.delivered()
    before, told = plant.config, plant.rotation()

    if "Secret" in what:
        del plant.bench.world.secrets[manifests.CONFIG]
    if "restart" in what:
        plant.bench.restart()
    await plant.run(700)

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 1
    assert plant.config == before
    assert plant.rotation() == told


async def test_fifty_credentials_at_once_are_one_roll(plant: Plant) -> None:
    plant.quickstart()
    for number in range(50):
        key = manifests.DEV._replace(name=f"team-{number}")
        plant.rotate(f"sk-team-{number:020}", key.name)
        plant.bench.apply(manifests.credential(key))

    await plant.delivered()

    assert plant.rolls(PROXY) == plant.rolls(DATA_NODE) == 1


async def test_a_target_that_would_be_interrupted_waits_for_approval(bench: Bench) -> None:
    plant = Plant(bench)
    plant.fleet.add(
        STANDALONE, Component.STANDALONE, namespace="milvus", instance="my-release", secret=SECRET, interrupts=True
    )
    plant.quickstart()
    await plant.run(400)
    assert plant.told() == ("False", "WouldInterrupt")
    assert plant.rollout["phase"] == "AwaitingApproval"
    assert plant.rolls(STANDALONE) == 0

    plant.annotate(approved_rollout=plant.config["hash"])
    await plant.delivered()

    assert plant.rolls(STANDALONE) == 1


async def test_allow_outage_rolls_what_would_be_interrupted(bench: Bench) -> None:
    plant = Plant(bench)
    plant.fleet.add(
        STANDALONE, Component.STANDALONE, namespace="milvus", instance="my-release", secret=SECRET, interrupts=True
    )
    plant.quickstart(allowOutage=True)

    await plant.delivered()

    assert plant.rolls(STANDALONE) == 1


async def test_a_change_is_waited_for_and_the_time_is_told(plant: Plant) -> None:
    plant.quickstart()

    await plant.run(10)

    assert plant.told() == ("False", "RolloutPending")
    assert plant.rollout["phase"] == "Debouncing"
    assert plant.rolls(PROXY) == 0


async def test_removing_labels_alone_rolls_nothing(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    before = plant.config["hash"]
    plant.bench.world.remove(manifests.PROD)

    await plant.run(600)

    assert "apikey_prod" not in plant.bench.rendered_keys()
    assert plant.rolls(PROXY) == 1
    assert plant.config["hash"] == before != plant.config["renderedHash"]
    assert plant.is_delivered


async def test_a_lost_secret_after_a_removal_rolls_nothing(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.bench.world.remove(manifests.PROD)
    await plant.run(300)

    del plant.bench.world.secrets[manifests.CONFIG]
    await plant.run(600)

    assert plant.rolls(PROXY) == 1
    assert plant.is_delivered


async def test_a_paused_connection_renders_and_rolls_nothing(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    body = plant.bench.world.bodies[manifests.CONNECTION]
    plant.bench.apply({**body, "spec": {**body["spec"], "paused": True}})  # type: ignore[dict-item]
    plant.rotate(SECOND)
    await plant.run(600)

    assert SECOND in plant.bench.rendered_keys().values()
    assert plant.rolls(PROXY) == 1
    assert plant.told() == ("False", "Paused")


async def test_a_label_in_use_without_a_key_rolls_nothing(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.bench.world.secrets.pop(manifests.CONFIG)
    plant.bench.world.secrets.pop(("milvus", "apikey-dev"))
    await plant.run(600)

    assert plant.told("ConfigRendered") == ("False", "ConfigIncomplete")
    assert plant.rolls(PROXY) == 1


async def test_an_approval_that_stays_in_git_lifts_the_limits_once(plant: Plant) -> None:
    plant.quickstart(approval="Manual", minIntervalSeconds=0)
    await plant.run(100)
    plant.annotate(approved_rollout=plant.config["hash"])
    await plant.delivered()
    for _ in range(10):
        plant.fleet.change(PROXY, lambda w: dataclasses.replace(w, template=mounting(SECRET)), namespace="milvus")
        await plant.run(200)

    assert plant.told() == ("False", "RollStorm")
    assert plant.rolls(PROXY) == 3


async def test_a_failed_roll_is_superseded_by_the_next_key(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0, timeoutSeconds=60)
    await plant.delivered()
    plant.fleet.behave(PROXY, Mode.STUCK, trouble="CrashLoopBackOff", namespace="milvus")
    plant.rotate(SECOND)
    await plant.until(lambda: plant.told()[1] == "RolloutTimedOut")
    plant.rotate(THIRD)
    await plant.until(lambda: plant.rolls(PROXY) == 3)
    plant.fleet.behave(PROXY, Mode.NORMAL, namespace="milvus")

    await plant.delivered()

    assert plant.rotation()["effectiveGeneration"] == 3


async def test_a_hold_between_two_parts_goes_on_when_it_ends(plant: Plant) -> None:
    plant.quickstart(timeoutSeconds=60)
    await plant.until(lambda: plant.rolls(PROXY) == 1)
    plant.pause(DATA_NODE)
    await plant.run(1000)
    assert plant.told() == ("False", "TargetPaused")

    plant.pause(DATA_NODE, paused=False)
    await plant.delivered()

    assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (1, 1)


async def test_without_a_lease_that_lasts_nothing_is_rolled(plant: Plant) -> None:
    plant.bench.world.lease_lasts = False
    plant.quickstart()

    await plant.run(200)

    assert plant.fleet.calls == []


async def test_a_pod_that_started_while_the_secret_held_another_key_is_named(plant: Plant) -> None:
    plant.quickstart(debounceSeconds=300)
    await plant.delivered()
    plant.rotate(SECOND)
    await plant.run(60)
    plant.fleet.restart_pods(PROXY, namespace="milvus")
    await plant.run(60)
    plant.rotate(manifests.DEV_KEY)
    await plant.run(400)

    assert plant.told() == ("False", "NotDelivered")
    assert plant.fleet.pods(PROXY, namespace="milvus")[0].name in plant.bench.message(
        manifests.CONNECTION, "ConfigDelivered"
    )
    plant.bench.clock.advance(timedelta(minutes=10).total_seconds())
    plant.fleet.restart_pods(PROXY, namespace="milvus")
    await plant.run(120)

    assert plant.is_delivered
