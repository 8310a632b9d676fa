"""The chart on a real API server: what it takes, what is left of it, and who may do what once it is installed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from milvus_embedding.api.annotations import CONFIG_HASH
from milvus_embedding.devkit.controlplane import ControlPlane
from tests.e2e import chart, manifests
from tests.e2e.lab import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, Lab, OperatorProcess, eventually
from tests.e2e.quickstart import Quickstart
from tests.e2e.secrecy import leaking_files
from tests.e2e.stage import COLLECTION, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milvus_embedding.devkit.controlplane import Binaries
    from tests.e2e.lab import Body

FOREIGN_KINDS = ("ServiceMonitor", "PrometheusRule")
"""Of the Prometheus operator, which is not here."""
NAMESPACED: Body = {"namespaces": ["milvus", "search"], "owner": "mine"}


@pytest.fixture
def bare(binaries: Binaries, tmp_path: Path) -> Iterator[Lab]:
    """An API server that has seen nothing of ours."""
    with (
        ControlPlane.start(binaries=binaries, directory=tmp_path / "control-plane", audit=True) as running,
        Lab(running, tmp_path / "lab") as opened,
    ):
        yield opened
        assert leaking_files(opened) == {}


# what the API server takes


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="of all namespaces"),
        pytest.param(NAMESPACED, id="of some namespaces"),
        pytest.param({"milvusNamespaces": ["milvus"], "secrets": {"rendered": ["a"]}}, id="Milvus in one namespace"),
        pytest.param(
            {
                "networkPolicy": {
                    "enabled": True,
                    "metricsFrom": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}],
                    "egress": {"enabled": True, "extra": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
                },
                "serviceMonitor": {"enabled": True},
                "prometheusRule": {"enabled": True},
                "dashboard": {"enabled": True},
                "admissionPolicies": {"approvals": {"enabled": True, "aggregateToAdmin": True}},
                "priorityClassName": "system-cluster-critical",
                "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
                "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
                "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}],
                "tolerations": [{"operator": "Exists"}],
                "commonLabels": {"team": "platform"},
            },
            id="with everything",
        ),
        pytest.param(
            {
                "rbac": {"create": False},
                "serviceAccount": {"create": False},
                "service": {"enabled": False},
                "aggregatedRoles": {"enabled": False},
                "admissionPolicies": {"ownWrites": {"enabled": False}},
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "settings": {"leaderElection": False},
            },
            id="with as little as there can be",
        ),
    ],
)
def test_the_api_server_takes_every_field_of_it(module_lab: Lab, values: dict[str, Any]) -> None:
    for name in ("milvus", "search"):
        module_lab.plane.kubectl("create", "namespace", name, check=False)
    bodies = [body for body in chart.render(values, release="other") if body["kind"] not in FOREIGN_KINDS]

    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    options = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    answer = module_lab.plane.kubectl("apply", *options, "-f", "-", input=text)

    assert answer.stderr == ""
    assert len(answer.stdout.splitlines()) == len(bodies)


def test_its_pods_are_admitted_where_the_restricted_standard_is_enforced(module_lab: Lab) -> None:
    lab = module_lab
    namespace = lab.namespace("restricted")
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    lab.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": enforced}})
    lab.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": namespace}})
    (deployment,) = chart.of_kind(chart.defaults(), "Deployment")
    spec = {**deployment["spec"]["template"]["spec"], "serviceAccountName": "a"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace}, "spec": spec}
    loose = {**pod, "spec": {**spec, "securityContext": {}}}

    given = module_lab.plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))
    refused = module_lab.plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(loose), check=False)

    assert "created" in given.stdout
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_the_api_server_has_nothing_to_remark_on_the_expressions_of_the_policies(fleet_lab: Lab) -> None:
    def checked() -> list[Body]:
        policies = fleet_lab.api.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")["items"]
        statuses: list[Body] = [policy.get("status", {}) for policy in policies]
        return statuses if statuses and all("observedGeneration" in status for status in statuses) else []

    statuses = eventually("the policies are checked", checked)

    assert [status for status in statuses if status["typeChecking"]] == []


def test_the_api_server_adds_nothing_to_the_policies_that_gitops_would_take_for_a_difference(guarded: Lab) -> None:
    rendered = chart.render({"admissionPolicies": {"approvals": {"enabled": True}}})
    policies = chart.of_kind(rendered, "ValidatingAdmissionPolicy")

    live = guarded.api.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")["items"]

    assert {body["metadata"]["name"]: body["spec"] for body in live} == {
        body["metadata"]["name"]: body["spec"] for body in policies
    }


# from install to uninstall


def test_install_then_quickstart_then_upgrade_then_uninstall_and_everything_of_the_users_is_still_there(
    bare: Lab, tmp_path: Path
) -> None:
    said = helm(bare, "install", chart.RELEASE, str(chart.CHART), "--create-namespace")
    assert "kubectl rollout status deployment/milvus-embedding-operator" in said
    bare.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")

    with Quickstart(bare) as quickstart:
        installed = [b for b in yaml.safe_load_all(helm(bare, "get", "manifest", chart.RELEASE)) if b]
        with bare.operator(environment=chart.environment(installed)) as operator:
            operator.wait_ready()
            quickstart.apply()
            quickstart.wait_ready()
        before = described(quickstart)

        newer = with_other_crd(tmp_path)
        helm(bare, "upgrade", chart.RELEASE, str(newer), values={"settings": {"resyncSeconds": 60}})
        upgraded = [b for b in yaml.safe_load_all(helm(bare, "get", "manifest", chart.RELEASE)) if b]
        assert chart.environment(upgraded)["MILVUS_EMBEDDING_RESYNC_SECONDS"] == "60"
        columns = bare.plane.kubectl("get", "crd", "embeddingfunctions.embedding.milvus.io", "-o", "yaml").stdout
        assert "name: Well" in columns
        with bare.operator(environment=chart.environment(upgraded)) as operator:
            operator.wait_ready()
            quickstart.wait_ready()

        helm(bare, "uninstall", chart.RELEASE)
        for kind in ("deployment", "clusterrole", "clusterrolebinding", "validatingadmissionpolicy", "serviceaccount"):
            left = bare.plane.kubectl(
                "get", kind, "--all-namespaces", "-l", "app.kubernetes.io/part-of=milvus-embedding-operator"
            )
            assert left.stdout == "", kind
        crds = bare.plane.kubectl("get", "crd", "-o", "name").stdout.splitlines()
        assert len([name for name in crds if name.endswith("embedding.milvus.io")]) == 4
        for body in quickstart.objects:
            assert bare.get(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        assert bare.secret_data("milvus", "milvus-embedding-config")
        assert described(quickstart) == before

        helm(bare, "install", chart.RELEASE, str(chart.CHART))
        with bare.operator() as operator:
            operator.wait_ready()
            quickstart.wait_ready()
        assert described(quickstart) == before


def test_an_upgrade_is_taken_back_by_helm_crds_included(bare: Lab, tmp_path: Path) -> None:
    helm(bare, "install", chart.RELEASE, str(chart.CHART), "--create-namespace", values={"replicas": 3})
    helm(bare, "upgrade", chart.RELEASE, str(with_other_crd(tmp_path)), values={"replicas": 1})
    assert replicas_and_column(bare) == (1, "Well")

    helm(bare, "rollback", chart.RELEASE)

    assert replicas_and_column(bare) == (3, "Ready")


def test_crds_of_kubectl_and_of_another_release_are_taken_over_as_install_md_says(bare: Lab, tmp_path: Path) -> None:
    former = tmp_path / "former"
    former.mkdir()
    crd = "embeddingfunctions.yaml"
    shutil.copy(with_other_crd(tmp_path) / "files" / "crds" / crd, former / crd)
    bare.plane.kubectl("apply", "--server-side", "-f", str(former))
    install = ("install", chart.RELEASE, str(chart.CHART), "--create-namespace")
    with pytest.raises(chart.HelmFailed, match="invalid ownership metadata"):
        helm(bare, *install)
    with pytest.raises(chart.HelmFailed, match="conflict with"):
        helm(bare, *install, "--take-ownership")

    helm(bare, "upgrade", "--install", *install[1:], "--take-ownership", "--force-conflicts")
    assert replicas_and_column(bare)[1] == "Ready"

    bare.plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(former))
    helm(bare, "upgrade", chart.RELEASE, str(chart.CHART), "--force-conflicts")
    assert replicas_and_column(bare)[1] == "Ready"

    helm(bare, "uninstall", chart.RELEASE)
    with pytest.raises(chart.HelmFailed, match="invalid ownership metadata"):
        helm(bare, "install", "other", str(chart.CHART))
    helm(bare, "install", "other", str(chart.CHART), "--take-ownership")


def with_other_crd(folder: Path) -> Path:
    """The chart with one column of one CRD named otherwise."""
    newer = folder / "newer"
    shutil.copytree(chart.CHART, newer)
    crd = newer / "files" / "crds" / "embeddingfunctions.yaml"
    crd.write_text(crd.read_text().replace("name: Ready", "name: Well", 1))
    return newer


def replicas_and_column(lab: Lab) -> tuple[int, str]:
    """Of the Deployment, and of the CRD of functions the column that `with_other_crd` changes."""
    crd = json.loads(lab.plane.kubectl("get", "crd", "embeddingfunctions.embedding.milvus.io", "-o", "json").stdout)
    columns = [column["name"] for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]]
    deployment = lab.plane.kubectl("get", "deployment", chart.RELEASE, "-n", SYSTEM_NAMESPACE, "-o", "json").stdout
    return json.loads(deployment)["spec"]["replicas"], "Well" if "Well" in columns else "Ready"


def helm(lab: Lab, *arguments: str, values: Body | None = None) -> str:
    """Helm on that API server, in the operator's namespace."""
    namespace = f"--namespace={SYSTEM_NAMESPACE}"
    return chart.helm(*arguments, namespace, values=values, environment={"KUBECONFIG": str(lab.plane.kubeconfig)})


