"""The offline validator where the API server's answer is known: tests/e2e/test_crds.py has the same cases."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from milvus_embedding.validation import Check, Problem, Severity, SourcedDocument, validate_documents, validate_paths
from tests.contract.cases import ALLOWED_CHANGES, BASES, BROKEN_RULES, REFUSED_CHANGES, Case

ROOT = Path(__file__).resolve().parents[3]
QUICKSTART = ROOT / "examples" / "quickstart"
OPERATORS = (Check.ANNOTATIONS, Check.LIMITS, Check.REFERENCES)
EVERY_FIELD = ROOT / "examples" / "every-field"
INVALID = sorted((ROOT / "examples" / "invalid").glob("*.yaml"))


def _admission(body: Mapping[str, object]) -> list[Problem]:
    """What the API server would say as well."""
    problems = validate_documents([SourcedDocument(file="f", line=1, body=body)])
    return [problem for problem in problems if problem.check not in OPERATORS]


@pytest.mark.parametrize("base", BASES, ids=lambda base: str(base["kind"]))
def test_a_valid_object_is_admitted(base: Mapping[str, object]) -> None:
    assert _admission(base) == []


@pytest.mark.parametrize("case", BROKEN_RULES.values(), ids=BROKEN_RULES.keys())
def test_a_broken_rule_is_a_problem_with_its_message(case: Case) -> None:
    problems = _admission(case.body)

    assert {problem.check for problem in problems} == {Check.RULE}
    assert any(case.message in problem.message for problem in problems)


@pytest.mark.parametrize("case", ALLOWED_CHANGES.values(), ids=ALLOWED_CHANGES.keys())
def test_an_allowed_change_is_admitted(case: Case) -> None:
    assert _admission(case.body) == []


@pytest.mark.parametrize("case", REFUSED_CHANGES.values(), ids=REFUSED_CHANGES.keys())
def test_rules_about_changes_are_left_to_the_api_server(case: Case) -> None:
    assert _admission(case.body) == []


def test_the_quickstart_has_no_problem() -> None:
    assert validate_paths([QUICKSTART]) == []


def test_the_collection_of_every_field_has_only_what_depends_on_the_server() -> None:
    problems = validate_paths([QUICKSTART, EVERY_FIELD])

    assert {problem.severity for problem in problems} == {Severity.WARNING}
    assert [".".join(map(str, problem.path)) for problem in problems] == [
        "spec.fields", "spec.fields.13.type", "spec.fields.14.type",
    ]  # fmt: skip


def test_there_are_enough_counter_examples() -> None:
    firsts = [file.read_text().split("\n", 1)[0] for file in INVALID]

    assert len([first for first in firsts if first.startswith("# refused: ")]) >= 24
    assert len([first for first in firsts if first.startswith("# condition: ")]) >= 4


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_a_counter_example_is_refused_for_the_reason_in_its_first_line(file: Path) -> None:
    head = file.read_text().split("\n", 1)[0]
    problems = [problem for problem in validate_paths([QUICKSTART, file]) if problem.file == str(file)]

    if head.startswith("# refused: "):
        expected = head.removeprefix("# refused: ")
        assert any(expected in str(problem) for problem in problems)
        assert all(problem.check not in OPERATORS for problem in problems)
    else:
        reason = head.removeprefix("# condition: ").split()[1]
        assert problems
        assert all(problem.check in OPERATORS for problem in problems)
        # a Secret that is not among the manifests may be in the cluster
        assert problems[0].severity is (Severity.WARNING if reason == "SecretNotFound" else Severity.ERROR)
        assert reason == "SecretNotFound" or reason in problems[0].message
