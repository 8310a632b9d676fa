"""The ground that the tests of delivery stand on: pods that start with what they mount, rolls that progress, fail and
are counted, a milvus-operator, and Helm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.delivery import RENDERED, Delivery
from tests.e2e.fleet import Helm
from tests.e2e.kubelet import is_ready
from tests.e2e.lab import eventually
from tests.e2e.workloads import DATA_NODE, PROXY, QUERY_NODE, STANDALONE, Mounting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milvus_embedding.devkit.controlplane import Binaries
    from tests.e2e.lab import Body, Lab


@pytest.fixture
def ground(fleet_lab: Lab) -> Iterator[Delivery]:
    """With no operator of ours."""
    with Delivery(fleet_lab) as opened:
        yield opened


def hold(ground: Delivery, content: str) -> None:
    """What an operator would have rendered."""
    ground.apply(manifests.secret(ground.namespace, RENDERED, **{"embedding.yaml": content}))


def roll(ground: Delivery, component: str, value: str) -> None:
    template = {"metadata": {"annotations": {"lab.test/hash": value}}}
    ground.lab.patch("Deployment", ground.namespace, ground.fleet.name(component), {"spec": {"template": template}})


def waits(ground: Delivery, component: str, reason: str) -> bool:
    states = [c["state"] for pod in ground.fleet.pods(component) for c in pod["status"].get("containerStatuses", [])]
    return any(state.get("waiting", {}).get("reason") == reason for state in states)


def test_a_pod_waits_for_its_secret_and_keeps_what_it_started_with(ground: Delivery) -> None:
    ground.fleet.install(PROXY)
    eventually("it waits", lambda: waits(ground, PROXY, "ContainerCreating"))

    hold(ground, "credential: {}\n")
    ground.fleet.wait_complete(PROXY)
    eventually("Milvus has it", lambda: ground.site.mounted.read_text() == "credential: {}\n")
    hold(ground, "function: {}\n")
    roll(ground, PROXY, "1")

    eventually("Milvus has the other", lambda: ground.site.mounted.read_text() == "function: {}\n")
    ground.fleet.wait_complete(PROXY)
    assert ground.fleet.rolls(PROXY) == 1


def test_a_pod_that_does_not_start_holds_the_roll_until_its_trouble_is_over(ground: Delivery) -> None:
    hold(ground, "credential: {}\n")
    ground.fleet.install(PROXY)
    ground.fleet.wait_complete(PROXY)
    hold(ground, "function: {}\n")
    ground.kubelet.trouble[PROXY] = "ImagePullBackOff"

    roll(ground, PROXY, "1")

    eventually("it waits", lambda: waits(ground, PROXY, "ImagePullBackOff"))
    assert sum(is_ready(pod) for pod in ground.fleet.pods(PROXY)) == 1
    assert ground.site.mounted.read_text() == "credential: {}\n"
    ground.kubelet.trouble.clear()
    ground.fleet.wait_complete(PROXY)
    eventually("Milvus has the other", lambda: ground.site.mounted.read_text() == "function: {}\n")


def test_a_lingering_pod_stays_terminating_until_it_is_let_go(ground: Delivery) -> None:
    hold(ground, "credential: {}\n")
    ground.kubelet.lingering.add(PROXY)
    ground.fleet.install(PROXY)
    ground.fleet.wait_complete(PROXY)

    roll(ground, PROXY, "1")

    def terminating() -> list[Body]:
        return [pod for pod in ground.fleet.pods(PROXY) if "deletionTimestamp" in pod["metadata"]]

    eventually("it is Terminating", terminating)
    eventually("the new one serves", lambda: ground.fleet.deployment(PROXY)["status"].get("availableReplicas") == 1)
    assert terminating()
    ground.kubelet.let_go()
    ground.fleet.wait_complete(PROXY)


def test_milvus_operator_makes_deployments_and_hands_annotations_on(ground: Delivery) -> None:
    hold(ground, "credential: {}\n")
    with ground.milvus_operator() as operator:
        ground.apply(ground.milvus("my-release"))

        def status() -> Body:
            found: Body = (ground.lab.get("Milvus", ground.namespace, "my-release") or {}).get("status", {})
            return found

        eventually("it is healthy", lambda: status().get("status") == "Healthy")
        assert f"http://{status()['endpoint']}" == ground.site.milvus.uri
        ground.fleet.wait_complete(PROXY, DATA_NODE, QUERY_NODE)
        writes = operator.writes.copy()
        annotated = {"podAnnotations": {"lab.test/hash": "1"}}
        ground.lab.patch("Milvus", ground.namespace, "my-release", {"spec": {"components": {"proxy": annotated}}})

        eventually("the proxy is rolled", lambda: ground.fleet.rolls(PROXY) == 1)
        ground.fleet.wait_complete(PROXY, DATA_NODE, QUERY_NODE)
        assert ground.fleet.all_rolls() == {PROXY: 1, DATA_NODE: 0, QUERY_NODE: 0}
        assert operator.writes - writes == {ground.fleet.name(PROXY): 1}


def test_helm_installs_what_mounts_the_secret_and_an_upgrade_keeps_a_foreign_annotation(
    ground: Delivery, fleet_binaries: Binaries, tmp_path: Path
) -> None:
    helm = Helm(ground.lab, fleet_binaries, ground.namespace, tmp_path)
    hold(ground, "credential: {}\n")
    helm.install()
    ground.fleet.wait_complete(PROXY, DATA_NODE, QUERY_NODE)
    roll(ground, PROXY, "1")

    helm.install(image="milvusdb/milvus:other")

    eventually("all are rolled", lambda: ground.fleet.all_rolls() == {PROXY: 2, DATA_NODE: 1, QUERY_NODE: 1})
    ground.fleet.wait_complete(PROXY, DATA_NODE, QUERY_NODE)
    template = ground.fleet.deployment(PROXY)["spec"]["template"]
    assert template["metadata"]["annotations"]["lab.test/hash"] == "1"


def test_a_recreate_target_is_down_while_it_is_rolled(ground: Delivery) -> None:
    hold(ground, "credential: {}\n")
    ground.fleet.install(STANDALONE, mounting=Mounting(), recreate=True)
    ground.fleet.wait_complete(STANDALONE)
    ground.kubelet.trouble[STANDALONE] = "CrashLoopBackOff"

    roll(ground, STANDALONE, "1")

    eventually("nothing serves", lambda: [is_ready(pod) for pod in ground.fleet.pods(STANDALONE)] == [False])
    ground.kubelet.trouble.clear()
    ground.fleet.wait_complete(STANDALONE)