def described(quickstart: Quickstart) -> object:
    with quickstart.site.client() as client:
        return client.describe_collection("docs")["collection_id"]


def test_with_roles_in_some_namespaces_only_it_does_all_it_has_to_do_there(module_lab: Lab) -> None:
    lab, namespace, release = module_lab, "second", "second"
    lab.plane.kubectl("create", "namespace", namespace)
    with Stage(lab) as stage:
        values: Body = {
            "namespaces": [stage.namespace],
            "owner": "second",
            "secrets": {"rendered": ["milvus-embedding-config"]},
            "crds": {"enabled": False},
            "settings": {"permissionSeconds": 2},
        }
        bodies = chart.render(values, release=release, namespace=namespace)
        lab.apply(*chart.without_pods(bodies))
        account = f"{release}-{SERVICE_ACCOUNT}"
        kubeconfig = lab.plane.service_account_kubeconfig(namespace, account, lab.directory / "second")
        with OperatorProcess(kubeconfig, lab.directory / "second.log", (), chart.environment(bodies)) as operator:
            operator.wait_ready()
            stage.bring_up()
            stage.apply(stage.collection("temporary", deletionPolicy="Delete"))
            stage.ready(COLLECTION, "temporary")
            stage.lab.delete(COLLECTION, stage.namespace, "temporary")
            key = lab.new_key("rotated")
            stage.site.dashscope.keys.add(key)
            stage.apply(stage.secret(key))
            eventually(
                "the new key is in the rendered Secret",
                lambda: (
                    key.encode()
                    in (lab.secret_data(stage.namespace, "milvus-embedding-config") or {})["embedding.yaml"]
                ),
            )
            stage.wait_gone(COLLECTION, "temporary")


