"""The API server goes and comes back: what happened meanwhile takes effect, deletions included, in half a minute."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.hearing import Kept, assert_no_bug, clear, create, serves
from tests.e2e.lab import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, OperatorProcess, eventually, path_of
from tests.e2e.proxy import Proxy
from tests.e2e.stage import CONNECTION, CREDENTIAL, FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab

DOWN_SECONDS = 8.0
AUDITS, AUDITED_KINDS = "milvus_embedding_audits_total", 5
# A lease that outlives the outage keeps the process; with a short one it exits and is started again.
LEASES = {
    "the process survives": ("--lease-duration=60", "--lease-renew-deadline=50", "--lease-retry-period=1"),
    "the process loses its lease": (),
}


class Interrupted:
    """An operator whose connection to the API server can be cut."""

    def __init__(self, lab: Lab, options: tuple[str, ...]) -> None:
        self.lab = lab
        port = int(lab.plane.url.rpartition(":")[2])
        self._stack = contextlib.ExitStack()
        self.proxy = self._stack.enter_context(Proxy(port))
        name = f"interrupted-{self.proxy.port}"
        direct = lab.directory / f"{name}.direct"
        lab.plane.service_account_kubeconfig(SYSTEM_NAMESPACE, SERVICE_ACCOUNT, direct)
        kubeconfig = self.proxy.kubeconfig(direct, lab.directory / f"{name}.kubeconfig")
        self.operator = OperatorProcess(kubeconfig, lab.directory / f"{name}.log", options, {})
        self.kept = Kept(lab, self._stack.enter_context(self.operator))

    def __enter__(self) -> Interrupted:
        self.operator.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@pytest.fixture(params=LEASES.values(), ids=list(LEASES))
def interrupted(request: pytest.FixtureRequest, module_lab: Lab) -> Iterator[Interrupted]:
    with Interrupted(module_lab, request.param) as opened:
        yield opened
        assert_no_bug(opened.operator)


def test_what_was_deleted_before_the_watches_started_anew_takes_effect(interrupted: Interrupted) -> None:
    """The restart of the API server makes every watch begin with a new list, which tells of no deletion. Of the kind
    that has an object left it tells at all; of the last credential and the last Secret nothing is heard.
    """
    lab, proxy, kept = interrupted.lab, interrupted.proxy, interrupted.kept
    namespace = lab.namespace()
    bodies = declared(namespace)
    create(lab, bodies)
    lab.wait_condition(FUNCTION, namespace, "uses-key", reason="Ready")
    lab.wait_condition(FUNCTION, namespace, "other", reason="Ready")
    eventually("the label is active", lambda: label_state(lab, namespace) == "Active")
    # The comparison that every start brings would find the deletions as well; the next one is ten minutes later.
    eventually("all was audited", lambda: interrupted.operator.metric(AUDITS, found="ok") >= AUDITED_KINDS)
    pid = interrupted.operator.pid

    proxy.cut()
    lab.api.delete(path_of(CREDENTIAL, namespace, "key"))
    lab.api.delete(path_of(FUNCTION, namespace, "other"))
    lab.plane.restart_apiserver()
    proxy.mend()

    def effects() -> bool:
        kept.tend()
        reason = lab.condition(FUNCTION, namespace, "uses-key").get("reason")
        return reason == "CredentialNotFound" and label_state(lab, namespace) == "Retained"

    eventually("the deletions take effect", effects, within=30)
    eventually("nothing but what is there is known", lambda: known(interrupted.operator, FUNCTION) == 1)
    assert known(interrupted.operator, CREDENTIAL) == 0
    assert (interrupted.operator.pid == pid) is (kept.restarts == 0)
    kept.wait_hears(namespace)
    clear(lab, namespace)


def declared(namespace: str) -> list[Body]:
    """One credential, and who relies on it. Nothing listens at the connection's address: rendering needs no Milvus."""
    return [
        manifests.secret(namespace, "key", apikey="sk-test-0123456789abcdef"),
        manifests.connection(namespace, "http://127.0.0.1:9", url="https://dashscope.example/api/v1"),
        manifests.credential(namespace, "key", secret_name="key", label="key", probe={"enabled": False}),
        manifests.function(
            namespace, "uses-key", dashscope={"model": "text-embedding-v3", "credentialRef": {"name": "key"}}
        ),
        manifests.function(namespace, "other"),
    ]


def label_state(lab: Lab, namespace: str) -> str:
    labels = (lab.get(CONNECTION, namespace, "milvus") or {}).get("status", {}).get("labels", [])
    return str(labels[0]["state"]) if labels else ""


def known(operator: OperatorProcess, kind: str) -> float:
    return operator.metric("milvus_embedding_objects", kind=kind)


def test_an_api_server_that_is_away_for_a_while_is_found_again(interrupted: Interrupted) -> None:
    lab, kept = interrupted.lab, interrupted.kept
    namespace = lab.namespace()
    kept.wait_hears(namespace)
    pid = interrupted.operator.pid

    lab.plane.stop_apiserver()
    threading.Event().wait(DOWN_SECONDS)
    lab.plane.start_apiserver()

    eventually("the API server serves all kinds", lambda: serves(lab))
    kept.wait_hears(namespace)
    eventually("it is ready", lambda: interrupted.operator.ask("/readyz")[0] == 200)
    assert (interrupted.operator.pid == pid) is (kept.restarts == 0)
    clear(lab, namespace)
