"""`verify: Canary`: keys are proven through Milvus itself, and what proves them is never left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pymilvus import DataType, MilvusClient

from milvus_embedding.domain.canary import Temporary
from milvus_embedding.domain.ownership import Owner
from tests.e2e import manifests
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab, OperatorProcess

EFFECTIVE = "Effective"
NEVER = {"enabled": False}
"""The operator itself does not ask DashScope: what is known then Milvus has told."""


def name_of(stage: Stage) -> str:
    """Of the temporary collection; its name does not depend on who owns it."""
    return Temporary(owner=Owner("any", stage.namespace, "milvus"), uid="").name


def connection(stage: Stage, **spec: object) -> Body:
    return stage.connection(embedding={"verify": "Canary"}, **spec)


def collections(stage: Stage) -> list[str]:
    with stage.site.client() as client:
        listed: list[str] = client.list_collections()
        return listed


def nothing_left(stage: Stage) -> bool:
    return name_of(stage) not in collections(stage)


def create_foreign(client: MilvusClient, name: str) -> None:
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=4)
    client.create_collection(name, schema=schema)


def test_a_new_key_is_proven_once(stage: Stage, operator: OperatorProcess) -> None:
    stage.apply(connection(stage), stage.secret(), stage.credential(), stage.collection())

    condition = stage.reason(CREDENTIAL, "Effective", type_=EFFECTIVE)

    assert condition["status"] == "True"
    stage.ready(COLLECTION)
    eventually("the temporary collection is gone", lambda: nothing_left(stage))
    assert collections(stage) == ["docs"]
    rotation = stage.status(CREDENTIAL)["rotation"]
    assert rotation["generation"] == rotation["effectiveGeneration"] == 1
    operator.wait_quiet()
    dropped = stage.site.milvus.calls["DropCollection"]
    assert dropped == 1
    for _ in range(3):
        stage.lab.request_reconcile(CONNECTION, stage.namespace, "milvus")
        operator.wait_quiet(1.0)
    assert stage.site.milvus.calls["DropCollection"] == dropped


def test_a_key_that_the_provider_refuses_is_told_and_the_next_one_is_proven(stage: Stage) -> None:
    bad = stage.lab.new_key("bad")
    stage.apply(connection(stage), stage.secret(bad), stage.credential(probe=NEVER))
    condition = stage.reason(CREDENTIAL, "NotEffective", type_=EFFECTIVE)
    assert condition["status"] == "False"
    assert "401" in condition["message"]
    assert nothing_left(stage)

    stage.apply(stage.secret(stage.key))

    stage.reason(CREDENTIAL, "Effective", type_=EFFECTIVE, within=30)
    eventually("the temporary collection is gone", lambda: nothing_left(stage))


def test_what_others_have_under_the_name_is_told_and_never_touched(stage: Stage) -> None:
    with stage.site.client() as client:
        create_foreign(client, name_of(stage))
        stage.apply(connection(stage), stage.secret(), stage.credential(probe=NEVER))

        eventually(
            "told what is in the way",
            lambda: name_of(stage) in stage.condition(CREDENTIAL, EFFECTIVE).get("message", ""),
        )

        assert stage.condition(CREDENTIAL, EFFECTIVE)["status"] == "Unknown"
        assert stage.site.milvus.calls["DropCollection"] == 0
        client.drop_collection(name_of(stage))
    stage.reason(CREDENTIAL, "Effective", type_=EFFECTIVE, within=60)


def test_without_canary_nothing_is_created_and_nothing_claimed(stage: Stage, operator: OperatorProcess) -> None:
    stage.apply(stage.connection(), stage.secret(), stage.credential())
    stage.ready(CREDENTIAL)
    operator.wait_quiet()
    assert stage.condition(CREDENTIAL, EFFECTIVE) == {}
    assert stage.site.milvus.calls["CreateCollection"] == 0


@pytest.fixture
def theatre(lab: Lab) -> Iterator[tuple[Stage, OperatorProcess]]:
    """A stage with an operator that the test kills."""
    with lab.operator() as operator, Stage(lab) as stage:
        operator.wait_ready()
        yield stage, operator


@pytest.mark.parametrize("after", [False, True], ids=["before it happened", "after it happened"])
@pytest.mark.parametrize("rpc", ["CreateCollection", "DropCollection"])
def test_killed_in_the_middle_of_a_proof(theatre: tuple[Stage, OperatorProcess], rpc: str, *, after: bool) -> None:
    stage, operator = theatre
    with stage.site.milvus.faults.hold(rpc, after=after) as gate:
        stage.apply(connection(stage), stage.secret(), stage.credential())
        assert gate.wait_for_arrivals(timeout=30)
        operator.kill()
    operator.start()
    operator.wait_ready()

    stage.reason(CREDENTIAL, "Effective", type_=EFFECTIVE, within=60)
    eventually("the temporary collection is gone", lambda: nothing_left(stage))


def test_a_credential_of_another_team_is_proven_for_itself(stage: Stage) -> None:
    team, bad = stage.team(), stage.lab.new_key("bad")
    granted = {"from": "Names", "names": [team]}
    embedding = {"verify": "Canary", "allowedNamespaces": granted}
    stage.apply(stage.connection(embedding=embedding, allowedNamespaces=granted), stage.secret(), stage.credential())
    stage.apply(
        manifests.secret(team, "theirs", apikey=bad),
        manifests.credential(team, "theirs", secret_name="theirs", at=stage.namespace, probe=NEVER),
    )

    stage.lab.wait_condition(CREDENTIAL, team, "theirs", reason="NotEffective", type_=EFFECTIVE, within=30)
    stage.reason(CREDENTIAL, "Effective", type_=EFFECTIVE)
    assert "theirs" not in str(stage.condition(CREDENTIAL, EFFECTIVE))