# what the operator's account may write


@pytest.fixture(scope="module")
def guarded(module_lab: Lab) -> Lab:
    """With the policies of approvals, too, and with what the policies are about in the namespace `guarded`."""
    lab, own = module_lab, chart.render({"admissionPolicies": {"approvals": {"enabled": True}}})
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ClusterRole")
    lab.apply(*chart.of_kind(own, *kinds))
    milvus_crd = str(chart.ROOT / "tests" / "e2e" / "milvus-crd.yaml")
    lab.plane.kubectl("apply", "--server-side", "-f", milvus_crd)
    lab.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", milvus_crd)
    lab.plane.kubectl("create", "namespace", "guarded")
    lab.apply(*_guarded_objects())
    # A policy is in force a moment after it was made.
    foreign = ("patch", "secret", "foreign", "--type=merge", "--patch", '{"metadata":{"labels":{"a":"b"}}}')
    allow(lab, ACCOUNT, "guarded-writes", ["secrets", "deployments.apps", "milvuses.milvus.io"], ["*"])
    allow(lab, ACCOUNT, "guarded-kinds", ["milvuscollections.embedding.milvus.io"], ["*"])
    eventually("the policy is in force", lambda: "denied" in as_user(lab, ACCOUNT, *foreign).stderr)
    for name in ("tenant", "approver"):
        roles = [f"{chart.RELEASE}-edit", f"{chart.RELEASE}-admin", f"{chart.RELEASE}-view"]
        for role in [*roles, f"{chart.RELEASE}-approver"][: 4 if name == "approver" else 3]:
            options = (f"--clusterrole={role}", f"--user={name}", "-n", "guarded")
            lab.plane.kubectl("create", "rolebinding", f"{name}-{role}", *options)
    first = ("annotate", "mcol", "docs", "embedding.milvus.io/approved-plan=x", "--overwrite", "--dry-run=server")
    eventually("the policy is in force", lambda: "denied" in as_user(lab, "tenant", *first).stderr)
    return lab


