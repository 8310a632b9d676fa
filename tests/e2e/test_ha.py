"""Two replicas and whatever befalls the one that leads: never two writers, nothing done twice, and the other one takes
over within the duration of the lease. Who wrote is told by the API server's audit log, and by Milvus.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.controllers.signals import COLLECTION_WORKERS
from tests.e2e.hearing import RESTART, assert_no_bug
from tests.e2e.lab import eventually, path_of
from tests.e2e.replicas import LEASE, Pair, succession, writes
from tests.e2e.stage import COLLECTION, CREDENTIAL, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.e2e.lab import Lab

KILLED, STOPPED = 100, 40
LEASE_SECONDS = 6.0
SLOW_SECONDS = 0.3
# What the process needs to end after its deadline, on a busy machine, has to fit in between.
PARTITIONED = ("--lease-duration=12", "--lease-renew-deadline=4.5")


class Theatre:
    """Two replicas and a stage on which the key is in Milvus already."""

    def __init__(self, pair: Pair, stage: Stage) -> None:
        self.pair = pair
        self.stage = stage
        self.milvus = stage.site.milvus

    def create(self, names: Sequence[str]) -> None:
        everything = path_of(COLLECTION, self.stage.namespace)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda name: self.stage.lab.api.create(everything, self.stage.collection(name)), names))

    def ready(self) -> int:
        listed = self.stage.lab.list(COLLECTION, self.stage.namespace)
        conditions = (item.get("status", {}).get("conditions", []) for item in listed)
        return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in each) for each in conditions)

    def wait_all_ready(self, number: int) -> None:
        eventually("all are Ready", lambda: self.ready() == number, within=90)

    def succession(self) -> list[str]:
        return succession(writes(self.stage.lab.plane.audit_log, self.stage.namespace))

    def peers(self) -> set[str]:
        """Who has changed something in Milvus."""
        return {change.peer for change in self.milvus.changes}

    def assert_each_was_made_once(self, number: int) -> None:
        """As many as there are, none dropped in between, each with the stamp of its object and the id in its status."""
        assert self.milvus.calls["DropCollection"] == 0
        items = self.stage.lab.list(COLLECTION, self.stage.namespace)
        assert len({item["status"]["collection"]["id"] for item in items}) == number
        with self.stage.site.client() as client:
            assert len(client.list_collections()) == number
            for item in items:
                described = client.describe_collection(item["status"]["collection"]["name"])
                assert described["properties"]["embedding.milvus.io/uid"] == item["metadata"]["uid"]
                assert str(described["collection_id"]) == item["status"]["collection"]["id"]


@pytest.fixture
def options() -> tuple[str, ...]:
    return ()


@pytest.fixture
def theatre(lab: Lab, options: tuple[str, ...]) -> Iterator[Theatre]:
    with Pair(lab, *options) as pair:
        with Stage(lab) as stage:
            stage.apply(stage.connection(), stage.secret(), stage.credential())
            stage.ready(CREDENTIAL)
            yield Theatre(pair, stage)
        for replica in (pair.first, pair.second):
            assert_no_bug(replica.process)


def named(prefix: str, number: int) -> list[str]:
    return [f"{prefix}-{i:03}" for i in range(number)]


def test_a_leader_killed_during_100_creations_is_followed_and_none_is_made_twice(
    theatre: Theatre, measured: dict[str, float]
) -> None:
    leader, standby, milvus = theatre.pair.first, theatre.pair.second, theatre.milvus
    with ThreadPoolExecutor(1) as threads:
        creating = threads.submit(theatre.create, named("docs", KILLED))
        eventually("some are made", lambda: milvus.calls["CreateCollection"] >= KILLED // 4)

        leader.process.kill()

        killed = time.monotonic()
        assert milvus.calls["CreateCollection"] < KILLED, "all were made before the kill; the test shows nothing"
        creating.result()
    eventually("the other leads", lambda: standby.leads, within=3 * LEASE_SECONDS)
    measured[f"a standby leads after a kill, with a lease of {LEASE_SECONDS:g} s"] = time.monotonic() - killed
    theatre.wait_all_ready(KILLED)
    measured[f"{KILLED} collections Ready after the leader was killed among them"] = time.monotonic() - killed
    theatre.assert_each_was_made_once(KILLED)
    # Only what was under way at the kill is asked for again, and changes nothing.
    assert KILLED <= milvus.calls["CreateCollection"] <= KILLED + COLLECTION_WORKERS
    standby.process.wait_quiet(1.5)
    assert theatre.succession() == [leader.writer, standby.writer]


@pytest.mark.parametrize("options", [PARTITIONED], ids=[""])
def test_a_leader_that_is_cut_off_from_the_api_server_leaves_milvus_alone_before_another_may_touch_it(
    theatre: Theatre,
) -> None:
    """It reaches Milvus all the while, and has a call there that hangs."""
    leader, standby, milvus = theatre.pair.first, theatre.pair.second, theatre.milvus
    theatre.create(named("before", 4))
    theatre.wait_all_ready(4)
    its_own = theatre.peers()
    with milvus.faults.hold("CreateCollection") as gate:
        theatre.create(["hangs"])
        assert gate.wait_for_arrivals(1)

        leader.proxy.stall()

        theatre.create(named("after", 4))
        eventually("the other leads", lambda: standby.leads, within=40)
        led = time.monotonic()
        assert leader.process.exit_code() == RESTART, "it ended before anybody else could lead"
    theatre.wait_all_ready(9)
    assert {change.peer for change in milvus.changes if change.at > led} & its_own == set()
    theatre.assert_each_was_made_once(9)

    leader.proxy.mend()
    leader.process.start()

    leader.process.wait_ready()
    theatre.create(named("later", 4))
    theatre.wait_all_ready(13)
    assert (leader.leads, standby.leads) == (False, True)
    assert theatre.succession() == [leader.writer, standby.writer]


def test_a_leader_that_was_stopped_and_goes_on_after_the_take_over_writes_nothing(theatre: Theatre) -> None:
    """Its calls to Milvus are answered while it is stopped: it comes to itself in the middle of its work."""
    leader, standby, milvus = theatre.pair.first, theatre.pair.second, theatre.milvus
    log, namespace = theatre.stage.lab.plane.audit_log, theatre.stage.namespace
    with milvus.faults.hold("CreateCollection", times=COLLECTION_WORKERS) as gate:
        theatre.create(named("docs", STOPPED))
        assert gate.wait_for_arrivals(COLLECTION_WORKERS)
        os.kill(leader.process.pid, signal.SIGSTOP)
    try:
        eventually("the other leads", lambda: standby.leads, within=3 * LEASE_SECONDS)
        theatre.wait_all_ready(STOPPED)
        standby.process.wait_quiet()
        calls, written = milvus.changing_calls, len(writes(log, namespace))
    finally:
        os.kill(leader.process.pid, signal.SIGCONT)

    eventually("it ends by itself", lambda: leader.process.exit_code() is not None)

    assert leader.process.exit_code() == RESTART
    standby.process.wait_quiet(1.0)
    assert milvus.changing_calls == calls
    assert len(writes(log, namespace)) == written
    # Stopped with its first calls under way it had written nothing but what the key and the connection brought.
    assert theatre.succession() == [leader.writer, standby.writer]
    theatre.assert_each_was_made_once(STOPPED)


def test_a_lease_that_is_deleted_or_edited_makes_no_second_leader(theatre: Theatre) -> None:
    leader, standby, api = theatre.pair.first, theatre.pair.second, theatre.stage.lab.api
    before = api.get(LEASE)
    api.delete(LEASE)
    eventually("it is made anew", lambda: _lease_uid(theatre.stage.lab) not in ("", before["metadata"]["uid"]))
    theatre.create(named("deleted", 4))
    theatre.wait_all_ready(4)
    assert (leader.leads, standby.leads) == (True, False)
    assert api.get(LEASE)["spec"]["holderIdentity"] == before["spec"]["holderIdentity"]

    api.patch(LEASE, {"spec": {"holderIdentity": ""}})

    eventually("the leader steps down", lambda: leader.process.exit_code() == RESTART)
    assert not standby.leads, "it waits as if the former one still acted"
    theatre.create(named("emptied", 4))
    eventually("the other leads", lambda: standby.leads, within=3 * LEASE_SECONDS)
    theatre.wait_all_ready(8)
    assert theatre.succession() == [leader.writer, standby.writer]


def _lease_uid(lab: Lab) -> str:
    items = lab.api.get(LEASE.rpartition("/")[0])["items"]
    return str(items[0]["metadata"]["uid"]) if items else ""


def test_a_slow_api_server_unseats_nobody(theatre: Theatre) -> None:
    leader, standby = theatre.pair.first, theatre.pair.second
    for replica in (leader, standby):
        replica.proxy.delay = SLOW_SECONDS
    transitions = theatre.stage.lab.api.get(LEASE)["spec"]["leaseTransitions"]
    renewed = _renewals(theatre.stage.lab)

    theatre.create(named("docs", 12))

    theatre.wait_all_ready(12)
    eventually("the lease goes on", lambda: _renewals(theatre.stage.lab) != renewed)
    assert (leader.leads, standby.leads) == (True, False)
    assert theatre.stage.lab.api.get(LEASE)["spec"]["leaseTransitions"] == transitions
    assert theatre.succession() == [leader.writer]


def _renewals(lab: Lab) -> str:
    return str(lab.api.get(LEASE)["spec"]["renewTime"])
