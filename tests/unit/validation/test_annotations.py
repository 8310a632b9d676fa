"""Annotations of manifests: each mistake at its line."""

from milvus_embedding.validation import Check, Problem, validate_documents
from milvus_embedding.validation.documents import load_text

TEXT = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: MilvusCollection
metadata:
  name: docs
  namespace: search
  annotations:
    example.com/release-to: anything
    embedding.milvus.io/release-to: VALUE
    embedding.milvus.io/approved-plan: "true"
spec:
  connectionRef: {name: milvus}
  adoptionPolicy: POLICY
  fields:
    - {name: id, type: INT64, primaryKey: true}
    - {name: vector, type: FLOAT_VECTOR, dim: 8}
"""


def _found(value: str, policy: str = "IfMatching") -> list[Problem]:
    documents, wrong = load_text(TEXT.replace("VALUE", value).replace("POLICY", policy), "docs.yaml")
    assert wrong == []
    return [problem for problem in validate_documents(documents) if problem.check is Check.ANNOTATIONS]


def test_each_is_told_where_it_stands() -> None:
    where = "error: MilvusCollection search/docs: metadata.annotations.embedding.milvus.io"
    told = "'heir' is not <namespace>/<name> of a MilvusCollection; correct or remove it"

    assert [str(problem) for problem in _found("heir")] == [
        f"docs.yaml:8: {where}/release-to: {told}",
        f"docs.yaml:9: {where}/approved-plan: write the 16 hex digits of status.plan.hash",
    ]


def test_it_names_itself() -> None:
    assert "names this object itself" in _found("search/docs")[0].message


def test_observe_hands_nothing_over() -> None:
    assert "adoptionPolicy Observe" in _found("search/heir", "Observe")[0].message


def test_a_good_one_is_no_problem() -> None:
    assert [problem.line for problem in _found("search/heir")] == [9]
