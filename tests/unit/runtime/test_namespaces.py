"""Labels of namespaces: kept, repaired and told to those who read them, and not asked for without permission."""

import logging

import pytest

from milvus_embedding.api.references import METADATA_NAME, Key
from milvus_embedding.clients.kube.port import NAMESPACES, Access, Unavailable
from milvus_embedding.runtime import informer
from milvus_embedding.runtime.audit import PATIENCE, Auditor
from milvus_embedding.runtime.headcount import HeadCount
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.namespaces import Namespaces, namespace_key
from milvus_embedding.runtime.preflight import LABELS_OF_NAMESPACES, Preflight
from milvus_embedding.runtime.priming import prime
from milvus_embedding.runtime.supervisor import PermissionWatch, expected_watchers
from milvus_embedding.runtime.world import ReconcileWorld
from tests.fakes.kube import FakeKube
from tests.unit.runtime.bench import KEY, NOW, Bench

SEARCH = namespace_key("search")
LIST, WATCH = LABELS_OF_NAMESPACES


def labelled(version: int, **labels: str) -> dict[str, object]:
    return {
        "metadata": {"name": "search", "resourceVersion": str(version), "labels": {METADATA_NAME: "search", **labels}}
    }


class Watched(Bench):
    """A reader of the labels of `search`, and an auditor and a count of what is known."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: list[str] = []
        self.differs: list[str] = []
        self.auditor = Auditor(
            self.kube,
            self.store,
            scopes=[None],
            secret_selector="",
            every=600,
            clock=lambda: self.now,
            metrics=Metrics(),
            on_dead=self.dead.append,
            namespaces=True,
        )
        self.count = HeadCount(
            self.kube,
            self.store,
            scopes=[None],
            secret_selector="",
            every=10,
            on_differs=self.differs.append,
            namespaces=True,
        )

    async def prime(self) -> None:
        await prime(self.kube, self.store, scopes=[None], secret_selector="", namespaces=True)
        self.apply()
        await self.run()
        self.world().namespace_labels("search")
        self.controller.reconciled = 0

    def world(self) -> ReconcileWorld:
        store = self.store
        return ReconcileWorld(
            reader=KEY,
            now=NOW,
            cache=store.cache,
            references=store.references,
            used_by=store.usage.used_by,
            kube=self.kube,
            namespaces=store.namespaces,
        )

    def labels(self) -> dict[str, str]:
        return dict(self.store.namespaces.labels("search"))

    async def woken(self) -> bool:
        await self.run()
        return self.controller.reconciled > 0


def test_a_namespace_that_was_not_seen_has_no_labels_not_even_its_name() -> None:
    assert dict(Namespaces().labels("search")) == {}


def test_a_namespace_has_its_labels_and_its_name() -> None:
    namespaces = Namespaces()
    assert namespaces.put({"metadata": {"name": "search", "resourceVersion": "1"}}, watched=True)
    assert namespaces.put(labelled(2, team="x"), watched=True)
    assert namespaces.labels("search") == {METADATA_NAME: "search", "team": "x"}


def test_an_older_version_changes_nothing() -> None:
    namespaces = Namespaces()
    namespaces.put(labelled(2, team="x"), watched=True)
    assert not namespaces.put(labelled(1, team="y"), watched=True)
    assert namespaces.labels("search")["team"] == "x"


def test_a_list_is_no_sign_of_life_of_the_watch() -> None:
    namespaces = Namespaces()
    namespaces.put(labelled(1), watched=True)
    namespaces.put(labelled(5, team="x"), watched=False)
    assert namespaces.watched("search") == 1
    assert not namespaces.put(labelled(5, team="x"), watched=True)
    assert namespaces.watched("search") == 5


async def test_priming_lists_namespaces_by_their_metadata() -> None:
    bench = Watched()
    bench.kube.put_namespace("search", team="x")
    await bench.prime()
    assert bench.labels() == {METADATA_NAME: "search", "team": "x"}


async def test_without_permission_no_namespace_is_listed() -> None:
    bench = Watched()
    bench.kube.put_namespace("search", team="x")
    await prime(bench.kube, bench.store, scopes=[None], secret_selector="")
    assert ("list", NAMESPACES.kind) not in bench.kube.requests
    assert bench.labels() == {}


async def test_a_changed_label_wakes_who_read_it_and_anything_else_nobody() -> None:
    bench = Watched()
    bench.kube.put_namespace("search", team="x")
    await bench.prime()
    handle = informer._namespace_handler(bench.store, lambda kind: None)

    await handle(event={"type": "MODIFIED", "object": bench.kube.put_namespace("search", team="x")})
    await handle(event={"type": "ADDED", "object": bench.kube.put_namespace("other", team="y")})
    assert not await bench.woken()

    await handle(event={"type": "MODIFIED", "object": bench.kube.put_namespace("search", team="y")})
    assert await bench.woken()


async def test_who_asked_before_the_namespace_was_told_is_woken_when_it_is() -> None:
    bench = Watched()
    await bench.prime()
    handle = informer._namespace_handler(bench.store, lambda kind: None)
    await handle(event={"type": "ADDED", "object": bench.kube.put_namespace("search")})
    assert await bench.woken()


async def test_a_deleted_namespace_has_no_labels_any_more() -> None:
    bench = Watched()
    body = bench.kube.put_namespace("search", team="x")
    await bench.prime()
    await informer._namespace_handler(bench.store, lambda kind: None)(event={"type": "DELETED", "object": body})
    assert bench.labels() == {}
    assert await bench.woken()


async def test_a_listed_namespace_tells_of_the_list() -> None:
    bench, relisted = Watched(), list[str]()
    handle = informer._namespace_handler(bench.store, relisted.append)
    await handle(event={"type": None, "object": bench.kube.put_namespace("search")})
    assert relisted == [NAMESPACES.kind]


async def test_reading_labels_is_remembered_under_the_name_alone() -> None:
    bench = Watched()
    world = bench.world()
    world.namespace_labels("search")
    assert world.reads == {Key("Namespace", "", "search")}


async def test_an_audit_reads_labels_that_no_watch_told_from_the_list() -> None:
    bench = Watched()
    bench.kube.put_namespace("search", team="x")
    await bench.prime()
    bench.kube.put_namespace("search", team="y")
    await bench.auditor.audit(NAMESPACES.kind)
    assert bench.labels()["team"] == "y"
    assert await bench.woken()
    assert not [what for verb, what in bench.kube.requests if verb == "get"]


async def test_an_audit_drops_a_namespace_whose_deletion_nobody_told() -> None:
    bench = Watched()
    bench.kube.put_namespace("search", team="x")
    await bench.prime()
    del bench.kube.objects[SEARCH]
    await bench.auditor.audit(NAMESPACES.kind)
    assert bench.labels() == {}
    assert await bench.woken()


@pytest.mark.parametrize("told", [True, False], ids=["tells of it in the end", "never tells of it"])
async def test_a_watch_of_namespaces_that_stays_behind_is_dead(told: bool) -> None:
    bench = Watched()
    await bench.prime()
    body = bench.kube.put_namespace("search")
    await bench.auditor.audit(NAMESPACES.kind)
    if told:
        bench.store.namespace_seen(body)
    bench.auditor._due = {}
    bench.now = PATIENCE + 1
    await bench.auditor.tick()
    assert bench.dead == [] if told else ["the watch of Namespace did not tell of Namespace /search for 30 s"]


async def test_a_namespace_that_went_unseen_is_noticed_by_counting() -> None:
    bench = Watched()
    bench.kube.put_namespace("search")
    await bench.prime()
    del bench.kube.objects[SEARCH]
    await bench.count.look(await bench.count.look({}))
    assert bench.differs == [NAMESPACES.kind]


def test_its_watch_is_supervised_where_there_is_one() -> None:
    more = expected_watchers([None], namespaces=True) - expected_watchers([None])
    assert more == {"watcher for namespaces.v1@None"}


async def test_the_labels_are_seen_where_all_namespaces_are_served_and_it_is_permitted() -> None:
    assert await Preflight(FakeKube(), [None], every=1, confirm=0).sees_namespaces()


async def test_with_some_namespaces_only_nobody_is_asked_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    kube = FakeKube()
    with caplog.at_level(logging.INFO):
        assert not await Preflight(kube, ["a"], every=1, confirm=0).sees_namespaces()
    assert kube.requests == []
    (record,) = caplog.records
    assert "kubernetes.io/metadata.name only: only some namespaces are served" in record.message


@pytest.mark.parametrize("denied", LABELS_OF_NAMESPACES, ids=["list", "watch"])
async def test_without_permission_it_is_said_once_and_serving_goes_on(
    denied: Access, caplog: pytest.LogCaptureFixture
) -> None:
    kube = FakeKube()
    kube.denied = {denied}
    preflight = Preflight(kube, [None], every=1, confirm=0)
    with caplog.at_level(logging.INFO):
        assert await preflight.look() == (None,)
        assert not await preflight.sees_namespaces()
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert f"the operator may not {denied.verb} namespaces in all namespaces" in record.message


async def test_an_api_server_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = FakeKube()

    def down(verb: str, what: str) -> None:
        raise Unavailable("no answer in time")

    async def later(seconds: float) -> None:
        kube.fail = lambda verb, what: None

    kube.fail = down
    monkeypatch.setattr("milvus_embedding.runtime.preflight.asyncio.sleep", later)
    assert await Preflight(kube, [None], every=1, confirm=0).sees_namespaces()


def permissions(kube: FakeKube, told: list[str], *, namespaces: bool) -> PermissionWatch:
    return PermissionWatch(
        kube,
        served=[None],
        left_out=[],
        every=1,
        on_lost=lambda sentence: told.append(f"lost: {sentence}"),
        on_gained=lambda sentence: told.append(f"gained: {sentence}"),
        namespaces=namespaces,
        confirm=0,
    )


async def test_a_permission_on_namespaces_that_is_withdrawn_is_told() -> None:
    kube, told = FakeKube(), list[str]()
    watch = permissions(kube, told, namespaces=True)
    assert not await watch.look()
    kube.denied = {WATCH}
    assert await watch.look()
    assert "may not watch namespaces in all namespaces" in told[0]


async def test_one_that_is_missing_from_the_start_is_none_lost_and_its_coming_is_told() -> None:
    kube, told = FakeKube(), list[str]()
    kube.denied = {LIST}
    watch = permissions(kube, told, namespaces=False)
    assert not await watch.look()
    kube.denied = set()
    assert await watch.look()
    assert told == ["gained: the labels of namespaces can be read now"]


async def test_ten_thousand_namespaces_are_read_without_waking_anybody() -> None:
    bench = Watched()
    bench.kube.page_size = 500
    for number in range(10_000):
        bench.kube.put_namespace(f"n{number}", team=f"t{number % 10}")
    await bench.prime()
    assert len(list(bench.store.known(NAMESPACES.kind))) == 10_000
    assert not await bench.woken()
    assert bench.store.namespaces.labels("n1")["team"] is bench.store.namespaces.labels("n11")["team"]