ACCOUNT = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{SERVICE_ACCOUNT}"


def allow(lab: Lab, user: str, name: str, resources: list[str], verbs: list[str]) -> None:
    """More than the chart ever grants, so that nothing but the policies stands in the way."""
    options = [f"--verb={verb}" for verb in verbs] + [f"--resource={resource}" for resource in resources]
    lab.plane.kubectl("create", "role", name, "-n", "guarded", *options)
    lab.plane.kubectl("create", "rolebinding", name, "-n", "guarded", f"--role={name}", f"--user={user}")


def as_user(lab: Lab, user: str, *arguments: str, input: str | None = None) -> Any:
    return lab.plane.kubectl(*arguments, "-n", "guarded", f"--as={user}", input=input, check=False)


LABEL = {"embedding.milvus.io/connection": "milvus"}
RENDERED = {"embedding.yaml": "", "state.json": ""}


def _secret(name: str, labels: Body | None = None, **other: Any) -> Body:
    metadata = {"name": name, "namespace": "guarded", "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **other}


def _guarded_objects() -> list[Body]:
    labels = {"app": "milvus"}
    containers = [{"name": "milvus", "image": "milvus"}]
    template = {"metadata": {"labels": labels, "annotations": {"a": "b"}}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    meta = {"name": "proxy", "namespace": "guarded"}
    parts = {"image": "milvus", "proxy": {"replicas": 1, "podAnnotations": {"a": "b"}}, "queryNode": {"replicas": 1}}
    return [
        _secret("foreign", data={"password": ""}),
        _secret("rendered", LABEL, data=RENDERED),
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
        {
            "apiVersion": "milvus.io/v1beta1",
            "kind": "Milvus",
            "metadata": {"name": "mine", "namespace": "guarded"},
            "spec": {"mode": "cluster", "components": parts},
        },
        manifests.annotated(manifests.collection("guarded", "docs"), approved_plan=""),
        manifests.connection(
            "guarded", "http://milvus:19530", embedding={"rollout": {"approval": "Manual", "strategy": "None"}}
        ),
    ]


def _template(patch: Body) -> Body:
    return {"spec": {"template": patch}}


HASH = {CONFIG_HASH: "0123abcd"}
WRITES = [
    pytest.param("deployment/proxy", _template({"metadata": {"annotations": HASH}}), "", id="the hash"),
    pytest.param(
        "deployment/proxy",
        _template({"metadata": {"annotations": {**HASH, "x": "y"}}}),
        "changes no annotation",
        id="the hash and another annotation",
    ),
    pytest.param(
        "deployment/proxy",
        _template({"metadata": {"annotations": {"a": None}}}),
        "removes none",
        id="an annotation less",
    ),
    pytest.param(
        "deployment/proxy", _template({"metadata": {"annotations": {CONFIG_HASH: "a b"}}}), "is a hash", id="no hash"
    ),
    pytest.param(
        "deployment/proxy",
        _template({"spec": {"volumes": [{"name": "s", "secret": {"secretName": "foreign"}}]}}),
        "nothing of a pod template",
        id="a volume with a Secret",
    ),
    pytest.param(
        "deployment/proxy",
        _template({"spec": {"serviceAccountName": "admin"}}),
        "nothing of a pod template",
        id="another account",
    ),
    pytest.param(
        "deployment/proxy",
        _template({"metadata": {"labels": {"x": "y"}}}),
        "nothing of a pod template",
        id="a label of pods",
    ),
    pytest.param("deployment/proxy", {"spec": {"replicas": 0}}, "nothing of a Deployment", id="replicas"),
    pytest.param("deployment/proxy", {"spec": {"paused": True}}, "nothing of a Deployment", id="a field more"),
    pytest.param(
        "deployment/proxy", {"metadata": {"labels": {"x": "y"}}}, "nothing of a Deployment", id="a label of it"
    ),
    pytest.param(
        "deployment/proxy", {"metadata": {"finalizers": ["x.y/z"]}}, "nothing of a Deployment", id="a finalizer"
    ),
    pytest.param(
        "milvus.milvus.io/mine",
        {"spec": {"components": {part: {"podAnnotations": HASH} for part in ("proxy", "dataNode")}}},
        "",
        id="the hash of two components, one of which was not there",
    ),
    pytest.param(
        "milvus.milvus.io/mine",
        {"spec": {"components": {"queryNode": {"podAnnotations": HASH}}}},
        "nothing of the components",
        id="the hash of one that does not embed",
    ),
    pytest.param(
        "milvus.milvus.io/mine",
        {"spec": {"components": {"proxy": {"podAnnotations": {"a": "c"}}}}},
        "changes no podAnnotation",
        id="another annotation of a component",
    ),
    pytest.param(
        "milvus.milvus.io/mine",
        {"spec": {"components": {"proxy": {"podAnnotations": None}}}},
        "changes no podAnnotation",
        id="all annotations of a component",
    ),
    pytest.param(
        "milvus.milvus.io/mine",
        {"spec": {"components": {"proxy": {"replicas": 2}}}},
        "nothing of the components",
        id="replicas of a component",
    ),
    pytest.param(
        "milvus.milvus.io/mine",
        {"spec": {"components": {"image": "other"}}},
        "nothing of the components",
        id="the image",
    ),
    pytest.param(
        "milvus.milvus.io/mine", {"spec": {"mode": "standalone"}}, "nothing of a Milvus resource", id="the mode"
    ),
    pytest.param(
        "milvus.milvus.io/mine", {"metadata": {"labels": {"x": "y"}}}, "nothing of a Milvus resource", id="its label"
    ),
    pytest.param("mcol/docs", {"metadata": {"finalizers": ["embedding.milvus.io/collection"]}}, "", id="our finalizer"),
    pytest.param("mcol/docs", {"metadata": {"finalizers": ["x.y/z"]}}, "touches no finalizer", id="another finalizer"),
    pytest.param("mcol/docs", {"spec": {"paused": True}}, "nothing of a MilvusCollection", id="the spec"),
    pytest.param(
        "mcol/docs",
        {"metadata": {"annotations": {"embedding.milvus.io/approved-plan": "x"}}},
        "nothing of a MilvusCollection",
        id="an approval",
    ),
    pytest.param("secret/rendered", {"data": {"embedding.yaml": "YQ=="}}, "", id="a rendered Secret"),
    pytest.param(
        "secret/rendered", {"data": {"tls.key": ""}}, "writes only what it renders", id="a key that is not ours"
    ),
    pytest.param(
        "secret/rendered", {"metadata": {"labels": {k: "x" for k in LABEL}}}, "with the label", id="its label"
    ),
    pytest.param(
        "secret/rendered",
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}]}},
        "no owner and no finalizer",
        id="an owner that is gone, so that it would be collected",
    ),
    pytest.param(
        "secret/rendered", {"metadata": {"finalizers": ["x.y/z"]}}, "no owner and no finalizer", id="its finalizer"
    ),
    pytest.param(
        "secret/rendered", {"metadata": {"annotations": {"x": "y"}}}, "nothing beside the data", id="its annotation"
    ),
    pytest.param(
        "secret/rendered", {"metadata": {"labels": {"x": "y"}}}, "nothing beside the data", id="another label of it"
    ),
    pytest.param("secret/rendered", {"immutable": True}, "does not make Secrets immutable", id="that it is final"),
    pytest.param("secret/foreign", {"data": {"password": "YQ=="}}, "with the label", id="somebody's Secret"),
    pytest.param("secret/foreign", {"metadata": {"labels": LABEL}}, "with the label", id="somebody's, labelled"),
]


