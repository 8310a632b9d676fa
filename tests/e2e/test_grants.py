"""Who may use whose objects: nobody without a grant, each reference on its own, and what runs is never cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import manifests
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, FUNCTION, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab, OperatorProcess

RENDERED = "milvus-embedding-config"


class Teams:
    """The platform's namespace is the stage's; the team's is another one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.lab = stage.lab
        self.platform = stage.namespace
        self.team = stage.team()
        self.grant: Body = {"allowedNamespaces": {"from": "Names", "names": [self.team]}}

    def apply_platform(self, *, connection: bool = True, credential: bool = True, **spec: Any) -> None:
        """Connection and credential, each open to the team or not."""
        self.stage.apply(
            self.stage.connection(**(self.grant if connection else {}), **spec),
            self.stage.secret(),
            self.stage.credential(**(self.grant if credential else {})),
        )

    def collection(self, **spec: Any) -> Body:
        """In the team's namespace, with a function that names the platform's credential unless told otherwise."""
        if "function_ref" not in spec:
            spec.setdefault("credential_ref", {"name": "apikey-dev", "namespace": self.platform})
        return manifests.collection(self.team, "docs", at=self.platform, **spec)

    def label(self, **labels: str | None) -> None:
        """Gives the team's namespace labels, or with None takes them away."""
        self.lab.api.patch(f"/api/v1/namespaces/{self.team}", {"metadata": {"labels": labels}})

    def refused(self, kind: str = COLLECTION, name: str = "docs", namespace: str = "") -> str:
        """The message of NotAllowed."""
        at = namespace or self.team
        message: str = self.lab.wait_condition(kind, at, name, reason="NotAllowed", within=10)["message"]
        return message

    def ready(self, kind: str = COLLECTION, name: str = "docs") -> None:
        self.lab.wait_ready(kind, self.team, name, within=15)

    def assert_nothing_was_cut(self) -> None:
        """Refused by now, and still there, loaded and embedding."""
        self.refused()
        assert self.lab.condition(COLLECTION, self.team, "docs", "Available")["status"] == "True"
        with self.stage.site.client() as client:
            client.insert("docs", [{"id": 1, "document": "still embedded"}])
            hits = client.search("docs", data=["embedded"], anns_field="dense", limit=1, consistency_level="Strong")
        assert hits[0][0]["id"] == 1


@pytest.fixture
def teams(stage: Stage) -> Teams:
    return Teams(stage)


def test_a_collection_needs_the_grant_of_the_connection(teams: Teams) -> None:
    teams.apply_platform(connection=False)
    teams.stage.apply(teams.collection())
    message = teams.refused()
    assert f"MilvusConnection {teams.platform}/milvus" in message

    teams.apply_platform()
    teams.ready()

    calls = teams.stage.site.milvus.changing_calls
    teams.apply_platform(connection=False)
    teams.refused()
    assert teams.stage.site.milvus.changing_calls == calls
    teams.assert_nothing_was_cut()


def test_a_connection_that_does_not_exist_answers_the_same(teams: Teams) -> None:
    teams.apply_platform(connection=False)
    invented = teams.collection()
    invented["metadata"]["name"] = "guess"
    invented["spec"]["connectionRef"]["name"] = "guessed"
    teams.stage.apply(teams.collection(), invented)

    guessed = teams.refused(name="guess")

    assert guessed.replace("guessed", "milvus") == teams.refused()


def test_a_credential_needs_the_grant_of_the_connections_embedding(teams: Teams) -> None:
    own_key = manifests.secret(teams.team, "own", apikey=teams.stage.key)
    own = manifests.credential(teams.team, "own", at=teams.platform, secret_name="own")
    teams.apply_platform()
    teams.stage.apply(own_key, own, teams.collection(credential_ref={"name": "own"}))
    assert f"MilvusConnection {teams.platform}/milvus" in teams.refused(CREDENTIAL, "own")
    teams.lab.wait_condition(COLLECTION, teams.team, "docs", reason="CredentialNotReady")

    teams.apply_platform(embedding=teams.grant)
    teams.ready(CREDENTIAL, "own")
    teams.ready()

    label = teams.lab.get(CREDENTIAL, teams.team, "own")["status"]["label"]  # type: ignore[index]
    teams.apply_platform()
    teams.refused(CREDENTIAL, "own")
    # The label is kept: a collection names it.
    eventually("the label is retained", lambda: _label_state(teams.stage, label) == "Retained")
    rendered = teams.lab.secret_data(teams.platform, RENDERED) or {}
    assert label in rendered["embedding.yaml"].decode()
    teams.ready()


def test_a_collection_needs_the_grant_of_the_credential(teams: Teams) -> None:
    teams.apply_platform(credential=False)
    teams.stage.apply(teams.collection())
    message = teams.refused()
    assert f"EmbeddingCredential {teams.platform}/apikey-dev" in message
    assert "apikey_dev" not in message

    teams.apply_platform()
    teams.ready()

    teams.apply_platform(credential=False)
    teams.assert_nothing_was_cut()


