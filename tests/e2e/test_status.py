"""`status` on a real API server: with the permissions of whoever asks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.lab import Lab
    from tests.e2e.stage import Stage


def status(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "milvus_embedding", "status", "--kubeconfig", str(kubeconfig), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_what_waits_is_told_with_the_command_that_approves_it(lab: Lab, stage: Stage) -> None:
    stage.bring_up()
    kubeconfig = lab.plane.kubeconfig

    ended = status(kubeconfig, "-n", stage.namespace)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"MilvusCollection {stage.namespace}/" in ended.stdout
    assert ended.stdout.splitlines()[-1].endswith(" Ready.")

    stage.apply(stage.collection(properties={"mmap.enabled": True}))
    stage.reason("MilvusCollection", "AwaitingApproval")
    ended = status(kubeconfig, "-n", stage.namespace, "-o", "json")
    assert ended.returncode == 2
    [connection] = json.loads(ended.stdout)["connections"]
    [collection] = connection["collections"]
    command: list[str] = collection["approve"].split()
    assert command[0] == "kubectl"
    lab.plane.kubectl(*command[1:])
    stage.ready("MilvusCollection")
    assert status(kubeconfig, "-n", stage.namespace).returncode == 0


def test_who_may_not_list_is_told_in_one_sentence(lab: Lab, tmp_path: Path) -> None:
    namespace = lab.namespace("status")
    lab.plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    token = lab.plane.kubectl("create", "token", "reader", "-n", namespace).stdout.strip()
    config: dict[str, Any] = yaml.safe_load(lab.plane.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))

    ended = status(kubeconfig, "-n", namespace)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"error: you may not list milvusconnections in namespace {namespace}: "
        "ask for the verb list on milvusconnections.embedding.milvus.io\n"
    )

    lab.plane.kubectl(
        "create", "role", "reader", "-n", namespace, "--verb=list", "--resource=milvuscollections.embedding.milvus.io"
    )
    lab.plane.kubectl(
        "create", "rolebinding", "reader", "-n", namespace, "--role=reader", f"--serviceaccount={namespace}:reader"
    )
    ended = status(kubeconfig, "-n", namespace)
    assert (ended.returncode, ended.stderr.count("note: you may not list ")) == (0, 3)
