"""Faults while keys are rolled out, by their numbers in docs/faults.md."""

import dataclasses
from collections.abc import Callable

import pytest

from milvus_embedding.clients.kube.port import Unavailable
from milvus_embedding.domain.delivery.workload import Component, Mount, Template, Volume
from tests.fakes.outside import Killed
from tests.fakes.workloads import Mode, mounting
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.plant import DATA_NODE, PROXY, SECRET, SELECTOR, STANDALONE, Plant

SECOND, THIRD = "sk-dev-2222222222222222", "sk-dev-3333333333333333"


@pytest.fixture
async def plant(bench: Bench) -> Plant:
    return Plant(bench).helm()


async def test_k34_the_approval_of_another_hash_approves_nothing(plant: Plant) -> None:
    plant.quickstart(approval="Manual", minIntervalSeconds=0)
    await plant.run(100)
    assert plant.told() == ("False", "AwaitingApproval")
    last_month = plant.config["hash"]
    plant.annotate(approved_rollout=last_month)
    await plant.delivered()

    plant.rotate(SECOND)
    await plant.run(300)

    assert plant.told() == ("False", "AwaitingApproval")
    assert plant.rolls(PROXY) == 1


@pytest.mark.parametrize("trouble", ["ImagePullBackOff", "ContainerCreating", "CrashLoopBackOff", "FailedCreate", ""])
async def test_k21_a_roll_that_fails_is_told_and_not_tried_again(plant: Plant, trouble: str) -> None:
    plant.fleet.behave(PROXY, Mode.STUCK, trouble=trouble, namespace="milvus")
    plant.quickstart(timeoutSeconds=60)
    await plant.until(lambda: plant.rolls(PROXY) == 1)
    await plant.run(40)
    assert plant.told() == ("False", "RolloutInProgress")
    assert trouble in plant.bench.message(manifests.CONNECTION, "ConfigDelivered")

    await plant.run(4000)

    assert plant.told() == ("False", "RolloutTimedOut")
    assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (1, 0)
    assert trouble in plant.bench.message(manifests.CONNECTION, "ConfigDelivered")


async def test_k21_what_timed_out_goes_on_when_it_came_up_and_is_asked_for(plant: Plant) -> None:
    plant.fleet.behave(PROXY, Mode.STUCK, namespace="milvus")
    plant.quickstart(timeoutSeconds=60)
    await plant.until(lambda: plant.told()[1] == "RolloutTimedOut")
    plant.fleet.behave(PROXY, Mode.NORMAL, namespace="milvus")
    await plant.run(100)
    assert plant.rolls(DATA_NODE) == 0

    plant.annotate(reconcile_requested_at=plant.bench.world.now.isoformat())
    await plant.delivered()

    assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (1, 1)


async def test_k21_a_paused_deployment_is_told_and_rolled_when_it_is_resumed(plant: Plant) -> None:
    plant.pause(PROXY)
    plant.quickstart()
    await plant.run(200)
    assert plant.told() == ("False", "TargetPaused")
    assert plant.rolls(PROXY) == 0

    plant.pause(PROXY, paused=False)
    await plant.delivered()

    assert plant.rolls(PROXY) == 1


async def test_k22_a_rollout_of_somebody_else_is_waited_for(plant: Plant) -> None:
    plant.fleet.behave(PROXY, Mode.SLOW, namespace="milvus")
    plant.fleet.change(
        PROXY, lambda w: dataclasses.replace(w, template=mounting(SECRET, config_hash="theirs")), namespace="milvus"
    )
    plant.quickstart()
    await plant.run(200)
    assert plant.told() == ("False", "RolloutBusy")
    assert plant.rolls(PROXY) == 0

    plant.fleet.behave(PROXY, Mode.NORMAL, namespace="milvus")
    await plant.delivered()

    assert plant.rolls(PROXY) == 1


async def test_k23_a_recreate_target_is_never_rolled_by_itself_for_a_day(bench: Bench) -> None:
    plant = Plant(bench)
    plant.fleet.add(
        STANDALONE, Component.STANDALONE, namespace="milvus", instance="my-release", secret=SECRET, interrupts=True
    )
    plant.quickstart(minIntervalSeconds=0)
    for value in (SECOND, THIRD):
        plant.rotate(value)
        await plant.run(2000)

    assert plant.rolls(STANDALONE) == 0
    assert plant.told() == ("False", "WouldInterrupt")


