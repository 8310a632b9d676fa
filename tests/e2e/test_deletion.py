"""Namespaces and objects are deleted for real: what the policies leave behind, what they drop, and what holds them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.lab import eventually, path_of
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL_NAME, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab, OperatorProcess

NUMBER = 20
NAMES = [f"docs-{number:02}" for number in range(NUMBER)]
GONE = 30.0
FINALIZER = "embedding.milvus.io/collection"


class Team:
    """A namespace with collections only; connection, credential and Milvus are elsewhere."""

    def __init__(self, stage: Stage, policy: str) -> None:
        self.stage = stage
        self.policy = policy
        self.namespace = stage.team()

    def bring_up(self, names: list[str]) -> None:
        stage = self.stage
        at, everybody = stage.namespace, {"from": "All"}
        uri, url = stage.site.milvus.uri, stage.site.dashscope.url
        connection = manifests.connection(at, uri, url=url, default=CREDENTIAL_NAME, allowedNamespaces=everybody)
        collections = [manifests.collection(self.namespace, name, at=at, deletionPolicy=self.policy) for name in names]
        stage.apply(connection, stage.secret(), stage.credential(), *collections)
        for name in names:
            stage.lab.wait_ready(COLLECTION, self.namespace, name, within=60)

    def left(self) -> list[Body]:
        return self.stage.lab.list(COLLECTION, self.namespace)

    def reasons(self) -> set[str]:
        found = [self.stage.lab.condition(COLLECTION, self.namespace, i["metadata"]["name"]) for i in self.left()]
        return {str(condition.get("reason")) for condition in found}

    def delete_namespace(self) -> None:
        self.stage.lab.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def seconds_until_gone(self, *, within: float) -> float:
        start, path = time.monotonic(), f"/api/v1/namespaces/{self.namespace}"
        lab = self.stage.lab

        def is_gone() -> bool:
            items = lab.api.get("/api/v1/namespaces")["items"]
            return self.namespace not in {item["metadata"]["name"] for item in items}

        eventually(f"{path} is gone", is_gone, within=within)
        return time.monotonic() - start

    def annotate(self, kind: str, namespace: str, name: str, **annotations: str) -> None:
        named = {f"embedding.milvus.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.stage.lab.patch(kind, namespace, name, {"metadata": {"annotations": named}})

    def events(self, reason: str) -> list[str]:
        events = self.stage.lab.list("Event", self.namespace)
        return [event["message"] for event in events if event["reason"] == reason]

    def in_milvus(self) -> list[str]:
        with self.stage.site.client() as client:
            listed: list[str] = client.list_collections()
            return sorted(listed)


@pytest.fixture
def stage(fleet_lab: Lab, fleet_operator: OperatorProcess) -> Iterator[Stage]:
    """On the cluster whose namespaces go when they are deleted."""
    with fleet_operator.keeps_running(), Stage(fleet_lab) as opened:
        yield opened


def test_l26_namespace_with_20_collections_under_retain_is_gone_with_milvus_down(
    stage: Stage, measured: dict[str, float]
) -> None:
    team = Team(stage, "Retain")
    team.bring_up(NAMES)
    assert all("finalizers" not in item["metadata"] for item in team.left())
    stage.site.milvus.stop()

    team.delete_namespace()
    seconds = team.seconds_until_gone(within=GONE)

    measured["namespace with 20 collections under Retain gone, Milvus down"] = seconds
    assert seconds < GONE
    stage.site.milvus.start()
    assert len(team.in_milvus()) == NUMBER


def test_l26_namespace_under_delete_with_milvus_down_tells_what_blocks_it_and_force_release_frees_it(
    stage: Stage, measured: dict[str, float]
) -> None:
    team = Team(stage, "Delete")
    team.bring_up(NAMES)
    assert all(item["metadata"]["finalizers"] == [FINALIZER] for item in team.left())
    stage.site.milvus.stop()

    team.delete_namespace()
    eventually("all tell what blocks them", lambda: team.reasons() == {"DeletionBlocked"}, within=GONE)
    message = stage.lab.condition(COLLECTION, team.namespace, NAMES[0])["message"]
    assert "Milvus does not answer" in message
    assert 'embedding.milvus.io/force-release: "true"' in message

    for name in NAMES:
        team.annotate(COLLECTION, team.namespace, name, force_release="true")
    seconds = team.seconds_until_gone(within=GONE)

    measured["namespace with 20 collections under Delete gone after force-release"] = seconds
    stage.site.milvus.start()
    assert len(team.in_milvus()) == NUMBER


def test_l25_20_at_once_are_held_until_the_connection_confirms_them(stage: Stage) -> None:
    team = Team(stage, "Delete")
    team.bring_up(NAMES)

    stage.lab.api.delete(path_of(COLLECTION, team.namespace))
    eventually("all are held", lambda: team.reasons() == {"DeletionHeld"}, within=GONE)
    assert len(team.in_milvus()) == NUMBER

    message = stage.lab.condition(COLLECTION, team.namespace, NAMES[0])["message"]
    until = message.partition("confirm-deletions=")[2].split(" ", 1)[0]
    team.annotate(CONNECTION, stage.namespace, "milvus", confirm_deletions=until)
    eventually("all are gone", lambda: team.left() == [], within=GONE)
    assert team.in_milvus() == []


def test_what_each_policy_does_with_rows_and_without(stage: Stage) -> None:
    delete, if_empty = Team(stage, "Delete"), Team(stage, "DeleteIfEmpty")
    delete.bring_up(["with-rows"])
    if_empty.bring_up(["empty", "full"])
    with stage.site.client() as client:
        for name in ("with_rows", "full"):
            client.insert(name, [{"id": 1, "document": "a text"}])

    for team in (delete, if_empty):
        stage.lab.api.delete(path_of(COLLECTION, team.namespace))
        eventually("all are gone", lambda team=team: team.left() == [], within=GONE)  # type: ignore[misc]

    assert delete.in_milvus() == ["full"]
    dropped = eventually("the Event tells the rows", lambda: delete.events("CollectionDropped"))
    assert "with 1 row(s)" in dropped[0]
    stays = eventually("the Event tells what stays", lambda: if_empty.events("ReleasedNotDeleted"))
    assert "has 1 row(s)" in stays[0]


def test_switching_the_policy_moves_the_finalizer(stage: Stage) -> None:
    team = Team(stage, "Delete")
    team.bring_up(["docs"])

    def finalizers() -> list[str]:
        body = stage.lab.get(COLLECTION, team.namespace, "docs") or {"metadata": {}}
        listed: list[str] = body["metadata"].get("finalizers", [])
        return listed

    stage.lab.patch(COLLECTION, team.namespace, "docs", {"spec": {"deletionPolicy": "Retain"}})
    eventually("it is gone", lambda: finalizers() == [])
    stage.lab.wait_ready(COLLECTION, team.namespace, "docs")
    stage.lab.patch(COLLECTION, team.namespace, "docs", {"spec": {"deletionPolicy": "DeleteIfEmpty"}})
    eventually("it is back", lambda: finalizers() == [FINALIZER])
    stage.lab.wait_ready(COLLECTION, team.namespace, "docs")


def test_a_database_is_made_where_it_is_asked_for(stage: Stage) -> None:
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection(database="made_for_docs"))
    stage.reason(COLLECTION, "DatabaseNotFound")

    stage.lab.patch(COLLECTION, stage.namespace, "docs", {"spec": {"createDatabase": True}})

    stage.ready(COLLECTION)
    with stage.site.client() as client:
        assert "made_for_docs" in client.list_databases()
