"""Whether an operator hears: new objects of all kinds get a status, none of which needs a Milvus."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from tests.e2e import manifests
from tests.e2e.api import Refused
from tests.e2e.lab import PLURALS, eventually, path_of

if TYPE_CHECKING:
    from tests.e2e.lab import Body, Lab, OperatorProcess

RESTART = 75
_numbers = itertools.count(1)


def objects(namespace: str, name: str) -> list[Body]:
    """One of each kind. Nothing listens at the connection's address, and the others wait for what does not exist."""
    return [
        manifests.function(namespace, name),
        manifests.connection(namespace, "http://127.0.0.1:9", name=name),
        manifests.credential(namespace, name, secret_name="no-such-secret"),
        manifests.collection(namespace, name),
    ]


class Kept:
    """An operator that is started again whenever it exits to be, as the kubelet does."""

    def __init__(self, lab: Lab, operator: OperatorProcess) -> None:
        self.lab = lab
        self.operator = operator
        self.restarts = 0

    def tend(self) -> None:
        code = self.operator.exit_code()
        if code is not None:
            assert code == RESTART, f"the operator ended with {code}; see {self.operator.log}"
            self.restarts += 1
            self.operator.start()

    def wait_hears(self, namespace: str, *, within: float = 30.0) -> None:
        """New objects get a status, at the latest by the process that followed one that exited."""
        bodies = objects(namespace, f"heard-{next(_numbers)}")
        create(self.lab, bodies)
        self.wait_seen(bodies, within=within)

    def wait_seen(self, bodies: list[Body], *, within: float = 30.0) -> None:
        """These objects have a status, on the same terms."""

        def seen() -> bool:
            self.tend()
            return not unseen(self.lab, bodies)

        eventually(f"the objects have a status ({self.operator.log.name})", seen, within=within)


def create(lab: Lab, bodies: list[Body]) -> None:
    for body in bodies:
        lab.api.create(path_of(body["kind"], body["metadata"]["namespace"]), body)


def unseen(lab: Lab, bodies: list[Body]) -> list[str]:
    """Which of them have no status for their generation."""
    seen = set()
    for kind, namespace in {(body["kind"], body["metadata"]["namespace"]) for body in bodies}:
        for item in lab.list(kind, namespace):
            if item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]:
                seen.add((kind, namespace, item["metadata"]["name"]))
    wanted = ((body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]) for body in bodies)
    return [" ".join(key) for key in wanted if key not in seen]


def serves(lab: Lab) -> bool:
    """Whether the API server answers: for a moment after its start it says that it is ready and serves nothing."""
    try:
        return all(lab.list(kind) is not None for kind in PLURALS)
    except Refused:
        return False


def lines(operator: OperatorProcess) -> list[Body]:
    """Its log; every line has to be JSON."""
    return [json.loads(line) for line in operator.logs().splitlines()]


def messages(operator: OperatorProcess, text: str) -> list[str]:
    """The messages that contain the text."""
    return [line["message"] for line in lines(operator) if text in line["message"]]


def assert_no_bug(operator: OperatorProcess) -> None:
    """Nothing unexpected was logged, whatever happened."""
    assert [line for line in lines(operator) if "exception" in line] == []
    assert "Traceback" not in operator.logs()


def clear(lab: Lab, namespace: str) -> None:
    for kind in PLURALS:
        lab.api.delete(path_of(kind, namespace))
