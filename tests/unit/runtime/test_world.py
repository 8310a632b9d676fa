"""What a reconcile may rely on directly before it acts, and what it asks of the API server about workloads."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from milvus_embedding.api.annotations import FINALIZER
from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import Body, KubeError, Refused, Unavailable
from milvus_embedding.controllers.base import Conflict, Outcome, SecretWrite, Stale, World, WriteRefused
from milvus_embedding.domain.delivery.workload import Component
from milvus_embedding.runtime import world as world_module
from milvus_embedding.runtime.cache import Cache
from milvus_embedding.runtime.references import RefIndex
from milvus_embedding.runtime.settings import ACT_SECONDS
from milvus_embedding.runtime.world import ReconcileWorld
from tests.fakes.kube import FakeKube, Object
from tests.unit.runtime.bench import KIND, SPEC, Bench, ready

KEY = Key(KIND, "ns", "f")
HASH = "embedding.milvus.io/config-hash"


def world(
    kube: FakeKube,
    *,
    lease_remaining: Callable[[], float] = lambda: float("inf"),
    saw: Callable[[Body], None] = lambda body: None,
    read_only: bool = False,
) -> ReconcileWorld:
    return ReconcileWorld(
        reader=Key("MilvusConnection", "ns", "m"),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        cache=Cache(lambda resource: None),
        references=RefIndex(),
        used_by=lambda key: 0,
        kube=kube,
        lease_remaining=lease_remaining,
        saw=saw,
        read_only=read_only,
    )


def put(kube: FakeKube, **metadata: object) -> Object:
    return kube.put(KIND, "f", SPEC, metadata=metadata)


async def test_what_is_as_it_was_read_is_confirmed() -> None:
    kube = FakeKube()
    last_applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    resource = EmbeddingFunction.parse(put(kube, annotations={"a": "b"}))
    put(kube, annotations={"a": "b", **last_applied}, labels={"l": "new"})
    await world(kube, lease_remaining=lambda: ACT_SECONDS + 0.1).confirm(resource)


def gone(kube: FakeKube) -> None:
    kube.delete(KIND, "f")


def born_again(kube: FakeKube) -> None:
    kube.delete(KIND, "f")
    put(kube)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(gone, id="it is gone"),
        pytest.param(born_again, id="it is another one of that name"),
        pytest.param(lambda kube: put(kube, deletionTimestamp="2026-01-01T00:00:00Z"), id="it is being deleted"),
        pytest.param(lambda kube: put(kube, annotations={"a": "b"}), id="it has another annotation"),
        pytest.param(lambda kube: put(kube, generation=2), id="it has another spec"),
        pytest.param(lambda kube: kube.put(KIND, "f", {"dashscope": 7}), id="it cannot be read any more"),
    ],
)
async def test_nothing_is_confirmed_that_changed(change: Callable[[FakeKube], object]) -> None:
    kube = FakeKube()
    resource = EmbeddingFunction.parse(put(kube))
    change(kube)
    with pytest.raises(Stale):
        await world(kube).confirm(resource)


async def test_nothing_is_confirmed_with_a_lease_that_ends_during_the_act() -> None:
    kube = FakeKube()
    resource = EmbeddingFunction.parse(put(kube))
    with pytest.raises(Stale, match="lease"):
        await world(kube, lease_remaining=lambda: ACT_SECONDS).confirm(resource)


async def test_existence_is_told_by_the_api_server_alone() -> None:
    kube = FakeKube()
    put(kube)
    assert await world(kube).exists(KEY)
    gone(kube)
    assert not await world(kube).exists(KEY)


async def test_absence_is_not_believed_of_a_server_that_does_not_serve_the_kind() -> None:
    kube = FakeKube()
    kube.plurals.clear()
    with pytest.raises(Unavailable, match="not served"):
        await world(kube).exists(KEY)


async def test_without_an_answer_nothing_is_known() -> None:
    kube = FakeKube()
    kube.forbid("get")
    with pytest.raises(KubeError):
        await world(kube).exists(KEY)


def put_fleet(kube: FakeKube) -> None:
    labels = {"app.kubernetes.io/instance": "m", "component": "proxy"}
    metadata = {"labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    kube.put("Deployment", "proxy", {"selector": {"matchLabels": labels}, "template": template}, metadata=metadata)
    kube.put("Pod", "proxy-1", {}, metadata=metadata)
    kube.put("Milvus", "m", {"mode": "cluster"})


async def test_workloads_and_their_pods_are_found_and_rolled() -> None:
    kube = FakeKube()
    put_fleet(kube)
    seen = world(kube)
    workload = (await seen.list_workloads("ns", "app.kubernetes.io/instance=m"))[0]
    assert [pod.name for pod in await seen.list_pods("ns", workload.selector)] == ["proxy-1"]
    await seen.annotate_workload(workload, "h1")
    assert (await seen.list_workloads("ns", ""))[0].template.config_hash == "h1"
    with pytest.raises(Conflict):
        await seen.annotate_workload(workload, "h2")


async def test_annotations_of_a_milvus_are_set_and_taken_away() -> None:
    kube = FakeKube()
    put_fleet(kube)
    seen = world(kube)
    before = await seen.read_milvus("ns", "m")
    await seen.apply_milvus(before, {Component.PROXY: "h1", Component.DATA_NODE: "h1"})
    with pytest.raises(Conflict):
        await seen.apply_milvus(before, {})
    await seen.apply_milvus(await seen.read_milvus("ns", "m"), {Component.PROXY: "h2"})
    assert (await seen.read_milvus("ns", "m")).config_hashes == {Component.PROXY: "h2"}
    kube.owned_by_others.add(Component.PROXY)
    with pytest.raises(Refused):
        await seen.apply_milvus(await seen.read_milvus("ns", "m"), {Component.PROXY: "h3"})


async def never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_an_act_ends_before_the_lease_may(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = FakeKube()
    put_fleet(kube)
    seen = world(kube)
    workload = (await seen.list_workloads("ns", ""))[0]
    monkeypatch.setattr(world_module, "ACT_SECONDS", 0.01)
    monkeypatch.setattr(kube, "annotate_workload", never)
    with pytest.raises(Unavailable, match="no answer"):
        await seen.annotate_workload(workload, "h1")


async def test_a_stale_decision_is_made_again_at_once() -> None:
    bench = Bench()
    seen: list[int] = []

    async def decide(resource: EmbeddingFunction, world: World) -> Outcome:
        seen.append(resource.metadata.generation)
        if len(seen) == 1:
            bench.kube.put(KIND, "f", {**SPEC, "dimension": 64})
            await world.confirm(resource)
        return await ready(resource, world)

    bench.controller.decide = decide
    bench.apply()
    await bench.run()
    assert seen == [1, 2]
    assert bench.condition()["status"] == "True"


DOCS = Key("MilvusCollection", "ns", "docs")
COLLECTION: dict[str, object] = {
    "connectionRef": {"name": "milvus"},
    "fields": [{"name": "id", "type": "INT64", "primaryKey": True}],
}
OTHERS = "team.example/backup"


def put_collection(kube: FakeKube, **metadata: object) -> MilvusCollection:
    return MilvusCollection.parse(kube.put(DOCS.kind, DOCS.name, COLLECTION, metadata=metadata))


async def test_the_finalizer_is_added_to_those_of_others_and_seen_at_once() -> None:
    kube, seen = FakeKube(), list[Object]()
    resource = put_collection(kube, finalizers=[OTHERS])

    await world(kube, saw=lambda body: seen.append(dict(body))).add_finalizer(resource)

    assert kube.objects[DOCS]["metadata"]["finalizers"] == [OTHERS, FINALIZER]
    assert seen == [kube.objects[DOCS]]


async def test_only_ours_is_removed() -> None:
    kube = FakeKube()
    resource = put_collection(kube, finalizers=[OTHERS, FINALIZER])

    await world(kube).remove_finalizer(resource)

    assert kube.objects[DOCS]["metadata"]["finalizers"] == [OTHERS]


async def test_removing_the_last_one_ends_an_object_that_is_deleted() -> None:
    kube = FakeKube()
    resource = put_collection(kube, finalizers=[FINALIZER], deletionTimestamp="2026-01-01T00:00:00Z")

    await world(kube).remove_finalizer(resource)

    assert DOCS not in kube.objects


async def test_a_finalizer_that_somebody_added_meanwhile_is_not_lost() -> None:
    kube = FakeKube()
    resource = put_collection(kube)
    put_collection(kube, finalizers=[OTHERS])

    with pytest.raises(Conflict):
        await world(kube).add_finalizer(resource)

    assert kube.objects[DOCS]["metadata"]["finalizers"] == [OTHERS]


async def test_no_finalizer_is_set_on_what_is_gone() -> None:
    kube = FakeKube()
    resource = put_collection(kube)
    kube.delete(DOCS.kind, DOCS.name)

    with pytest.raises(Conflict):
        await world(kube).add_finalizer(resource)


async def test_read_only_every_write_is_refused_and_none_is_sent() -> None:
    kube = FakeKube()
    resource = put_collection(kube, finalizers=[FINALIZER])
    reader = world(kube, read_only=True)
    kube.requests.clear()

    for act in (reader.add_finalizer(resource), reader.remove_finalizer(resource)):
        with pytest.raises(Refused, match="--read-only"):
            await act
    with pytest.raises(WriteRefused, match="--read-only"):
        await reader.write_secret(SecretWrite(namespace="ns", name="s", labels={}, data={}, resource_version=None))

    assert kube.requests == []
