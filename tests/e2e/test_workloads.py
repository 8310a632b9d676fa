"""What the operator asks of real Deployments, pods and Milvus resources, under its own ServiceAccount: what is read,
what a write does beside other managers, and what it refuses.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from milvus_embedding.api.annotations import CONFIG_HASH
from milvus_embedding.clients.kube.adapter import KubeAdapter
from milvus_embedding.clients.kube.connect import connect
from milvus_embedding.clients.kube.port import NotFound, Refused
from milvus_embedding.clients.kube.secrets import Conflict
from milvus_embedding.clients.kube.workloads import FIELD_MANAGER
from milvus_embedding.domain.delivery.workload import Component, Mount, Volume
from milvus_embedding.domain.scrub import Scrubber
from tests.e2e.fleet import Fleet
from tests.e2e.kubelet import Kubelet
from tests.e2e.lab import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, eventually, path_of
from tests.e2e.workloads import PROXY, STANDALONE, Mounting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.e2e.lab import Body, Lab

MILVUS = "my-release"
BOTH = {Component.PROXY: "h1", Component.DATA_NODE: "h1"}


@pytest.fixture
async def kube(fleet_lab: Lab, tmp_path: Path) -> AsyncIterator[KubeAdapter]:
    path = fleet_lab.plane.service_account_kubeconfig(SYSTEM_NAMESPACE, SERVICE_ACCOUNT, tmp_path / "kubeconfig")
    adapter = KubeAdapter(await connect(str(path)), Scrubber())
    yield adapter
    await adapter.close()


@pytest.fixture
async def admin(fleet_lab: Lab) -> AsyncIterator[KubeAdapter]:
    """The same with all permissions."""
    adapter = KubeAdapter(await connect(str(fleet_lab.plane.kubeconfig)), Scrubber())
    yield adapter
    await adapter.close()


@pytest.fixture
def namespace(fleet_lab: Lab) -> Iterator[str]:
    name = fleet_lab.namespace("workloads")
    yield name
    fleet_lab.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubelet(fleet_lab: Lab, namespace: str) -> Iterator[Kubelet]:
    with Kubelet(fleet_lab.api, namespace, lambda started: None) as running:
        yield running


@pytest.fixture
def fleet(fleet_lab: Lab, namespace: str, kubelet: Kubelet) -> Fleet:
    """Its pods find the Secret that they mount."""
    metadata = {"name": "milvus-embedding-config", "namespace": namespace}
    data = {"embedding.yaml": "credential: {}\n"}
    fleet_lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
    return Fleet(fleet_lab, namespace)


def selector(fleet: Fleet) -> str:
    return f"app.kubernetes.io/instance={fleet.instance}"


async def test_deployments_and_their_pods_are_read(kube: KubeAdapter, fleet: Fleet) -> None:
    fleet.install(PROXY, STANDALONE, mounting=Mounting())
    fleet.install("querynode", mounting=Mounting(is_mounted=False), recreate=True)
    fleet.wait_complete(PROXY, STANDALONE, "querynode")

    proxy, query_node, standalone = await kube.list_workloads(fleet.namespace, selector(fleet))

    assert [proxy.component, query_node.component, standalone.component] == [
        Component.PROXY,
        None,
        Component.STANDALONE,
    ]
    assert (proxy.interrupts, query_node.interrupts) == (False, True)
    assert (proxy.progress.is_observed, proxy.progress.updated, proxy.progress.available) == (True, 1, 1)
    mount = Mount(volume="embedding-config", path="/milvus/configs/_test.yaml", sub_path="embedding.yaml")
    assert proxy.template.containers[0].mounts == (mount,)
    assert proxy.template.volumes == (Volume(name="embedding-config", secret="milvus-embedding-config"),)
    pods = await kube.list_pods(fleet.namespace, proxy.selector)
    assert [(pod.is_ready, pod.config_hash, pod.trouble) for pod in pods] == [(True, None, "")]
    assert await kube.list_workloads(fleet.namespace, "app.kubernetes.io/instance=other") == []


async def test_an_annotation_rolls_a_deployment_once_and_only_in_the_version_that_was_read(
    kube: KubeAdapter, fleet: Fleet
) -> None:
    fleet.install(PROXY, mounting=Mounting(), replicas=2)
    fleet.wait_complete(PROXY)
    before = (await kube.list_workloads(fleet.namespace, selector(fleet)))[0]

    await kube.annotate_workload(before, "h1")
    with pytest.raises(Conflict):
        await kube.annotate_workload(before, "h2")

    eventually("one roll is counted", lambda: fleet.rolls(PROXY) == 1)
    fleet.wait_complete(PROXY)
    present = (await kube.list_workloads(fleet.namespace, selector(fleet)))[0]
    assert present.template.config_hash == "h1"
    assert present.resource_version != before.resource_version
    assert {pod.config_hash for pod in await kube.list_pods(fleet.namespace, present.selector)} == {"h1"}
    await kube.annotate_workload(present, "h1")
    assert (await kube.list_workloads(fleet.namespace, selector(fleet)))[0].resource_version == present.resource_version


async def test_what_was_deleted_or_made_anew_is_not_rolled(kube: KubeAdapter, fleet: Fleet, fleet_lab: Lab) -> None:
    fleet.install(PROXY, mounting=Mounting())
    fleet.wait_complete(PROXY)
    before = (await kube.list_workloads(fleet.namespace, selector(fleet)))[0]
    fleet_lab.delete("Deployment", fleet.namespace, fleet.name(PROXY))
    with pytest.raises(NotFound):
        await kube.annotate_workload(before, "h1")

    fleet.install(PROXY, mounting=Mounting())
    fleet.wait_complete(PROXY)
    present = (await kube.list_workloads(fleet.namespace, selector(fleet)))[0]
    for former in (before, replace(present, uid=before.uid)):
        with pytest.raises(Conflict):
            await kube.annotate_workload(former, "h1")

    assert fleet.config_hash(PROXY) is None


async def test_a_pod_that_does_not_start_tells_why(kube: KubeAdapter, fleet: Fleet, kubelet: Kubelet) -> None:
    fleet.install(PROXY, mounting=Mounting())
    fleet.wait_complete(PROXY)
    kubelet.trouble[PROXY] = "ImagePullBackOff"
    before = (await kube.list_workloads(fleet.namespace, selector(fleet)))[0]

    await kube.annotate_workload(before, "h1")

    eventually("the new pod waits", lambda: len(fleet.pods(PROXY)) == 2 and "h1" in str(fleet.pods(PROXY)))
    eventually("its reason shows", lambda: "ImagePullBackOff" in str(fleet.pods(PROXY)))
    pods = {pod.config_hash: pod for pod in await kube.list_pods(fleet.namespace, before.selector)}
    assert (pods[None].is_ready, pods["h1"].is_ready, pods["h1"].trouble) == (True, False, "ImagePullBackOff")


def milvus(namespace: str, **parts: Body) -> Body:
    """As its owner keeps it in git; `parts` are below spec.components."""
    components = {"image": "milvusdb/milvus:lab", **parts}
    return {
        "apiVersion": "milvus.io/v1beta1",
        "kind": "Milvus",
        "metadata": {"name": MILVUS, "namespace": namespace},
        "spec": {"mode": "cluster", "components": components},
    }


def apply(lab: Lab, body: Body, *options: str) -> None:
    lab.plane.kubectl("apply", *options, "-f", "-", input=json.dumps(body))


def components(lab: Lab, namespace: str) -> Body:
    found = lab.get("Milvus", namespace, MILVUS)
    assert found is not None
    inner: Body = found["spec"]["components"]
    return inner


SERVER_SIDE = ("--server-side", "--force-conflicts", "--field-manager=gitops")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="by client-side apply"),
        pytest.param(SERVER_SIDE, id="by server-side apply with force"),
    ],
)
async def test_the_owner_of_a_milvus_and_the_operator_keep_each_other_s_annotations(
    kube: KubeAdapter, fleet_lab: Lab, namespace: str, options: tuple[str, ...]
) -> None:
    theirs: dict[str, Any] = {"podAnnotations": {"team/note": "theirs"}, "replicas": 1}
    apply(fleet_lab, milvus(namespace, proxy=theirs), *options)

    await kube.apply_milvus(await kube.read_milvus(namespace, MILVUS), BOTH)
    apply(fleet_lab, milvus(namespace, proxy={**theirs, "replicas": 2}), *options)

    kept = components(fleet_lab, namespace)
    assert kept["proxy"] == {"podAnnotations": {"team/note": "theirs", CONFIG_HASH: "h1"}, "replicas": 2}
    assert kept["dataNode"] == {"podAnnotations": {CONFIG_HASH: "h1"}}
    assert kept["image"] == "milvusdb/milvus:lab"
    assert (await kube.read_milvus(namespace, MILVUS)).config_hashes == BOTH

    await kube.apply_milvus(await kube.read_milvus(namespace, MILVUS), {})
    assert components(fleet_lab, namespace)["proxy"]["podAnnotations"] == {"team/note": "theirs"}
    assert (await kube.read_milvus(namespace, MILVUS)).config_hashes == {}


async def test_the_same_again_changes_nothing(kube: KubeAdapter, fleet_lab: Lab, namespace: str) -> None:
    apply(fleet_lab, milvus(namespace))
    await kube.apply_milvus(await kube.read_milvus(namespace, MILVUS), BOTH)
    before = await kube.read_milvus(namespace, MILVUS)

    await kube.apply_milvus(before, BOTH)

    assert await kube.read_milvus(namespace, MILVUS) == before
    managers = fleet_lab.get("Milvus", namespace, MILVUS) or {}
    ours = [entry for entry in managers["metadata"]["managedFields"] if entry["manager"] == FIELD_MANAGER]
    assert [entry["operation"] for entry in ours] == ["Apply"]


async def test_an_annotation_that_another_manager_owns_is_not_taken(
    kube: KubeAdapter, fleet_lab: Lab, namespace: str
) -> None:
    apply(fleet_lab, milvus(namespace, proxy={"podAnnotations": {CONFIG_HASH: "of git"}}), *SERVER_SIDE)

    with pytest.raises(Refused, match=r"proxy\.podAnnotations.*config-hash is owned by field manager gitops"):
        await kube.apply_milvus(await kube.read_milvus(namespace, MILVUS), BOTH)

    assert components(fleet_lab, namespace)["proxy"]["podAnnotations"] == {CONFIG_HASH: "of git"}


async def test_a_milvus_that_changed_or_was_made_anew_conflicts(
    kube: KubeAdapter, fleet_lab: Lab, namespace: str
) -> None:
    apply(fleet_lab, milvus(namespace))
    before = await kube.read_milvus(namespace, MILVUS)
    fleet_lab.patch("Milvus", namespace, MILVUS, {"spec": {"components": {"image": "milvusdb/milvus:other"}}})
    with pytest.raises(Conflict):
        await kube.apply_milvus(before, BOTH)
    present = await kube.read_milvus(namespace, MILVUS)

    fleet_lab.api.delete(path_of("Milvus", namespace, MILVUS))
    apply(fleet_lab, milvus(namespace))

    anew = await kube.read_milvus(namespace, MILVUS)
    for former in (present, replace(anew, uid=present.uid)):
        with pytest.raises(Conflict):
            await kube.apply_milvus(former, BOTH)


async def test_a_milvus_that_is_gone_is_not_made_by_applying_to_it(
    kube: KubeAdapter, admin: KubeAdapter, fleet_lab: Lab, namespace: str
) -> None:
    apply(fleet_lab, milvus(namespace))
    before = await kube.read_milvus(namespace, MILVUS)
    fleet_lab.api.delete(path_of("Milvus", namespace, MILVUS))

    for asked in (kube, admin):
        with pytest.raises(Conflict):
            await asked.apply_milvus(before, BOTH)

    with pytest.raises(NotFound):
        await kube.read_milvus(namespace, MILVUS)
