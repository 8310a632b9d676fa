"""`validate`: what is printed, and the exit status."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.process import ROOT, Command

WRONG = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: EmbeddingFunction
metadata: {name: f}
spec:
  dashscope: {model: text-embedding-v9}
"""


def test_the_quickstart_is_valid(command: Command, quickstart: Path) -> None:
    ended = command("validate", "-f", quickstart)
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.endswith(": 0 errors, 0 warnings\n")


def test_a_problem_has_file_line_object_field_and_a_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WRONG)
    ended = command("validate", "-f", tmp_path)
    assert ended.status == 1
    assert ended.out.startswith(
        f"{tmp_path}/a.yaml:5: error: EmbeddingFunction default/f: spec.dashscope.model: model "
    )
    assert ended.err == "1 document: 1 error, 0 warnings\n"


def test_standard_input_may_hold_several_documents(command: Command) -> None:
    ended = command("validate", "-f", "-", stdin=f"# a comment\n---\n{WRONG}")
    assert ended.status == 1
    assert ended.out.startswith("<stdin>:7: error: ")


def test_problems_of_all_files_come_in_their_order(command: Command, tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml"):
        (tmp_path / name).write_text(WRONG.replace("name: f", f"name: {name[0]}"))
    ended = command("validate", "-f", tmp_path / "b.yaml", "-f", tmp_path / "a.yml")
    assert [Path(line.split(":")[0]).name for line in ended.out.splitlines()] == ["a.yml", "b.yaml"]


def test_json_has_the_same_for_programs(command: Command) -> None:
    ended = command("validate", "-o", "json", "-f", "-", stdin=WRONG)
    (problem,) = json.loads(ended.out)
    assert ended.status == 1
    assert ended.err == ""
    assert {k: problem[k] for k in ("file", "line", "severity", "object", "field")} == {
        "file": "<stdin>",
        "line": 5,
        "severity": "error",
        "object": "EmbeddingFunction default/f",
        "field": "spec.dashscope.model",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a: [", "<stdin>:1: error: not valid YAML", id="what is not YAML"),
        pytest.param("a: 1\na: 2\n", "<stdin>:2: error: key 'a' is there twice", id="a key that is there twice"),
    ],
)
def test_what_cannot_be_read_is_an_error(command: Command, text: str, told: str) -> None:
    ended = command("validate", "-f", "-", stdin=text)
    assert ended.status == 1
    assert ended.out.startswith(told)


def test_a_file_that_is_not_there_is_an_error(command: Command) -> None:
    ended = command("validate", "-f", "missing.yaml")
    assert ended.status == 1
    assert "missing.yaml:1: error: the file cannot be read: No such file or directory" in ended.out


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"], ids=["empty", "a comment only", "a separator only"])
def test_a_gate_that_has_nothing_to_look_at_is_not_green(command: Command, text: str) -> None:
    ended = command("validate", "-f", "-", stdin=text)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "error: nothing to check: the files have no manifest\n"


def test_a_folder_without_manifests_is_an_error(command: Command, tmp_path: Path) -> None:
    ended = command("validate", "-f", tmp_path)
    assert ended.status == 1
    assert f"{tmp_path}:1: error: no file in this folder ends in .yaml, .yml, .json" in ended.out


def test_a_file_that_is_named_twice_is_told_from_an_object_that_is_declared_twice(
    command: Command, tmp_path: Path
) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(WRONG.replace("v9", "v3"))
    assert "read twice" in command("validate", "-f", tmp_path / "a.yaml", "-f", tmp_path / "a.yaml").out
    assert f"declared twice, also at {tmp_path}/a.yaml:3" in command("validate", "-f", tmp_path).out


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "invalid").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_invalid_example_is_found(command: Command, path: Path) -> None:
    ended = command("validate", "-f", path)
    is_warning = ended.status == 0
    assert f"{path}:" in ended.out
    assert (": warning: " if is_warning else ": error: ") in ended.out