async def test_k24_an_old_pod_that_terminates_for_long_holds_up_the_revocation_only(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    plant.fleet.linger(PROXY, namespace="milvus")
    plant.rotate(SECOND)
    await plant.until(lambda: plant.rolls(DATA_NODE) == 2)
    await plant.run(1800)

    assert plant.is_delivered
    assert plant.rotation()["effectiveGeneration"] == 2
    before = plant.rotation().get("safeToRevokeBefore")
    plant.fleet.release(PROXY, namespace="milvus")
    await plant.run(400)

    assert plant.rotation()["safeToRevokeBefore"] != before


async def test_k26_an_annotation_that_is_taken_away_is_put_back_and_not_for_ever(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    await plant.delivered()
    for _ in range(10):
        plant.fleet.change(PROXY, lambda w: dataclasses.replace(w, template=mounting(SECRET)), namespace="milvus")
        await plant.run(200)

    assert plant.told() == ("False", "RollStorm")
    assert plant.rolls(PROXY) == 3


async def test_k27_two_connections_of_one_workload_are_told_apart_by_age(plant: Plant) -> None:
    plant.quickstart()
    second = manifests.CONNECTION._replace(name="other")
    body = manifests.connection(
        second, embedding={"rollout": {"workloads": {"selector": SELECTOR}}}, uri="http://milvus.milvus.svc:19530"
    )
    body["metadata"]["creationTimestamp"] = "2025-06-01T00:00:00Z"  # type: ignore[index]
    plant.bench.apply(body)
    both = Template(
        containers=(
            dataclasses.replace(
                mounting(SECRET).containers[0],
                mounts=(
                    *mounting(SECRET).containers[0].mounts,
                    Mount(volume="theirs", path="/milvus/configs/default.yaml", sub_path="embedding.yaml"),
                ),
            ),
        ),
        volumes=(
            *mounting(SECRET).volumes,
            Volume(name="theirs", secret="other-embedding-config", items={"embedding.yaml": "embedding.yaml"}),
        ),
    )
    for name in (PROXY, DATA_NODE):
        plant.fleet.change(name, lambda w: dataclasses.replace(w, template=both), namespace="milvus", settled=True)

    await plant.delivered()

    assert plant.bench.condition(second, "ConfigDelivered") == ("False", "TargetConflict")
    assert plant.rolls(PROXY) == 1


async def test_k27_a_selector_that_matches_strangers_rolls_none_of_them(plant: Plant) -> None:
    plant.fleet.add("web", None, namespace="milvus", instance="my-release", secret=SECRET)
    plant.fleet.add("querynode", None, namespace="milvus", instance="my-release")
    plant.quickstart()

    await plant.delivered()

    assert {call.name for call in plant.fleet.calls} == {f"milvus/{PROXY}", f"milvus/{DATA_NODE}"}


async def test_k31_a_source_that_flaps_for_an_hour_is_rolled_three_times_at_most(plant: Plant) -> None:
    plant.quickstart()
    await plant.delivered()
    before = plant.rolls(PROXY)
    for number in range(60):
        plant.rotate(SECOND if number % 2 else THIRD)
        for _ in range(4):
            await plant.turn(15)

    assert plant.rolls(PROXY) - before <= 3


async def test_k32_a_new_credential_every_minute_for_half_an_hour_is_few_rolls(plant: Plant) -> None:
    plant.quickstart()
    for number in range(30):
        key = manifests.DEV._replace(name=f"team-{number}")
        plant.rotate(f"sk-team-{number:020}", key.name)
        plant.bench.apply(manifests.credential(key))
        for _ in range(4):
            await plant.turn(15)

    assert plant.rolls(PROXY) <= 3
    await plant.run(4000)

    assert plant.is_delivered


async def test_k03_a_key_that_changes_during_a_roll_is_one_more_roll(plant: Plant) -> None:
    plant.quickstart(minIntervalSeconds=0)
    plant.fleet.behave(PROXY, Mode.SLOW, namespace="milvus")
    await plant.until(lambda: plant.rolls(PROXY) == 1)
    plant.rotate(SECOND)
    await plant.run(30)
    plant.fleet.behave(PROXY, Mode.NORMAL, namespace="milvus")

    await plant.delivered()

    assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (2, 1)
    assert plant.rotation()["deliveredGeneration"] == plant.rotation()["generation"]


CHANGING = ("write_secret", "annotate_workload", "confirm")


# sentence: (the error, whether the call is done all the same)
ENDS: dict[str, tuple[BaseException, bool]] = {
    "the process is killed before it": (Killed(), False),
    "the process is killed after it": (Killed(), True),
    "it fails and did nothing": (Unavailable("HTTP 500", 500), False),
    "it times out and was done": (Unavailable("no answer"), True),
}


@pytest.mark.parametrize("sentence", ENDS)
async def test_k01_a_rotation_comes_to_the_same_end_with_one_more_roll_whichever_call_that_changes_something(
    make_bench: Callable[..., Bench], sentence: str
) -> None:
    error, done = ENDS[sentence]
    for number in await _changing_calls_of_a_rotation(make_bench):
        plant = await _rotating(make_bench)
        plant.bench.world.outside.end_at(number, after=done, error=error)
        await _rotated(plant)

        assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (2, 2), number
        assert plant.is_delivered


async def test_k01_a_rotation_killed_at_any_seventh_call_comes_to_the_same_end(
    make_bench: Callable[..., Bench],
) -> None:
    number, undisturbed = 0, False
    while not undisturbed:
        number += 7
        plant = await _rotating(make_bench)
        plant.bench.world.outside.end_at(number)
        await _rotated(plant)

        undisturbed = plant.killed == 0
        assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (2, 2), number
        assert plant.is_delivered


async def _rotating(make_bench: Callable[..., Bench]) -> Plant:
    """Delivered, and the key just changed."""
    plant = Plant(make_bench()).helm()
    plant.quickstart(minIntervalSeconds=0)
    await plant.until(lambda: plant.is_delivered)
    plant.rotate(SECOND)
    return plant


async def _rotated(plant: Plant) -> None:
    await plant.until(lambda: plant.rotation().get("effectiveGeneration") == 2)
    plant.bench.world.outside.end_at(0)
    await plant.run(60)


async def _changing_calls_of_a_rotation(make_bench: Callable[..., Bench]) -> list[int]:
    """Their numbers, counted from the change of the key."""
    plant = await _rotating(make_bench)
    before = len(plant.bench.world.outside.calls)
    await _rotated(plant)
    since = plant.bench.world.outside.calls[before:]
    numbers = [n for n, call in enumerate(since, 1) if call.startswith(CHANGING)]
    assert len(numbers) >= 5
    return numbers
