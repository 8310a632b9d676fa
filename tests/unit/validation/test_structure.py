"""Schema problems: in the API server's words, at the right place, and without quoting what may be secret."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.validation import Check, Problem, SourcedDocument, load_text, validate_documents
from milvus_embedding.validation.crds import schemas
from milvus_embedding.validation.defaults import with_defaults
from milvus_embedding.validation.problems import dotted
from milvus_embedding.validation.rules import rule_problems
from tests.contract.cases import COLLECTION, CONNECTION, CREDENTIAL, REMOVED, Body, changed


def _problems(body: Mapping[str, object]) -> list[Problem]:
    return validate_documents([SourcedDocument(file="f", line=1, body=body)])


@pytest.mark.parametrize(
    ("base", "changes", "path", "message"),
    [
        pytest.param(
            COLLECTION,
            {"spec.deletionPolcy": "Delete"},
            "spec.deletionPolcy",
            'unknown field "spec.deletionPolcy"; did you mean deletionPolicy?',
            id="a misspelt field, with the right one",
        ),
        pytest.param(
            COLLECTION,
            {"spec.functions.0.textEmbedding.dashscope.modelName": "x"},
            "spec.functions[0].textEmbedding.dashscope.modelName",
            'unknown field "spec.functions[0].textEmbedding.dashscope.modelName"; did you mean model?',
            id="an unknown field deep inside",
        ),
        pytest.param(
            COLLECTION,
            {"spec.functions.1.bm25": {"k1": 1}},
            "spec.functions[1].bm25.k1",
            'unknown field "spec.functions[1].bm25.k1"; nothing is known here',
            id="a field in a block that has none",
        ),
        pytest.param(
            CONNECTION, {"spec.requestTimeoutSeconds": "60"}, "spec.requestTimeoutSeconds", "of type integer", id="type"
        ),
        pytest.param(CONNECTION, {"spec.paused": 1}, "spec.paused", 'of type boolean: "integer"', id="another type"),
        pytest.param(
            CONNECTION, {"spec.requestTimeoutSeconds": 0}, "spec.requestTimeoutSeconds", "than or equal to 1", id="less"
        ),
        pytest.param(
            CONNECTION, {"spec.requestTimeoutSeconds": 601}, "spec.requestTimeoutSeconds", "601: should be", id="more"
        ),
        pytest.param(CREDENTIAL, {"spec.connectionRef": REMOVED}, "spec.connectionRef", "Required value", id="missing"),
        pytest.param(
            COLLECTION,
            {"spec.fields.0.type": "int64"},
            "spec.fields[0].type",
            'Unsupported value: "int64": supported values: ',
            id="a value that is not one of those",
        ),
        pytest.param(CREDENTIAL, {"spec.label": "a" * 64}, "spec.label", "Too long: may not be more", id="long"),
        pytest.param(
            COLLECTION, {"spec.indexes.0.field": ""}, "spec.indexes[0].field", "at least 1 characters", id="short"
        ),
        pytest.param(
            CREDENTIAL, {"spec.connectionRef.name": "A"}, "spec.connectionRef.name", "should match '^", id="pattern"
        ),
        pytest.param(
            CREDENTIAL, {"spec.connectionRef.name": "a\n"}, "spec.connectionRef.name", "should match '^", id="newline"
        ),
        pytest.param(
            COLLECTION,
            {"spec.functions.0.inputFields": ["a", "b"]},
            "spec.functions[0].inputFields",
            "at most 1 items",
            id="too many",
        ),
        pytest.param(
            COLLECTION,
            {"spec.functions.0.inputFields": []},
            "spec.functions[0].inputFields",
            "at least 1 items",
            id="too few",
        ),
        pytest.param(
            COLLECTION,
            {"spec.fields.4": {"name": "id", "type": "INT64"}},
            "spec.fields[4]",
            'Duplicate value: "id": remove one of the two',
            id="a name twice in a list of named things",
        ),
        pytest.param(COLLECTION, {"spec.aliases": ["a", "b", "a"]}, "spec.aliases[2]", 'value: "a"', id="in a set"),
        pytest.param(
            COLLECTION,
            {"spec.properties": {str(i): i for i in range(65)}},
            "spec.properties",
            "at most 64 items",
            id="too many keys",
        ),
        pytest.param(COLLECTION, {"metadata.name": REMOVED}, "metadata.name", "name is required", id="no name"),
        pytest.param(COLLECTION, {"metadata.name": "A_b"}, "metadata.name", "lower-case letters", id="a bad name"),
        pytest.param(COLLECTION, {"kind": "MilvusColection"}, "kind", "did you mean MilvusCollection?", id="a kind"),
        pytest.param(COLLECTION, {"kind": "Milvus"}, "kind", "unknown kind 'Milvus'", id="somebody else's kind"),
        pytest.param(COLLECTION, {"kind": REMOVED}, "kind", "kind is missing; known are", id="no kind"),
        pytest.param(COLLECTION, {"apiVersion": REMOVED}, "apiVersion", "apiVersion is missing: write", id="no group"),
        pytest.param(
            COLLECTION,
            {"apiVersion": "embeddings.milvus.io/v1alpha1"},
            "apiVersion",
            "apiVersion is 'embeddings.milvus.io/v1alpha1': write embedding.milvus.io/v1alpha1",
            id="a group that is nearly ours",
        ),
        pytest.param(
            COLLECTION,
            {"apiVersion": "embedding.milvus.io/v1"},
            "apiVersion",
            "write embedding.milvus.io/v1alpha1",
            id="no such version",
        ),
    ],
)
def test_a_mistake_is_found_where_it_is(base: Body, changes: Body, path: str, message: str) -> None:
    problems = _problems(changed(base, changes))

    assert [dotted(problem.path) for problem in problems] == [path]
    assert message in problems[0].message
    assert problems[0].check is Check.SCHEMA


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        pytest.param("spec.fields.0.type", "int64", "INT64", id="lower case"),
        pytest.param("spec.fields.0.type", "FloatVector", "FLOAT_VECTOR", id="as pymilvus' documentation writes it"),
        pytest.param("spec.fields.0.type", "VARCAHR", "VARCHAR", id="two letters exchanged"),
        pytest.param("spec.deletionPolicy", "retain", "Retain", id="an enum of Kubernetes"),
    ],
)
def test_a_value_that_is_almost_right_is_answered_with_the_right_one(path: str, value: str, meant: str) -> None:
    (problem, *_) = _problems(changed(COLLECTION, {path: value}))
    assert problem.message.endswith(f"; did you mean {meant}?")


def test_a_kind_of_the_same_name_in_somebody_elses_group_is_theirs() -> None:
    assert _problems(changed(COLLECTION, {"apiVersion": "databases.example.org/v1"})) == []


def test_a_problem_reads_as_compilers_write_it() -> None:
    text = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: EmbeddingFunction
metadata: {name: docs, namespace: search}
spec:
  dashscope:
    modle: text-embedding-v3
    model: text-embedding-v3
"""
    documents, _ = load_text(text, "manifests/f.yaml")

    (problem,) = validate_documents(documents)

    assert str(problem) == (
        "manifests/f.yaml:6: error: EmbeddingFunction search/docs: spec.dashscope.modle: "
        'unknown field "spec.dashscope.modle"; did you mean model?'
    )


