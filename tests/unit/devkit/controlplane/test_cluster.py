"""What a control plane is started with, and how a failed start ends. The programs are stand-ins; e2e has real ones."""

from __future__ import annotations

import base64
import socket
import subprocess
from dataclasses import astuple
from typing import TYPE_CHECKING

import pytest
import yaml

from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, Binaries
from milvus_embedding.devkit.controlplane.cluster import ControlPlane, free_ports, port_was_taken
from milvus_embedding.devkit.controlplane.credentials import (
    kubeconfig,
    new_service_account_key,
    token_file,
    write_private,
)
from milvus_embedding.devkit.controlplane.errors import ControlPlaneFailed, ControlPlaneUnavailable, KubectlFailed
from milvus_embedding.devkit.controlplane.flags import (
    Layout,
    Ports,
    apiserver_flags,
    controller_manager_flags,
    etcd_flags,
    scheduler_flags,
)

if TYPE_CHECKING:
    from pathlib import Path

PORTS = Ports(etcd=1, etcd_peer=2, apiserver=3, controller_manager=4, scheduler=5)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def stand_ins(folder: Path, **programs: str) -> Binaries:
    """Shell scripts in place of the programs; by default they run until stopped."""
    return Binaries(
        {
            binary: script(folder / binary, programs.get(binary.replace("-", "_"), "exec sleep 600"))
            for binary in DEFAULT_SET
        }
    )


def plane(tmp_path: Path, **programs: str) -> ControlPlane:
    """A control plane that was not started."""
    return ControlPlane(binaries=stand_ins(tmp_path / "bin", **programs), directory=tmp_path, ports=PORTS)


class TestStart:
    def test_tries_once_more_with_other_ports_when_one_was_taken(self, tmp_path: Path) -> None:
        marks = tmp_path / "marks"
        binaries = stand_ins(
            tmp_path / "bin", kube_apiserver=f'echo "$@" >> {marks}; echo "bind: address already in use"; exit 1'
        )

        with pytest.raises(ControlPlaneFailed, match=r"kube-apiserver ended with 1: .*address already in use"):
            ControlPlane.start(binaries=binaries, directory=tmp_path / "plane")

        first, second = marks.read_text().splitlines()
        assert first != second

    def test_does_not_try_again_for_any_other_reason(self, tmp_path: Path) -> None:
        marks = tmp_path / "marks"
        binaries = stand_ins(tmp_path / "bin", kube_apiserver=f'echo x >> {marks}; echo "unknown flag"; exit 1')

        with pytest.raises(ControlPlaneFailed, match="unknown flag"):
            ControlPlane.start(binaries=binaries, directory=tmp_path / "plane")

        assert marks.read_text() == "x\n"

    def test_that_takes_too_long_names_the_program_and_its_log(self, tmp_path: Path) -> None:
        binaries = stand_ins(tmp_path / "bin", kube_apiserver="echo still thinking; exec sleep 600")

        with pytest.raises(ControlPlaneFailed, match=r"not ready within 0\.5 s, its log is .*kube-apiserver\.log"):
            ControlPlane.start(binaries=binaries, directory=tmp_path / "plane", ready_seconds=0.5)

    def test_without_a_program_says_which(self, tmp_path: Path) -> None:
        with pytest.raises(ControlPlaneUnavailable, match="etcd was not prepared"):
            ControlPlane.start(binaries=Binaries({}), directory=tmp_path / "plane")


class TestBesideIt:
    def test_another_program_runs_with_the_control_plane_s_kubeconfig_and_ends_with_it(self, tmp_path: Path) -> None:
        with plane(tmp_path) as cluster:
            cluster.start_process("other", [str(script(tmp_path / "other", "exec sleep 600"))])
            assert list(cluster.pids) == ["other"]
            assert cluster.environment()["KUBECONFIG"] == str(cluster.kubeconfig)

        assert cluster.pids == {}

    def test_a_name_is_used_once_at_a_time(self, tmp_path: Path) -> None:
        with plane(tmp_path) as cluster:
            cluster.start_process("other", ["sleep", "600"])
            with pytest.raises(ValueError, match="'other' is running already"):
                cluster.start_process("other", ["sleep", "600"])
            cluster.stop_process("other")
            cluster.start_process("other", ["sleep", "600"])


