"""Permissions and kinds that are missing or go: the operator serves, or says why not, or exits; it is never deaf."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import manifests
from tests.e2e.hearing import Kept, assert_no_bug, create, messages, objects, unseen
from tests.e2e.lab import PLURALS, SYSTEM_NAMESPACE, OperatorProcess, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab

CRDS = Path(__file__).resolve().parents[2] / "crds"
CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/milvus-embedding-operator"
NAMESPACED = "namespaced-operator"


@pytest.fixture
def kept(module_lab: Lab) -> Iterator[Kept]:
    # Half a minute is the promise; with the default of 20 s between two checks it takes up to 24.
    with module_lab.operator("--permission-seconds=5") as operator:
        operator.wait_ready()
        yield Kept(module_lab, operator)
        assert_no_bug(operator)


def test_a_kind_that_is_forbidden_at_run_time_ends_the_process_until_it_is_permitted_again(kept: Kept) -> None:
    lab, operator = kept.lab, kept.operator
    namespace = lab.namespace()
    kept.wait_hears(namespace)
    rules = lab.api.get(CLUSTER_ROLE)["rules"]

    lab.api.patch(CLUSTER_ROLE, {"rules": without(rules, "milvuscollections")})

    eventually("the operator exited", lambda: operator.exit_code() is not None, within=30)
    operator_says = messages(operator, "a permission was withdrawn")
    assert operator_says
    assert "list, watch milvuscollections.embedding.milvus.io in all namespaces" in operator_says[0]
    kept.tend()
    eventually("what is missing is said", lambda: messages(operator, "not served: the operator may not"))
    assert operator.ask("/healthz")[0] == 200
    status, text = operator.ask("/readyz")
    assert (status, text) == (503, "waiting for permissions\n")

    lab.api.patch(CLUSTER_ROLE, {"rules": rules})

    kept.wait_hears(namespace)
    assert kept.restarts == 1


def test_without_the_labels_of_namespaces_it_serves_and_only_grants_by_label_are_closed(kept: Kept) -> None:
    lab, operator = kept.lab, kept.operator
    platform, team = lab.namespace(), lab.namespace()
    lab.api.patch(f"/api/v1/namespaces/{team}", {"metadata": {"labels": {"team": "search"}}})
    by_label = {"from": "Selector", "selector": {"matchLabels": {"team": "search"}}}
    by_name = {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": team}}}
    for name, grant in (("by-label", by_label), ("by-name", by_name)):
        key = {"name": name, "namespace": platform}
        model = {"model": "text-embedding-v3", "credentialRef": key}
        lab.apply(
            manifests.credential(platform, name, secret_name="no-such-secret", allowedNamespaces=grant),
            manifests.function(team, name, dashscope=model),
        )

    def told(name: str) -> str:
        kept.tend()
        reason: str = lab.condition("EmbeddingFunction", team, name).get("reason", "")
        return reason

    eventually("both are granted", lambda: (told("by-label"), told("by-name")) == ("Ready", "Ready"))
    rules = lab.api.get(CLUSTER_ROLE)["rules"]

    lab.api.patch(CLUSTER_ROLE, {"rules": [rule for rule in rules if rule["verbs"] != ["list", "watch"]]})

    eventually("the one by label is closed", lambda: told("by-label") == "NotAllowed", within=60)
    assert told("by-name") == "Ready"
    assert messages(operator, "list, watch namespaces in all namespaces")
    assert messages(operator, "a grant by Selector sees the label kubernetes.io/metadata.name only")
    kept.wait_hears(team)
    assert kept.restarts == 1

    lab.api.patch(CLUSTER_ROLE, {"rules": rules})

    eventually("it is open again", lambda: told("by-label") == "Ready", within=60)
    assert kept.restarts == 2


def without(rules: list[Body], plural: str) -> list[Body]:
    """The rules as they are for all other kinds; those about this one alone are gone."""
    others = [{**rule, "resources": [name for name in rule["resources"] if name != plural]} for rule in rules]
    return [rule for rule in others if rule["resources"]]


def test_kinds_that_are_missing_at_start_are_waited_for_and_then_served(module_lab: Lab) -> None:
    lab = module_lab
    namespace = lab.namespace()
    lab.plane.kubectl("delete", "--wait", "-f", str(CRDS))
    with lab.operator() as operator:
        eventually("what is missing is said", lambda: messages(operator, "waiting for CustomResourceDefinitions"))
        (first, *_) = messages(operator, "waiting for CustomResourceDefinitions")
        assert all(f"{plural}.embedding.milvus.io" in first for plural in PLURALS.values())
        assert "apply crds/" in first
        assert operator.ask("/healthz")[0] == 200
        assert operator.ask("/readyz") == (503, "waiting for CustomResourceDefinitions\n")
        pid = operator.pid

        lab.plane.kubectl("apply", "--server-side", "-f", str(CRDS))
        lab.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))

        operator.wait_ready()
        Kept(lab, operator).wait_hears(namespace, within=10)
        assert operator.pid == pid
        assert_no_bug(operator)


def test_a_namespace_without_permission_is_named_and_left_out_until_it_is_permitted(module_lab: Lab) -> None:
    lab = module_lab
    permitted, other = lab.namespace(), lab.namespace()
    account(lab)
    permit(lab, permitted)
    kubeconfig = lab.plane.service_account_kubeconfig(SYSTEM_NAMESPACE, NAMESPACED, lab.directory / "namespaced")
    options = (f"--namespaces={permitted},{other}", "--owner=test", "--permission-seconds=3")
    with OperatorProcess(kubeconfig, lab.directory / "namespaced.log", options, {}) as operator:
        operator.wait_ready()
        kept = Kept(lab, operator)
        kept.wait_hears(permitted, within=10)
        (missing,) = messages(operator, "not served")
        assert missing.endswith(f"in namespace {other}; its Role has to allow it")
        waiting = objects(other, "waiting")
        create(lab, waiting)
        assert kept.restarts == 0

        permit(lab, other)

        kept.wait_hears(other)
        assert unseen(lab, waiting) == []
        kept.wait_hears(permitted, within=10)
        assert kept.restarts == 1
        assert_no_bug(operator)


def account(lab: Lab) -> None:
    """A ServiceAccount that may elect a leader, and nothing else."""
    metadata = {"name": NAMESPACED, "namespace": SYSTEM_NAMESPACE}
    lab.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        *role(SYSTEM_NAMESPACE, [rule("coordination.k8s.io", ["leases"], ["get", "create", "update"])]),
    )


def permit(lab: Lab, namespace: str) -> None:
    """What serving a namespace needs."""
    kinds = list(PLURALS.values())
    rules = [
        rule("embedding.milvus.io", kinds, ["get", "list", "watch"]),
        rule("embedding.milvus.io", [f"{kind}/status" for kind in kinds], ["patch"]),
        rule("", ["secrets"], ["get", "list", "watch", "create", "update"]),
        rule("", ["configmaps"], ["get"]),
        rule("", ["events"], ["create", "patch"]),
    ]
    lab.apply(*role(namespace, rules))


def rule(group: str, resources: list[str], verbs: list[str]) -> Body:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def role(namespace: str, rules: list[Body]) -> tuple[Body, Body]:
    """A Role and its binding."""
    group, metadata = "rbac.authorization.k8s.io", {"name": NAMESPACED, "namespace": namespace}
    head: dict[str, Any] = {"apiVersion": f"{group}/v1", "metadata": metadata}
    subject = {"kind": "ServiceAccount", "name": NAMESPACED, "namespace": SYSTEM_NAMESPACE}
    binding = {"roleRef": {"apiGroup": group, "kind": "Role", "name": NAMESPACED}, "subjects": [subject]}
    return {**head, "kind": "Role", "rules": rules}, {**head, "kind": "RoleBinding", **binding}
