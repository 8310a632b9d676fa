"""Each named fault has a test that bears its number, where the page of the faults says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
OF_KEYS = [f"K{number:02}" for number in range(1, 36)]


def told() -> dict[str, str]:
    """Number -> the rest of its row on the page."""
    return dict(re.findall(r"^\| ([KL]\d\d) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def numbered_tests() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (
                named := re.match(r"test_([kl]\d\d)_", node.name)
            ):
                found.setdefault(named[1].upper(), set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_no_fault_of_keys_is_left_out() -> None:
    assert {fault for fault in told() if fault.startswith("K")} == set(OF_KEYS)


@pytest.mark.parametrize("fault", told())
def test_it_is_on_the_page_and_has_a_test_where_the_page_says(fault: str) -> None:
    files = set(re.findall(r"`(tests/[^`]+)`", told()[fault]))

    assert files, f"{fault} names no test file"
    assert files <= numbered_tests().get(fault, set())
