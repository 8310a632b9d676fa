"""Operators that end and come back: what is delivered stays, and what is under way goes on where it stood."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.e2e import audit
from tests.e2e.api import Refused
from tests.e2e.delivery import RENDERED, Delivery
from tests.e2e.lab import SYSTEM_NAMESPACE, eventually
from tests.e2e.replicas import Replica, succession, writes
from tests.e2e.stage import CONNECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.lab import Body, Lab, OperatorProcess

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/milvus-embedding-operator"
MOST_KILLS, ENOUGH_KILLS = 40, 6
SILENCE, LONGEST = 3.0, 60.0
# Renders other bytes of the same meaning, as a later version may.
OTHER_RENDERER = """\
from milvus_embedding.domain.rendering import document

_to_yaml = document.to_yaml
document.to_yaml = lambda content: "# of another version\\n" + _to_yaml(content)
"""


@pytest.fixture
def theatre(fleet_lab: Lab) -> Iterator[tuple[Delivery, OperatorProcess]]:
    """With an operator that the test stops and starts."""
    with fleet_lab.operator() as operator, Delivery(fleet_lab) as delivery:
        operator.wait_ready()
        yield delivery, operator


def test_a_restart_rolls_nothing(theatre: tuple[Delivery, OperatorProcess]) -> None:
    delivery, operator = theatre
    delivery.bring_up_pods()
    delivery.wait_quiet()
    writes = len(delivery.writes_to_workloads())
    operator.stop()

    with delivery.rolled(0):
        operator.start()
        operator.wait_ready()
        delivery.look(times=3)
        delivery.wait_quiet()

    assert len(delivery.writes_to_workloads()) == writes
    delivery.delivered()


def test_k17_an_operator_with_another_renderer_rolls_nothing(
    theatre: tuple[Delivery, OperatorProcess], tmp_path: Path
) -> None:
    delivery, operator = theatre
    delivery.bring_up_pods()
    delivery.wait_quiet()
    writes, hash_ = len(delivery.writes_to_workloads()), delivery.rendered_hash()
    operator.stop()
    (tmp_path / "sitecustomize.py").write_text(OTHER_RENDERER)

    with (
        delivery.rolled(0),
        delivery.lab.operator(environment={"PYTHONPATH": str(tmp_path)}) as other,
    ):
        other.wait_ready()
        delivery.lab.delete("Secret", delivery.namespace, RENDERED)
        eventually("it is rendered again", lambda: "another version" in rendered(delivery))
        delivery.look(times=3)
        delivery.wait_quiet()

    assert delivery.rendered_hash() == hash_
    assert len(delivery.writes_to_workloads()) == writes


def test_k17_two_replicas_during_an_upgrade_never_write_both_and_roll_nothing(fleet_lab: Lab, tmp_path: Path) -> None:
    """The new version comes up beside the old one, which is then told to go, as a Deployment does it."""
    (tmp_path / "sitecustomize.py").write_text(OTHER_RENDERER)
    lasting = ("--lease-duration=120", "--lease-renew-deadline=100")
    old = Replica(fleet_lab, lasting)
    new = Replica(fleet_lab, lasting, {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"})
    with old, Delivery(fleet_lab) as delivery, new:
        old.wait_leads()
        new.process.wait_ready()
        delivery.bring_up_pods()
        delivery.wait_quiet()
        made, hash_ = len(delivery.writes_to_workloads()), delivery.rendered_hash()
        with delivery.rolled(0):
            assert old.process.stop() == 0
            # Long before the lease could expire: it was released.
            new.wait_leads(within=20)
            fleet_lab.delete("Secret", delivery.namespace, RENDERED)
            eventually("it is rendered again", lambda: "another version" in rendered(delivery))
            delivery.look(times=3)
            delivery.wait_quiet()
        assert succession(writes(fleet_lab.plane.audit_log, delivery.namespace)) == [old.writer, new.writer]
        assert delivery.rendered_hash() == hash_
        assert len(delivery.writes_to_workloads()) == made


def rendered(delivery: Delivery) -> str:
    data = delivery.lab.secret_data(delivery.namespace, RENDERED) or {}
    return data.get("embedding.yaml", b"").decode()


def test_k14_a_key_that_changed_twice_while_the_operator_was_away_is_one_roll(
    theatre: tuple[Delivery, OperatorProcess],
) -> None:
    delivery, operator = theatre
    delivery.bring_up_pods()
    operator.stop()
    delivery.rotate()
    delivery.rotate()
    delivery.fleet.delete_pods("proxy")  # Milvus is restarted meanwhile, and reads what is still rendered
    delivery.fleet.wait_complete()
    delivery.embeds()

    with delivery.rolled(1, within=60):
        operator.start()
        delivery.wait_rotation(generation=2, deliveredGeneration=2, within=60)

    delivery.delivered()
    delivery.embeds()


def test_an_operator_that_is_killed_after_each_of_its_calls_rotates_as_if_it_were_not(
    theatre: tuple[Delivery, OperatorProcess],
) -> None:
    delivery, operator = theatre
    delivery.bring_up_pods()
    calls = Calls(delivery)
    kills, number = 0, 1

    with delivery.rolled(1, within=60):
        delivery.rotate()
        while not is_done(delivery):
            assert kills < MOST_KILLS, f"no end after {kills} kills: {delivery.status(CONNECTION)}"
            written = calls.wait(number, until=partial(is_done, delivery))
            operator.kill()
            kills += 1
            # A life that got no further than asking would be the same again.
            number = 1 if written else number + 1
            forget_leader(delivery.lab)
            operator.start()

    assert kills >= ENOUGH_KILLS, "it was hardly ever killed; the test shows nothing"
    delivery.delivered()
    assert delivery.rotation()["generation"] == delivery.rotation()["effectiveGeneration"] == 2
    delivery.site.dashscope.keys.discard(delivery.key)
    delivery.embeds()


class Calls:
    """What the operator changes in the cluster, and asks of Milvus and of DashScope, seen as it happens."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._log = delivery.lab.plane.audit_log
        self._read = self._log.stat().st_size

    def wait(self, number: int, *, until: Callable[[], bool]) -> int:
        """Until there are so many more, or it is done: tells how many of them were writes to the cluster.

        until: when it is done; asked only when nothing has happened for some seconds.
        """
        self._new_writes()
        pause, asked = threading.Event(), self._asked()
        written, since = 0, time.monotonic()
        while written + self._asked() - asked < number:
            pause.wait(0.002)
            written += self._new_writes()
            if time.monotonic() - since > SILENCE:
                assert time.monotonic() - since < LONGEST, "the operator does nothing"
                if until():
                    break
        return written

    def _asked(self) -> int:
        return self._delivery.site.milvus.changing_calls + len(self._delivery.site.dashscope.calls)

    def _new_writes(self) -> int:
        with self._log.open("rb") as log:
            log.seek(self._read)
            lines = [line for line in log.readlines() if line.endswith(b"\n")]
        self._read += sum(map(len, lines))
        return sum(self._is_write(json.loads(line)) for line in lines)

    def _is_write(self, event: Body) -> bool:
        target = event.get("objectRef", {})
        is_ours = target.get("namespace") == self._delivery.namespace
        return is_ours and event["verb"] in audit.CHANGING and event["stage"] == "ResponseComplete"


def is_done(delivery: Delivery) -> bool:
    rotation, condition = delivery.rotation(), delivery.condition(CONNECTION, "ConfigDelivered")
    return rotation.get("deliveredGeneration") == 2 and condition.get("status") == "True"


def forget_leader(lab: Lab) -> None:
    """As if the killed one's lease had run out."""
    try:
        lab.api.delete(LEASE)
    except Refused as error:
        if error.code != http.client.NOT_FOUND:
            raise
