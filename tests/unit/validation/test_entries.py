"""A rule about a list is told at the entry that breaks it, with its name and value."""

from collections.abc import Iterator, Mapping

import pytest

from milvus_embedding.validation import Check, Problem, SourcedDocument, load_text, validate_documents
from milvus_embedding.validation.crds import Schema, items, properties, schemas
from milvus_embedding.validation.entries import offending
from milvus_embedding.validation.problems import dotted
from milvus_embedding.validation.rules import Rule, rules, shown_at
from tests.contract.cases import BROKEN_RULES, COLLECTION, Body, changed


def _errors(body: Mapping[str, object]) -> list[Problem]:
    problems = validate_documents([SourcedDocument(file="f", line=1, body=body)])
    return [problem for problem in problems if problem.check in (Check.SCHEMA, Check.RULE)]


WRONG: Mapping[str, tuple[Body, str, str]] = {
    "a vector without dim": (
        {"spec.fields.4": {"name": "more", "type": "FLOAT_VECTOR"}}, "spec.fields[4].dim", '(name: "more")'),
    "a second primary key": (
        {"spec.fields.4": {"name": "key", "type": "INT64", "primaryKey": True}},
        "spec.fields[4]", '(name: "key", beside fields[0] "id")'),
    "a metric for another type": (
        {"spec.indexes.1.metric": "L2"}, "spec.indexes[1].metric", '(field: "sparse", metric: "L2")'),
    "an index on nothing": ({"spec.indexes.1.field": "sparce"}, "spec.indexes[1].field", '(field: "sparce")'),
    "an index twice": ({"spec.indexes.2": {"field": "dense"}}, "spec.indexes[2]", 'beside indexes[0] "dense")'),
    "a misspelt input": (
        {"spec.functions.1.inputFields": ["documnet"]},
        "spec.functions[1].inputFields", '(name: "words", inputFields: ["documnet"])'),
    "an alias of the own name": ({"spec.aliases": ["a", "docs"]}, "spec.aliases[1]", '("docs")'),
    "an ARRAY of nothing with a length": (
        {"spec.fields.4": {"name": "more", "type": "ARRAY", "maxCapacity": 4, "maxLength": 9}},
        "spec.fields[4].elementType", '(name: "more")'),
    "a misspelt name of a field": (
        {"spec.fields.4": {"name": "more", "type": "VARCHAR", "max_length": 9}},
        "spec.fields[4].max_length", "did you mean maxLength?"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "ending"), WRONG.values(), ids=WRONG.keys())
def test_one_mistake_is_one_problem_at_its_entry(changes: Body, path: str, ending: str) -> None:
    (problem,) = _errors(changed(COLLECTION, changes))

    assert dotted(problem.path) == path
    assert problem.message.endswith(ending)


def test_a_missing_block_has_the_line_of_what_asks_for_it() -> None:
    text = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: MilvusCollection
metadata: {name: docs}
spec:
  connectionRef: {name: milvus}
  changePolicy:
    rebuild: Automatic
  fields:
    - {name: id, type: INT64, primaryKey: true}
    - {name: vector, type: FLOAT_VECTOR, dim: 8}
"""
    documents, _ = load_text(text, "f")
    (problem,) = [p for p in validate_documents(documents) if p.check is Check.RULE]

    assert problem.line == 7


def _lists(schema: Schema) -> Iterator[tuple[Schema, Rule]]:
    for rule in rules(schema):
        if rule.judges_entries_of(shown_at(rule, schema)):
            yield schema, rule
    for part in (*properties(schema).values(), *([items(schema)] if items(schema) else [])):
        yield from _lists(part)


LIST_RULES = [rule for schema in schemas().values() for _, rule in _lists(schema)]
# Something is missing from the list: no entry is to blame.
OF_NO_ENTRY = ("fields need at least one vector field",)


@pytest.mark.parametrize("rule", LIST_RULES, ids=lambda rule: rule.message[:60])
def test_every_rule_about_entries_has_a_case_that_names_one(rule: Rule) -> None:
    cases = [case for case in BROKEN_RULES.values() if case.message in rule.message]
    told = [p for case in cases for p in _errors(case.body) if p.message.startswith(rule.message)]
    named = any(isinstance(part, int) for problem in told for part in problem.path)

    assert told
    assert named != rule.message.startswith(OF_NO_ENTRY)


def test_there_are_rules_about_entries() -> None:
    assert len(LIST_RULES) >= 14


def test_of_too_many_those_beyond_the_limit_are_told() -> None:
    assert list(offending(lambda some: len(some) <= 2, ["a", "b", "c", "d"])) == [(2, None), (3, None)]