@pytest.mark.parametrize(("target", "patch", "refused"), WRITES)
def test_the_operators_account_writes_what_is_its_own_and_nothing_else(
    guarded: Lab, target: str, patch: Body, refused: str
) -> None:
    write = ("patch", target, "--type=merge", f"--patch={json.dumps(patch)}", "--dry-run=server")
    by_operator = as_user(guarded, ACCOUNT, *write)
    by_admin = guarded.plane.kubectl(*write, "-n", "guarded", check=False)

    assert by_admin.returncode == 0, by_admin.stderr
    assert (by_operator.returncode == 0) is (refused == ""), by_operator.stderr
    assert refused in by_operator.stderr


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        pytest.param(_secret("new", LABEL, data=RENDERED), "", id="a rendered Secret"),
        pytest.param(_secret("new", data=RENDERED), "with the label", id="one without our label"),
        pytest.param(_secret("new", LABEL, data=RENDERED, immutable=True), "immutable", id="one that is final"),
        pytest.param(
            _secret("new", LABEL, data=RENDERED)
            | {"metadata": {"name": "new", "namespace": "guarded", "labels": LABEL, "finalizers": ["x.y/z"]}},
            "no owner and no finalizer",
            id="one that cannot be deleted",
        ),
        pytest.param(
            _secret(
                "new",
                LABEL,
                type="kubernetes.io/service-account-token",
            )
            | {
                "metadata": {
                    "name": "new",
                    "namespace": "guarded",
                    "labels": LABEL,
                    "annotations": {"kubernetes.io/service-account.name": "admin"},
                }
            },
            "of type Opaque",
            id="a token of another account",
        ),
    ],
)
def test_the_operators_account_creates_rendered_secrets_and_no_others(guarded: Lab, body: Body, refused: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "admin", "namespace": "guarded"}}
    guarded.apply(account)

    made = as_user(guarded, ACCOUNT, "create", "--dry-run=server", "-f", "-", input=json.dumps(body))

    assert (made.returncode == 0) is (refused == ""), made.stderr
    assert refused in made.stderr


