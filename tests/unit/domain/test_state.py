"""The memory in the rendered Secret."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.labels import PATTERN
from milvus_embedding.domain.rendering.documents import Document
from milvus_embedding.domain.rendering.rotation import Rotation
from milvus_embedding.domain.rendering.state import LabelMemory, State, UnreadableState, dump, load

VALUES = st.none() | st.text(min_size=1)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
LABELS = st.from_regex(PATTERN, fullmatch=True)
SECONDS = st.integers(min_value=0, max_value=2**31)
MOMENTS = st.none() | SECONDS.map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
COUNTS = st.none() | st.integers(min_value=1)
ROTATIONS = st.builds(
    Rotation,
    generation=st.integers(min_value=1),
    changed=MOMENTS,
    delivered=COUNTS,
    delivered_at=MOMENTS,
    cleared_at=MOMENTS,
    revocable=MOMENTS,
    effective=COUNTS,
    effective_at=MOMENTS,
    refused=VALUES,
    returned=st.booleans(),
)
DOCUMENTS = st.lists(
    st.builds(
        Document,
        hash=st.text(),
        written=MOMENTS.filter(bool),
        digests=st.dictionaries(LABELS, st.text(min_size=1, max_size=3), max_size=3),
        url=st.text(max_size=3),
        default=st.text(max_size=3),
        replaced=MOMENTS,
        alias=st.text(max_size=3),
    ),
    max_size=4,
).map(tuple)
MEMORIES = st.dictionaries(
    LABELS,
    st.builds(
        LabelMemory,
        owner=st.tuples(NAMES, NAMES).map("/".join),
        since=TIMES,
        proven=VALUES,
        proven_at=st.none() | TIMES,
        proven_url=VALUES,
        candidate=VALUES,
        rotation=ROTATIONS,
    ),
    max_size=3,
)
STATES = st.builds(State, MEMORIES, DOCUMENTS)
NOW = "2026-01-01T00:00:00Z"


def holding(label: str = "a", **entry: str) -> bytes:
    return json.dumps({"version": 1, "labels": {label: {"owner": "n/a", "since": NOW, **entry}}}).encode()


@given(STATES)
def test_what_is_written_is_read_back(state: State) -> None:
    assert load(dump(state)) == state


@given(STATES)
def test_the_bytes_do_not_depend_on_the_order(state: State) -> None:
    other = State(dict(reversed(list(state.labels.items()))), state.documents)

    assert dump(other) == dump(state)


def test_a_memory_of_the_former_version_is_read_as_first_generation() -> None:
    assert load(holding(proven="sk-1")) == State({"a": LabelMemory(owner="n/a", since=NOW, proven="sk-1")})


def test_the_former_version_reads_what_this_one_writes() -> None:
    """It takes no other entries below a label, and does not look beside them."""
    entry = LabelMemory(owner="n/a", since=NOW, proven="sk-1", rotation=Rotation(generation=2))

    written = json.loads(dump(State({"a": entry})))

    assert written["labels"] == {"a": {"owner": "n/a", "since": NOW, "proven": "sk-1"}}
    assert written["version"] == 1


def test_what_a_later_version_adds_to_a_rotation_is_left_out() -> None:
    text = json.dumps({**json.loads(holding()), "rotations": {"a": {"generation": 3, "mood": "good"}}})

    assert load(text.encode()).labels["a"].rotation == Rotation(generation=3)


@pytest.mark.parametrize("text", [None, b"", b" \n"])
def test_nothing_is_an_empty_memory(text: bytes | None) -> None:
    assert load(text) == State()


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'{"version": 1}',
        b'{"version": 1, "labels": []}',
        b'{"version": 1, "labels": {"a": 1}}',
        b'{"version": 1, "labels": {"a": {}}}',
        b'{"version": 1, "labels": {"a": {"owner": 5, "since": "x"}}}',
        b'{"version": 1, "labels": {"a": {"owner": "n/a", "since": "x", "later": "y"}}}',
        b'{"version": 2, "labels": {}}',
        holding("A B"),
        holding(owner="a"),
        holding(owner="n/"),
        holding(since="yesterday"),
        holding(since=""),
        holding(proven_at="2026-01-01T00:00:00"),
        b'{"version": "sk-secret", "labels": {"a": {"owner": 1}}}',
    ],
    ids=str,
)
def test_a_damaged_memory_is_refused_without_quoting_it(text: bytes) -> None:
    with pytest.raises(UnreadableState, match=r"state\.json") as caught:
        load(text)
    assert "sk-secret" not in str(caught.value)


def test_a_newer_version_is_named() -> None:
    with pytest.raises(UnreadableState, match="version 2"):
        load(b'{"version": 2, "labels": {}}')


def test_the_candidate_is_rendered_before_the_proven_value() -> None:
    assert LabelMemory(owner="n/a", since="x", proven="old", candidate="new").value == "new"
    assert LabelMemory(owner="n/a", since="x", proven="old").value == "old"
    assert LabelMemory(owner="n/a", since="x").value is None
