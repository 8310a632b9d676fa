"""Two replicas of the operator: which one leads, what each of them wrote, and the network between them and the API
server.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from typing import TYPE_CHECKING, NamedTuple, Self

import yaml

from tests.e2e import audit
from tests.e2e.lab import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, OperatorProcess, eventually
from tests.e2e.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.e2e.lab import Body, Lab

LEADER = "milvus_embedding_leader"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/milvus-embedding-operator"
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_numbers = itertools.count(1)


class Replica:
    """One process behind a network of its own. `writer` is what the audit log calls it."""

    def __init__(self, lab: Lab, options: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self.proxy = Proxy(int(lab.plane.url.rpartition(":")[2]))
        name = f"replica-{next(_numbers)}"
        direct = lab.directory / f"{name}.direct"
        lab.plane.service_account_kubeconfig(SYSTEM_NAMESPACE, SERVICE_ACCOUNT, direct)
        self.writer = _credential_of(direct)
        kubeconfig = self.proxy.kubeconfig(direct, lab.directory / f"{name}.kubeconfig")
        log = lab.directory / f"{name}.log"
        self.process = OperatorProcess(kubeconfig, log, tuple(options), environment or {})
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.proxy)
        self._stack.enter_context(self.process)
        return self

    def __exit__(self, *_: object) -> None:
        # A process that hears nothing of its network would not release the Lease for a while.
        self.proxy.mend()
        self._stack.close()

    @property
    def leads(self) -> bool:
        return self.process.metric(LEADER) == 1

    def wait_leads(self, within: float = 30.0) -> None:
        """Also that it has read everything."""
        eventually(f"it leads ({self.process.log.name})", lambda: self.leads, within=within)
        self.process.wait_ready()


class Pair:
    """A leader and a standby, in this order."""

    def __init__(self, lab: Lab, *options: str) -> None:
        self.first, self.second = Replica(lab, options), Replica(lab, options)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.first).wait_leads()
        self._stack.enter_context(self.second).process.wait_ready()
        assert not self.second.leads
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Write(NamedTuple):
    """A change that the API server took, by whom."""

    writer: str
    resource: str
    name: str


def writes(log: Path, namespace: str) -> list[Write]:
    """Of the operator in this namespace, in the order in which they were done."""
    found: list[tuple[str, Write]] = []
    for line in log.read_text().splitlines():
        event: Body = json.loads(line)
        target, user = event.get("objectRef", {}), event["user"]
        if event["verb"] not in audit.CHANGING or user.get("username") != audit.OPERATOR:
            continue
        if event["stage"] != "ResponseComplete" or target.get("namespace") != namespace:
            continue
        if event["responseStatus"].get("code", 0) < 300:
            (writer,) = user["extra"][_CREDENTIAL]
            resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
            found.append((event["stageTimestamp"], Write(writer, resource, target.get("name", ""))))
    return [write for _, write in sorted(found)]


def succession(written: list[Write]) -> list[str]:
    """Who wrote, one after the other; a writer that came back is in it twice."""
    return [writer for writer, _ in itertools.groupby(write.writer for write in written)]


def _credential_of(kubeconfig: Path) -> str:
    """As the audit log has it: the id of the token."""
    token: str = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    payload = token.split(".")[1]
    claims: Body = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"JTI={claims['jti']}"
