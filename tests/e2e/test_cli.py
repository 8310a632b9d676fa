"""The command line as it is installed: processes, exit statuses, pipes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def milvus_embedding(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "milvus_embedding", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator"), **variables},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(["--help"], 0, id="help"),
        pytest.param(["--version"], 0, id="version"),
        pytest.param(["validate", "-f", "examples/quickstart"], 0, id="valid manifests"),
        pytest.param(["validate", "-f", "examples/invalid"], 1, id="invalid manifests"),
        pytest.param(["render", "-f", "examples/quickstart"], 0, id="a rendering"),
        pytest.param(["apply", "-f", "examples/invalid"], 1, id="invalid manifests are not applied"),
        pytest.param(["dev", "--help"], 0, id="help of a group"),
        pytest.param(["nonsense"], 2, id="an unknown command"),
    ],
)
def test_exit_statuses(arguments: list[str], status: int) -> None:
    ended = milvus_embedding(*arguments)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_operator_without_a_cluster_says_so_and_ends_with_1(tmp_path: Path) -> None:
    ended = milvus_embedding("run", "--kubeconfig", str(tmp_path / "none"), "--health-address", "")
    assert ended.returncode == 1
    [said] = ended.stderr.splitlines()
    assert "cannot be used (ConfigException); name another one with --kubeconfig" in said


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "milvus_embedding", "validate", "-f", "examples/invalid"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        text = process.stderr.read()
        assert process.wait(60) in (0, 1)
    assert "Traceback" not in text
    assert "Exception ignored" not in text
