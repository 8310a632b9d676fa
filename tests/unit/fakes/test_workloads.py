"""The fleet in memory rolls as the tests of delivery rely on it."""

from dataclasses import replace

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import NotFound, Unavailable
from milvus_embedding.controllers.base import Conflict, Stale
from milvus_embedding.domain.delivery.workload import Component
from tests.fakes.outside import Killed
from tests.fakes.selectors import matches
from tests.fakes.workloads import Fleet, Mode, mounting
from tests.fakes.world import Clock, FakeWorld


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> FakeWorld:
    return FakeWorld(clock)


@pytest.fixture
def fleet(world: FakeWorld) -> Fleet:
    return world.fleet


async def test_an_annotation_rolls_new_pods_before_old_ones_go(fleet: Fleet, clock: Clock) -> None:
    fleet.add("proxy", Component.PROXY, secret="rendered", replicas=2)
    clock.advance(5)
    await fleet.annotate_workload(fleet.workload("proxy"), "h1")
    assert not fleet.workload("proxy").progress.is_observed
    fleet.step()
    hashes = [pod.config_hash for pod in fleet.pods("proxy")]
    assert hashes == [None, None, "h1", "h1"]
    assert fleet.pods("proxy")[2].created == clock.today()
    fleet.settle()
    pods = fleet.pods("proxy")
    progress = fleet.workload("proxy").progress
    assert [pod.config_hash for pod in pods] == ["h1", "h1"]
    assert all(pod.is_ready for pod in pods)
    assert (progress.is_observed, progress.updated, progress.replicas, progress.available) == (True, 2, 2, 2)
    assert fleet.rolls("proxy") == 1


async def test_an_interrupting_one_is_without_pods_for_a_while(fleet: Fleet) -> None:
    fleet.add("standalone", Component.STANDALONE, interrupts=True)
    await fleet.annotate_workload(fleet.workload("standalone"), "h1")
    fleet.step()
    assert fleet.pods("standalone") == ()
    fleet.settle()
    assert [pod.is_ready for pod in fleet.pods("standalone")] == [True]


async def test_the_same_hash_again_changes_nothing(fleet: Fleet) -> None:
    before = fleet.add("proxy", Component.PROXY, config_hash="h1")
    await fleet.annotate_workload(before, "h1")
    assert fleet.workload("proxy") == before
    assert not fleet.step()


async def test_what_was_changed_meanwhile_conflicts(fleet: Fleet) -> None:
    before = fleet.add("proxy", Component.PROXY)
    fleet.change("proxy", lambda w: replace(w, replicas=2))
    with pytest.raises(Conflict):
        await fleet.annotate_workload(before, "h1")
    assert fleet.calls == []


async def test_stuck_pods_leave_the_old_ones(fleet: Fleet) -> None:
    fleet.add("proxy", Component.PROXY)
    fleet.behave("proxy", Mode.STUCK, trouble="ImagePullBackOff")
    await fleet.annotate_workload(fleet.workload("proxy"), "h1")
    fleet.settle()
    assert [(p.is_ready, p.trouble) for p in fleet.pods("proxy")] == [(True, ""), (False, "ImagePullBackOff")]
    fleet.behave("proxy", Mode.NORMAL)
    fleet.settle()
    assert [(p.is_ready, p.trouble) for p in fleet.pods("proxy")] == [(True, "")]


async def test_lingering_pods_stay_terminating_until_released(fleet: Fleet) -> None:
    fleet.add("proxy", Component.PROXY)
    fleet.linger("proxy")
    await fleet.annotate_workload(fleet.workload("proxy"), "h1")
    fleet.settle()
    assert [pod.is_terminating for pod in fleet.pods("proxy")] == [True, False]
    assert fleet.workload("proxy").progress.replicas == 1
    fleet.release("proxy")
    assert [pod.is_terminating for pod in fleet.pods("proxy")] == [False]


async def test_a_changed_template_rolls_too(fleet: Fleet) -> None:
    fleet.add("proxy", Component.PROXY, config_hash="h1")
    fleet.change("proxy", lambda w: replace(w, template=mounting("rendered", config_hash="h1")))
    fleet.settle()
    assert [pod.name for pod in fleet.pods("proxy")] == ["proxy-2"]


async def test_milvus_operator_takes_annotations_to_its_deployments_unless_it_is_paused(fleet: Fleet) -> None:
    fleet.add_milvus(components=(Component.PROXY, Component.DATA_NODE))
    await fleet.apply_milvus(fleet.milvus(), {Component.PROXY: "h1", Component.DATA_NODE: "h1"})
    fleet.settle()
    assert fleet.workload("milvus-milvus-proxy").template.config_hash == "h1"
    fleet.change_milvus(lambda m: replace(m, paused=("spec.components.paused",)))
    await fleet.apply_milvus(fleet.milvus(), {Component.PROXY: "h2"})
    fleet.settle()
    assert fleet.workload("milvus-milvus-proxy").template.config_hash == "h1"
    with pytest.raises(Conflict):
        await fleet.apply_milvus(replace(fleet.milvus(), resource_version="1"), {})
    with pytest.raises(NotFound):
        await fleet.read_milvus("default", "other")


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
async def test_the_process_ends_at_a_call(world: FakeWorld, after: bool) -> None:
    world.fleet.add("proxy", Component.PROXY)
    world.outside.end_at(2, after=after)
    found = await world.list_workloads("default", "component=proxy")
    with pytest.raises(Killed):
        await world.annotate_workload(found[0], "h1")
    assert (world.fleet.workload("proxy").template.config_hash == "h1") is after
    assert len(await world.list_pods("default", found[0].selector)) == 1


async def test_a_method_is_refused_until_it_is_allowed_again(world: FakeWorld) -> None:
    world.outside.refuse["list_pods"] = Unavailable("GET pods: HTTP 503", 503)
    with pytest.raises(Unavailable):
        await world.list_pods("default", "a=b")
    del world.outside.refuse["list_pods"]
    assert await world.list_pods("default", "a=b") == []


async def test_nothing_is_confirmed_that_changed_or_with_a_lease_that_ends(world: FakeWorld) -> None:
    spec = {"provider": "dashscope", "connectionRef": {"name": "m"}, "apiKey": {"secretRef": {"name": "s", "key": "k"}}}
    body: dict[str, object] = {"kind": "EmbeddingCredential", "metadata": {"name": "c"}, "spec": spec}
    world.put(body)
    before = world.resource(Key("EmbeddingCredential", "default", "c"))
    await world.confirm(before)
    world.lease_lasts = False
    with pytest.raises(Stale):
        await world.confirm(before)
    world.lease_lasts = True
    world.put({**body, "metadata": {"name": "c", "annotations": {"a": "b"}}})
    with pytest.raises(Stale):
        await world.confirm(before)


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ("", True),
        ("a=1", True),
        ("a=2", False),
        ("a=1,b", True),
        ("a=1,!b", False),
        ("a in (1, 2),b notin (3)", True),
        ("a notin (1)", False),
        ("a!=2", True),
    ],
)
def test_selectors_as_text_select(selector: str, selects: bool) -> None:
    assert matches(selector, {"a": "1", "b": "2"}) is selects
