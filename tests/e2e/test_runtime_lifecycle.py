"""Ends and successions: by signal, by kill, by a second replica. Nothing is lost, and nothing is done twice."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.e2e import audit, manifests
from tests.e2e.hearing import Kept, assert_no_bug, clear, create, lines, unseen
from tests.e2e.lab import eventually
from tests.e2e.stage import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab, OperatorProcess

KILLS, OBJECTS = 5, 60
LEASE_SECONDS = 6
LEADER, STATUSES = "milvus_embedding_leader", "milvus_embedding_status_writes_total"


@pytest.fixture
def namespace(module_lab: Lab) -> Iterator[str]:
    name = module_lab.namespace()
    yield name
    clear(module_lab, name)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20)
        yield listener


def test_a_quiet_run_logs_neither_errors_nor_warnings_and_ends_at_sigterm(module_lab: Lab, namespace: str) -> None:
    with module_lab.operator() as operator:
        operator.wait_ready()
        Kept(module_lab, operator).wait_hears(namespace, within=10)
        operator.wait_quiet()

        assert end(operator) == 0

        assert {line["level"] for line in lines(operator)} == {"info"}
        assert_no_bug(operator)


def test_sigterm_ends_a_process_whose_milvus_does_not_answer(
    module_lab: Lab, namespace: str, silent: socket.socket
) -> None:
    with module_lab.operator() as operator:
        operator.wait_ready()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        create(module_lab, [manifests.connection(namespace, address), manifests.collection(namespace, "docs")])
        asked, _ = silent.accept()
        with asked:
            assert end(operator) == 0

        assert_no_bug(operator)


def test_sigterm_ends_a_process_that_waits_for_its_turn(module_lab: Lab) -> None:
    with module_lab.operator() as leader, module_lab.operator() as standby:
        both = (leader, standby)
        eventually("one leads", lambda: [operator.metric(LEADER) for operator in both].count(1.0) == 1)
        eventually("the other is ready as well", lambda: all(operator.ask("/readyz")[0] == 200 for operator in both))
        (waiting,) = (operator for operator in both if not operator.metric(LEADER))

        assert end(waiting) == 0

        assert_no_bug(waiting)


def end(operator: OperatorProcess) -> int | None:
    """The exit code after a SIGTERM, which has to come within five seconds."""
    operator.keep_metrics()
    os.kill(operator.pid, signal.SIGTERM)
    eventually("the process ended", lambda: operator.exit_code() is not None, within=5)
    return operator.exit_code()


def test_a_standby_takes_over_from_a_leader_that_was_killed_and_repeats_nothing(
    module_lab: Lab, namespace: str, measured: dict[str, float]
) -> None:
    lab = module_lab
    with lab.operator() as leader:
        eventually("it leads", lambda: leader.metric(LEADER) == 1)
        with lab.operator() as standby, ThreadPoolExecutor(1) as threads:
            standby.wait_ready()
            assert standby.metric(LEADER) == 0
            bodies = [manifests.function(namespace, f"f-{number:03}") for number in range(2 * OBJECTS)]
            creating = threads.submit(create, lab, bodies)
            eventually("some have a status", lambda: leader.metric(STATUSES) > OBJECTS // 2)

            leader.kill()

            start = time.monotonic()
            eventually("the other leads", lambda: standby.metric(LEADER) == 1, within=5 * LEASE_SECONDS)
            measured["a standby leads after the leader was killed (lease of 6 s)"] = time.monotonic() - start
            creating.result()
            eventually("all have a status", lambda: not unseen(lab, bodies))
            standby.wait_quiet()
            assert_no_bug(standby)
    writers = [token for token, name in status_writes(lab, namespace)]
    changes = sum(before != after for before, after in itertools.pairwise(writers))
    assert (len(set(writers)), changes) == (2, 1), "the two do not write by turns"
    assert Counter(name for _, name in status_writes(lab, namespace)).most_common(1)[0][1] == 1


def status_writes(lab: Lab, namespace: str) -> list[tuple[str, str]]:
    """Whose token wrote the status of which object of the namespace, in order; of writes that succeeded."""
    writes = []
    for line in lab.plane.audit_log.read_text().splitlines():
        event = json.loads(line)
        target, user = event.get("objectRef", {}), event["user"]
        if target.get("subresource") == "status" and target.get("namespace") == namespace:
            if user["username"] == audit.OPERATOR and event["responseStatus"]["code"] == 200:
                (token,) = user["extra"]["authentication.kubernetes.io/credential-id"]
                writes.append((token, target["name"]))
    return writes


def test_kills_at_random_moments_leave_nothing_behind(module_lab: Lab, namespace: str) -> None:
    """Five times: sixty objects are created, and the process is killed when it has written some number of statuses."""
    lab, moments = module_lab, random.Random(20)
    bodies: list[Body] = []
    with lab.operator() as operator, ThreadPoolExecutor(1) as threads:
        operator.wait_ready()
        kept = Kept(lab, operator)
        for number in range(KILLS):
            lot = mixed(namespace, number)
            bodies += lot
            creating = threads.submit(create, lab, lot)
            wait_for_statuses(kept, moments.randrange(OBJECTS))
            operator.kill()
            creating.result()
            operator.start()
        kept.wait_seen(bodies)
        # All may have been seen by an earlier life, while this one still waits for the lease of the killed one.
        eventually("it leads", lambda: operator.metric(LEADER) == 1, within=5 * LEASE_SECONDS)
        operator.wait_quiet(5)
        assert_no_bug(operator)
    functions = lab.list(FUNCTION, namespace)
    assert {body["status"]["usedBy"] for body in functions} == {1}
    written = Counter(name for _, name in status_writes(lab, namespace) if name.startswith("credential"))
    assert set(written.values()) == {1}, "a status that was written is not written again after a kill"


def wait_for_statuses(kept: Kept, number: int) -> None:
    """Until the present process has written so many."""

    def written() -> bool:
        kept.tend()
        return kept.operator.metric(STATUSES) >= number

    eventually("the moment has come", written)


def mixed(namespace: str, lot: int) -> list[Body]:
    """Sixty objects of all kinds, users before what they use."""
    bodies = [manifests.connection(namespace, "http://127.0.0.1:9", name=f"connection-{lot}")]
    for number in range(OBJECTS // 3):
        name = f"{lot}-{number}"
        bodies += [
            manifests.collection(namespace, f"collection-{name}", function_ref={"name": f"function-{name}"}),
            manifests.function(namespace, f"function-{name}"),
            manifests.credential(namespace, f"credential-{name}", secret_name="no-such-secret"),
        ]
    return bodies
