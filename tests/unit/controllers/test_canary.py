"""Canary: what proves a key, what says nothing, how seldom it asks, and what it never touches."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import (
    ConnectionLost,
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    ProviderCause,
    ProviderFailed,
    RateLimited,
    Unreachable,
)
from milvus_embedding.controllers.connection.proving import canary as module
from milvus_embedding.controllers.connection.proving.canary import Canary, Proof, Verdict
from milvus_embedding.controllers.connection.proving.proofs import DELIVERY_WINDOW, LONG_PAUSE, effective
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.domain import ownership
from milvus_embedding.domain.canary import Temporary
from milvus_embedding.domain.ownership import Owner
from milvus_embedding.domain.schema import Schema
from milvus_embedding.domain.scrub import Scrubber
from tests.fakes.milvus import FakeMilvus
from tests.fakes.world import Clock, FakeWorld
from tests.unit.controllers.bench import OneMilvus
from tests.unit.controllers.manifests import CONNECTION, DEV, connection

TEMPORARY = Temporary(owner=Owner("cluster-1", "milvus", "milvus"), uid="uid-of-milvus")
NAME = TEMPORARY.name
REFUSED = ProviderFailed("the embedding service refused the API key (HTTP 401).", ProviderCause.KEY_REJECTED)
OTHER = ProviderFailed("the embedding service failed (HTTP 500).", ProviderCause.OTHER)


@dataclass
class Scene:
    """A canary with a Milvus in memory, on a clock that moves only when a test says so."""

    milvus: FakeMilvus = field(default_factory=FakeMilvus)
    clock: Clock = field(default_factory=Clock)
    woken: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = FakeWorld(self.clock)
        self.gateway = Gateway(OneMilvus(self.milvus), Scrubber())
        self.wanted: dict[str, str] = {}
        self.connection = self.make()
        self.restart()

    def restart(self) -> None:
        """A new process."""
        self.canary = Canary(
            self.gateway, owner_id="cluster-1", clock=self.clock, today=self.clock.today, wake=self.woken.append
        )

    def make(self, **spec: object) -> MilvusConnection:
        self.world.put(connection(**spec))
        return cast("MilvusConnection", self.world.resource(CONNECTION))

    async def want(self, values: Mapping[str, str] | None = None, **labels: str) -> None:
        """What a pass does, and a moment for the background."""
        self.wanted = {**(values or {}), **labels}
        await self.gateway.refresh(self.connection, self.world, "http://milvus:19530")
        self.canary.want(self.connection, self.wanted)
        await self.rest()

    async def later(self, seconds: float, *, step: float = 1.0) -> None:
        """That time passes, with a pass at each step."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.canary.want(self.connection, self.wanted)
            await self.rest()

    async def rest(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    def proof(self, label: str = "dev") -> Proof | None:
        return self.canary.proofs(CONNECTION).get(label)

    def verdict(self, label: str = "dev") -> tuple[str, str] | None:
        """Digest and verdict."""
        found = self.proof(label)
        return (found.digest, str(found.verdict)) if found else None

    def message(self, label: str = "dev") -> str:
        found = self.proof(label)
        return found.message if found else ""

    @property
    def created(self) -> int:
        return self.milvus.count("create_collection")

    @property
    def stored(self) -> set[str]:
        return set(self.milvus.databases["default"].collections)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    opened = Scene()
    yield opened
    opened.canary.close()


async def test_a_key_that_embeds_is_proven_and_nothing_is_left(scene: Scene) -> None:
    await scene.want(dev="1")

    assert scene.verdict() == ("1", "Proven")
    assert scene.stored == set()
    assert [call.method for call in scene.milvus.changing] == ["create_collection", "drop_collection"]
    assert scene.woken == [CONNECTION]
    schema = scene.milvus.changing[0].argument
    assert isinstance(schema, Schema)
    assert schema == TEMPORARY.schema("dev")


async def test_a_proven_value_is_never_asked_about_again(scene: Scene) -> None:
    await scene.want(dev="1")
    await scene.later(600, step=10)
    assert scene.created == 1


async def test_another_value_of_the_label_is_proven_anew(scene: Scene) -> None:
    await scene.want(dev="1")
    await scene.want(dev="2")
    assert (scene.verdict(), scene.created) == (("2", "Proven"), 2)


async def test_one_after_the_other(scene: Scene) -> None:
    hold = scene.milvus.hold("create_collection")
    await scene.want(a="1", b="1", c="1")
    assert scene.created == 1
    hold.release()
    await scene.rest()
    await scene.rest()
    assert [scene.verdict(label) for label in "abc"] == [("1", "Proven")] * 3
    assert scene.created == 3
    assert scene.stored == set()


async def test_a_401_refuses_the_key_and_is_asked_again_ever_more_seldom(scene: Scene) -> None:
    scene.milvus.fail_before("create_collection", *[REFUSED] * 10)
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Refused")
    await scene.later(4)
    assert scene.created == 1
    await scene.later(400)
    assert scene.created == 7
    await scene.later(4 * LONG_PAUSE)
    assert scene.created == 11
    assert scene.verdict() == ("1", "Proven")
    assert len(scene.woken) == 2


async def test_a_refusal_stands_when_the_next_attempt_learns_nothing(scene: Scene) -> None:
    scene.milvus.fail_before("create_collection", REFUSED, OTHER)
    await scene.want(dev="1")
    await scene.later(6)
    assert scene.created == 2
    assert scene.verdict() == ("1", "Refused")


async def test_a_refused_key_is_not_asked_about_sooner_because_all_was_held(scene: Scene) -> None:
    scene.milvus.fail_before("create_collection", REFUSED)
    await scene.want(dev="1")
    scene.canary.hold(CONNECTION)
    await scene.want(dev="1")
    assert scene.created == 1


async def test_a_key_on_its_way_is_asked_for_every_second_for_two_minutes_and_then_ever_more_seldom(
    scene: Scene,
) -> None:
    scene.milvus.labels = set()
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Unknown")
    assert "does not have the key yet" in scene.message()
    await scene.later(DELIVERY_WINDOW)
    assert scene.created == DELIVERY_WINDOW + 1
    await scene.later(600)
    assert scene.created - DELIVERY_WINDOW < 20
    scene.milvus.labels = {"dev"}
    await scene.later(60)
    assert scene.verdict() == ("1", "Proven")
    assert len(scene.woken) == 2


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(OTHER, "HTTP 500", id="the provider fails"),
        pytest.param(
            ProviderFailed("429", ProviderCause.RATE_LIMITED), "limits the rate", id="the provider limits the rate"
        ),
        pytest.param(ProviderFailed("off", ProviderCause.DISABLED), "disabled", id="the provider is disabled"),
        pytest.param(RateLimited("slowly"), "Milvus limits the rate", id="Milvus limits the rate"),
        pytest.param(Unreachable("refused."), "does not answer", id="Milvus does not answer"),
        pytest.param(PermissionDenied("It lacks CreateCollection."), "Grant it", id="a privilege lacks"),
        pytest.param(RuntimeError("sk-secret"), "failed unexpectedly", id="something unexpected"),
    ],
)
async def test_what_says_nothing_about_the_key(
    scene: Scene, caplog: pytest.LogCaptureFixture, error: Exception, text: str
) -> None:
    scene.milvus.fail_before("create_collection", *[cast("MilvusError", error)] * 3)
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Unknown")
    assert text in scene.message()
    assert "sk-secret" not in caplog.text + scene.message()
    await scene.later(4)
    assert scene.created == 1
    await scene.later(32)
    assert scene.verdict() == ("1", "Proven")
    assert scene.created == 4
    assert len(scene.woken) == 2


