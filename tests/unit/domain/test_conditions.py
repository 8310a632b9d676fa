"""Statuses: written only when they say something new, and patched exactly."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.conditions import (
    Assertion,
    Draft,
    Truth,
    false,
    find,
    merge,
    merge_patch,
    timestamp,
    true,
    unknown,
    with_summary,
)
from milvus_embedding.domain.reasons import Reason, ReasonClass

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
SCALARS = st.text(max_size=3) | st.integers(2, 9) | st.booleans()
NAMES = st.text("abc", min_size=1, max_size=2)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)
ASSERTIONS = st.builds(
    Assertion,
    st.sampled_from(["Ready", "Loaded", "Drifted"]),
    st.sampled_from(Truth),
    st.sampled_from(Reason),
    st.text(),
)
DRAFTS = st.builds(
    Draft,
    st.integers(1, 5),
    st.lists(ASSERTIONS, max_size=3, unique_by=lambda a: a.type).map(tuple),
    OBJECTS,
)


def apply_patch(target: object, patch: object) -> object:
    """RFC 7386, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_patch(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_applying_the_patch_to_the_old_gives_the_new(old: dict[str, object], new: dict[str, object]) -> None:
    assert apply_patch(old, merge_patch(old, new)) == new


@given(OBJECTS)
def test_the_patch_between_equals_is_empty(value: dict[str, object]) -> None:
    assert merge_patch(value, copy.deepcopy(value)) == {}


@given(DRAFTS, DRAFTS)
def test_a_merged_status_merged_again_says_nothing_new(first: Draft, second: Draft) -> None:
    status = merge({}, first, NOW) or {}
    status = merge(status, second, LATER) or status

    assert merge(status, second, LATER + timedelta(days=1)) is None


@given(DRAFTS)
def test_the_order_of_conditions_is_no_news(draft: Draft) -> None:
    status = merge({}, draft, NOW)
    assert status is not None
    turned = Draft(draft.generation, draft.conditions[::-1], draft.fields)

    assert merge(status, turned, LATER) is None


def test_the_transition_time_moves_with_the_status_only() -> None:
    first = merge({}, Draft(1, (false("Ready", Reason.LOADING, "0 %"),)), NOW)
    assert first is not None
    second = merge(first, Draft(1, (false("Ready", Reason.INDEX_BUILDING, "1 %"),)), LATER)
    assert second is not None
    third = merge(second, Draft(1, (true("Ready", Reason.READY),)), LATER)
    assert third is not None

    times = [cast("Mapping[str, object]", find(s, "Ready"))["lastTransitionTime"] for s in (first, second, third)]
    assert times == [timestamp(NOW), timestamp(NOW), timestamp(LATER)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Draft(2, (true("Ready", Reason.READY, "m"),), {"a": 1}), id="another generation"),
        pytest.param(Draft(1, (true("Ready", Reason.READY, "n"),), {"a": 1}), id="another message"),
        pytest.param(Draft(1, (true("Ready", Reason.EXTERNAL, "m"),), {"a": 1}), id="another reason"),
        pytest.param(Draft(1, (unknown("Ready", Reason.READY, "m"),), {"a": 1}), id="another status"),
        pytest.param(Draft(1, (true("Ready", Reason.READY, "m"),), {"a": 2}), id="another field"),
        pytest.param(Draft(1, (true("Ready", Reason.READY, "m"),), {"a": None}), id="a field less"),
        pytest.param(
            Draft(1, (true("Ready", Reason.READY, "m"), true("Loaded", Reason.LOADED)), {"a": 1}),
            id="a condition more",
        ),
    ],
)
def test_what_is_news(change: Draft) -> None:
    status = merge({}, Draft(1, (true("Ready", Reason.READY, "m"),), {"a": 1}), NOW)
    assert status is not None

    assert merge(status, change, LATER) is not None


@given(st.sampled_from(Reason), st.sampled_from(Truth))
def test_reconciling_and_stalled_are_never_both_present(reason: Reason, status: Truth) -> None:
    types = {a.type for a in with_summary([Assertion("Ready", status, reason)])}

    assert not {"Reconciling", "Stalled"} <= types
    if status is not Truth.TRUE and reason.kind is ReasonClass.YOURS:
        assert "Stalled" in types
    if status is not Truth.TRUE and reason.kind is ReasonClass.WAITING:
        assert "Reconciling" in types
    if status is Truth.TRUE or reason.kind is ReasonClass.FINE:
        assert types == {"Ready"}


@pytest.mark.parametrize("status", [{}, {"conditions": None}, {"conditions": "x"}, {"conditions": [1, None]}])
def test_a_status_in_any_shape_is_read(status: dict[str, object]) -> None:
    assert find(status, "Ready") is None
    assert merge(status, Draft(1, (true("Ready", Reason.READY),)), NOW) is not None
