"""Two steps where Milvus re-reads the file: a default never names a label that Milvus may not have yet, or no more."""

from datetime import UTC, datetime, timedelta

import pytest

from milvus_embedding.domain.rendering.documents import Document, Documents
from milvus_embedding.domain.rendering.live import Step, step

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def content(seconds: float, *labels: str, default: str = "", until: float | None = None) -> Document:
    replaced = None if until is None else at(until)
    return Document(
        hash=f"{seconds}", written=at(seconds), digests=dict.fromkeys(labels, "d"), default=default, replaced=replaced
    )


ADDED = (content(0, "a", default="a", until=1000), content(1000, "a", "b", default="a"))
SWITCHED = (*ADDED[:1], content(1000, "a", "b", default="a", until=1200), content(1200, "a", "b", default="b"))
STEPS: dict[str, tuple[Documents, str, float, Step]] = {
    "the first content is written at once": ((), "a", 0, Step("a")),
    "the default stays until its new label is there": (ADDED[:1], "b", 500, Step("a", frozenset("a"), at(620))),
    "and until Milvus has read that": (ADDED, "b", 1119, Step("a", frozenset("a"), at(1120))),
    "then it is switched, and its former label stays": (ADDED, "b", 1120, Step("b", frozenset("a"), at(1240))),
    "until Milvus has read that, too": (SWITCHED, "b", 1319, Step("b", frozenset("a"), at(1320))),
    "then it may go": (SWITCHED, "b", 1320, Step("b")),
    "a first default waits for its label as well": ((content(0, "a"),), "b", 500, Step("", frozenset(), at(620))),
    "a default that is removed leaves its label for a while": (
        (content(0, "a", default="a"),),
        "",
        500,
        Step("", frozenset("a"), at(620)),
    ),
    "without a change there is no step": ((content(0, "a", default="a"),), "a", 500, Step("a")),
}


@pytest.mark.parametrize("sentence", STEPS)
def test_steps(sentence: str) -> None:
    documents, default, seconds, expected = STEPS[sentence]

    assert step(documents, default, at(seconds)) == expected
