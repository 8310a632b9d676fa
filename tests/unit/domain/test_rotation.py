"""How far a value has come, as it is seen pass by pass."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from milvus_embedding.api.connection import RolloutStrategy, Verify
from milvus_embedding.api.credential import RotationStatus
from milvus_embedding.domain.rendering.documents import Document
from milvus_embedding.domain.rendering.rotation import (
    WRITE_HORIZON,
    Rotation,
    Sight,
    changed,
    first,
    proven,
    restored,
    seen,
    status,
    telling_from,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OLD = (Document(hash="H1", written=NOW, digests={"dev": "old"}),)
NEW = (Document(hash="H2", written=NOW, digests={"dev": "new"}),)
SECOND = Rotation(generation=2, changed=NOW, delivered=1, delivered_at=NOW)
ALL = Sight(is_mounted=True, serving=(NEW, NEW), present=(NEW, NEW))
MIXED = Sight(is_mounted=True, serving=(OLD, NEW), present=(OLD, NEW))
ENDING = Sight(is_mounted=True, serving=(NEW,), present=(OLD, NEW))
UNKNOWN = Sight(is_mounted=True, serving=(None,), present=(None,))
NOBODY = Sight(is_mounted=True, serving=(), present=())
UNMOUNTED = Sight(is_mounted=False, serving=(), present=())

DELIVERED = replace(SECOND, delivered=2, delivered_at=LATER)
SEEN: dict[str, tuple[Sight, Rotation]] = {
    "delivered and cleared once all pods have it": (ALL, replace(DELIVERED, cleared_at=LATER)),
    "not while a serving pod has the former one": (MIXED, SECOND),
    "delivered but not cleared while a pod with the former one ends": (ENDING, DELIVERED),
    "not while it is not known what a pod has": (UNKNOWN, SECOND),
    "without pods nothing is delivered and nothing has the former one": (NOBODY, replace(SECOND, cleared_at=LATER)),
    "nothing is delivered where nothing is mounted": (UNMOUNTED, replace(SECOND, delivered=None, delivered_at=None)),
}


@pytest.mark.parametrize("sentence", SEEN)
def test_a_new_value_is(sentence: str) -> None:
    sight, after = SEEN[sentence]

    assert seen(SECOND, "dev", "new", sight, LATER) == after


def test_the_former_value_can_be_revoked_after_the_write_horizon() -> None:
    cleared = seen(SECOND, "dev", "new", ALL, LATER)

    assert seen(cleared, "dev", "new", ALL, LATER + WRITE_HORIZON - timedelta(seconds=1)).revocable is None
    assert seen(cleared, "dev", "new", ALL, LATER + WRITE_HORIZON).revocable == NOW
    assert cleared.revocable_at == LATER + WRITE_HORIZON


def test_a_pod_that_comes_back_with_the_former_value_holds_the_revocation_up() -> None:
    cleared = seen(SECOND, "dev", "new", ALL, LATER)

    assert seen(cleared, "dev", "new", MIXED, LATER + WRITE_HORIZON).cleared_at is None


def test_what_was_seen_once_is_not_written_again() -> None:
    done = seen(seen(SECOND, "dev", "new", ALL, LATER), "dev", "new", ALL, LATER + WRITE_HORIZON)

    assert seen(done, "dev", "new", ALL, LATER + timedelta(days=1)) == done
    assert seen(done, "dev", "new", MIXED, LATER + timedelta(days=1)) == done


def test_a_first_value_replaced_none_that_could_be_revoked() -> None:
    after = seen(first(NOW), "dev", "new", ALL, LATER + WRITE_HORIZON)

    assert after == Rotation(changed=NOW, delivered=1, delivered_at=LATER + WRITE_HORIZON)


def test_a_further_value_keeps_what_is_said_of_those_before() -> None:
    done = replace(SECOND, delivered=2, revocable=NOW, effective=2)

    assert changed(done, LATER, refused=None) == replace(done, generation=3, changed=LATER)


def test_a_value_that_was_replaced_before_takes_back_what_was_said_and_says_nothing() -> None:
    done = replace(SECOND, delivered=2, revocable=NOW)

    after = changed(done, LATER, refused=None, returned=True)

    assert after == replace(done, generation=3, changed=LATER, revocable=None, returned=True)
    cleared = seen(replace(after, cleared_at=LATER), "dev", "new", ALL, LATER + WRITE_HORIZON)
    assert (cleared.delivered, cleared.revocable, cleared.revocable_at) == (3, None, None)
    assert changed(after, LATER, refused=None).returned is False


def test_while_nobody_proved_the_new_value_the_former_one_may_be_needed() -> None:
    waiting = seen(SECOND, "dev", "new", ALL, LATER, is_proven=False)

    unproven = seen(waiting, "dev", "new", ALL, LATER + WRITE_HORIZON, is_proven=False)

    assert unproven.is_delivered
    assert unproven.revocable is None
    assert seen(unproven, "dev", "new", ALL, LATER + WRITE_HORIZON, is_proven=True).revocable == NOW


def test_a_proof_is_told_once() -> None:
    after = proven(SECOND, LATER)

    assert (after.effective, after.effective_at) == (2, LATER)
    assert proven(after, LATER + WRITE_HORIZON) == after


FULL = replace(SECOND, effective=1, effective_at=LATER, revocable=NOW)
STATUS: dict[str, tuple[RolloutStrategy, Verify, RotationStatus]] = {
    "by restarting what is delivered is effective": (
        RolloutStrategy.RESTART,
        Verify.NONE,
        RotationStatus(
            generation=2,
            delivered_generation=1,
            effective_generation=1,
            effective_time=NOW,
            safe_to_revoke_before=NOW,
        ),
    ),
    "with a canary only what was proven is effective": (
        RolloutStrategy.RESTART,
        Verify.CANARY,
        RotationStatus(
            generation=2,
            delivered_generation=1,
            effective_generation=1,
            effective_time=LATER,
            safe_to_revoke_before=NOW,
        ),
    ),
    "where nobody sees the pods only the value is counted": (
        RolloutStrategy.LIVE,
        Verify.NONE,
        RotationStatus(generation=2),
    ),
    "where nobody sees the pods a canary may still prove": (
        RolloutStrategy.NONE,
        Verify.CANARY,
        RotationStatus(generation=2, effective_generation=1, effective_time=LATER),
    ),
}


@pytest.mark.parametrize("sentence", STATUS)
def test_what_users_see(sentence: str) -> None:
    strategy, verify, expected = STATUS[sentence]

    assert status(FULL, strategy, verify) == expected


@pytest.mark.parametrize("is_same", [True, False])
def test_the_status_restores_what_a_lost_secret_knew(*, is_same: bool) -> None:
    told = status(FULL, RolloutStrategy.RESTART, Verify.CANARY)

    after = restored(told, is_same=is_same, now=LATER)

    assert status(after, RolloutStrategy.RESTART, Verify.CANARY) == (
        told if is_same else told.model_copy(update={"generation": 3, "safe_to_revoke_before": None})
    )


TELLING: dict[str, tuple[Rotation, RolloutStrategy, datetime | None]] = {
    "of a first value at once": (first(NOW), RolloutStrategy.NONE, NOW),
    "of a later one when all pods have it": (DELIVERED, RolloutStrategy.RESTART, LATER),
    "not before that": (SECOND, RolloutStrategy.RESTART, None),
    "of one that is re-read after a while": (SECOND, RolloutStrategy.LIVE, NOW + timedelta(seconds=120)),
    "never where nobody knows when Milvus starts again": (replace(SECOND, effective=1), RolloutStrategy.NONE, None),
    "but at once if no value before it was ever proven": (SECOND, RolloutStrategy.NONE, NOW),
}


@pytest.mark.parametrize("sentence", TELLING)
def test_what_milvus_does_tells_something(sentence: str) -> None:
    rotation, strategy, since = TELLING[sentence]

    assert telling_from(rotation, strategy) == since
