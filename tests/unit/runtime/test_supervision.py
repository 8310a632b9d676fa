"""Watches, permissions and kinds: what is missing is found, said in one sentence, and acted on."""

import pytest

from milvus_embedding.clients.kube.port import OUR_TYPES, SECRETS, Access, KubeError, Unavailable
from milvus_embedding.runtime import crds
from milvus_embedding.runtime.preflight import CONFIRM_SECONDS, Preflight, Scope, needed
from milvus_embedding.runtime.settings import Settings
from milvus_embedding.runtime.supervisor import STOP_CHECKER, PermissionWatch, Supervisor, expected_watchers
from tests.fakes.kube import FakeKube

COLLECTIONS = OUR_TYPES["MilvusCollection"]


class Watched:
    """A supervisor over task names that the test sets."""

    def __init__(self, *scopes: Scope) -> None:
        self.now = 0.0
        self.expected = expected_watchers(scopes or (None,))
        self.names = {STOP_CHECKER, *self.expected}
        self.dead: list[str] = []
        self.supervisor = Supervisor(
            scopes or (None,), clock=lambda: self.now, on_dead=self.dead.append, tasks=lambda: self.names
        )


def test_all_watches_there_is_no_problem() -> None:
    watched = Watched("a", "b")
    assert watched.supervisor.look()
    assert (watched.dead, watched.supervisor.problem) == ([], "")
    assert len(watched.expected) == 10


def test_watches_that_are_still_to_come_make_unready_but_not_dead() -> None:
    watched = Watched()
    watched.names = {STOP_CHECKER}
    assert watched.supervisor.look()
    assert "milvuscollections.v1alpha1.embedding.milvus.io@None" in watched.supervisor.problem


def test_watches_that_never_come_are_dead_after_a_minute() -> None:
    watched = Watched()
    watched.names = {STOP_CHECKER}
    watched.supervisor.look()
    watched.now = 61
    assert not watched.supervisor.look()
    assert len(watched.dead) == 1


def test_a_watch_that_was_there_and_is_gone_is_dead_at_once() -> None:
    watched = Watched("a", "b")
    watched.supervisor.look()
    watched.names.discard("watcher for secrets.v1@b")
    assert not watched.supervisor.look()
    assert watched.dead == ["watches ended: watcher for secrets.v1@b"]
    assert ("Secret", 0.0) in watched.supervisor.living()
    assert ("MilvusCollection", 1.0) in watched.supervisor.living()


def test_a_kind_that_is_silent_is_told_with_the_time_since_it_was_heard_of() -> None:
    watched = Watched()
    watched.supervisor.heard("Secret")
    watched.now = 7
    watched.supervisor.heard("MilvusCollection")
    assert dict(watched.supervisor.silence()) == {"Secret": 7, "MilvusCollection": 0}


def test_watches_that_end_because_kopf_was_told_to_stop_are_not_dead() -> None:
    watched = Watched()
    watched.supervisor.look()
    watched.names = set()
    assert not watched.supervisor.look()
    assert watched.dead == []
    assert watched.supervisor.stopping


async def test_everything_permitted_serves_every_scope() -> None:
    assert await Preflight(FakeKube(), ["a", "b"], every=1).look() == ("a", "b")


async def test_a_namespace_without_permission_is_left_out_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    kube = FakeKube()
    kube.denied = {Access("watch", SECRETS, "b"), Access("list", SECRETS, "b"), Access("list", COLLECTIONS, "b")}
    preflight = Preflight(kube, ["a", "b"], every=1, confirm=0)
    assert await preflight.look() == ("a",)
    assert await preflight.look() == ("a",)
    (record,) = caplog.records
    assert record.message == (
        "not served: the operator may not list milvuscollections.embedding.milvus.io; list, watch secrets "
        "in namespace b; its Role has to allow it"
    )


async def test_a_no_of_an_api_server_that_just_started_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    kube = FakeKube()
    kube.denied = set(needed(None))
    questions = len(kube.denied)

    def learn(verb: str, what: str) -> None:
        if len(kube.requests) > questions:
            kube.denied = set()

    kube.fail = learn
    assert await Preflight(kube, [None], every=1, confirm=0).look() == (None,)
    assert caplog.records == []


def test_a_permission_withdrawn_is_noticed_within_half_a_minute() -> None:
    assert Settings().permission_seconds + CONFIRM_SECONDS < 28


async def test_writing_a_status_is_needed_too() -> None:
    kube = FakeKube()
    kube.denied = {Access("patch", COLLECTIONS, None, "status")}
    assert await Preflight(kube, [None], every=1, confirm=0).look() == ()


class Permissions:
    def __init__(self, kube: FakeKube, left_out: tuple[Scope, ...] = ()) -> None:
        self.lost: list[str] = []
        self.gained: list[str] = []
        self.watch = PermissionWatch(
            kube,
            served=["a"],
            left_out=left_out,
            every=1,
            on_lost=self.lost.append,
            on_gained=self.gained.append,
            confirm=0,
        )


async def test_a_permission_withdrawn_is_told() -> None:
    kube = FakeKube()
    kube.denied = {Access("watch", COLLECTIONS, "a")}
    permissions = Permissions(kube)
    assert await permissions.watch.look()
    assert "may not watch milvuscollections.embedding.milvus.io in namespace a" in permissions.lost[0]


async def test_a_denial_that_does_not_last_is_none() -> None:
    kube = FakeKube()
    denied = Access("watch", COLLECTIONS, "a")
    kube.denied = {denied}

    def after_the_first_round(verb: str, what: str) -> None:
        if len(kube.requests) > 10:
            kube.denied.discard(denied)

    kube.fail = after_the_first_round
    permissions = Permissions(kube)
    assert not await permissions.watch.look()
    assert permissions.lost == []


async def test_a_namespace_that_becomes_permitted_is_told() -> None:
    kube = FakeKube()
    permissions = Permissions(kube, left_out=("b",))
    kube.denied = set(needed("b")[:1])
    assert not await permissions.watch.look()
    kube.denied = set()
    assert await permissions.watch.look()
    assert permissions.gained == ["can be served now: b"]


async def test_an_answer_that_could_not_be_had_decides_nothing() -> None:
    kube = FakeKube()

    def down(verb: str, what: str) -> None:
        raise Unavailable("no answer in time")

    kube.fail = down
    permissions = Permissions(kube)
    with pytest.raises(KubeError):
        await permissions.watch.look()
    assert (permissions.lost, permissions.gained) == ([], [])


async def test_missing_kinds_are_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(crds, "_POLL", 0)
    kube = FakeKube()
    all_plurals = kube.plurals
    kube.plurals = all_plurals - {"milvuscollections"}

    def appear(verb: str, what: str) -> None:
        if len(kube.requests) > 3:
            kube.plurals = all_plurals

    kube.fail = appear
    await crds.wait_until_served(kube, clock=lambda: 0.0)
    (record,) = caplog.records
    assert record.message == (
        "waiting for CustomResourceDefinitions that are not installed: "
        "milvuscollections.embedding.milvus.io; apply crds/ or install the chart"
    )
