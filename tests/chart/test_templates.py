"""What the templates make of the values: permissions in each mode, the pods, what is optional, what is copied."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
import yaml

from milvus_embedding.api import annotations as known
from milvus_embedding.domain.rendering.document import FILE_KEY, VARIABLES
from milvus_embedding.domain.rendering.state import KEY as STATE_KEY
from tests.e2e import chart
from tools.chart import CHART, MANIFEST, ROOT, crds, manifest, settings

Body = dict[str, Any]

KINDS = ("milvusconnections", "embeddingcredentials", "embeddingfunctions", "milvuscollections")
NAMESPACED: Body = {"namespaces": ["milvus", "search"], "owner": "mine"}
EVERYTHING: Body = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
    "networkPolicy": {"enabled": True, "egress": {"enabled": True}},
    "admissionPolicies": {"approvals": {"enabled": True}},
}


def granted(values: Body | None = None) -> dict[str, set[str]]:
    """Namespace ("" for all) -> "verb resource.group" or "verb resource.group/name"."""
    found: dict[str, set[str]] = {}
    for namespace, rule in chart.rules(chart.render(values)):
        parts = product(rule["verbs"], rule["resources"], rule["apiGroups"], rule.get("resourceNames", [""]))
        texts = {
            f"{verb} {resource}{'.' * bool(group)}{group} {name}".rstrip() for verb, resource, group, name in parts
        }
        found[namespace] = found.get(namespace, set()) | texts
    return found


LEASES = {
    "create leases.coordination.k8s.io",
    "get leases.coordination.k8s.io milvus-embedding-operator",
    "update leases.coordination.k8s.io milvus-embedding-operator",
}
SERVE = {
    *(f"{verb} {kind}.embedding.milvus.io" for verb in ("get", "list", "watch") for kind in KINDS),
    *(f"patch {kind}/status.embedding.milvus.io" for kind in KINDS),
    "patch milvuscollections.embedding.milvus.io",
    *("get secrets", "list secrets", "watch secrets", "get configmaps", "create events", "patch events"),
}
MILVUS = {
    *("create secrets", "update secrets", "list deployments.apps", "patch deployments.apps", "list pods"),
    *("get milvuses.milvus.io", "patch milvuses.milvus.io"),
}
CLUSTER = {"list namespaces", "watch namespaces", "get namespaces kube-system"}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        pytest.param({}, {"": SERVE | MILVUS | CLUSTER}, id="of all namespaces"),
        pytest.param(
            {"milvusNamespaces": ["milvus"]}, {"": SERVE | CLUSTER, "milvus": MILVUS}, id="of all, Milvus in one"
        ),
        pytest.param(NAMESPACED, {"milvus": SERVE | MILVUS, "search": SERVE | MILVUS}, id="of some namespaces"),
        pytest.param(
            {**NAMESPACED, "milvusNamespaces": ["milvus"]},
            {"milvus": SERVE | MILVUS, "search": SERVE},
            id="of some, Milvus in one",
        ),
        pytest.param({"owner": "mine"}, {"": SERVE | MILVUS | CLUSTER - {"get namespaces kube-system"}}, id="an owner"),
    ],
)
def test_permissions(values: Body, wanted: dict[str, set[str]]) -> None:
    assert granted(values) == {**wanted, chart.NAMESPACE: LEASES}


@pytest.mark.parametrize(
    ("values", "without"),
    [
        pytest.param({"rollout": {"deployments": False}}, {"patch deployments.apps"}, id="milvus-operator alone"),
        pytest.param(
            {"rollout": {"enabled": False}},
            {"list deployments.apps", "patch deployments.apps", "list pods", "patch milvuses.milvus.io"},
            id="somebody else restarts Milvus",
        ),
        pytest.param(
            {"milvusOperator": {"enabled": False}},
            {"get milvuses.milvus.io", "patch milvuses.milvus.io"},
            id="no milvus-operator",
        ),
        pytest.param({"namespaceLabels": {"enabled": False}}, {"list namespaces", "watch namespaces"}, id="no labels"),
        pytest.param({"events": {"enabled": False}}, {"create events", "patch events"}, id="no Events"),
        pytest.param({"configMaps": {"enabled": False}}, {"get configmaps"}, id="no ConfigMaps"),
        pytest.param(
            {"finalizers": {"enabled": False}}, {"patch milvuscollections.embedding.milvus.io"}, id="no finalizers"
        ),
        pytest.param({"secrets": {"create": False}}, {"create secrets"}, id="Secrets that are made by hand"),
    ],
)
def test_each_optional_power_is_behind_a_value(values: Body, without: set[str]) -> None:
    default, narrowed = granted(), granted(values)

    assert default[""] - narrowed[""] == without
    assert narrowed[""] <= default[""]


def test_only_the_rendered_secrets_are_writable_if_they_are_named() -> None:
    updates = {right for right in granted({"secrets": {"rendered": ["a", "b"]}})[""] if right.startswith("update sec")}

    assert updates == {"update secrets a", "update secrets b"}


def test_without_rbac_nothing_is_bound() -> None:
    assert chart.rules(chart.render({"rbac": {"create": False}})) == []


def test_namespaced_and_without_what_is_of_the_cluster_nothing_but_namespaced_objects_is_left() -> None:
    own = {"crds": {"enabled": False}, "aggregatedRoles": {"enabled": False}}
    values = {**NAMESPACED, **own, "admissionPolicies": {"ownWrites": {"enabled": False}}}

    assert [body["kind"] for body in chart.render(values) if "namespace" not in body["metadata"]] == []


def test_what_permissions_md_says_is_what_is_granted() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "permissions.md").read_text().splitlines()
        if line.startswith("| ") and line.count("|") == 7
    ]
    told: dict[str, set[str]] = {"": set(), chart.NAMESPACE: set()}
    for group, resources, verbs, where, *_ in rows[1:]:
        names, _, name = resources.partition(", only ")
        for resource, verb in product(_kinds(names), verbs.split(", ")):
            text = f"{verb} {resource}{'.' + group if group != 'core' else ''} {name}".rstrip()
            told[chart.NAMESPACE if where == "its own namespace" else ""].add(text)

    assert told == granted()


def _kinds(cell: str) -> list[str]:
    match cell:
        case "the four kinds":
            return list(KINDS)
        case "their status":
            return [f"{kind}/status" for kind in KINDS]
        case _:
            return cell.split(", ")


def test_what_permissions_md_names_as_a_value_is_one() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    lines = (ROOT / "docs" / "permissions.md").read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ") and line.count("|") == 7]
    named = {value.strip("` ") for row in rows[1:] for value in row[4].split(",") if "`" in value}

    assert named
    for path in named:
        found = values
        for part in path.split("."):
            assert part in found, path
            found = found[part]


# the account, and what holds it


def test_the_built_in_roles_get_the_kinds_step_by_step() -> None:
    roles = {
        key.removeprefix("rbac.authorization.k8s.io/aggregate-to-"): body["rules"]
        for body in chart.of_kind(chart.render(), "ClusterRole")
        for key in body["metadata"]["labels"]
        if key.startswith("rbac.authorization.k8s.io/")
    }

    found = {
        role: {(r, v) for rule in rules for r in rule["resources"] for v in rule["verbs"]}
        for role, rules in roles.items()
    }
    changing = {"create", "update", "patch", "delete", "deletecollection"}
    assert found == {
        "view": set(product(KINDS, {"get", "list", "watch"})),
        "edit": set(product({"embeddingfunctions", "milvuscollections"}, changing)),
        "admin": set(product({"milvusconnections", "embeddingcredentials"}, changing)),
    }


def test_the_policies_know_the_names_that_the_operator_uses() -> None:
    texts = {
        body["metadata"]["name"].removeprefix(f"{chart.RELEASE}-"): yaml.safe_dump(body["spec"], width=10_000)
        for body in chart.of_kind(chart.defaults(), "ValidatingAdmissionPolicy")
    }

    assert set(texts) == {"secrets", "collections", "deployments", "milvuses"}
    assert all(name in texts["secrets"] for name in (known.CONNECTION_LABEL, FILE_KEY, STATE_KEY, *VARIABLES))
    assert known.FINALIZER in texts["collections"]
    assert all(known.CONFIG_HASH in texts[part] for part in ("deployments", "milvuses"))
    account = f"system:serviceaccount:{chart.NAMESPACE}:{chart.RELEASE}"
    assert all(account in text for text in texts.values())


def test_the_policy_of_approvals_knows_every_annotation_that_approves() -> None:
    bodies = chart.render({"admissionPolicies": {"approvals": {"enabled": True}}})
    policies = [b for b in chart.of_kind(bodies, "ValidatingAdmissionPolicy") if "approvals" in b["metadata"]["name"]]
    text = json.dumps(policies)

    names = {value for name, value in vars(known).items() if name.isupper() and isinstance(value, str)}
    others = {
        *(known.PREFIX, known.CONFIG_HASH, known.CONNECTION_LABEL, known.FINALIZER),
        # A request, and an answer to a question: neither approves anything.
        *(known.RECONCILE_REQUESTED_AT, known.WRITERS_PAUSED),
    }
    assert others <= names
    told = {name for name in names - {known.PREFIX} if f"'{name.removeprefix(known.PREFIX)}'" in text}
    assert told == names - others


def test_a_policy_is_there_only_for_a_power_that_is() -> None:
    def policies(values: Body) -> set[str]:
        found = chart.of_kind(chart.render(values), "ValidatingAdmissionPolicy")
        return {body["metadata"]["name"].rpartition("-")[2] for body in found}

    assert policies({"rollout": {"enabled": False}}) == {"secrets", "collections"}
    assert policies({"finalizers": {"enabled": False}, "milvusOperator": {"enabled": False}}) == {
        "secrets",
        "deployments",
    }
    assert policies({"admissionPolicies": {"ownWrites": {"enabled": False}}}) == set()


# the pods


def test_the_pods_are_what_the_restricted_standard_demands() -> None:
    pod = _pod(chart.render())
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert [volume["emptyDir"]["medium"] for volume in pod["volumes"]] == ["Memory"]
    assert pod["enableServiceLinks"] is False
    assert set(container["resources"]) == {"requests", "limits"}


def _pod(bodies: list[Body]) -> Body:
    (deployment,) = chart.of_kind(bodies, "Deployment")
    pod: Body = deployment["spec"]["template"]["spec"]
    return pod


def test_probes_and_service_and_setting_have_one_port() -> None:
    bodies = chart.render({"healthPort": 9090})
    container = chart.container(bodies)
    (service,) = chart.of_kind(bodies, "Service")

    assert container["ports"] == [{"name": "health", "containerPort": 9090}]
    paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {get["port"] for get in paths.values()} == {"health"}
    assert [get["path"] for get in paths.values()] == ["/healthz", "/healthz", "/readyz"]
    assert service["spec"]["ports"] == [{"name": "metrics", "port": 9090, "targetPort": "health"}]
    assert chart.environment(bodies)["MILVUS_EMBEDDING_HEALTH_ADDRESS"] == ":9090"


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        pytest.param({"repository": "a/b"}, "a/b:0.1.0", id="the version of the application"),
        pytest.param({"repository": "a/b", "tag": "1"}, "a/b:1", id="a tag"),
        pytest.param(
            {"repository": "a", "tag": "1", "digest": f"sha256:{'0' * 64}"}, f"a@sha256:{'0' * 64}", id="a digest"
        ),
    ],
)
def test_image(image: Body, wanted: str) -> None:
    assert chart.container(chart.render({"image": image}))["image"] == wanted


def test_what_pods_may_be_given_is_given() -> None:
    values = {
        "imagePullSecrets": [{"name": "login"}],
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}],
        "extraEnvFrom": [{"secretRef": {"name": "proxy"}}],
        "extraArgs": ["--log-level=debug"],
        "topologySpreadConstraints": [{"topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1}],
    }
    bodies = chart.render(values)
    pod, container = _pod(bodies), chart.container(bodies)

    assert {key: pod[key] for key in ("imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations")} == {
        key: values[key] for key in ("imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations")
    }
    assert container["args"] == ["run", "--log-level=debug"]
    assert container["env"][-1] == {"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}
    assert container["envFrom"] == values["extraEnvFrom"]
    assert pod["volumes"][-1]["name"] == container["volumeMounts"][-1]["name"] == "ca"
    (spread,) = pod["topologySpreadConstraints"]
    assert spread["topologyKey"] == "rack"
    (deployment,) = chart.of_kind(bodies, "Deployment")
    assert spread["labelSelector"] == deployment["spec"]["selector"]


def test_a_variable_that_is_a_setting_too_is_there_once_with_the_value_of_extra_env() -> None:
    own = {"name": "MILVUS_EMBEDDING_WORKERS", "value": "3"}

    variables = chart.container(chart.render({"extraEnv": [own], "settings": {"workers": 5}}))["env"]

    assert [entry for entry in variables if entry["name"] == own["name"]] == [own]
    assert len({entry["name"] for entry in variables}) == len(variables)


def test_one_replica_has_no_disruption_budget() -> None:
    assert len(chart.of_kind(chart.render(), "PodDisruptionBudget")) == 1
    assert chart.of_kind(chart.render({"replicas": 1}), "PodDisruptionBudget") == []


def test_the_lease_has_the_name_of_the_release_and_only_that_lease_may_be_written() -> None:
    bodies = chart.render(release="second", namespace="x")

    name = "second-milvus-embedding-operator"
    assert chart.environment(bodies)["MILVUS_EMBEDDING_LEASE_NAME"] == name
    assert [
        rule["resourceNames"] for namespace, rule in chart.rules(bodies) if namespace == "x" and len(rule) == 4
    ] == [[name]]


# what it says


def test_following_the_notes_never_replaces_the_key_that_was_just_put_there() -> None:
    said = notes()

    assert said.index("kubectl create namespace milvus") < said.index("kubectl create secret")
    assert "apply -k examples/quickstart" not in said
    assert "secrets.yaml from kustomization.yaml" in said


def test_the_notes_warn_of_the_category_that_hides_milvus_operators_kind() -> None:
    assert "milvuses.milvus.io, or mi" in notes()
    assert "milvuses.milvus.io" not in notes({"milvusOperator": {"enabled": False}})


def notes(values: Body | None = None) -> str:
    """What an installation says at its end."""
    command = ("install", chart.RELEASE, str(CHART), f"--namespace={chart.NAMESPACE}", "--dry-run=client")
    return chart.helm(*command, values=values or {}).partition("\nNOTES:\n")[2]


# what is optional or copied


def test_what_is_off_by_default() -> None:
    kinds = {body["kind"] for body in chart.render()}

    assert kinds.isdisjoint({"ServiceMonitor", "PrometheusRule", "ConfigMap", "NetworkPolicy"})
    assert {"ServiceMonitor", "NetworkPolicy"} <= {body["kind"] for body in chart.render(EVERYTHING)}


def test_alerts_and_dashboard_are_the_files_of_the_chart() -> None:
    bodies = chart.render(EVERYTHING)
    alerts, dashboard = CHART / "files" / "alerts.yaml", CHART / "files" / "dashboard.json"

    rules = [body["spec"]["groups"] for body in chart.of_kind(bodies, "PrometheusRule")]
    assert rules == ([yaml.safe_load(alerts.read_text())["groups"]] if alerts.exists() else [])
    shown = [json.loads(text) for body in chart.of_kind(bodies, "ConfigMap") for text in body["data"].values()]
    assert shown == ([json.loads(dashboard.read_text())] if dashboard.exists() else [])


def test_runbooks_are_found_where_the_values_say() -> None:
    base = "https://git.example.com/operator/"
    [rule] = chart.of_kind(chart.render({"prometheusRule": {"enabled": True, "runbookBase": base}}), "PrometheusRule")
    links = [alert["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert links
    assert all(link.startswith(f"{base}docs/runbooks.md#") for link in links)


def test_the_network_policy_leaves_out_metadata_services_but_no_name_server() -> None:
    [policy] = chart.of_kind(chart.render(EVERYTHING), "NetworkPolicy")
    names, others = policy["spec"]["egress"]
    assert "to" not in names
    assert [peer.get("ipBlock", {}).get("except") for peer in others["to"]] == [
        ["169.254.0.0/16"],
        ["fe80::/10", "fd00:ec2::254/128"],
        None,
    ]


def test_the_crds_are_those_of_the_repository_and_are_kept() -> None:
    served = {body["metadata"]["name"]: body for body in chart.of_kind(chart.render(), "CustomResourceDefinition")}
    own = [yaml.safe_load(file.read_text()) for file in (ROOT / "crds").glob("*.yaml")]

    assert {name: body["spec"] for name, body in served.items()} == {b["metadata"]["name"]: b["spec"] for b in own}
    assert {b["metadata"]["annotations"]["helm.sh/resource-policy"] for b in served.values()} == {"keep"}
    assert chart.of_kind(chart.render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []


def test_what_the_chart_has_from_elsewhere_is_as_its_source_says() -> None:
    copies = {**crds(), **settings()}

    assert [str(path.relative_to(ROOT)) for path, text in copies.items() if path.read_text() != text] == []
    assert {path.name for path in (CHART / "files" / "crds").iterdir()} == {p.name for p in crds()}


def test_the_manifest_for_those_without_helm_is_what_the_chart_makes() -> None:
    assert manifest(chart.program()) == MANIFEST.read_text()
