"""`make demo CLUSTER=none` as a process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_from_files_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DASHSCOPE_API_KEY"}
    command = [sys.executable, "-m", "milvus_embedding.devkit.demo", "--cluster", "none"]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "operator")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[-1] == "demo passed"
    assert '         "apikey": "********"' in lines
    assert "REPLACE-WITH" not in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []
