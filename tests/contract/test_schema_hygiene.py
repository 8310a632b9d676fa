"""What every schema has to have: bounds, so that rules stay affordable, and words, as they are the users' reference."""

import re

import cel
import pytest

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.validation.rules import RULES
from tests.contract.cases import BROKEN_RULES, REFUSED_CHANGES
from tests.contract.schema_walk import Node, Schema, crds, nodes

pytestmark = pytest.mark.parametrize("kind", list(KINDS))


def _rules(kind: str) -> list[tuple[Node, Schema]]:
    return [(node, rule) for node in nodes(kind) for rule in node.schema.get(RULES, [])]


def test_every_list_is_bounded_and_says_how_it_merges(kind: str) -> None:
    for node in nodes(kind):
        if node.schema.get("type") == "array":
            assert node.schema.get("maxItems"), node.path
            assert node.schema.get("x-kubernetes-list-type") in {"map", "set", "atomic"}, node.path


def test_every_string_and_map_is_bounded(kind: str) -> None:
    for node in nodes(kind):
        if node.schema.get("type") == "string":
            assert {"maxLength", "enum", "format"} & set(node.schema), node.path
        if "additionalProperties" in node.schema:
            assert node.schema.get("maxProperties"), node.path


def test_every_number_of_a_spec_has_a_range(kind: str) -> None:
    for node in nodes(kind):
        if node.schema.get("type") == "integer":
            assert {"minimum", "format"} <= set(node.schema), node.path
            assert "maximum" in node.schema or node.path.startswith("status"), node.path


def test_defaults_stand_outside_lists_and_are_something(kind: str) -> None:
    for node in nodes(kind):
        if "default" in node.schema:
            assert not node.in_list, node.path
            assert node.schema["default"] not in ("", [], {}), node.path


def test_every_field_is_described_in_sentences(kind: str) -> None:
    for node in nodes(kind):
        if not node.path.endswith(("[]", "{}")) or node.schema.get("type") == "object":
            assert re.fullmatch(r"[A-Z1].*\.", node.schema.get("description", ""), re.DOTALL), node.path


def test_descriptions_tell_the_default_that_the_schema_sets(kind: str) -> None:
    for node in nodes(kind):
        default = node.schema.get("default")
        if isinstance(default, str | bool | int) and node.path != "status.observedGeneration":
            text = str(default).lower() if isinstance(default, bool) else str(default)
            assert f"Default: {text}." in node.schema["description"], node.path


def test_every_rule_says_which_field_and_what_to_do(kind: str) -> None:
    for node, rule in _rules(kind):
        assert "messageExpression" not in rule, node.path
        message = rule["message"]
        assert re.fullmatch(r"[a-z].{15,300}\.", message), message
        below = (part.path.rsplit(".", 1)[-1].strip("[]{}") for part in nodes(kind) if part.path.startswith(node.path))
        assert any(name and name in message for name in below), message


def test_rules_use_only_what_the_offline_validator_knows(kind: str) -> None:
    known = {"contains", "endsWith", "matches", "replace", "size", "startsWith"}

    for _, rule in _rules(kind):
        called = {name for name in cel.compile(rule["rule"]).functions() if name.isidentifier() and name[0] != "_"}
        assert called <= known, rule["rule"]


def test_every_rule_has_a_counter_example(kind: str) -> None:
    shown = [case.message for case in (*BROKEN_RULES.values(), *REFUSED_CHANGES.values())]
    # only one provider exists, so that this rule cannot be broken yet
    shown.append("provider is immutable")

    untested = {rule["message"] for _, rule in _rules(kind) if not any(part in rule["message"] for part in shown)}

    assert not untested


def test_it_has_short_name_category_status_and_columns(kind: str) -> None:
    spec = crds()[kind]["spec"]
    short = {
        "MilvusConnection": "mconn",
        "EmbeddingCredential": "ecred",
        "EmbeddingFunction": "efn",
        "MilvusCollection": "mcol",
    }
    assert spec["names"]["shortNames"] == [short[kind]]
    assert spec["names"]["categories"] == ["milvus"]
    assert spec["scope"] == "Namespaced"
    (version,) = spec["versions"]
    assert version["subresources"] == {"status": {}}
    columns = {column["name"]: column for column in version["additionalPrinterColumns"]}
    assert list(columns)[:2] == ["Ready", "Reason"]
    assert columns["Message"]["priority"] == 1
    assert list(columns)[-1] == "Age"
