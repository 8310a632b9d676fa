"""Every change of the table by the real controllers and client on the contract server, at four versions.

Each is declared, approved if it waits for that, and looked at ten times more. In all of them nothing is lost or
interrupted but by a step that was approved.
"""

import math

import pytest

from milvus_embedding.domain.planning.settings import TTL
from tests.lifecycle.conftest import MakeStage
from tests.lifecycle.stage import Stage, interrupts, loses
from tests.unit.domain.planning.changes import CHANGES
from tests.unit.domain.planning.scenes import VERSIONS
from tests.unit.domain.planning.table import Change

REFUSED = ("UnsupportedServer", "InvalidSpec")


async def changed(stage: Stage, change: Change) -> None:
    """Declared before and then, and carried out as far as it needs no approval."""
    before, after = change.models
    stage.surroundings(before)
    await stage.stand(change.old)
    stage.declare(change.new)
    if before != after:
        stage.surroundings(after)
        await stage.settle_all()
    await stage.settle()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", CHANGES)
async def test_it_is_made_or_waits_or_is_refused_as_the_table_says(
    make_stage: MakeStage, sentence: str, version: str
) -> None:
    stage, change = make_stage(version), CHANGES[sentence]
    expected = change.expected[VERSIONS.index(version)]

    await changed(stage, change)

    ttl = _ttl(change)
    assert not [call.rpc for call in stage.log if loses(call, ttl=ttl) or interrupts(call)]
    path, class_ = expected.split(" ") if expected else ("", "")
    if change.answer == "InvalidSpec":
        assert (stage.ready, list(stage.steps)) == (("False", "InvalidSpec"), [path]), stage.message
        assert f"{path} " in stage.message
        assert stage.log == []
    elif class_ in ("", "InPlace"):
        assert stage.ready[1] == (change.answer or "Ready"), stage.message
        assert bool(stage.log) == bool(class_), stage.rpcs
    else:
        assert stage.steps.get(path) == class_.rstrip("!"), stage.steps
        assert stage.ready[1] in _waiting(class_, change), stage.message
    if class_ in ("Disruptive", "Destructive"):
        await _approved(stage, destructive="Destructive" in stage.steps.values())
    assert await stage.resync() == 0


def _ttl(change: Change) -> float:
    properties = change.old.get("properties", {})
    assert isinstance(properties, dict)
    return float(properties.get(TTL, math.inf))


def _waiting(class_: str, change: Change) -> tuple[str, ...]:
    if class_.endswith("!"):
        # What another object declares anew leaves the collection's own generation as it was.
        return REFUSED if change.models[0] == change.models[1] else ("Drifted",)
    return ("RebuildNeeded",) if class_ == "Rebuild" else ("AwaitingApproval",)


async def _approved(stage: Stage, *, destructive: bool) -> None:
    stage.forget()
    stage.approve()
    await stage.settle()
    assert stage.ready == ("True", "Ready"), stage.message
    assert stage.log
    lost = [call.rpc for call in stage.log if loses(call)]
    assert bool(lost) == destructive
    assert "DropCollection" not in lost


EQUAL_DIMENSION = ("the model changes at equal dimension", "a reference to another model of equal dimension")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", EQUAL_DIMENSION)
async def test_a_model_of_equal_dimension_is_a_rebuild_on_every_version(
    make_stage: MakeStage, sentence: str, version: str
) -> None:
    stage = make_stage(version)

    await changed(stage, CHANGES[sentence])

    assert stage.plan["class"] == "Rebuild"
    assert stage.log == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_credential_is_changed_in_place_from_2_6_7_on_and_below_it_is_said_why_not(
    make_stage: MakeStage, version: str
) -> None:
    stage = make_stage(version)

    await changed(stage, CHANGES["a label changes"])

    if version == "v2.6.0":
        assert stage.ready == ("False", "UnsupportedServer")
        assert "2.6.0 cannot alter credential of a function: upgrade Milvus to 2.6.7 or newer" in stage.message
        assert stage.log == []
    else:
        assert stage.ready == ("True", "Ready")
        assert stage.rpcs == ["AlterCollectionFunction"]
    assert await stage.resync() == 0
