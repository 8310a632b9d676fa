"""MilvusCollection and EmbeddingFunction: references, grants, and what a spec may not ask for."""

from collections.abc import Callable

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.domain.labels import derived
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import (
    CONNECTION,
    DEV,
    DEV_KEY,
    DOCS,
    FUNCTION,
    PROD,
    TO_SEARCH,
    ali,
    collection,
    connection,
    credential,
    fields,
    function,
)

Situation = Callable[[Bench], None]
SHARED = Key("EmbeddingFunction", "platform", "shared-v3")
BY_LABEL = {"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev", "namespace": "milvus"}}}
BY_FUNCTION = {"functionRef": {"name": "docs-v3"}}
BY_SHARED = {"functionRef": {"name": "shared-v3", "namespace": "platform"}}
TO_BOTH = {"from": "Names", "names": ["search", "platform"]}


def docs(embedding: object = None, **spec: object) -> Situation:
    return lambda bench: bench.apply(collection(embedding=embedding, **spec))


def all_of(*situations: Situation) -> Situation:
    def situation(bench: Bench) -> None:
        for one in situations:
            one(bench)

    return situation


def apply(*bodies: dict[str, object]) -> Situation:
    return lambda bench: bench.apply(*bodies)


def no_connection_here(bench: Bench) -> None:
    bench.apply(collection(connectionRef={"name": "nobody"}))


def no_connection_there(bench: Bench) -> None:
    bench.world.remove(CONNECTION)


def shared(*, grant: object = TO_SEARCH, **dashscope: object) -> Situation:
    return apply(function(SHARED, grant=grant, **dashscope))


NEEDS_DEV = {"credentialRef": {"name": "apikey-dev", "namespace": "milvus"}}

