"""Delivery to a Milvus of milvus-operator: its resource is annotated, by a field manager of our own, and its
Deployments are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.delivery import RENDERED, Delivery
from tests.e2e.fleet import RELEASE
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, CONNECTION
from tests.e2e.workloads import DATA_NODE, PROXY, QUERY_NODE, STANDALONE, Mounting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.lab import Body

HASH = "embedding.milvus.io/config-hash"
COMPONENTS = 3


@pytest.fixture
def target(delivery: Delivery) -> Iterator[Delivery]:
    """With milvus-operator at work; the resource is not applied yet."""
    with delivery.milvus_operator():
        yield delivery


@pytest.fixture(scope="module")
def bring_up() -> Callable[[Delivery], None]:
    """A Milvus of milvus-operator, for the tests that ask for `running`."""
    return bring_up_milvus


def bring_up_milvus(target: Delivery, mode: str = "cluster") -> None:
    target.enter(target.milvus_operator())
    target.apply(target.of_milvus(RELEASE), target.milvus(RELEASE, mode=mode))
    target.apply(target.secret(), target.credential(), target.collection())
    target.ready(COLLECTION, within=60)
    target.delivered()


def resource(target: Delivery) -> Body:
    found = target.lab.get("Milvus", target.namespace, RELEASE)
    assert found is not None
    return found


def pod_annotations(target: Delivery, component: str) -> Body:
    found: Body = resource(target)["spec"]["components"].get(component, {}).get("podAnnotations", {})
    return found


def test_a_credential_reaches_milvus_through_its_resource_and_a_rotation_once_more(target: Delivery) -> None:
    target.apply(target.of_milvus(RELEASE), target.milvus(RELEASE))
    eventually("milvus-operator has made its Deployments", lambda: len(target.fleet.all_rolls()) == COMPONENTS)
    target.fleet.wait_complete(PROXY, DATA_NODE, QUERY_NODE)
    target.delivered()
    assert target.status(CONNECTION)["endpoint"] == target.site.milvus.uri

    with target.rolled(1):
        target.apply(target.secret(), target.credential(), target.collection())
        target.ready(COLLECTION, within=40)

    assert target.site.milvus.calls["CreateCollection"] == 1
    assert pod_annotations(target, "proxy") == pod_annotations(target, "dataNode") == {HASH: target.rendered_hash()}
    assert pod_annotations(target, "queryNode") == {}
    target.embeds()
    with target.rolled(1):
        target.rotate()
        target.wait_rotation(generation=2, deliveredGeneration=2)
    target.site.dashscope.keys.discard(target.key)
    target.embeds()
    assert {request.resource for request in target.writes_to_workloads()} == {"milvuses"}


def test_nothing_is_rolled_while_nothing_changes(running: Delivery) -> None:
    running.wait_quiet()
    writes = len(running.writes_to_workloads())

    with running.rolled(0):
        running.look(times=10)
        running.lab.delete("Secret", running.namespace, RENDERED)
        eventually("it is rendered again", lambda: running.lab.get("Secret", running.namespace, RENDERED))
        running.look(times=3)
        running.wait_quiet()

    assert len(running.writes_to_workloads()) == writes


def test_a_standalone_milvus_rolls_without_an_outage(delivery: Delivery) -> None:
    bring_up_milvus(delivery, mode="standalone")

    with delivery.rolled(1, STANDALONE):
        delivery.rotate()
        delivery.wait_rotation(deliveredGeneration=2)

    assert list(pod_annotations(delivery, "standalone")) == [HASH]
    delivery.embeds()


def test_the_owner_s_tools_keep_the_annotation_and_we_keep_what_they_set(running: Delivery) -> None:
    mounting = Mounting(path="/milvus/configs/default.yaml")
    own = {"volumes": mounting.volumes, "volumeMounts": mounting.mounts, "podAnnotations": {"team": "search"}}
    manifest = running.milvus(RELEASE, proxy=own)

    with running.rolled(1, PROXY):  # by the owner
        running.apply(manifest)
    with running.rolled(1, PROXY):
        own["podAnnotations"] = {"team": "platform"}
        running.server_side_apply(manifest, "--force-conflicts", "--field-manager=owner")
    with running.rolled(0):
        running.look(times=3)

    assert pod_annotations(running, "proxy") == {"team": "platform", HASH: running.rendered_hash()}
    with running.rolled(1):
        running.rotate()
        running.wait_rotation(deliveredGeneration=2)
    assert pod_annotations(running, "proxy") == {"team": "platform", HASH: running.rendered_hash()}
    managers = {entry["manager"] for entry in resource(running)["metadata"]["managedFields"] if HASH in str(entry)}
    assert managers == {"milvus-embedding-operator"}


def test_k21_a_paused_resource_is_reported_and_rolled_when_it_goes_on(running: Delivery) -> None:
    pause = {"metadata": {"annotations": {"milvus.io/pause-reconcile": "true"}}}
    running.lab.patch("Milvus", running.namespace, RELEASE, pause)

    with running.rolled(0):
        running.rotate()
        told = running.reason(CONNECTION, "TargetPaused", type_="ConfigDelivered", within=30)["message"]

    assert "milvus.io/pause-reconcile" in told
    running.embeds()
    with running.rolled(1, within=60):
        pause["metadata"]["annotations"]["milvus.io/pause-reconcile"] = "false"
        running.lab.patch("Milvus", running.namespace, RELEASE, pause)
        running.wait_rotation(deliveredGeneration=2, within=60)


def test_a_resource_that_does_not_exist_is_named_and_taken_up_when_it_comes(target: Delivery) -> None:
    target.apply(target.of_milvus(RELEASE))
    assert RELEASE in target.reason(CONNECTION, "MilvusNotFound")["message"]
    eventually("rendered without it", lambda: target.lab.get("Secret", target.namespace, RENDERED))

    target.apply(target.milvus(RELEASE))

    target.ready(CONNECTION, within=60)
