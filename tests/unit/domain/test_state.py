"""The memory in the rendered Secret."""

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.labels import PATTERN
from milvus_embedding.domain.rendering.state import LabelMemory, UnreadableState, dump, load

VALUES = st.none() | st.text(min_size=1)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
MEMORIES = st.dictionaries(
    st.from_regex(PATTERN, fullmatch=True),
    st.builds(
        LabelMemory,
        owner=st.tuples(NAMES, NAMES).map("/".join),
        since=TIMES,
        proven=VALUES,
        proven_at=st.none() | TIMES,
        proven_url=VALUES,
        candidate=VALUES,
    ),
)
NOW = "2026-01-01T00:00:00Z"


def holding(label: str = "a", **entry: str) -> bytes:
    return json.dumps({"version": 1, "labels": {label: {"owner": "n/a", "since": NOW, **entry}}}).encode()


@given(MEMORIES)
def test_what_is_written_is_read_back(memory: dict[str, LabelMemory]) -> None:
    assert load(dump(memory)) == memory


@given(MEMORIES)
def test_the_bytes_do_not_depend_on_the_order(memory: dict[str, LabelMemory]) -> None:
    assert dump(dict(reversed(memory.items()))) == dump(memory)


@pytest.mark.parametrize("text", [None, b"", b" \n"])
def test_nothing_is_an_empty_memory(text: bytes | None) -> None:
    assert load(text) == {}


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
