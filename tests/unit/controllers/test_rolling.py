"""From a rendered Secret to pods that run it: how often workloads are rolled, when they are not, and what is told."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest

from milvus_embedding.clients.kube.port import Forbidden, Refused, Unavailable
from milvus_embedding.domain.delivery.workload import Component, Container, Mount, Template, Variable, Volume
from milvus_embedding.domain.rendering.document import VARIABLES
from tests.fakes.outside import Killed
from tests.fakes.workloads import Mode, mounting
from tests.fakes.world import StoredSecret
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.plant import DATA_NODE, PROXY, SECRET, SELECTOR, STANDALONE, Plant

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


async def test_a_change_is_waited_for_and_the_time_is_told(plant: Plant) -> None:
    plant.quickstart()

    await plant.run(10)

    assert plant.told() == ("False", "RolloutPending")
    assert plant.rollout["phase"] == "Debouncing"
    assert plant.rolls(PROXY) == 0


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


def _without_mount(plant: Plant) -> None:
    for name in (PROXY, DATA_NODE):
        plant.fleet.change(name, lambda w: dataclasses.replace(w, template=Template()), namespace="milvus")


def _wrong_path(plant: Plant) -> None:
    wrong = mounting(SECRET, path="/etc/milvus.yaml")
    plant.fleet.change(PROXY, lambda w: dataclasses.replace(w, template=wrong), namespace="milvus")


def _gone(plant: Plant) -> None:
    for name in (PROXY, DATA_NODE):
        plant.fleet.remove(name, namespace="milvus")


def _of_milvus_operator(plant: Plant) -> None:
    plant.fleet.change(PROXY, lambda w: dataclasses.replace(w, milvus="mine"), namespace="milvus")


def _no_list(plant: Plant) -> None:
    plant.bench.world.outside.refuse["list_workloads"] = Forbidden("no", 403)


def _no_patch(plant: Plant) -> None:
    plant.bench.world.outside.refuse["annotate_workload"] = Forbidden("no", 403)


def _refused(plant: Plant) -> None:
    plant.bench.world.outside.refuse["annotate_workload"] = Refused("admission webhook denied it", 400)


# sentence: (what is arranged, reason, what the message has)
AGAINST: dict[str, tuple[Callable[[Plant], None], str, str]] = {
    "nothing mounts the Secret": (_without_mount, "NotMounted", "subPath: embedding.yaml"),
    "it is mounted where Milvus does not look": (_wrong_path, "NotMounted", "/milvus/configs/_test.yaml"),
    "no Deployment matches": (_gone, "TargetNotFound", "selector"),
    "the Deployments are those of milvus-operator": (_of_milvus_operator, "InvalidSpec", "milvusRef: {name: mine}"),
    "the operator may not list them": (_no_list, "TargetForbidden", "list"),
    "the operator may not patch them": (_no_patch, "TargetForbidden", "patch"),
    "the API server refuses the change": (_refused, "RolloutBusy", "cannot be rolled"),
}


@pytest.mark.parametrize("sentence", AGAINST)
async def test_nothing_is_rolled_and_the_fix_is_told_when(plant: Plant, sentence: str) -> None:
    arrange, reason, text = AGAINST[sentence]
    arrange(plant)
    plant.quickstart()

    await plant.run(200)

    assert plant.told() == ("False", reason)
    assert text in plant.bench.message(manifests.CONNECTION, "ConfigDelivered")
    assert plant.fleet.calls == []
    assert plant.bench.rendered_keys()


async def test_a_data_node_that_mounts_nothing_does_not_hold_up_the_proxy(plant: Plant) -> None:
    plant.fleet.change(DATA_NODE, lambda w: dataclasses.replace(w, template=Template()), namespace="milvus")
    plant.quickstart()

    await plant.delivered()

    assert "bulk import" in plant.bench.message(manifests.CONNECTION, "ConfigDelivered")
    assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (1, 0)


async def test_workloads_that_cannot_be_read_now_change_nothing_that_was_known(plant: Plant) -> None:
    plant.quickstart()
    await plant.delivered()
    before = plant.rotation()
    plant.bench.world.outside.refuse["list_workloads"] = Unavailable("HTTP 500", 500)

    await plant.run(100)

    assert plant.rotation() == before
    assert plant.bench.condition(manifests.DOCS) == ("True", "Ready")
    assert plant.rolls(PROXY) == 1


async def test_without_a_lease_that_lasts_nothing_is_rolled(plant: Plant) -> None:
    plant.bench.world.lease_lasts = False
    plant.quickstart()

    await plant.run(200)

    assert plant.fleet.calls == []


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


async def test_milvus_of_milvus_operator_is_rolled_through_its_resource(bench: Bench) -> None:
    plant = _with_milvus(bench)

    await plant.delivered()

    assert [dict(call.hashes).keys() for call in plant.fleet.calls] == [{"proxy"}, {"proxy", "datanode"}]
    assert {call.method for call in plant.fleet.calls} == {"apply_milvus"}
    assert bench.world.status(manifests.CONNECTION)["endpoint"] == "http://my-milvus.milvus:19530"
    assert bench.condition(manifests.DOCS) == ("True", "Ready")


# sentence: (change of the Milvus resource, condition, reason)
MILVUSES: dict[str, tuple[dict[str, object], str, str]] = {
    "it is not healthy": ({"health": "Unhealthy"}, "ConfigDelivered", "TargetUnhealthy"),
    "its operator is paused": ({"paused": ("metadata.annotations",)}, "ConfigDelivered", "TargetPaused"),
    "it has no endpoint": ({"endpoint": ""}, "Reachable", "MilvusNotReady"),
    "its endpoint has no host": ({"endpoint": ":19530"}, "Reachable", "MilvusNotReady"),
}


@pytest.mark.parametrize("sentence", MILVUSES)
async def test_a_milvus_of_milvus_operator_waits_while(bench: Bench, sentence: str) -> None:
    change, type_, reason = MILVUSES[sentence]
    plant = _with_milvus(bench)
    plant.fleet.change_milvus(
        lambda m: dataclasses.replace(m, **change),
        name="my-milvus",
        namespace="milvus",  # type: ignore[arg-type]
    )

    await plant.run(200)

    assert plant.told(type_) == ("False", reason)


async def test_a_milvus_that_does_not_exist_is_told(bench: Bench) -> None:
    plant = _with_milvus(bench)
    plant.fleet.remove_milvus("my-milvus", namespace="milvus")

    await plant.run(20)

    assert plant.told("Reachable") == ("False", "MilvusNotFound")


async def test_what_milvus_own_configuration_shadows_is_told(plant: Plant) -> None:
    template = mounting(SECRET)
    shadowing = dataclasses.replace(
        template,
        containers=(
            dataclasses.replace(
                template.containers[0],
                mounts=(
                    *template.containers[0].mounts,
                    Mount(volume="chart", path="/milvus/configs/user.yaml", sub_path="user.yaml"),
                ),
            ),
        ),
        volumes=(*template.volumes, Volume(name="chart", config_map="my-release-milvus")),
    )
    text = b"credential: {apikeydev: {apikey: theirs}}"
    plant.bench.world.config_maps["milvus", "my-release-milvus"] = StoredSecret({"user.yaml": text}, {}, 1)
    for name in (PROXY, DATA_NODE):
        plant.fleet.change(name, lambda w: dataclasses.replace(w, template=shadowing), namespace="milvus", settled=True)
    plant.quickstart()

    await plant.until(lambda: plant.told()[1] == "LabelShadowed", seconds=600)

    assert "apikey_dev" in plant.bench.message(manifests.CONNECTION, "ConfigDelivered")
    assert "theirs" not in plant.bench.message(manifests.CONNECTION, "ConfigDelivered")


async def test_a_default_key_of_milvus_own_configuration_wins_over_the_variables_and_is_told(plant: Plant) -> None:
    variables = tuple(Variable(name=name, secret=SECRET, key=name) for name in VARIABLES)
    mount = Mount(volume="chart", path="/milvus/configs/user.yaml", sub_path="user.yaml")
    template = Template(
        containers=(Container(name="milvus", variables=variables, mounts=(mount,)),),
        volumes=(Volume(name="chart", config_map="my-release-milvus"),),
    )
    text = b"credential: {mine: {apikey: x}}\nfunction: {textEmbedding: {providers: {dashscope: {credential: mine}}}}"
    plant.bench.world.config_maps["milvus", "my-release-milvus"] = StoredSecret({"user.yaml": text}, {}, 1)
    for name in (PROXY, DATA_NODE):
        plant.fleet.change(name, lambda w: dataclasses.replace(w, template=template), namespace="milvus", settled=True)
    plant.quickstart()
    plant.connection(
        embedding={"delivery": "Environment", "dashscope": {"credentialRef": {"name": "apikey-dev"}}},
    )

    await plant.until(lambda: plant.told()[1] == "EnvironmentShadowed", seconds=600)

    assert plant.rolls(PROXY) == 1


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


def _with_milvus(bench: Bench) -> Plant:
    plant = Plant(bench)
    plant.fleet.add_milvus(
        "my-milvus",
        namespace="milvus",
        components=(Component.PROXY, Component.DATA_NODE),
        endpoint="my-milvus.milvus:19530",
        template=mounting(SECRET, path="/milvus/configs/default.yaml"),
    )
    bench.quickstart()
    bench.apply(
        manifests.connection(
            uri=None,
            milvusRef={"name": "my-milvus"},
            embedding={"dashscope": {"credentialRef": {"name": "apikey-dev"}}},
        )
    )
    return plant