class TestKubectl:
    def test_never_sees_the_user_s_kubeconfig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", "/users/own")

        result = plane(tmp_path, kubectl='echo "${KUBECONFIG-unset} $@"').kubectl("get", "pods")

        assert result.stdout.split() == [
            "unset",
            f"--kubeconfig={tmp_path}/kubeconfig",
            f"--cache-dir={tmp_path}/kubectl-cache",
            "get",
            "pods",
        ]

    def test_reads_its_standard_input_from_the_caller(self, tmp_path: Path) -> None:
        assert plane(tmp_path, kubectl="exec cat").kubectl("apply", "-f", "-", input="kind: X").stdout == "kind: X"

    def test_that_fails_is_an_error_without_its_arguments(self, tmp_path: Path) -> None:
        cluster = plane(tmp_path, kubectl="echo refused >&2; exit 4")

        with pytest.raises(KubectlFailed) as caught:
            cluster.kubectl("create", "secret", "generic", "x", "--from-literal=key=sk-secret")

        assert str(caught.value) == "kubectl create ended with 4: refused"
        assert caught.value.returncode == 4

    def test_that_fails_is_a_result_when_the_caller_checks(self, tmp_path: Path) -> None:
        result = plane(tmp_path, kubectl="exit 4").kubectl("get", "pods", check=False)

        assert isinstance(result, subprocess.CompletedProcess)
        assert result.returncode == 4

    def test_that_hangs_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(KubectlFailed, match=r"no result within 0\.1 s"):
            plane(tmp_path, kubectl="exec sleep 600").kubectl("get", "pods", timeout=0.1)


class TestFlags:
    def test_every_program_listens_on_loopback_only(self, tmp_path: Path) -> None:
        layout = Layout(tmp_path)
        every = [
            *etcd_flags(layout, PORTS),
            *apiserver_flags(layout, PORTS),
            *controller_manager_flags(layout, PORTS),
            *scheduler_flags(layout, PORTS),
        ]

        assert every.count("--bind-address=127.0.0.1") == 3
        assert all("127.0.0.1" in flag for flag in every if "urls" in flag)

    def test_the_caller_s_flags_come_last(self, tmp_path: Path) -> None:
        layout = Layout(tmp_path)

        assert apiserver_flags(layout, PORTS, ["--v=4"], audit=True)[-1] == "--v=4"
        assert etcd_flags(layout, PORTS, ["--x"])[-1] == "--x"
        assert controller_manager_flags(layout, PORTS, ["--x"])[-1] == "--x"
        assert scheduler_flags(layout, PORTS, ["--x"])[-1] == "--x"

    @pytest.mark.parametrize(
        "audit", [pytest.param(True, id="asked for, they are there"), pytest.param(False, id="else they are not")]
    )
    def test_audit_flags(self, audit: bool, tmp_path: Path) -> None:
        given = apiserver_flags(Layout(tmp_path), PORTS, audit=audit)

        assert any(flag.startswith("--audit") for flag in given) is audit


def test_free_ports_are_five_different_ones_that_can_be_bound() -> None:
    ports = astuple(free_ports())

    assert len(set(ports)) == 5
    with socket.create_server(("127.0.0.1", ports[0])):
        pass


def test_a_taken_port_is_recognised_in_go_s_words() -> None:
    assert port_was_taken("listen tcp 127.0.0.1:6443: bind: address already in use")
    assert not port_was_taken("unknown flag")


class TestCredentials:
    def test_files_are_the_owner_s_alone_even_when_they_replace_another(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text("old")
        path.chmod(0o644)

        write_private(path, "new")

        assert path.read_text() == "new"
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_service_account_key_is_a_new_ec_key_every_time(self) -> None:
        first, second = new_service_account_key(), new_service_account_key()

        assert first != second
        lines = first.splitlines()
        assert lines[0] == "-----BEGIN EC PRIVATE KEY-----"
        der = base64.b64decode("".join(lines[1:-1]))
        assert der[1] == len(der) - 2

    def test_the_token_s_user_may_do_everything(self) -> None:
        assert token_file("abc") == 'abc,admin,admin,"system:masters"\n'

    def test_a_kubeconfig_has_one_context_and_needs_no_other_file(self) -> None:
        document = yaml.safe_load(kubeconfig(url="https://127.0.0.1:1", ca=b"pem", token="abc", namespace="search"))

        assert [context["name"] for context in document["contexts"]] == [document["current-context"]]
        assert document["contexts"][0]["context"]["namespace"] == "search"
        assert base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]) == b"pem"
        assert document["users"][0]["user"] == {"token": "abc"}
