"""The way back from Milvus: manifests that mean what stands, and what is said about the rest."""

import dataclasses

import pytest
from hypothesis import given

from milvus_embedding.api.references import ObjectRef
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.importing.collections import ImportedCollection, imported_collection, scalar, wanted
from milvus_embedding.domain.importing.manifests import Manifest, Site, manifests
from milvus_embedding.domain.importing.names import object_name
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.steps import Generations
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Schema
from tests.unit.domain.planning.generated import desireds, noisy
from tests.unit.domain.planning.scenes import standing
from tests.unit.domain.planning.scenes import wanted as scene

SITE = Site(connection=("ns", "milvus"), namespace="ns")


def imported(have: Observed) -> ImportedCollection:
    return imported_collection(have, database="default", connection=ObjectRef(name="milvus"))


@given(desireds())
def test_what_is_imported_means_what_stands(want: Desired) -> None:
    have = noisy(standing(want))
    found = imported(have)
    assert found.spec is not None, found.remarks
    back = wanted(found.spec, have.name, found.embeddings)
    steps = plan(back, have, capabilities("v2.6.9"), generations=Generations(known_id=have.id)).steps
    assert [step.path for step in steps] == []


def with_function(**params: str) -> Observed:
    """The manual's collection with other parameters of its function."""
    have = standing(scene())
    [function] = have.schema.functions
    changed = dataclasses.replace(function, params={**function.params, **params})
    return have.with_schema(dataclasses.replace(have.schema, functions=(changed,)))


def with_field(field: Field) -> Observed:
    have = standing(scene())
    return have.with_schema(dataclasses.replace(have.schema, fields=(*have.schema.fields, field)))


@pytest.mark.parametrize(
    ("have", "told"),
    [
        pytest.param(with_function(provider="openai"), "of the provider openai", id="another provider"),
        pytest.param(with_function(function_type="RERANK"), "of the kind RERANK", id="another kind of function"),
        pytest.param(with_field(Field(name="x", type="GEOGRAPHY")), "field x is of the type GEOGRAPHY", id="a type"),
    ],
)
def test_what_cannot_be_declared_is_not_written_but_told(have: Observed, told: str) -> None:
    found = imported(have)
    assert found.spec is None
    [manifest] = manifests([found], SITE)
    assert manifest.body is None
    assert told in " ".join(manifest.remarks)


@pytest.mark.parametrize(
    ("params", "told", "hidden"),
    [
        pytest.param({"api_key": "sk-0123456789abcdef"}, "(values are not shown): api_key", "sk-0123", id="a key"),
        pytest.param({"url": "https://u:pw@host/x"}, "(values are not shown): url", "pw@host", id="an address"),
        pytest.param({"credential": "sk-0123456789abcdef"}, "looks like an API key", "sk-0123", id="a key as label"),
        pytest.param({"credential": "Team.Dev"}, "teamdev is written in its place", "Team.Dev", id="a foreign label"),
    ],
)
def test_no_value_that_may_be_a_secret_is_told(params: dict[str, str], told: str, hidden: str) -> None:
    found = imported(with_function(**params))
    text = repr(manifests([found], SITE))
    assert told in text
    assert hidden not in text
    assert "is not adopted as it is" in " ".join(found.remarks)


def of_two(*params: dict[str, str]) -> tuple[Manifest, ...]:
    found = [
        dataclasses.replace(imported(with_function(**one)), name=f"docs{number}") for number, one in enumerate(params)
    ]
    return manifests(found, SITE)


def test_equal_functions_are_one_object_and_others_are_not() -> None:
    assert [m.kind for m in of_two({}, {})].count("EmbeddingFunction") == 1
    two = of_two({"credential": "a"}, {"credential": "b"})
    assert [m.title for m in two if m.kind == "EmbeddingFunction"] == ["text-embedding-v3-a", "text-embedding-v3-b"]
    assert [m.title for m in two if m.kind == "EmbeddingCredential"] == ["a", "b"]


def test_the_same_name_in_two_databases_is_two_objects() -> None:
    one = imported(standing(scene()))
    other = dataclasses.replace(one, database="news")
    titles = [m.title for m in manifests([other, one], SITE) if m.kind == "MilvusCollection"]
    assert titles == ["docs", "news-docs"]


def test_a_model_that_is_not_listed_is_allowed_by_name() -> None:
    have = standing(scene())
    schema = Schema(
        fields=have.schema.fields,
        functions=(
            Function(
                name="ali",
                kind=FunctionKind.TEXT_EMBEDDING,
                inputs=("document",),
                outputs=("dense",),
                params={"provider": "dashscope", "model_name": "text-embedding-v4", "dim": "1024"},
            ),
        ),
    )
    function = next(m for m in manifests([imported(have.with_schema(schema))], SITE) if m.kind == "EmbeddingFunction")
    assert function.body is not None
    assert function.body["spec"] == {"dashscope": {"model": "text-embedding-v4", "dim": 1024, "allowUnlisted": True}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16", 16),
        ("0.5", 0.5),
        ("true", True),
        ("True", "True"),
        ("016", "016"),
        ("1e3", "1e3"),
        ("", ""),
        ("[]", "[]"),
    ],
)
def test_texts_become_scalars_only_if_they_come_back_the_same(text: str, value: object) -> None:
    assert scalar(text) == value


@pytest.mark.parametrize(
    ("wished", "taken", "name"),
    [
        ("Docs_2024", (), "docs-2024"),
        ("_x_", (), "x"),
        ("___", (), "unnamed"),
    ],
)
def test_names_are_names_for_kubernetes(wished: str, taken: tuple[str, ...], name: str) -> None:
    assert object_name(wished, taken) == name


def test_a_name_that_is_taken_or_long_gets_a_mark() -> None:
    assert object_name("a_b", {"a-b"}) != object_name("a-b", {"a-b"})
    assert len(object_name("x" * 200)) <= 63
