"""Credentials in use are deleted, with their Secrets and namespaces: they go, and what uses their labels goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.delivery import RENDERED, Delivery
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, CREDENTIAL_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.lab import Body

GONE = 30.0
NAME = "of-team"


class Team:
    """A namespace with a credential of its own in use by a collection."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.namespace = delivery.team()
        self.key = delivery.lab.new_key("team")
        delivery.site.dashscope.keys.add(self.key)

    def objects(self, *collections: str) -> list[Body]:
        at = self.delivery.namespace
        return [
            manifests.secret(self.namespace, SECRET, apikey=self.key),
            manifests.credential(self.namespace, NAME, at=at, secret_name=SECRET),
            *(self.collection(name) for name in collections),
        ]

    def collection(self, name: str) -> Body:
        reference = {"name": NAME}
        return manifests.collection(self.namespace, name, at=self.delivery.namespace, credential_ref=reference)

    @property
    def label(self) -> str:
        body = self.delivery.lab.get(CREDENTIAL, self.namespace, NAME) or {}
        value: str = body.get("status", {}).get("label", "")
        return value


_teams: dict[str, Team] = {}


@pytest.fixture(scope="module")
def bring_up() -> Callable[[Delivery], None]:
    return bring_up_team


@pytest.fixture
def team(running: Delivery) -> Team:
    """One whose two collections are Ready."""
    return _teams[running.namespace]


def bring_up_team(delivery: Delivery) -> None:
    team = _teams[delivery.namespace] = Team(delivery)
    everybody: Body = {"from": "All"}
    delivery.apply(delivery.rolling(allowedNamespaces=everybody, embedding={"allowedNamespaces": everybody}))
    delivery.apply(*team.objects("docs-1", "docs-2"))
    delivery.fleet.install()
    for name in ("docs-1", "docs-2"):
        delivery.lab.wait_ready(COLLECTION, team.namespace, name, within=60)
    delivery.delivered()


def entry(delivery: Delivery, label: str) -> Body:
    """What the connection says of a label; {} if it is not there."""
    listed = delivery.status(CONNECTION).get("labels", [])
    return next((item for item in listed if item["label"] == label), {})


def rendered(delivery: Delivery) -> str:
    data = delivery.lab.secret_data(delivery.namespace, RENDERED) or {}
    return data.get("embedding.yaml", b"").decode()


def is_dropped(delivery: Delivery, label: str) -> bool:
    """By a look that does not wait for the next turn of the operator."""
    delivery.look()
    return label not in rendered(delivery)


def retained(delivery: Delivery, label: str, collections: int) -> None:
    def is_told() -> bool:
        found = entry(delivery, label)
        return found.get("state") == "Retained" and found.get("collections") == collections

    eventually(f"{label} is retained for {collections} collections", is_told, within=30)
    assert delivery.condition(CONNECTION, "LabelsRetained")["status"] == "True"
    assert label in rendered(delivery)


def test_a_credential_in_use_goes_at_once_and_its_label_with_its_last_user(running: Delivery, team: Team) -> None:
    label = team.label
    with running.rolled(0):
        running.lab.delete(CREDENTIAL, team.namespace, NAME)
        eventually("it is gone", lambda: running.lab.get(CREDENTIAL, team.namespace, NAME) is None, within=GONE)
        retained(running, label, 2)
        running.embeds("docs_1")

        running.lab.delete(COLLECTION, team.namespace, "docs-1")
        running.lab.delete(COLLECTION, team.namespace, "docs-2")
        with running.site.client() as client:
            client.drop_collection("docs_1")
            client.drop_collection("docs_2")

        eventually("the label is dropped", partial(is_dropped, running, label), within=60)
        eventually("it is not listed any more", lambda: entry(running, label) == {}, within=30)


def test_the_secret_of_a_credential_in_use_goes_and_its_last_value_stays(running: Delivery, team: Team) -> None:
    label = team.label
    with running.rolled(0):
        running.lab.delete("Secret", team.namespace, SECRET)
        eventually("it is gone", lambda: running.lab.get("Secret", team.namespace, SECRET) is None, within=GONE)
        running.lab.wait_condition(CREDENTIAL, team.namespace, NAME, reason="SecretNotFound")

    assert label in rendered(running)
    running.embeds("docs_1")


def test_k10_a_namespace_with_a_credential_in_use_goes(running: Delivery, team: Team) -> None:
    label = team.label
    with running.rolled(0):
        running.lab.api.delete(f"/api/v1/namespaces/{team.namespace}")
        eventually("it is gone", lambda: not _exists(running, team.namespace), within=GONE)
        retained(running, label, 2)

    running.embeds("docs_1")
    running.embeds("docs_2")


def _exists(delivery: Delivery, namespace: str) -> bool:
    listed = delivery.lab.api.get("/api/v1/namespaces")["items"]
    return any(item["metadata"]["name"] == namespace for item in listed)


def test_a_label_that_is_released_is_dropped_at_once(running: Delivery, team: Team) -> None:
    label = team.label
    everybody: Body = {"from": "All"}

    running.apply(
        running.rolling(
            allowedNamespaces=everybody, embedding={"allowedNamespaces": everybody, "releaseLabels": [label]}
        )
    )

    eventually("the label is dropped", lambda: label not in rendered(running), within=30)
    eventually("it says so", lambda: entry(running, label).get("state") == "Released", within=30)


def test_k09_a_credential_of_the_same_name_takes_its_label_up_again(running: Delivery, team: Team) -> None:
    label = team.label
    running.lab.delete(CREDENTIAL, team.namespace, NAME)
    retained(running, label, 2)

    with running.rolled(0):
        running.apply(*team.objects())
        running.lab.wait_ready(CREDENTIAL, team.namespace, NAME)
        eventually("it is active", lambda: entry(running, label).get("state") == "Active")

    assert team.label == label


def test_a_broken_credential_of_one_team_changes_nothing_for_another(running: Delivery, team: Team) -> None:
    running.apply(running.secret(), running.credential(), running.collection())
    running.ready(COLLECTION, within=60)

    with running.rolled(0):
        wrong = running.lab.new_key("wrong")
        running.apply(manifests.secret(team.namespace, SECRET, apikey=wrong))
        running.lab.wait_condition(CREDENTIAL, team.namespace, NAME, reason="KeyRejected")

    running.ready(CREDENTIAL)
    running.embeds()
    running.embeds("docs_1")
    shown = str(running.status(CREDENTIAL)) + str(running.status(COLLECTION))
    assert team.namespace not in shown
    assert CREDENTIAL_NAME not in str(running.lab.get(CREDENTIAL, team.namespace, NAME))
