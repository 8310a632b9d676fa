"""Leader election on a fake clock: one leader at a time, whatever the API server does."""

import asyncio
import dataclasses
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.clients.kube.port import Forbidden, Unavailable
from milvus_embedding.runtime.lease import Durations, Elector, suspend_aware_clock
from tests.fakes.kube import FakeKube

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now)


def elector(kube: FakeKube, clock: Clock, identity: str, durations: Durations | None = None) -> Elector:
    return Elector(
        kube,
        namespace="ns",
        name="lease",
        identity=identity,
        durations=durations or Durations(),
        clock=clock,
        now=clock.wall,
    )


def edit(kube: FakeKube, **fields: Any) -> None:
    """What somebody does by hand."""
    present = kube.leases["ns", "lease"]
    kube.leases["ns", "lease"] = dataclasses.replace(present, resource_version="999", **fields)


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


async def test_a_leader_that_slept_for_longer_than_the_lease_is_none_whatever_the_lease_says() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")
    await first.step()
    asked = len(kube.requests)
    clock.now += 15

    await first.step()

    assert first.lost.is_set()
    assert first.remaining == 0
    assert len(kube.requests) == asked, "it does not even ask"


async def test_a_leader_that_slept_for_less_than_the_lease_goes_on_if_it_can_renew() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")
    await first.step()
    clock.now += 14

    await first.step()

    assert first.leads
    assert first.renew_age == 0


async def test_a_leader_that_slept_while_another_led_and_released_does_not_go_on() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    clock.now += 16
    await second.step()
    assert second.leads
    await second.release()

    await first.step()

    assert first.lost.is_set()


async def test_an_answer_that_comes_after_the_deadline_elects_nobody() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")

    def asleep(verb: str, what: str) -> None:
        if verb == "create_lease":
            clock.now += 20

    kube.fail = asleep
    await first.step()
    assert not first.elected.is_set()
    assert first.lost.is_set()


async def test_a_lease_that_was_deleted_is_waited_out_by_who_has_seen_it() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    del kube.leases["ns", "lease"]
    await second.step()
    assert not second.leads, "the first one does not know yet"
    clock.now += 14
    await second.step()
    assert not second.leads
    clock.now += 2
    await second.step()
    assert second.leads


async def test_a_leader_makes_the_lease_anew_that_was_deleted() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    for _ in range(20):
        kube.leases.pop(("ns", "lease"), None)
        await second.step()
        await first.step()
        await second.step()
        clock.now += 2
    assert (first.leads, second.leads) == (True, False)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"holder": ""}, id="without a holder"),
        pytest.param({"holder": "", "duration_seconds": 0, "renew_time": ""}, id="without anything"),
        pytest.param({"holder": "c"}, id="another holder"),
        pytest.param({"holder": "b"}, id="the one that waits"),
        pytest.param({"duration_seconds": 1}, id="a duration of a second"),
        pytest.param({"renew_time": "1970-01-01T00:00:00.0Z"}, id="a renewal long ago"),
    ],
)
async def test_a_lease_that_was_edited_never_makes_two_leaders(fields: dict[str, Any]) -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()
    edit(kube, **fields)
    both = []
    for _ in range(40):
        await second.step()
        both.append(first.leads and second.leads)
        clock.now += 1
        if clock.now % 2 == 0:
            await first.step()
    assert not any(both)
    assert first.leads or second.leads, "and it does not stay without a leader"


async def test_two_processes_of_one_name_are_two() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "a")
    await first.step()
    await second.step()
    assert (first.leads, second.leads) == (True, False)
    clock.now += 16
    await second.step()
    await first.step()
    assert (first.leads, second.leads) == (False, True)


async def test_nobody_waits_for_less_than_the_holder_counts_on() -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a", Durations(lease=20.4, renew_deadline=12, retry=2))
    second = elector(kube, clock, "b")
    await first.step()
    await second.step()
    assert kube.leases["ns", "lease"].duration_seconds == 21
    clock.now += 20.3
    await second.step()
    assert not second.leads


async def test_a_renewal_under_way_does_not_take_the_lease_back_that_is_released() -> None:
    kube, clock = FakeKube(), Clock()
    first, second = elector(kube, clock, "a"), elector(kube, clock, "b")
    await first.step()
    await second.step()

    await asyncio.gather(first.step(), first.release(), first.step())
    await first.step()
    await second.step()

    assert (first.leads, second.leads) == (False, True)


async def test_a_bug_in_renewing_ends_the_leadership(caplog: pytest.LogCaptureFixture) -> None:
    kube, clock = FakeKube(), Clock()
    first = elector(kube, clock, "a")
    await first.step()

    def bug(verb: str, what: str) -> None:
        raise ValueError(verb)

    kube.fail = bug
    await first.run()
    assert first.lost.is_set()
    assert "leader election failed unexpectedly" in caplog.text


EDITS: dict[str, dict[str, Any]] = {
    "empty": {"holder": ""},
    "take": {"holder": "c"},
    "shorten": {"duration_seconds": 2},
}
Move = tuple[str, int]
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("sleep"), st.integers(1, 20)),
        st.tuples(st.sampled_from(["step", "cut", "mend", "release"]), st.integers(0, 2)),
        st.tuples(st.sampled_from(["delete", *EDITS]), st.just(0)),
    ),
    max_size=60,
)


@given(MOVES)
def test_there_are_never_two_leaders(moves: list[Move]) -> None:
    """Three replicas, of which each is scheduled, cut off and stopped as it comes, and a Lease that people edit: into
    anything but what a release leaves behind, which means that nobody acts.
    """
    asyncio.run(_play(moves))


async def _play(moves: list[Move]) -> None:
    kube, clock = FakeKube(), Clock()
    cut: set[int] = set()
    replicas = [elector(kube, clock, name) for name in "abc"]
    for replica in replicas:
        await replica.step()
    for what, number in moves:
        kube.fail = unreachable if number in cut and what in ("step", "release") else lambda verb, what: None
        match what:
            case "sleep":
                clock.now += number
            case "step":
                if not replicas[number].lost.is_set():
                    await replicas[number].step()
            case "cut":
                cut.add(number)
            case "mend":
                cut.discard(number)
            case "release":
                await replicas[number].release()
            case "delete":
                kube.leases.pop(("ns", "lease"), None)
            case _ if ("ns", "lease") in kube.leases:
                edit(kube, **EDITS[what])
        assert sum(replica.leads for replica in replicas) <= 1, moves


async def test_the_clock_goes_on_while_the_machine_sleeps() -> None:
    clock = suspend_aware_clock()
    assert math.isclose(clock(), time.clock_gettime(time.CLOCK_BOOTTIME), abs_tol=1)
