"""Rolls that do not go as they should, on Deployments whose pods really wait, linger and fail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.e2e.kubelet import is_ready
from tests.e2e.lab import eventually, path_of
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL
from tests.e2e.workloads import DATA_NODE, PROXY

if TYPE_CHECKING:
    from tests.e2e.delivery import Delivery
    from tests.e2e.lab import Body

DELIVERED = "ConfigDelivered"


def told(delivery: Delivery) -> str:
    """What the connection says of the delivery."""
    message: str = delivery.condition(CONNECTION, DELIVERED).get("message", "")
    return message


def test_k21_pods_that_do_not_start_are_told_and_the_old_ones_serve(running: Delivery) -> None:
    trouble = "CrashLoopBackOff"
    running.kubelet.trouble[PROXY] = trouble

    running.rotate()

    eventually("the trouble is told", lambda: trouble in told(running), within=30)
    assert running.reason(CONNECTION, "RolloutInProgress", type_=DELIVERED)["status"] == "False"
    assert running.rotation()["deliveredGeneration"] == 1
    assert running.fleet.rolls(DATA_NODE) <= 1, "one workload at a time"
    running.embeds()
    running.kubelet.trouble.clear()
    running.wait_rotation(deliveredGeneration=2)
    running.delivered()


def test_k21_a_roll_that_comes_to_no_end_fails_once_and_is_not_tried_again(running: Delivery) -> None:
    running.kubelet.trouble[PROXY] = "ImagePullBackOff"

    running.rotate()

    message = running.reason(CONNECTION, "RolloutTimedOut", type_=DELIVERED, within=60)["message"]
    assert running.fleet.name(PROXY) in message
    assert "ImagePullBackOff" in message
    assert running.status(CONNECTION)["rollout"]["phase"] == "TimedOut"
    rolls = running.fleet.all_rolls()
    running.look(times=3)
    assert running.fleet.all_rolls() == rolls
    running.embeds()

    running.kubelet.trouble.clear()
    eventually("the pod starts", lambda: running.fleet.is_complete(PROXY))
    running.annotate_connection(reconcile_requested_at=datetime.now(UTC).isoformat(timespec="seconds"))

    running.wait_rotation(deliveredGeneration=2, within=60)
    assert running.fleet.rolls(PROXY) == rolls[PROXY]


def test_k21_a_quota_that_admits_no_pod_is_told(running: Delivery) -> None:
    quota = {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": "2"}}}
    quotas = f"/api/v1/namespaces/{running.namespace}/resourcequotas"
    running.lab.api.create(quotas, quota)
    eventually("the quota counts", lambda: running.lab.api.get(f"{quotas}/pods").get("status", {}).get("used"))

    running.rotate()

    eventually("the cause is told", lambda: "FailedCreate" in told(running), within=30)
    running.embeds()
    running.lab.api.delete(f"{quotas}/pods")
    # The ReplicaSet controller tries again by itself, after longer and longer waits.
    running.wait_rotation(deliveredGeneration=2, within=60)


def test_k21_a_paused_deployment_is_told_and_rolled_when_it_goes_on(running: Delivery) -> None:
    running.fleet.pause(PROXY)

    running.rotate()

    running.reason(CONNECTION, "TargetPaused", type_=DELIVERED, within=30)
    assert running.fleet.name(PROXY) in told(running)
    running.embeds()
    running.fleet.pause(PROXY, paused=False)
    running.wait_rotation(deliveredGeneration=2, within=60)


def test_k22_another_rollout_in_progress_comes_to_its_end_first(running: Delivery) -> None:
    running.kubelet.trouble[PROXY] = "ContainerCreating"
    theirs = {"spec": {"template": {"metadata": {"annotations": {"checksum/config": "theirs"}}}}}
    hash_ = running.fleet.config_hash(PROXY)

    rolls = running.fleet.rolls(PROXY)
    with running.rolled(1, DATA_NODE, others=(PROXY,), within=60):
        running.lab.patch("Deployment", running.namespace, running.fleet.name(PROXY), theirs)
        eventually("theirs is under way", lambda: len(running.fleet.pods(PROXY)) == 2)
        running.rotate()
        running.reason(CONNECTION, "RolloutBusy", type_=DELIVERED, within=30)
        assert running.fleet.config_hash(PROXY) == hash_
        running.kubelet.trouble.clear()
        running.wait_rotation(deliveredGeneration=2, within=60)

    assert running.fleet.rolls(PROXY) == rolls + 2, "theirs and ours"
    running.delivered()


def test_k24_a_pod_that_stays_terminating_serves_no_more_but_has_the_former_key(delivery: Delivery) -> None:
    delivery.kubelet.lingering.add(PROXY)
    delivery.bring_up_pods()

    delivery.rotate()

    delivery.wait_rotation(deliveredGeneration=2, within=40)
    delivery.delivered()
    assert [pod for pod in delivery.fleet.pods(PROXY) if "deletionTimestamp" in pod["metadata"]]
    assert "safeToRevokeBefore" not in delivery.rotation()


def test_k25_a_pod_that_starts_between_the_secret_and_the_roll(running: Delivery) -> None:
    running.apply(running.rolling(rollout={"settleSeconds": 5}))

    with running.rolled(1):
        former = secret_version(running)
        running.rotate()
        eventually("the Secret has it", lambda: secret_version(running) != former)
        running.fleet.delete_pods(PROXY)
        eventually("another starts", lambda: [is_ready(pod) for pod in running.fleet.pods(PROXY)] == [True])
        assert running.rotation()["deliveredGeneration"] == 1
        running.wait_rotation(deliveredGeneration=2, within=40)

    running.delivered()
    running.embeds()


def secret_version(delivery: Delivery) -> str:
    body = delivery.lab.api.get(path_of("Secret", delivery.namespace, "milvus-embedding-config"))
    content: str = body["data"]["embedding.yaml"]
    return content


def test_k03_a_key_that_changes_while_it_is_rolled_is_one_more_roll(running: Delivery) -> None:
    running.kubelet.trouble[PROXY] = "ContainerCreating"

    rolls = running.fleet.rolls(PROXY)
    with running.rolled(1, DATA_NODE, others=(PROXY,), within=60):
        running.rotate()
        running.reason(CONNECTION, "RolloutInProgress", type_=DELIVERED, within=30)
        running.rotate()
        running.wait_rotation(generation=3)
        running.kubelet.trouble.clear()
        running.wait_rotation(deliveredGeneration=3, within=60)

    assert running.fleet.rolls(PROXY) == rolls + 2, "under way is under way; what was not begun goes to the last one"
    running.delivered()
    running.embeds()


def test_k02_a_key_that_changes_twice_in_a_moment_is_one_roll(running: Delivery) -> None:
    running.apply(running.rolling(rollout={"debounceSeconds": 4}))

    with running.rolled(1):
        running.rotate()
        running.wait_rotation(generation=2)
        running.rotate()
        running.wait_rotation(generation=3, deliveredGeneration=3, within=40)


def test_k04_a_key_that_is_taken_back_in_a_moment_rolls_nothing(running: Delivery) -> None:
    running.apply(running.rolling(rollout={"debounceSeconds": 4}))

    with running.rolled(0):
        running.rotate()
        running.wait_rotation(generation=2)
        running.apply(running.secret())
        running.delivered()
        running.look(times=2)
        running.wait_quiet(6)

    running.ready(CREDENTIAL)
    running.ready(COLLECTION)


def test_k27_two_connections_of_one_workload_do_not_roll_it_by_turns(running: Delivery) -> None:
    second: Body = running.rolling(name="second", embedding={"secretName": "milvus-embedding-config-2"})

    with running.rolled(0):
        running.apply(second)
        running.lab.wait_condition(
            CONNECTION, running.namespace, "second", reason="NotMounted", type_=DELIVERED, within=30
        )

    running.delivered()