def test_rules_are_evaluated_beside_unknown_fields_but_not_on_what_the_schema_refuses() -> None:
    broken = {"spec.numPartitions": 8}

    unknown = _problems(changed(COLLECTION, broken | {"spec.unknwn": 1}))
    refused = _problems(changed(COLLECTION, broken | {"spec.shards": 99}))

    assert {problem.check for problem in unknown} == {Check.SCHEMA, Check.RULE}
    assert {problem.check for problem in refused} == {Check.SCHEMA}


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (CONNECTION, {"spec.uri": "http://root:hunter2@milvus:19530/x?hunter2"}),
        (CONNECTION, {"spec.embedding.dashscope": {"url": "https://a:hunter2@h/p?hunter2"}}),
        (CREDENTIAL, {"spec.apiKey": "hunter2"}),
        (CREDENTIAL, {"spec.apiKeySecretRef": "hunter2"}),
        (CREDENTIAL, {"spec.apiKeySecretRef": {"name": "hunter2/X"}}),
        (CREDENTIAL, {"spec.label": "HUNTER2"}),
    ],
)
def test_values_are_never_quoted(base: Body, changes: Body) -> None:
    problems = _problems(changed(base, changes))

    assert problems
    assert not any("hunter2" in str(problem).lower() for problem in problems)


def test_defaults_are_set_where_the_block_is_and_nowhere_else() -> None:
    completed = with_defaults(schemas()["MilvusConnection"], CONNECTION)

    assert completed == changed(
        CONNECTION,
        {
            "spec.requestTimeoutSeconds": 60,
            "spec.paused": False,
            "spec.embedding": {"delivery": "File", "verify": "None"},
            "status": {"observedGeneration": -1},
        },
    )
    again = with_defaults(schemas()["MilvusConnection"], completed)
    assert again == completed


def test_null_is_defaulted_like_an_absent_field() -> None:
    body = with_defaults(schemas()["MilvusCollection"], changed(COLLECTION, {"spec.database": None}))

    assert isinstance(body, dict)
    assert body["spec"]["database"] == "default"


def test_a_rule_that_cannot_be_evaluated_is_broken() -> None:
    assert list(rule_problems("EmbeddingFunction", {"spec": {"dashscope": {}}}))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_PATHS = st.sampled_from(
    ["metadata", "spec", "spec.fields", "spec.fields.0", "spec.functions.0", "spec.properties", "spec.load", "status"]
)


@given(path=_PATHS, value=_JSON)
def test_no_value_anywhere_makes_it_fail(path: str, value: object) -> None:
    _problems(changed(COLLECTION, {path: value}))
