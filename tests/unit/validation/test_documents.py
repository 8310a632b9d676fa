"""Manifests are read as kubectl reads them, and every field keeps its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.validation import Check, SourcedDocument, load_paths, load_text

TEXT = """\
# a comment
apiVersion: v1
kind: A
metadata:
  name: a
spec:
  items:
    - {x: 1,
       y: 2}
---
---
kind: B
metadata: {name: b, namespace: n}
"""


def test_every_field_has_its_line() -> None:
    (first, second), problems = load_text(TEXT, "f.yaml")

    assert problems == []
    assert (first.line, second.line) == (2, 12)
    assert first.line_of(("spec", "items", 0, "y")) == 9
    assert first.line_of(("spec", "items", 0)) == 8
    assert second.line_of(("metadata", "namespace")) == 13


def test_an_absent_field_has_the_line_of_what_is_around_it() -> None:
    (first, _), _ = load_text(TEXT, "f.yaml")

    assert first.line_of(("spec", "items", 0, "z")) == 8
    assert first.line_of(("status", "a")) == 2


def test_objects_are_named_with_their_namespace() -> None:
    (first, second), _ = load_text(TEXT, "f.yaml")

    assert (first.subject, second.subject) == ("A default/a", "B n/b")
    assert SourcedDocument(file="f", line=1, body={"metadata": "x"}).name == ""


def test_the_content_of_a_secret_is_not_in_its_repr() -> None:
    (secret,), _ = load_text("kind: Secret\nstringData: {apikey: hunter2}\n", "f")

    assert "hunter2" not in repr(secret)


def test_the_items_of_a_list_are_documents() -> None:
    text = "kind: List\nitems:\n- kind: A\n  metadata:\n    name: a\n- kind: B\n"

    documents, _ = load_text(text, "f")

    assert [(document.kind, document.line) for document in documents] == [("A", 3), ("B", 6)]
    assert documents[0].line_of(("metadata", "name")) == 5


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "key 'a' is there twice", id="a key twice"),
        pytest.param("a: [1\nb: 2\n", 2, "not valid YAML", id="a bracket that does not close"),
        pytest.param("a: 1\n---\n- x\n", 3, "a manifest is a map", id="a list at the top"),
        pytest.param("kind: A\nkind: A\n", 2, "begin the next object with ---", id="two objects without a separator"),
        pytest.param("a:\n\tb: 1\n", 2, "indent with spaces", id="a tab"),
        pytest.param("a:\n  [x]\n  b: 1\n", 3, "not valid YAML", id="a list where a field has to be"),
        pytest.param("{{- if .Values.x }}\na: 1\n", 1, "render it first (helm template", id="a template"),
        pytest.param("a: {{ .Values.x }}\n", 1, "render it first (helm template", id="a value of a template"),
        pytest.param("a: {[b]: 1}\n", 1, "a key is a list or a map", id="a list as a key"),
        pytest.param("a: &x\n  b: *x\n", 1, "within itself", id="a loop of anchors"),
        pytest.param("a: \x07\n", 1, "a character is not allowed", id="a control character"),
        pytest.param("a: !!python/object:os.system x\n", 1, "not valid YAML", id="a tag that would run code"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_a_line(text: str, line: int, message: str) -> None:
    _, (problem,) = load_text(text, "f.yaml")

    assert problem.check is Check.SYNTAX
    assert (problem.file, problem.line) == ("f.yaml", line)
    assert message in problem.message


def test_dates_stay_text_as_json_has_none() -> None:
    (document,), _ = load_text("a: 2025-01-02\n", "f")

    assert document.body == {"a": "2025-01-02"}


def test_folders_are_searched_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.yml", "c.json", "README.md"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("kind: A\n" if file.suffix != ".json" else '{"kind": "A"}')

    documents, problems = load_paths([tmp_path])

    assert [Path(document.file).name for document in documents] == ["z.yml", "b.yaml", "c.json"]
    assert problems == []


def test_a_file_that_is_missing_or_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")

    _, problems = load_paths([tmp_path / "absent.yaml", tmp_path])

    assert [problem.message for problem in problems] == [
        "the file cannot be read: No such file or directory",
        "the file cannot be read: it is not UTF-8",
    ]


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    load_text(text, "f")
