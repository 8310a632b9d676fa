"""References and grants: whose reference reaches what."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api.references import METADATA_NAME, Grant, Key, LabelSelector, ObjectRef

NAMESPACES = st.sampled_from(["a", "b", "c"])


def _that(operator: str) -> object:
    requirement = {"key": "team", "operator": operator, "values": ["y"] if operator == "NotIn" else []}
    return {"from": "Selector", "selector": {"matchExpressions": [requirement]}}


@pytest.mark.parametrize(
    ("grant", "labels", "expected"),
    [
        pytest.param({}, {}, False, id="nothing granted"),
        pytest.param({"from": "All"}, {}, True, id="all"),
        pytest.param({"from": "Names", "names": ["search"]}, {}, True, id="by name"),
        pytest.param({"from": "Names", "names": ["other"]}, {}, False, id="by another name"),
        pytest.param(
            {"from": "Selector", "selector": {"matchLabels": {"team": "x"}}}, {"team": "x"}, True, id="by label"
        ),
        pytest.param(
            {"from": "Selector", "selector": {"matchLabels": {"team": "x"}}}, {"team": "y"}, False, id="wrong value"
        ),
        pytest.param(
            {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "search"}}},
            {},
            True,
            id="by the label that every namespace has, though its labels are not known",
        ),
        pytest.param({"from": "Selector"}, {"team": "x"}, False, id="a selector that is missing selects nothing"),
        pytest.param(_that("NotIn"), {METADATA_NAME: "search"}, True, id="by a value that is known not to be there"),
        pytest.param(_that("DoesNotExist"), {METADATA_NAME: "search"}, True, id="by a label known not to be there"),
        pytest.param(_that("NotIn"), {}, False, id="a label that is not seen may have any value"),
        pytest.param(_that("DoesNotExist"), {}, False, id="a label that is not seen may be there"),
    ],
)
def test_another_namespace_needs_the_grant(grant: object, labels: Mapping[str, str], expected: bool) -> None:
    parsed = Grant.model_validate(grant)

    assert parsed.allows("search", own_namespace="milvus", namespace_labels=labels) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["x", "y"], True),
        ("In", ["y"], False),
        ("NotIn", ["x"], False),
        ("NotIn", ["y"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_conditions_of_a_selector(operator: str, values: list[str], expected: bool) -> None:
    selector = LabelSelector.model_validate(
        {"matchExpressions": [{"key": "team", "operator": operator, "values": values}]}
    )

    assert selector.matches({"team": "x"}) is expected


def test_not_in_holds_for_an_absent_label() -> None:
    requirement = {"key": "team", "operator": "NotIn", "values": ["x"]}

    assert LabelSelector.model_validate({"matchExpressions": [requirement]}).matches({})


@given(own=NAMESPACES, other=NAMESPACES, names=st.lists(NAMESPACES), kind=st.sampled_from(["Same", "All", "Names"]))
def test_the_own_namespace_never_needs_a_grant(own: str, other: str, names: list[str], kind: str) -> None:
    grant = Grant.model_validate({"from": kind, "names": names})

    assert grant.allows(own, own_namespace=own)
    if grant.allows(other, own_namespace=own) and other != own:
        assert kind == "All" or other in names


def test_a_reference_without_namespace_is_to_the_holders_own() -> None:
    assert ObjectRef(name="a").resolve("own") == ("own", "a")
    assert ObjectRef(name="a", namespace="other").resolve("own") == ("other", "a")
    assert ObjectRef.model_validate({"name": "a", "namespace": ""}).resolve("own") == ("own", "a")


def test_a_key_reads_as_people_write_it() -> None:
    assert str(Key("MilvusCollection", "search", "docs")) == "MilvusCollection search/docs"