def test_the_policies_do_not_concern_anybody_else(guarded: Lab) -> None:
    patch = '--patch={"metadata":{"labels":{"x":"y"}}}'
    written = guarded.plane.kubectl("patch", "secret", "foreign", "-n", "guarded", "--type=merge", patch)

    assert "patched" in written.stdout


# who may approve


def _change(**policy: str) -> Body:
    return {"spec": {"changePolicy": policy}}


def _roll(**rollout: Any) -> Body:
    return {"spec": {"embedding": {"rollout": rollout}}}


def _annotation(name: str) -> Body:
    return {"metadata": {"annotations": {f"embedding.milvus.io/{name}": "x"}}}


@pytest.mark.parametrize(
    ("target", "patch"),
    [
        *(
            pytest.param("mcol/docs", _annotation(name), id=name)
            for name in ("approved-plan", "delete-adopted", "force-release", "release-to")
        ),
        *(
            pytest.param("mconn/milvus", _annotation(name), id=name)
            for name in ("approved-rollout", "confirm-deletions")
        ),
        pytest.param("mcol/docs", _change(approvedPlan="x"), id="changePolicy.approvedPlan"),
        pytest.param("mcol/docs", _change(disruptive="Automatic"), id="disruptive: Automatic"),
        pytest.param(
            "mcol/docs",
            {"spec": {**_change(rebuild="Automatic")["spec"], "migration": {"budget": {"tokens": 1}}}},
            id="rebuild: Automatic",
        ),
        pytest.param("mcol/docs", {"spec": {"deletionPolicy": "Delete"}}, id="deletionPolicy: Delete"),
        pytest.param("mconn/milvus", _roll(approvedHash="x"), id="rollout.approvedHash"),
        pytest.param("mconn/milvus", _roll(approval="Automatic"), id="approval: Automatic"),
        pytest.param("mconn/milvus", _roll(allowOutage=True), id="allowOutage"),
    ],
)
def test_who_has_the_verb_approves_and_who_has_not_is_told_whom_to_ask(guarded: Lab, target: str, patch: Body) -> None:
    write = ("patch", target, "--type=merge", f"--patch={json.dumps(patch)}", "--dry-run=server")
    by_tenant, by_approver = as_user(guarded, "tenant", *write), as_user(guarded, "approver", *write)

    assert by_approver.returncode == 0, by_approver.stderr
    assert by_tenant.returncode != 0
    assert "needs the verb approve on" in by_tenant.stderr
    assert "ask somebody who is bound to the ClusterRole milvus-embedding-operator-approver" in by_tenant.stderr


