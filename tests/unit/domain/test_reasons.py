"""The reasons: one closed list, each of which code can give, a test brings about, and a page explains."""

import re
from pathlib import Path

import pytest

from milvus_embedding.domain.reasons import Reason, ReasonClass

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0].strip(): part for part in PAGE.split("\n## ")[1:]}
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (ROOT / "operator" / "milvus_embedding").rglob("*.py")
    if path.name != "reasons.py"
)
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "unit" / "controllers").glob("*.py"))
OF_THE_RUNTIME = {Reason.INTERNAL_ERROR}


def test_the_page_has_a_section_for_each_reason_and_no_other() -> None:
    assert list(SECTIONS) == [str(reason) for reason in Reason]


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_a_section_tells_class_meaning_who_and_how(reason: Reason) -> None:
    section = SECTIONS[str(reason)]

    assert f"Class: {reason.kind}\n" in section
    assert all(f"**{head}.** " in section for head in ("What it means", "Who fixes it", "How"))


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_code_can_give_it(reason: Reason) -> None:
    assert re.search(rf"\bReason\.{reason.name}\b", CODE)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in OF_THE_RUNTIME], ids=str)
def test_a_test_of_the_controllers_brings_it_about(reason: Reason) -> None:
    assert re.search(rf'[" ]{reason}"', TESTS)


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_a_reason_is_what_kubernetes_takes(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", reason)
    assert isinstance(reason.kind, ReasonClass)
