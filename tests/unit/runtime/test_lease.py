"""Leader election on a fake clock: one leader at a time, whatever the API server does."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from milvus_embedding.clients.kube.port import Forbidden, Unavailable
from milvus_embedding.runtime.lease import Durations, Elector
from tests.fakes.kube import FakeKube

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now)


def elector(kube: FakeKube, clock: Clock, identity: str) -> Elector:
    return Elector(
        kube, namespace="ns", name="lease", identity=identity, durations=Durations(), clock=clock, now=clock.wall
    )


def unreachable(verb: str, what: str) -> None:
    raise Unavailable(f"{verb} {what}: no answer in time")


async def test_the_first_candidate_is_elected_and_the_second_waits() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    assert (first.leads, second.leads) == (True, False)
    assert second.holder == "a"


async def test_a_renewed_lease_is_never_taken_over() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    for _ in range(30):
        await first.step()
        await second.step()
        clock.now += 2
    assert (first.leads, second.leads) == (True, False)
    assert kube.leases["ns", "lease"].transitions == 0


async def test_a_dead_leader_is_followed_after_one_duration_by_the_local_clock() -> None:
    kube, clock = FakeKube(), Clock()
    await elector(kube, clock, "a").step()
    second = elector(kube, clock, "b")
    await second.step()
    clock.now += 14
    await second.step()
    assert second.holder == "a"
    clock.now += 2
    await second.step()
    assert second.leads
    assert kube.leases["ns", "lease"].transitions == 1


async def test_a_wrong_clock_of_the_leader_does_not_matter() -> None:
    kube, clock = FakeKube(), Clock()
    await elector(kube, clock, "a").step()
    kube.leases["ns", "lease"] = dataclasses.replace(kube.leases["ns", "lease"], renew_time="1970-01-01T00:00:00.0Z")
    second = elector(kube, clock, "b")
    await second.step()
    assert not second.leads


async def test_a_leader_that_cannot_renew_is_none_before_anybody_else_can_be() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")
    await first.step()
    kube.fail = unreachable
    clock.now += 9
    await first.step()
    assert first.leads
    clock.now += 1
    await first.step()
    assert first.lost.is_set()
    assert not first.leads


async def test_a_leader_survives_a_short_outage() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")
    await first.step()
    kube.fail = unreachable
    clock.now += 8
    await first.step()
    kube.fail = lambda verb, what: None
    clock.now += 1
    await first.step()
    assert first.leads
    assert first.renew_age == 0


async def test_a_leader_whose_lease_somebody_took_knows_it_at_once() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")
    await first.step()
    kube.leases["ns", "lease"] = dataclasses.replace(kube.leases["ns", "lease"], holder="b", resource_version="999")
    await first.step()
    assert first.lost.is_set()


async def test_a_released_lease_is_taken_at_once() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    await first.release()
    await second.step()
    assert (first.leads, second.leads) == (False, True)


async def test_only_the_holder_releases() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    await second.release()
    assert kube.leases["ns", "lease"].holder == "a"


async def test_a_candidate_that_sees_the_lease_change_between_reading_and_writing_waits() -> None:
    kube, clock = FakeKube(), Clock()
    await elector(kube, clock, "a").step()
    second = elector(kube, clock, "b")
    await second.step()
    clock.now += 16

    def renewed_meanwhile(verb: str, what: str) -> None:
        if verb == "update_lease":
            kube.leases["ns", "lease"] = dataclasses.replace(kube.leases["ns", "lease"], resource_version="999")

    kube.fail = renewed_meanwhile
    await second.step()
    assert not second.leads


async def test_a_missing_permission_is_said_once_with_the_fix(caplog: pytest.LogCaptureFixture) -> None:
    kube, clock = FakeKube(), Clock()

    def forbidden(verb: str, what: str) -> None:
        raise Forbidden("get leases: HTTP 403", 403)

    kube.fail = forbidden
    first = elector(kube, clock, "a")
    await first.step()
    await first.step()
    assert len(caplog.records) == 1
    assert "Role has to allow get, create and update of leases" in caplog.text


async def test_the_time_that_is_left_counts_from_before_the_request() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")

    def slow(verb: str, what: str) -> None:
        if verb == "create_lease":
            clock.now += 4

    kube.fail = slow
    await first.step()
    assert first.remaining == pytest.approx(11)
