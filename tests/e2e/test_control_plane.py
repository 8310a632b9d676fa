"""The devkit's control plane, for real: the programs, the credentials, a restart, and an end that leaves nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane import Binaries, ControlPlane, KubectlFailed, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

# Preparing the programs for the first time on a machine takes minutes.
pytestmark = pytest.mark.timeout(1800)

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: samples.example.com}
spec:
  group: example.com
  names: {kind: Sample, plural: samples, singular: sample}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
SAMPLE = """\
apiVersion: example.com/v1
kind: Sample
metadata: {name: kept, namespace: default}
"""
READER = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: default}]
"""


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    return prepare()


@pytest.fixture(scope="module")
def cluster(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    directory = tmp_path_factory.mktemp("control-plane")
    with ControlPlane.start(binaries=binaries, directory=directory, audit=True) as running:
        yield running


def running_programs(directory: Path) -> list[str]:
    """Programs whose command line names the folder, from /proc; empty where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if str(directory).encode() in command:
            found.append(command.split(b"\0")[0].decode())
    return found


def test_client_and_server_tell_their_versions(cluster: ControlPlane) -> None:
    versions = json.loads(cluster.kubectl("version", "--output=json").stdout)

    assert versions["serverVersion"]["gitVersion"].startswith("v1.37.")
    assert versions["clientVersion"]["gitVersion"].startswith("v1.37.")


def test_the_user_s_own_kubeconfig_is_neither_read_nor_written(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / ".kube" / "config"
    own.parent.mkdir()
    own.write_text("not even YAML: [")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(own))

    cluster.kubectl("create", "configmap", "written")

    assert own.read_text() == "not even YAML: ["
    assert list(own.parent.iterdir()) == [own]
    assert cluster.kubectl("get", "configmap", "written").returncode == 0


def test_a_definition_and_its_objects_survive_a_restart_of_the_api_server(cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "-f", "-", input=CRD)
    cluster.kubectl("wait", "--for=condition=Established", "crd/samples.example.com", "--timeout=60s")
    cluster.kubectl("apply", "-f", "-", input=SAMPLE)
    url, before = cluster.url, cluster.pids

    cluster.restart_apiserver()

    assert cluster.url == url
    assert cluster.pids["etcd"] == before["etcd"]
    assert cluster.pids["kube-apiserver"] != before["kube-apiserver"]
    assert cluster.kubectl("get", "samples", "--output=name").stdout == "sample.example.com/kept\n"


def test_while_the_api_server_is_down_kubectl_fails_and_afterwards_it_works(cluster: ControlPlane) -> None:
    cluster.stop_apiserver()
    try:
        with pytest.raises(KubectlFailed, match="refused"):
            cluster.kubectl("get", "namespaces")
    finally:
        cluster.start_apiserver()

    assert "namespace/default" in cluster.kubectl("get", "namespaces", "--output=name").stdout


def test_a_service_account_s_kubeconfig_has_exactly_its_permissions(cluster: ControlPlane, tmp_path: Path) -> None:
    cluster.kubectl("apply", "-f", "-", input=READER)

    path = cluster.service_account_kubeconfig("default", "reader", tmp_path / "reader.kubeconfig")

    def may(verb: str, resource: str) -> str:
        return cluster.kubectl("auth", "can-i", verb, resource, f"--kubeconfig={path}", check=False).stdout.strip()

    assert may("get", "configmaps") == "yes"
    assert may("get", "secrets") == "no"
    assert may("delete", "configmaps") == "no"


def test_the_audit_log_tells_who_did_what_and_never_the_content(cluster: ControlPlane) -> None:
    cluster.kubectl("create", "secret", "generic", "audited", "--from-literal=apikey=sk-never-to-be-seen")

    text = cluster.audit_log.read_text()

    events = [json.loads(line) for line in text.splitlines()]
    created = [event for event in events if event["verb"] == "create" and event["objectRef"]["resource"] == "secrets"]
    assert [event["user"]["username"] for event in created] == ["admin"]
    assert "sk-never-to-be-seen" not in text


def test_the_api_server_counts_its_requests(cluster: ControlPlane) -> None:
    assert "apiserver_request_total{" in cluster.metrics()


def test_a_stop_leaves_no_process_and_frees_the_port(binaries: Binaries, tmp_path: Path) -> None:
    cluster = ControlPlane.start(binaries=binaries, directory=tmp_path)
    port = int(cluster.url.rpartition(":")[2])

    cluster.stop()

    assert cluster.pids == {}
    assert running_programs(tmp_path) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
