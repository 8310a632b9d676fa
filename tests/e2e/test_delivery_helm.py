"""Delivery to workloads of Milvus' Helm chart: rolled once for what changed, and never for anything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.delivery import QUICK, RENDERED, Delivery
from tests.e2e.fleet import Helm
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, CREDENTIAL_NAME
from tests.e2e.workloads import DATA_NODE, PROXY, QUERY_NODE, STANDALONE, Mounting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milvus_embedding.devkit.controlplane import Binaries
    from tests.e2e.lab import Lab, OperatorProcess

TEAMS = 50
VARIABLES = ("MILVUSAI_DASHSCOPE_API_KEY", "MILVUS_DASHSCOPE_API_KEY")


@pytest.fixture
def helm(delivery: Delivery, fleet_binaries: Binaries, tmp_path: Path) -> Helm:
    return Helm(delivery.lab, fleet_binaries, delivery.namespace, tmp_path)


@pytest.fixture(scope="module")
def rotated(fleet_lab: Lab, fleet_operator: OperatorProcess) -> Iterator[Delivery]:
    """With a key that has been replaced. When the former one may be revoked shows minutes later: the first of the tests
    begin it, the last looks.
    """
    with Delivery(fleet_lab) as delivery:
        delivery.bring_up_pods()
        with delivery.rolled(1):
            delivery.rotate()
            delivery.wait_rotation(generation=2, deliveredGeneration=2)
        yield delivery


def test_a_credential_reaches_milvus_by_one_roll_and_then_its_collection_is_created(
    delivery: Delivery, helm: Helm, measured: dict[str, float]
) -> None:
    delivery.apply(delivery.rolling())
    helm.install()
    delivery.fleet.wait_complete(PROXY, DATA_NODE, QUERY_NODE)
    delivery.delivered()

    with delivery.rolled(1, PROXY, DATA_NODE):
        delivery.apply(delivery.secret(), delivery.credential(), delivery.collection())
        measured["a new credential's collection Ready after a roll"] = delivery.seconds_until_ready(
            COLLECTION, within=40
        )

    assert delivery.site.milvus.calls["CreateCollection"] == 1
    assert delivery.fleet.config_hash(PROXY) == delivery.fleet.config_hash(DATA_NODE) == delivery.rendered_hash()
    assert delivery.fleet.config_hash(QUERY_NODE) is None
    delivery.ready(CREDENTIAL)
    assert delivery.condition(CREDENTIAL, "Delivered")["status"] == "True"
    delivery.embeds()


def test_k01_a_rotation_is_one_more_roll_and_milvus_then_embeds_with_the_new_key_alone(rotated: Delivery) -> None:
    present = rotated.delivered()
    rotation = rotated.rotation()
    assert present["status"] == "True"
    assert (rotation["generation"], rotation["deliveredGeneration"], rotation["effectiveGeneration"]) == (2, 2, 2)
    rotated.site.dashscope.keys.discard(rotated.key)
    rotated.embeds()


def test_nothing_is_rolled_while_nothing_changes(running: Delivery) -> None:
    running.wait_quiet()
    writes = len(running.writes_to_workloads())

    with running.rolled(0):
        running.look(times=10)
        before = running.lab.get("Secret", running.namespace, RENDERED)
        running.lab.delete("Secret", running.namespace, RENDERED)
        eventually("it is rendered again", lambda: running.lab.get("Secret", running.namespace, RENDERED))
        running.look(times=3)
        running.wait_quiet()

    assert len(running.writes_to_workloads()) == writes
    after = running.lab.get("Secret", running.namespace, RENDERED)
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["data"]["embedding.yaml"] == before["data"]["embedding.yaml"]
    running.delivered()
    assert running.rotation()["generation"] == 1


def test_fifty_credentials_at_once_are_one_roll(running: Delivery) -> None:
    teams = [f"team-{number:02}" for number in range(TEAMS)]

    with running.rolled(1, within=60):
        running.apply(*(body for team in teams for body in running.new_credential(team)))
        for team in teams:
            running.ready(CREDENTIAL, team, within=60)

    listed = running.status(CONNECTION)["labels"]
    assert len(listed) == TEAMS + 1


def test_k23_a_target_that_a_roll_takes_down_waits_for_its_owner(delivery: Delivery) -> None:
    delivery.apply(delivery.rolling())
    delivery.fleet.install(STANDALONE, recreate=True)
    delivery.fleet.wait_complete(STANDALONE)

    with delivery.rolled(0):
        delivery.apply(delivery.secret(), delivery.credential(), delivery.collection())
        told = delivery.reason(CONNECTION, "WouldInterrupt", type_="ConfigDelivered", within=30)
        delivery.reason(COLLECTION, "CredentialNotReady")

    assert delivery.rendered_hash() in told["message"]
    assert delivery.status(CONNECTION)["rollout"]["phase"] == "AwaitingApproval"
    with delivery.rolled(1, STANDALONE):
        delivery.annotate_connection(approved_rollout=delivery.rendered_hash())
        delivery.ready(COLLECTION, within=40)
    with delivery.rolled(0):
        delivery.rotate()
        told = delivery.reason(CONNECTION, "WouldInterrupt", type_="ConfigDelivered", within=30)
    with delivery.rolled(1, STANDALONE):
        delivery.apply(delivery.rolling(rollout={"allowOutage": True}))
        delivery.wait_rotation(deliveredGeneration=2)


def test_k34_with_manual_approval_a_hash_of_last_month_approves_nothing(delivery: Delivery) -> None:
    manual = {"approval": "Manual"}
    delivery.apply(delivery.rolling(rollout=manual), delivery.secret(), delivery.credential(), delivery.collection())
    delivery.fleet.install()
    delivery.reason(CONNECTION, "AwaitingApproval", type_="ConfigDelivered", within=30)
    first = delivery.rendered_hash()
    with delivery.rolled(1):
        delivery.apply(delivery.rolling(rollout={**manual, "approvedHash": first}))
        delivery.ready(COLLECTION, within=40)
    delivery.delivered()

    with delivery.rolled(0):
        delivery.rotate()
        told = delivery.reason(CONNECTION, "AwaitingApproval", type_="ConfigDelivered", within=30)

    assert delivery.rendered_hash() != first
    assert delivery.rendered_hash() in told["message"]
    delivery.embeds()
    with delivery.rolled(1):
        delivery.annotate_connection(approved_rollout=delivery.rendered_hash())
        delivery.wait_rotation(deliveredGeneration=2)


def test_a_chart_that_does_not_mount_the_secret_is_told_what_to_add_and_is_not_rolled(
    delivery: Delivery, helm: Helm
) -> None:
    delivery.apply(delivery.rolling(), delivery.secret(), delivery.credential(), delivery.collection())
    helm.install(Mounting(is_mounted=False))

    told = delivery.reason(CONNECTION, "NotMounted", type_="ConfigDelivered")["message"]

    assert f"secretName: {RENDERED}" in told
    assert "volumeMounts:" in told
    assert set(delivery.fleet.all_rolls().values()) == {0}
    helm.install()
    delivery.ready(COLLECTION, within=60)
    delivery.delivered()


def test_the_owner_s_tools_keep_the_annotation_and_we_keep_what_they_set(running: Delivery) -> None:
    manifest = running.fleet.manifest(PROXY, annotations={"checksum/config": "1"})
    writes = len(running.writes_to_workloads())

    with running.rolled(1, PROXY):  # by the owner
        running.apply(manifest)
    with running.rolled(1, PROXY):
        manifest["spec"]["template"]["metadata"]["annotations"]["checksum/config"] = "2"
        running.server_side_apply(manifest, "--force-conflicts", "--field-manager=owner")
    with running.rolled(0):
        running.look(times=3)

    annotations = running.fleet.deployment(PROXY)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["checksum/config"] == "2"
    assert annotations["embedding.milvus.io/config-hash"] == running.rendered_hash()
    assert len(running.writes_to_workloads()) == writes
    running.delivered()
    with running.rolled(1):
        running.rotate()
        running.wait_rotation(deliveredGeneration=2)
    annotations = running.fleet.deployment(PROXY)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["checksum/config"] == "2"


def test_a_helm_upgrade_keeps_the_annotation(delivery: Delivery, helm: Helm) -> None:
    delivery.apply(delivery.rolling(), delivery.secret(), delivery.credential(), delivery.collection())
    helm.install()
    delivery.ready(COLLECTION, within=40)
    delivery.delivered()

    with delivery.rolled(1, PROXY, DATA_NODE, QUERY_NODE):  # by helm
        helm.install(image="milvusdb/milvus:other")
    with delivery.rolled(0):
        delivery.look(times=3)

    assert delivery.fleet.config_hash(PROXY) == delivery.rendered_hash()
    delivery.delivered()


def test_k26_an_annotation_that_was_taken_away_is_put_back_once(running: Delivery) -> None:
    hash_ = running.rendered_hash()

    with running.rolled(2, PROXY):  # theirs and ours
        running.server_side_apply(running.fleet.manifest(PROXY), replace=True)
        running.look()

    assert running.fleet.config_hash(PROXY) == running.rendered_hash() == hash_
    with running.rolled(0):
        running.look(times=3)


def test_a_key_that_dashscope_refuses_is_never_delivered(running: Delivery) -> None:

    with running.rolled(0):
        wrong = running.lab.new_key("wrong")
        running.apply(manifests.secret(running.namespace, "dashscope-dev", apikey=wrong))
        running.reason(CREDENTIAL, "KeyRejected", name=CREDENTIAL_NAME)

    running.embeds()


def test_k35_a_connection_that_is_deleted_and_comes_back_rolls_nothing(running: Delivery) -> None:
    hash_ = running.rendered_hash()

    with running.rolled(0):
        running.lab.delete(CONNECTION, running.namespace, "milvus")
        running.wait_gone(CONNECTION)
        assert running.lab.get("Secret", running.namespace, RENDERED), "pods need it to start"
        running.embeds()
        running.apply(running.rolling())
        running.delivered()
        running.wait_quiet()

    assert running.rendered_hash() == hash_
    running.ready(CREDENTIAL)
    running.ready(COLLECTION)


def test_the_variables_of_option_2_reach_milvus_by_one_roll(delivery: Delivery) -> None:
    # No address can be given with it; this one is in Milvus' own file.
    sections = {"function": {"textEmbedding": {"providers": {"dashscope": {"url": delivery.site.dashscope.url}}}}}
    delivery.site.base.write_text(json.dumps(sections))
    embedding = {
        "delivery": "Environment",
        "dashscope": {"credentialRef": {"name": CREDENTIAL_NAME}},
        "rollout": {**QUICK, "workloads": delivery.fleet.selector},
    }
    connection = manifests.connection(delivery.namespace, delivery.site.milvus.uri)
    connection["spec"]["embedding"] = embedding
    delivery.apply(connection, delivery.secret())
    delivery.apply(delivery.credential(probe={"enabled": False}), delivery.collection(credential_ref=None))
    delivery.fleet.install(mounting=Mounting(is_mounted=False), env=[delivery.variable(name) for name in VARIABLES])

    delivery.ready(COLLECTION, within=60)
    delivery.delivered()

    assert max(delivery.fleet.all_rolls().values()) <= 1
    delivery.embeds()
    with delivery.rolled(1):
        delivery.rotate()
        delivery.wait_rotation(deliveredGeneration=2)
    delivery.site.dashscope.keys.discard(delivery.key)
    delivery.embeds()


def test_the_moment_from_which_a_former_key_may_be_revoked_is_told_when_no_write_can_use_it(rotated: Delivery) -> None:
    found = eventually("it is told", lambda: rotated.rotation().get("safeToRevokeBefore"), within=200)

    assert found <= rotated.status(CONNECTION)["config"]["deliveredTime"]
