"""What the API server's audit log tells about the operator's requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPERATOR = "system:serviceaccount:milvus-embedding-system:milvus-embedding-operator"
CHANGING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Neither leaves anything behind that a user could see.
ASIDE = frozenset({"leases", "selfsubjectaccessreviews", "selfsubjectrulesreviews"})
OF_THE_OPERATOR = f"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {{level: Metadata, users: ["{OPERATOR}"]}}
- {{level: None}}
"""
"""A policy for a log of nobody else."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered. `resource` is empty for a path that is none, as of discovery."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    is_namespace_ending: bool = False
    """Refused because of the namespace, in which nobody may create anything while it is being deleted."""

    @property
    def changes(self) -> bool:
        return self.verb in CHANGING and self.resource not in ASIDE


def requests(log: Path, *, user: str = OPERATOR) -> Iterator[Request]:
    """The user's requests, oldest first."""
    with log.open() as lines:
        for line in lines:
            if not line.endswith("\n"):
                return  # it is being written
            event = json.loads(line)
            # Of a watch that is still open there is no more than its start.
            if event["user"].get("username") != user or event["stage"] not in ("ResponseStarted", "ResponseComplete"):
                continue
            target, answer = event.get("objectRef", {}), event.get("responseStatus", {})
            causes = (answer.get("details") or {}).get("causes", [])
            yield Request(
                verb=event["verb"],
                group=target.get("apiGroup", ""),
                resource=target.get("resource", ""),
                subresource=target.get("subresource", ""),
                namespace=target.get("namespace", ""),
                name=target.get("name", ""),
                code=answer.get("code", 0),
                is_namespace_ending=any(cause.get("reason") == "NamespaceTerminating" for cause in causes),
            )


def changes(log: Path) -> list[Request]:
    """The operator's writes but those to leases and access reviews."""
    return [request for request in requests(log) if request.changes]