BLOCKED: dict[str, tuple[Situation, str, str]] = {
    # sentence -> situation, reason of Ready, FunctionsResolved
    "a connection of the own namespace that is not there": (no_connection_here, "ConnectionNotFound", "absent "),
    "a connection elsewhere that is not there is not told from one without a grant": (
        no_connection_there,
        "NotAllowed",
        "absent ",
    ),
    "the connection grants its own namespace only": (
        apply(connection(allowedNamespaces={"from": "Same"})),
        "NotAllowed",
        "absent ",
    ),
    "the connection grants other names": (
        apply(connection(allowedNamespaces={"from": "Names", "names": ["other"]})),
        "NotAllowed",
        "absent ",
    ),
    "the credential grants its own namespace only": (
        all_of(apply(credential(allowedNamespaces={"from": "Same"})), docs(BY_LABEL)),
        "NotAllowed",
        "False NotAllowed",
    ),
    "a credential elsewhere that is not there": (
        docs({"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "no", "namespace": "milvus"}}}),
        "NotAllowed",
        "False NotAllowed",
    ),
    "a credential of the own namespace that is not there": (
        docs({"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "no"}}}),
        "CredentialNotFound",
        "False CredentialNotFound",
    ),
    "a function of the own namespace that is not there": (
        docs(BY_FUNCTION),
        "FunctionNotFound",
        "False FunctionNotFound",
    ),
    "a function elsewhere that is not there": (docs(BY_SHARED), "NotAllowed", "False NotAllowed"),
    "a function elsewhere grants its own namespace only": (
        all_of(shared(grant={"from": "Same"}), docs(BY_SHARED)),
        "NotAllowed",
        "False NotAllowed",
    ),
    "a grant is not transitive: the function's credential has to grant the collection too": (
        all_of(
            shared(**NEEDS_DEV),
            apply(credential(allowedNamespaces={"from": "Names", "names": ["platform"]})),
            docs(BY_SHARED),
        ),
        "NotAllowed",
        "False NotAllowed",
    ),
    "the credential of a function elsewhere that is not there is not told from one without a grant": (
        all_of(shared(credentialRef={"name": "no"}), docs(BY_SHARED)),
        "NotAllowed",
        "False NotAllowed",
    ),
    "nor does the collection's grant serve the function": (
        all_of(shared(**NEEDS_DEV), docs(BY_SHARED)),
        "NotAllowed",
        "False NotAllowed",
    ),
    "a credential that belongs to another connection": (
        all_of(apply(credential(connectionRef={"name": "other"})), docs(BY_LABEL)),
        "CredentialOfOtherConnection",
        "False CredentialOfOtherConnection",
    ),
    "a label where delivery is Environment": (
        all_of(
            apply(
                connection(
                    embedding={"delivery": "Environment", "dashscope": {"credentialRef": {"name": "apikey-dev"}}}
                )
            ),
            docs(BY_LABEL),
        ),
        "LabelInEnvironment",
        "False LabelInEnvironment",
    ),
    "a credential that is not rendered": (
        all_of(lambda bench: bench.secret("apikey-dev", apikey="sk-bad-0123456789"), docs(BY_LABEL)),
        "CredentialNotReady",
        "False CredentialNotReady",
    ),
    "a credential whose label is released": (
        all_of(apply(connection(embedding={"releaseLabels": ["apikey_dev"]})), docs(BY_LABEL)),
        "CredentialNotReady",
        "False CredentialNotReady",
    ),
    "a model outside of the catalogue": (
        docs({"dashscope": {"model": "text-embedding-v4", "dim": 1024}}),
        "InvalidSpec",
        "False InvalidSpec",
    ),
    "a field whose dim is not the model's": (
        all_of(apply(function(dim=768)), docs(BY_FUNCTION)),
        "DimensionMismatch",
        "True Resolved",
    ),
    "properties that belong to the operator": (
        docs(properties={"embedding.milvus.io/owner": "me"}),
        "InvalidSpec",
        "absent ",
    ),
}


@pytest.mark.parametrize("sentence", BLOCKED)
async def test_what_keeps_a_collection_from_being_made(bench: Bench, sentence: str) -> None:
    situation, reason, resolved = BLOCKED[sentence]
    bench.quickstart()
    situation(bench)

    await bench.settle()

    assert bench.condition(DOCS) == ("False", reason)
    assert " ".join(bench.condition(DOCS, "FunctionsResolved")) == resolved
    assert bench.condition(DOCS, "Available")[0] == "False"
    assert bench.milvus.changing == []
    assert not {"Reconciling", "Stalled"} <= bench.reasons(DOCS).keys()


ALLOWED: dict[str, Situation] = {
    "the connection grants all": all_of(apply(connection(allowedNamespaces={"from": "All"})), docs(BY_LABEL)),
    "the credential grants all": all_of(apply(credential(allowedNamespaces={"from": "All"})), docs(BY_LABEL)),
    "the credential grants the name": docs(BY_LABEL),
    "a function of the own namespace": all_of(apply(function()), docs(BY_FUNCTION)),
    "a function of the own namespace with a credential elsewhere": all_of(
        apply(function(**NEEDS_DEV)), docs(BY_FUNCTION)
    ),
    "a function elsewhere without a credential": all_of(shared(), docs(BY_SHARED)),
    "a function elsewhere whose credential grants both": all_of(
        shared(**NEEDS_DEV), apply(credential(allowedNamespaces=TO_BOTH)), docs(BY_SHARED)
    ),
    "no credential at all leaves the key to the provider's default": docs(),
    "an external label is not waited for": all_of(apply(credential(apiKeySecretRef=None, external={})), docs(BY_LABEL)),
}


@pytest.mark.parametrize("sentence", ALLOWED)
async def test_what_a_collection_may_refer_to(bench: Bench, sentence: str) -> None:
    bench.quickstart()
    ALLOWED[sentence](bench)

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready"), bench.message(DOCS)


async def test_a_label_is_sent_exactly_if_the_function_names_a_credential(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()

    params = bench.milvus.collection("docs").schema.functions[0].params
    assert params == {"provider": "dashscope", "model_name": "text-embedding-v3", "credential": "apikey_dev"}


async def test_a_derived_label_is_used_where_none_was_chosen(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    bench.apply(credential(label=None))
    await bench.settle()

    assert bench.milvus.collection("docs").schema.functions[0].params["credential"] == derived("milvus", "apikey-dev")


async def test_what_another_namespaces_function_refers_to_is_not_named(bench: Bench) -> None:
    bench.quickstart(embedding=BY_SHARED)
    shared(**NEEDS_DEV)(bench)
    await bench.settle()
    refused = bench.message(DOCS)

    bench.apply(credential(allowedNamespaces=TO_BOTH))
    bench.secret("apikey-dev", apikey="sk-bad-0123456789")
    bench.restart()
    await bench.settle()

    assert bench.condition(DOCS)[1] in ("CredentialNotReady", "Ready")
    assert "apikey-dev" not in refused + bench.message(DOCS)


async def test_a_withdrawn_grant_cuts_nothing_that_runs(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()
    before = len(bench.milvus.changing)

    bench.apply(credential(allowedNamespaces={"from": "Same"}))
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert len(bench.milvus.changing) == before
    assert "apikey_dev" in bench.rendered_keys()


async def test_a_collection_that_waits_for_its_key_is_made_when_the_key_comes(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    del bench.world.secrets["milvus", "apikey-dev"]
    await bench.settle()
    assert bench.condition(DOCS) == ("False", "CredentialNotReady")
    assert "SecretNotFound" in bench.message(DOCS)

    bench.secret("apikey-dev", apikey=DEV_KEY)
    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(apply(function()), {"Ready": "True Ready", "Resolved": "True Resolved"}, id="a listed model"),
        pytest.param(
            apply(function(credentialRef={"name": "no"})),
            {"Ready": "False CredentialNotFound", "Resolved": "False CredentialNotFound"},
            id="a credential that is not there",
        ),
        pytest.param(
            all_of(apply(function(**NEEDS_DEV)), apply(credential(allowedNamespaces={"from": "Same"}))),
            {"Ready": "False NotAllowed", "Resolved": "False NotAllowed", "Stalled": "True NotAllowed"},
            id="a credential without a grant",
        ),
        pytest.param(
            apply(function(dim=100)),
            {"Ready": "False InvalidSpec", "Resolved": "False InvalidSpec"},
            id="a dimension that is not offered",
        ),
        pytest.param(
            apply(function(model="text-embedding-v4", dim=2048, allowUnlisted=True)),
            {"Ready": "True Ready"},
            id="an unlisted model that is allowed",
        ),
    ],
)
async def test_conditions_of_a_function(bench: Bench, situation: Situation, expected: dict[str, str]) -> None:
    bench.quickstart()
    situation(bench)
    bench.world.uses[FUNCTION] = 2

    await bench.reconcile(FUNCTION)

    told = bench.reasons(FUNCTION)
    assert {type_: told.get(type_) for type_ in expected} == expected
    assert bench.world.status(FUNCTION)["usedBy"] == 2


async def test_a_function_tells_its_effective_model(bench: Bench) -> None:
    bench.apply(function())

    await bench.reconcile(FUNCTION)

    assert bench.world.status(FUNCTION)["effective"] == {
        "provider": "dashscope",
        "model": "text-embedding-v3",
        "dim": 1024,
        "maxTokens": 8192,
    }
    assert not (await bench.reconcile(FUNCTION)).requeue_after
    assert not bench.changed
    await bench.functions.forget(FUNCTION)


async def test_the_models_dimension_fills_in_a_field_that_has_none(bench: Bench) -> None:
    bench.quickstart(embedding={"dashscope": {"model": "text-embedding-v3", "dim": 512}}, fields=fields(dim=None))
    await bench.settle()

    schema = bench.milvus.collection("docs").schema
    assert [f.params.get("dim") for f in schema.fields] == [None, None, "512"]
    assert schema.functions[0].params["dim"] == "512"


async def test_the_status_tells_the_functions_as_read_back(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()

    assert bench.world.status(DOCS)["functions"] == [
        {"name": "ali", "provider": "dashscope", "model": "text-embedding-v3", "label": "apikey_dev", "dim": 1024}
    ]


async def test_one_collection_of_many_functions_names_the_one_that_does_not_resolve(bench: Bench) -> None:
    second = {**ali(BY_FUNCTION), "name": "other", "outputFields": ["second"]}
    bench.quickstart(
        functions=[ali(), second], fields=[*fields(), {"name": "second", "type": "FLOAT_VECTOR", "dim": 1024}]
    )
    await bench.settle()

    assert bench.message(DOCS).startswith("spec.functions[other].textEmbedding.functionRef:")
    assert bench.condition(PROD) == bench.condition(DEV) == ("True", "Ready")