@pytest.mark.parametrize(
    ("target", "patch"),
    [
        pytest.param("mcol/docs", {"spec": {"description": "text"}}, id="another field"),
        pytest.param("mcol/docs", _change(disruptive="Never"), id="less by itself"),
        pytest.param("mcol/docs", _change(destructive="Manual"), id="what has to be approved yet"),
        pytest.param("mcol/docs", {"spec": {"deletionPolicy": "DeleteIfEmpty"}}, id="what loses no rows"),
        pytest.param("mcol/docs", _annotation("reconcile-requested-at"), id="a request"),
        pytest.param("mcol/docs", _annotation("writers-paused"), id="an answer"),
        pytest.param("mconn/milvus", {"spec": {"paused": True}}, id="another field of a connection"),
        pytest.param("mconn/milvus", _roll(debounceSeconds=5), id="another field of the rollout"),
    ],
)
def test_all_else_needs_no_verb(guarded: Lab, target: str, patch: Body) -> None:
    write = ("patch", target, "--type=merge", f"--patch={json.dumps(patch)}", "--dry-run=server")

    assert as_user(guarded, "tenant", *write).stderr == ""


def test_an_approval_that_is_there_is_kept_and_taken_back_by_everybody(guarded: Lab) -> None:
    approve = ("patch", "mcol/docs", "--type=merge", f"--patch={json.dumps(_change(approvedPlan='x'))}")
    assert as_user(guarded, "approver", *approve).stderr == ""

    def by_tenant(patch: Body) -> str:
        stderr: str = as_user(
            guarded, "tenant", "patch", "mcol/docs", "--type=merge", f"--patch={json.dumps(patch)}"
        ).stderr
        return stderr

    assert by_tenant({"spec": {"description": "text"}}) == ""
    assert "needs the verb approve" in by_tenant(_change(approvedPlan="y"))
    assert by_tenant(_change(approvedPlan="")) == ""
    assert "needs the verb approve" in by_tenant(_change(approvedPlan="x"))


def test_an_object_is_not_made_with_an_approval_either(guarded: Lab) -> None:
    automatic = manifests.collection("guarded", "more", changePolicy={"disruptive": "Automatic"})
    dropping = manifests.collection("guarded", "more", deletionPolicy="Delete")
    usual = manifests.collection("guarded", "more")

    def created(user: str, body: Body) -> str:
        stderr: str = as_user(guarded, user, "create", "--dry-run=server", "-f", "-", input=json.dumps(body)).stderr
        return stderr

    assert "needs the verb approve" in created("tenant", automatic)
    assert "needs the verb approve" in created("tenant", dropping)
    assert created("tenant", usual) == ""
    assert created("approver", automatic) == ""
