"""Grants by the labels of namespaces: given, withdrawn and unknown, for each thing that can be granted."""

from collections.abc import Callable

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.domain.labels import derived
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import (
    CONNECTION,
    DEV_KEY,
    DOCS,
    FUNCTION,
    TO_SEARCH,
    collection,
    connection,
    credential,
    function,
)
from tests.unit.controllers.owners import the_manuals

Apply = Callable[[Bench, object], None]

GUEST = Key("EmbeddingCredential", "search", "own-key")
SHARED = Key("EmbeddingFunction", "platform", "shared-v3")
BY_TEAM = {"from": "Selector", "selector": {"matchLabels": {"team": "search"}}}
BY_NAME = {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "search"}}}
NOT_OTHERS = {
    "from": "Selector",
    "selector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["other"]}]},
}
BY_LABEL = {"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev", "namespace": "milvus"}}}


def to_connection(bench: Bench, grant: object) -> None:
    bench.apply(connection(allowedNamespaces=grant))
    bench.apply(collection())


def to_credential(bench: Bench, grant: object) -> None:
    bench.apply(credential(allowedNamespaces=grant))
    bench.apply(collection(embedding=BY_LABEL))


def to_function(bench: Bench, grant: object) -> None:
    bench.apply(function(SHARED, grant=grant))
    bench.apply(collection(embedding={"functionRef": {"name": "shared-v3", "namespace": "platform"}}))


def to_credential_of_function(bench: Bench, grant: object) -> None:
    """The function is the collection's own; the credential that it names is not."""
    bench.apply(credential(allowedNamespaces=grant))
    bench.apply(function(credentialRef={"name": "apikey-dev", "namespace": "milvus"}))
    bench.apply(collection(embedding={"functionRef": {"name": FUNCTION.name}}))


GRANTS: dict[str, Apply] = {
    "of a connection to collections": to_connection,
    "of a credential to collections": to_credential,
    "of a function to collections": to_function,
    "of a credential to functions": to_credential_of_function,
}


@pytest.mark.parametrize("of", GRANTS)
@pytest.mark.parametrize(
    ("grant", "labels", "expected"),
    [
        pytest.param(BY_TEAM, {"team": "search"}, "Ready", id="the label is there"),
        pytest.param(BY_TEAM, {"team": "other"}, "NotAllowed", id="the label has another value"),
        pytest.param(BY_TEAM, None, "NotAllowed", id="labels are not known"),
        pytest.param(BY_NAME, None, "Ready", id="labels are not known, and the grant is by the name"),
        pytest.param(NOT_OTHERS, {}, "Ready", id="a label that must not be there is not"),
        pytest.param(NOT_OTHERS, None, "NotAllowed", id="whether it is there is not known"),
    ],
)
async def test_a_grant_by_label(
    bench: Bench, of: str, grant: object, labels: dict[str, str] | None, expected: str
) -> None:
    bench.quickstart()
    if labels is not None:
        bench.world.namespaces["search"] = labels
    GRANTS[of](bench, grant)

    await bench.settle()

    assert bench.condition(DOCS)[1] == expected
    assert bool(bench.milvus.changing) == (expected == "Ready")


@pytest.mark.parametrize("of", GRANTS)
async def test_a_label_taken_away_cuts_nothing_that_runs(bench: Bench, of: str) -> None:
    bench.quickstart()
    bench.world.namespaces["search"] = {"team": "search"}
    GRANTS[of](bench, BY_TEAM)
    await bench.settle()
    before, config = len(bench.milvus.changing), bench.config()

    bench.world.namespaces["search"] = {}
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert len(bench.milvus.changing) == before
    assert bench.config() == config


@pytest.mark.parametrize("of", GRANTS)
async def test_a_refusal_is_the_same_whatever_the_grant_is(bench: Bench, of: str) -> None:
    """Who is refused learns neither that there is a selector nor what it selects."""
    bench.quickstart()
    messages = set()
    for grant in (BY_TEAM, {"from": "Same"}, {"from": "Names", "names": ["other"]}):
        GRANTS[of](bench, grant)
        await bench.settle()
        assert bench.condition(DOCS)[1] == "NotAllowed"
        messages.add(bench.message(DOCS))
    assert len(messages) == 1


async def of_a_guest(bench: Bench) -> None:
    """A team's own credential on the platform's connection, admitted by label and used by a collection."""
    bench.secret("apikey-dev", apikey=DEV_KEY)
    bench.secret("own-key", namespace="search", apikey=DEV_KEY)
    bench.world.namespaces["search"] = {"team": "search"}
    bench.apply(connection(allowedNamespaces=TO_SEARCH, embedding={"allowedNamespaces": BY_TEAM}))
    bench.apply(credential(GUEST, label=None))
    own = {"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "own-key"}}}
    bench.apply(collection(embedding=own))
    await bench.settle()
    assert bench.condition(GUEST) == bench.condition(DOCS) == ("True", "Ready")


async def test_a_key_whose_grant_goes_with_a_label_stays_while_collections_use_it(bench: Bench) -> None:
    await of_a_guest(bench)
    bench.world.namespaces["search"] = {}

    bench.clock.advance(60)
    await bench.settle()

    assert bench.condition(GUEST) == ("False", "NotAllowed")
    assert bench.condition(CONNECTION, "LabelsRetained") == ("True", "LabelsRetained")
    assert bench.rendered_keys() == {derived("search", "own-key"): DEV_KEY}


async def test_a_key_that_is_admitted_again_is_active_again(bench: Bench) -> None:
    await of_a_guest(bench)
    before = bench.world.status(CONNECTION)["config"]
    bench.world.namespaces["search"] = {}
    bench.clock.advance(60)
    await bench.settle()

    bench.world.namespaces["search"] = {"team": "search"}
    await bench.settle()

    assert bench.condition(GUEST) == ("True", "Ready")
    assert bench.condition(CONNECTION, "LabelsRetained")[0] == "False"
    assert bench.world.status(CONNECTION)["config"] == before


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"team": "search"}, "NotMatching", id="a namespace that may adopt is shown what differs"),
        pytest.param({}, "NameTaken", id="any other one is not"),
    ],
)
async def test_who_may_adopt_may_be_granted_by_label(bench: Bench, labels: dict[str, str], expected: str) -> None:
    bench.quickstart()
    bench.milvus.add_collection("docs", the_manuals(shards=2))
    bench.world.namespaces["search"] = labels
    bench.apply(connection(allowedAdoption=BY_TEAM))

    await bench.settle()

    assert bench.condition(DOCS)[1] == expected


async def test_own_objects_need_no_label(bench: Bench) -> None:
    bench.secret("apikey-dev", apikey=DEV_KEY)
    bench.apply(connection(allowedNamespaces=BY_TEAM, embedding={"allowedNamespaces": BY_TEAM}))
    bench.apply(credential(allowedNamespaces=BY_TEAM))
    bench.apply(collection(DOCS._replace(namespace="milvus"), embedding=BY_LABEL))

    await bench.settle()

    assert bench.condition(DOCS._replace(namespace="milvus")) == ("True", "Ready")
