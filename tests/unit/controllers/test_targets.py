"""Which workloads are rolled, what is against it, and what is told with the fix."""

import dataclasses
from collections.abc import Callable

import pytest

from milvus_embedding.clients.kube.port import Forbidden, Refused, Unavailable
from milvus_embedding.controllers.base import SecretFailed
from milvus_embedding.domain.delivery.workload import Component, Container, Mount, Template, Variable, Volume
from milvus_embedding.domain.rendering.document import VARIABLES
from tests.fakes.workloads import mounting
from tests.fakes.world import StoredSecret
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.plant import DATA_NODE, PROXY, SECRET, Plant

SECOND, THIRD = "sk-dev-2222222222222222", "sk-dev-3333333333333333"


@pytest.fixture
async def plant(bench: Bench) -> Plant:
    return Plant(bench).helm()


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
    assert plant.told() == ("True", "Delivered")
    assert plant.bench.condition(manifests.DEV, "Delivered") == ("True", "Delivered")
    assert plant.bench.condition(manifests.DOCS) == ("True", "Ready")
    assert plant.rolls(PROXY) == 1


async def test_a_strange_milvus_in_the_namespace_holds_up_nothing_and_gets_no_advice(plant: Plant) -> None:
    plant.fleet.add("team-b-proxy", Component.PROXY, namespace="milvus", instance="team-b", secret="theirs")
    anyone = {"matchExpressions": [{"key": "app.kubernetes.io/instance", "operator": "Exists"}]}
    plant.quickstart(workloads={"selector": anyone})

    await plant.delivered()

    told = plant.bench.message(manifests.CONNECTION, "ConfigDelivered")
    assert "team-b-proxy does not mount the Secret and is left alone" in told
    assert "volumeMounts" not in told
    assert plant.fleet.rolls("team-b-proxy", namespace="milvus") == 0


async def test_pods_of_a_workload_that_lost_the_mount_still_count_and_nothing_is_called_delivered(plant: Plant) -> None:
    plant.quickstart()
    await plant.delivered()
    plant.fleet.change(
        PROXY,
        lambda w: dataclasses.replace(w, template=Template(config_hash=w.template.config_hash)),
        namespace="milvus",
    )

    await plant.run(100)

    assert plant.told() == ("False", "NotMounted")
    assert plant.bench.condition(manifests.DEV, "Delivered") == ("False", "NotDelivered")


async def test_milvus_of_milvus_operator_is_rolled_through_its_resource(bench: Bench) -> None:
    plant = _with_milvus(bench)

    await plant.delivered()

    assert [dict(call.hashes).keys() for call in plant.fleet.calls] == [{"proxy"}, {"proxy", "datanode"}]
    assert {call.method for call in plant.fleet.calls} == {"apply_milvus"}
    assert bench.world.status(manifests.CONNECTION)["endpoint"] == "http://my-milvus.milvus:19530"
    assert bench.condition(manifests.DOCS) == ("True", "Ready")


async def test_the_standby_deployments_of_milvus_operator_are_left_out(bench: Bench) -> None:
    plant = _with_milvus(bench)
    for component in (Component.PROXY, Component.DATA_NODE):
        plant.fleet.add(
            f"my-milvus-milvus-{component.value}-1",
            component,
            namespace="milvus",
            instance="my-milvus",
            milvus="my-milvus",
            replicas=0,
        )

    await plant.delivered()

    assert plant.is_delivered


async def test_a_milvus_resource_that_cannot_be_read_for_a_moment_is_no_news(bench: Bench) -> None:
    plant = _with_milvus(bench)
    await plant.delivered()
    before = [bench.world.status(key) for key in sorted(bench.world.bodies)]
    bench.world.outside.refuse["read_milvus"] = Unavailable("HTTP 500", 500)

    await plant.run(60)

    assert [bench.world.status(key) for key in sorted(bench.world.bodies)] == before


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


async def test_what_is_shadowed_stays_told_while_the_configuration_cannot_be_read(plant: Plant) -> None:
    await test_what_milvus_own_configuration_shadows_is_told(plant)
    plant.bench.world.unreadable["milvus", "my-release-milvus"] = SecretFailed("HTTP 500")

    await plant.run(300)

    assert plant.told() == ("False", "LabelShadowed")


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
