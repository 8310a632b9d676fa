"""The permissions that the chart gives against what the operator did in the whole run: nothing was refused, and nothing
is granted for nothing. By its name the last but one of the modules; alone it runs too, and then sees less.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.e2e import audit, chart, manifests
from tests.e2e.delivery import Delivery
from tests.e2e.fleet import RELEASE
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, FUNCTION, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Lab, OperatorProcess

# What everybody who is authenticated may do: ask what they may do.
EVERYBODY = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews"})
# Objects come by list and watch; only after a lost race or a doubt of the audit is one read by itself.
RARE = frozenset(
    ("get", kind) for kind in ("milvusconnections", "embeddingcredentials", "embeddingfunctions", "milvuscollections")
)


@dataclass(frozen=True, slots=True)
class Permission:
    """One verb on one resource. `resource` has its subresource; `name` is empty where any object is meant."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""

    def covers(self, request: audit.Request) -> bool:
        resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
        return (
            (self.group, self.resource, self.verb) == (request.group, resource, request.verb)
            and self.namespace in ("", request.namespace)
            and self.name in ("", request.name)
        )


def granted() -> list[Permission]:
    return list(_granted())


def _granted() -> Iterator[Permission]:
    for namespace, rule in chart.rules(chart.defaults()):
        names = rule.get("resourceNames", [""])
        for group, resource, verb, name in product(rule["apiGroups"], rule["resources"], rule["verbs"], names):
            yield Permission(group, resource, verb, namespace, name)


@pytest.fixture(scope="module")
def made(lab: Lab, operator: OperatorProcess, fleet_lab: Lab, fleet_operator: OperatorProcess) -> set[audit.Request]:
    """All requests in both logs; before that, for a run of this module alone, whatever needs a permission once."""
    with Stage(lab) as stage:
        exercise(stage)
    with Delivery(fleet_lab) as delivery:
        delivery.bring_up_pods()
    with Delivery(fleet_lab) as delivery, delivery.milvus_operator():
        delivery.apply(delivery.of_milvus(RELEASE), delivery.milvus(RELEASE), delivery.secret(), delivery.credential())
        delivery.delivered(within=60)
    logs = (lab.plane.audit_log, fleet_lab.plane.audit_log)
    return {request for log in logs for request in audit.requests(log)}


def exercise(stage: Stage) -> None:
    stage.apply(stage.tls_connection("milvus-ca"), manifests.function(stage.namespace, "docs-v3"))
    stage.reason(CONNECTION, "SecretNotFound", name="secure")
    stage.ready(FUNCTION)
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection())
    stage.ready(COLLECTION)
    stage.apply(stage.collection("temporary", deletionPolicy="Delete"))
    stage.ready(COLLECTION, "temporary")
    stage.lab.delete(COLLECTION, stage.namespace, "temporary")
    for _ in range(2):  # the second time an Event is counted instead of written anew
        stage.apply(stage.secret(stage.lab.new_key("wrong")))
        stage.reason(CREDENTIAL, "KeyRejected")
        stage.apply(stage.secret())
        stage.ready(CREDENTIAL)


def test_nothing_is_refused_and_nothing_is_granted_for_nothing(made: set[audit.Request]) -> None:
    permissions = granted()

    refused = [request for request in made if request.code in (401, 403)]
    assert [request for request in refused if not is_event_of_the_end(request)] == []
    unused = [permission for permission in permissions if not any(map(permission.covers, made))]
    assert [permission for permission in unused if (permission.verb, permission.resource) not in RARE] == []
    resources = [request for request in made if request.resource and request.resource not in EVERYBODY]
    assert [request for request in resources if not any(p.covers(request) for p in permissions)] == []


def is_event_of_the_end(request: audit.Request) -> bool:
    """What happens to the last objects of a namespace can be told, but not there any more."""
    return (request.verb, request.resource) == ("create", "events") and request.is_namespace_ending


def test_nothing_but_secrets_and_statuses_and_events_and_finalizers_is_written_and_what_is_rolled(
    made: set[audit.Request],
) -> None:
    changes = [request for request in made if request.changes]
    written = {
        f"{request.verb} {'/'.join(filter(None, (request.resource, request.subresource)))}" for request in changes
    }

    kinds = ("milvusconnections", "embeddingcredentials", "embeddingfunctions", "milvuscollections")
    statuses = {f"patch {kind}/status" for kind in kinds}
    own = {"create secrets", "update secrets", "create events", "patch events", "patch milvuscollections"}
    assert written - statuses == own | {"patch deployments", "patch milvuses"}


def test_there_is_no_wildcard() -> None:
    """A star would make the other tests pass whatever the operator does."""
    assert [p for p in granted() if "*" in (p.group, p.resource, p.verb)] == []