def test_a_collection_needs_the_grant_of_the_function(teams: Teams) -> None:
    teams.apply_platform()
    # Without a credential: the default key of the connection.
    teams.stage.apply(teams.stage.connection(**teams.grant, default="apikey-dev"))
    shared = manifests.function(teams.platform, "shared")
    teams.stage.apply(shared, teams.collection(function_ref={"name": "shared", "namespace": teams.platform}))
    message = teams.refused()
    assert f"EmbeddingFunction {teams.platform}/shared" in message
    assert "text-embedding" not in message

    teams.stage.apply(manifests.function(teams.platform, "shared", **teams.grant))
    teams.ready()

    teams.stage.apply(shared)
    teams.assert_nothing_was_cut()


def test_a_function_needs_the_grant_of_its_credential(teams: Teams) -> None:
    model = {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev", "namespace": teams.platform}}
    own = manifests.function(teams.team, "own", dashscope=model)
    teams.apply_platform(credential=False)
    teams.stage.apply(own, teams.collection(function_ref={"name": "own"}))
    assert f"EmbeddingCredential {teams.platform}/apikey-dev" in teams.refused(FUNCTION, "own")
    teams.refused()

    teams.apply_platform()

    teams.ready(FUNCTION, "own")
    teams.ready()


def test_grants_are_not_transitive(teams: Teams) -> None:
    """Who may use the function may not thereby spend its key, nor learn whose it is."""
    model = {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev"}}
    teams.apply_platform(credential=False)
    shared = manifests.function(teams.platform, "shared", dashscope=model, **teams.grant)
    teams.stage.apply(shared, teams.collection(function_ref={"name": "shared", "namespace": teams.platform}))
    teams.stage.ready(FUNCTION, "shared")

    message = teams.refused()

    assert "credentialRef" in message
    assert "apikey-dev" not in message
    assert "apikey_dev" not in message
    teams.apply_platform()
    teams.ready()
    teams.apply_platform(credential=False)
    teams.assert_nothing_was_cut()


def test_what_a_foreign_function_names_stays_unnamed_while_it_is_waited_for(teams: Teams) -> None:
    model = {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev"}}
    shared = manifests.function(teams.platform, "shared", dashscope=model, **teams.grant)
    use = {"name": "shared", "namespace": teams.platform}
    teams.stage.apply(teams.stage.connection(**teams.grant), teams.stage.credential(**teams.grant))
    teams.stage.apply(shared, teams.collection(function_ref=use))

    waiting = teams.lab.wait_condition(COLLECTION, teams.team, "docs", reason="CredentialNotReady")["message"]

    assert "the credential of this function" in waiting
    assert "apikey" not in waiting
    assert "dashscope-dev" not in waiting


def test_all_is_a_grant_to_everybody(teams: Teams) -> None:
    everybody = {"allowedNamespaces": {"from": "All"}}
    teams.stage.apply(
        teams.stage.connection(**everybody),
        teams.stage.secret(),
        teams.stage.credential(**everybody),
        teams.collection(),
    )

    teams.ready()


def test_a_selector_admits_by_the_labels_of_a_namespace(teams: Teams) -> None:
    team = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["search", "docs"]}]}
    teams.grant = {"allowedNamespaces": {"from": "Selector", "selector": team}}
    own_key = manifests.secret(teams.team, "own", apikey=teams.stage.key)
    own = manifests.credential(teams.team, "own", at=teams.platform, secret_name="own")
    teams.apply_platform(embedding=teams.grant)
    teams.stage.apply(own_key, own, teams.collection())
    teams.refused(CREDENTIAL, "own")
    message = teams.refused()
    assert "Selector" not in message
    assert "team in" not in message

    teams.label(team="search")
    teams.ready(CREDENTIAL, "own")
    teams.ready()

    teams.label(team="docs")
    teams.label(team="elsewhere")
    teams.refused(CREDENTIAL, "own")
    teams.assert_nothing_was_cut()

    teams.label(team=None)
    teams.label(team="search")
    teams.ready()


def test_a_selector_may_name_the_namespace_itself(teams: Teams) -> None:
    by_name = {"matchLabels": {"kubernetes.io/metadata.name": teams.team}}
    teams.grant = {"allowedNamespaces": {"from": "Selector", "selector": by_name}}
    teams.apply_platform()

    teams.stage.apply(teams.collection())

    teams.ready()


@pytest.fixture
def other(lab: Lab, operator: OperatorProcess) -> Iterator[Stage]:
    with Stage(lab) as opened:
        yield opened


def test_a_credential_serves_only_its_own_connection(teams: Teams, other: Stage) -> None:
    teams.apply_platform()
    other.apply(other.connection(**teams.grant))
    elsewhere = teams.collection()
    elsewhere["spec"]["connectionRef"] = {"name": "milvus", "namespace": other.namespace}
    other.ready(CONNECTION)

    other.apply(elsewhere)

    teams.lab.wait_condition(COLLECTION, teams.team, "docs", reason="CredentialOfOtherConnection")


def _label_state(stage: Stage, label: str) -> str:
    labels = stage.status(CONNECTION).get("labels", [])
    return next((entry["state"] for entry in labels if entry["label"] == label), "")