async def test_back_off_ends_at_five_minutes(scene: Scene) -> None:
    scene.milvus.fail_before("create_collection", *[OTHER] * 1000)
    await scene.want(dev="1")
    await scene.later(3600, step=5)
    before = scene.created
    await scene.later(3000, step=5)
    assert scene.created - before == 10


async def test_trouble_of_one_label_does_not_keep_the_others_waiting(scene: Scene) -> None:
    scene.milvus.labels = {"good"}
    await scene.want(bad="1", good="1")
    assert (scene.verdict("bad"), scene.verdict("good")) == (("1", "Unknown"), ("1", "Proven"))


async def test_trouble_of_milvus_is_met_once_for_all_labels(scene: Scene) -> None:
    scene.milvus.unreachable = True
    await scene.want(a="1", b="1", c="1")
    assert len(scene.milvus.calls) == 1
    assert {scene.verdict(label) for label in "abc"} == {("1", "Unknown")}


@pytest.mark.parametrize("error", [OutcomeUnknown("no answer."), ConnectionLost("cut off.")], ids=["late", "cut off"])
async def test_after_an_unknown_outcome_nothing_is_created_before_the_write_horizon(
    scene: Scene, error: OutcomeUnknown
) -> None:
    scene.milvus.fail_before("create_collection", error)
    await scene.want(dev="1", other="1")
    await scene.later(module.HORIZON - 5)
    assert scene.created == 1
    assert scene.verdict() == ("1", "Unknown")
    await scene.later(15)
    assert (scene.verdict(), scene.verdict("other")) == (("1", "Proven"), ("1", "Proven"))
    assert scene.stored == set()


async def test_a_creation_that_shows_after_all_is_the_proof(scene: Scene) -> None:
    scene.milvus.fail_after("create_collection")
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Unknown")
    await scene.later(6)
    assert (scene.verdict(), scene.created) == (("1", "Proven"), 1)
    assert scene.stored == set()


