"""`make demo` as a process: a control plane of its own, the operator beside it, and nothing left at the end."""

import os
import subprocess
import sys
from pathlib import Path

from milvus_embedding.devkit.controlplane import Binaries

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_passes_and_leaves_nothing_behind(binaries: Binaries, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DASHSCOPE_API_KEY"}
    ended = subprocess.run(
        [sys.executable, "-m", "milvus_embedding.devkit.demo"],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "demo passed"
    for kind in ("milvusconnection", "embeddingcredential", "embeddingfunction", "milvuscollection"):
        rows = [line.split() for line in ended.stdout.splitlines() if f" {kind}.embedding.milvus.io/" in line]
        shown = [row for row in rows if row[-1] != "created"]
        assert shown, f"kubectl's table has no {kind}"
        assert {row[2] for row in shown} == {"True"}
    assert "REPLACE-WITH" not in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []
