"""The layout that everything else relies on."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "operator").rglob("*.py"))


def test_the_source_root_is_not_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize("folder", [".", "operator"])
def test_python_s_own_operator_module_is_imported_from_the_checkout(folder: str) -> None:
    told = subprocess.run(
        [sys.executable, "-S", "-c", "import operator; print(operator.__file__, operator.add(1, 1))"],
        cwd=ROOT / folder,
        capture_output=True,
        text=True,
        check=True,
    )

    path, _, result = told.stdout.strip().rpartition(" ")
    assert result == "2"
    assert not Path(path).is_relative_to(ROOT / "operator")


def test_every_module_says_what_it_is_for_and_has_at_most_400_lines() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES}

    assert [path for path, text in texts.items() if not text.startswith('"""')] == []
    assert [path for path, text in texts.items() if len(text.splitlines()) > 400] == []


def test_no_module_is_named_for_nothing_in_particular() -> None:
    assert [path for path in SOURCES if path.name in {"utils.py", "helpers.py", "common.py", "misc.py"}] == []