async def test_a_creation_that_shows_after_the_value_changed_proves_nothing(scene: Scene) -> None:
    scene.milvus.fail_after("create_collection")
    await scene.want(dev="1")
    await scene.want(dev="2")
    assert scene.created == 1
    scene.milvus.fail_before("create_collection", REFUSED)
    await scene.later(8)
    assert (scene.verdict(), scene.created) == (("2", "Refused"), 2)


async def test_an_answer_about_a_value_that_changed_meanwhile_is_thrown_away(scene: Scene) -> None:
    hold = scene.milvus.hold("create_collection")
    await scene.want(dev="1")
    await scene.want(dev="2")
    scene.milvus.fail_before("create_collection", REFUSED)
    hold.release()
    await scene.rest()
    assert (scene.verdict(), scene.created) == (("2", "Proven"), 2)


async def test_a_left_over_of_a_killed_operator_proves_nothing_and_is_dropped(scene: Scene) -> None:
    scene.milvus.add_collection(NAME, TEMPORARY.schema("dev"))
    scene.milvus.fail_before("create_collection", REFUSED)
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Refused")
    assert scene.stored == set()


async def test_a_left_over_is_dropped_though_nothing_is_to_be_proven_any_more(scene: Scene) -> None:
    scene.milvus.add_collection(NAME, TEMPORARY.schema("dev"))
    await scene.want()
    assert scene.stored == set()
    before = len(scene.milvus.calls)
    await scene.later(60)
    assert len(scene.milvus.calls) == before


async def test_a_left_over_whose_drop_is_unknown_is_not_taken_for_a_proof(scene: Scene) -> None:
    scene.milvus.add_collection(NAME, TEMPORARY.schema("dev"))
    scene.milvus.fail_before("drop_collection", OutcomeUnknown("no answer."))
    await scene.want(dev="1")
    assert (scene.verdict(), scene.created) == (("1", "Unknown"), 0)
    await scene.later(10)
    assert (scene.verdict(), scene.created) == (("1", "Proven"), 1)


async def test_a_drop_that_fails_leaves_the_proof_and_is_tried_again(scene: Scene) -> None:
    scene.milvus.fail_before("drop_collection", Unreachable("gone."))
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Proven")
    assert scene.stored == {NAME}
    await scene.later(10)
    assert scene.stored == set()
    assert scene.created == 1


@pytest.mark.parametrize("method", ["describe", "create_collection", "drop_collection"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_call_the_next_process_proves_and_clears(scene: Scene, method: str, when: str) -> None:
    """After: the call has happened and its answer was never seen."""
    if when == "before":
        scene.milvus.hold(method)
    else:
        scene.milvus.fail_after(method, OutcomeUnknown("killed."))
    await scene.want(dev="1")
    scene.canary.close()
    await scene.rest()
    scene.milvus._holds.clear()

    was_proven = scene.verdict() == ("1", "Proven")
    scene.restart()
    await scene.want({} if was_proven else {"dev": "1"})

    assert was_proven or scene.verdict() == ("1", "Proven")
    assert scene.stored == set()


def foreign(**properties: str) -> Schema:
    schema = TEMPORARY.schema("dev")
    kept = {name: value for name, value in {**schema.properties, **properties}.items() if value}
    return dataclasses.replace(schema, properties=kept)


def a_collection_without_a_stamp(milvus: FakeMilvus) -> None:
    milvus.add_collection(NAME, foreign(**{ownership.OWNER: ""}))


def one_of_another_owner(milvus: FakeMilvus) -> None:
    milvus.add_collection(NAME, foreign(**{ownership.OWNER: "another/milvus/milvus"}))


def our_stamp_without_the_mark(milvus: FakeMilvus) -> None:
    milvus.add_collection(NAME, foreign(**{"embedding.milvus.io/canary": ""}))


def an_alias(milvus: FakeMilvus) -> None:
    milvus.add_collection("docs", TEMPORARY.schema("dev"))
    milvus.databases["default"].aliases[NAME] = "docs"


def ours_with_an_alias_on_it(milvus: FakeMilvus) -> None:
    milvus.add_collection(NAME, TEMPORARY.schema("dev"))
    milvus.databases["default"].aliases["current"] = NAME


@pytest.mark.parametrize(
    "put",
    [
        a_collection_without_a_stamp,
        one_of_another_owner,
        our_stamp_without_the_mark,
        an_alias,
        ours_with_an_alias_on_it,
    ],
    ids=lambda put: put.__name__.replace("_", " "),
)
async def test_what_is_not_ours_is_not_touched(scene: Scene, put: Callable[[FakeMilvus], None]) -> None:
    put(scene.milvus)
    before = scene.stored
    await scene.want(dev="1")
    await scene.later(30)
    assert scene.milvus.changing == []
    assert scene.stored == before
    assert scene.verdict() == ("1", "Unknown")
    assert "drop" in scene.message()


async def test_a_server_that_drops_functions_proves_nothing(scene: Scene) -> None:
    scene.milvus.drops_functions = True
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Unknown")
    assert "2.6" in scene.message()
    assert scene.stored == set()
    await scene.later(100)
    assert scene.created == 5


async def test_a_label_that_is_not_wanted_any_more_is_let_go(scene: Scene) -> None:
    scene.milvus.labels = set()
    await scene.want(dev="1")
    await scene.want()
    before = len(scene.milvus.calls)
    await scene.later(60)
    assert len(scene.milvus.calls) == before


async def test_held_nothing_is_begun_until_the_next_want(scene: Scene) -> None:
    scene.milvus.labels = set()
    await scene.want(dev="1")
    scene.canary.hold(CONNECTION)
    await scene.rest()
    before = len(scene.milvus.calls)
    scene.clock.advance(60)
    await scene.rest()
    assert len(scene.milvus.calls) == before
    scene.milvus.labels = {"dev"}
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Proven")


async def test_another_endpoint_makes_all_proofs_void(scene: Scene) -> None:
    await scene.want(dev="1")
    scene.connection = scene.make(embedding={"dashscope": {"url": "https://dashscope-intl.aliyuncs.com/x"}})
    await scene.want(dev="1")
    assert scene.created == 2


async def test_a_key_that_is_delivered_by_variables_is_proven_without_a_label(scene: Scene) -> None:
    scene.connection = scene.make(embedding={"delivery": "Environment"})
    await scene.want(dev="1")
    assert scene.verdict() == ("1", "Proven")
    assert scene.milvus.changing[0].argument == TEMPORARY.schema(None)


async def test_forgotten_everything_ends(scene: Scene) -> None:
    hold = scene.milvus.hold("create_collection")
    await scene.want(dev="1")
    scene.canary.forget(CONNECTION)
    hold.release()
    await scene.rest()
    assert scene.canary.proofs(CONNECTION) == {}
    assert scene.woken == []


async def test_nothing_is_asked_before_the_connection_was_refreshed() -> None:
    scene = Scene()
    scene.canary.want(scene.connection, {"dev": "1"})
    await scene.rest()
    assert scene.milvus.calls == []
    assert scene.verdict() == ("1", "Unknown")
    scene.canary.close()


async def test_who_reads_an_answer_is_woken_when_there_is_another(scene: Scene) -> None:
    assert scene.canary.newest(CONNECTION, "dev", reader=DEV) is None
    scene.milvus.fail_before("create_collection", REFUSED)
    await scene.want(dev="1", prod="1")
    assert [key for key in scene.woken if key == DEV] == [DEV]
    found = scene.canary.newest(CONNECTION, "dev", reader=DEV)
    assert found is not None
    assert found.verdict is Verdict.REFUSED


async def test_an_answer_about_the_former_value_is_not_the_newest(scene: Scene) -> None:
    scene.milvus.fail_before("create_collection", REFUSED)
    await scene.want(dev="1")
    hold = scene.milvus.hold("create_collection")
    await scene.want(dev="2")
    assert scene.canary.newest(CONNECTION, "dev", reader=DEV) is None
    hold.release()


@pytest.mark.parametrize(
    ("verdict", "is_recorded", "is_rolled_back", "expected"),
    [
        pytest.param(None, False, False, ("Unknown", "Proving"), id="nothing is known yet"),
        pytest.param(Verdict.UNKNOWN, False, False, ("Unknown", "Proving"), id="the attempt learned nothing"),
        pytest.param(Verdict.PROVEN, False, False, ("Unknown", "Proving"), id="proven and not recorded yet"),
        pytest.param(Verdict.PROVEN, True, False, ("True", "Effective"), id="proven and recorded"),
        pytest.param(None, True, False, ("True", "Effective"), id="proven in an earlier life"),
        pytest.param(Verdict.REFUSED, False, False, ("False", "NotEffective"), id="refused through Milvus"),
        pytest.param(Verdict.REFUSED, False, True, ("False", "RolledBackKey"), id="refused, and the former is back"),
        pytest.param(None, True, True, ("False", "RolledBackKey"), id="the former one is back since long"),
    ],
)
def test_what_the_credential_tells(
    verdict: Verdict | None, *, is_recorded: bool, is_rolled_back: bool, expected: tuple[str, str]
) -> None:
    proof = Proof("1", verdict, Clock().today(), "why") if verdict else None
    told = effective(proof, is_recorded=is_recorded, is_rolled_back=is_rolled_back)
    assert (str(told.status), str(told.reason)) == expected
    assert told.type == "Effective"
