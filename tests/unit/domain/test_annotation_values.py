"""Values of annotations, by kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api import annotations
from milvus_embedding.domain.annotation_values import mistake, released_to

COLLECTION, CONNECTION, CREDENTIAL = "MilvusCollection", "MilvusConnection", "EmbeddingCredential"
HASH = "0123456789abcdef"
NOON = "2026-01-31T12:00:00Z"

GOOD: dict[str, tuple[str, str, str]] = {
    "an heir": (COLLECTION, "release-to", "search/docs-2"),
    "an heir with spaces around it": (COLLECTION, "release-to", " search/docs "),
    "an heir with dots in its name": (COLLECTION, "release-to", "search/docs.v2"),
    "the hash of a plan": (COLLECTION, "approved-plan", HASH),
    "the hash of a migration's plan": (COLLECTION, "writers-paused", HASH),
    "a collection's id": (COLLECTION, "delete-adopted", "453718927992172268"),
    "the way out": (COLLECTION, "force-release", "true"),
    "the hash of a configuration": (CONNECTION, "approved-rollout", HASH * 2),
    "deletions confirmed": (CONNECTION, "confirm-deletions", "true"),
    "deletions confirmed until noon": (CONNECTION, "confirm-deletions", NOON),
    "a look asked for": (CREDENTIAL, "reconcile-requested-at", NOON),
    "a look asked for, by a clock with nanoseconds": (
        COLLECTION,
        "reconcile-requested-at",
        "2026-01-31T12:00:00.123456789+01:00",
    ),
    "nothing at all": (COLLECTION, "approved-plan", ""),
}
BAD: dict[str, tuple[str, str, str, str]] = {
    "an heir without a namespace": (COLLECTION, "release-to", "docs", "'docs' is not <namespace>/<name>"),
    "an heir in capitals": (COLLECTION, "release-to", "search/Docs", "is not <namespace>/<name>"),
    "too short a hash": (COLLECTION, "approved-plan", "0123", "the 16 hex digits of status.plan.hash"),
    "the hash of something else": (COLLECTION, "approved-plan", HASH * 2, "the 16 hex digits of status.plan.hash"),
    "a word for a hash": (CONNECTION, "approved-rollout", "yes", "the 32 hex digits of status.config.hash"),
    "a name for an id": (COLLECTION, "delete-adopted", "docs", "the number in status.collection.id"),
    "True for true": (COLLECTION, "force-release", "True", 'write "true", or remove it'),
    "no to a confirmation": (CONNECTION, "confirm-deletions", "no", 'a time like 2026-01-31T12:00:00Z, or "true"'),
    "a confirmation without a zone": (CONNECTION, "confirm-deletions", "2026-01-31T12:00:00", "a time like"),
    "now": (COLLECTION, "reconcile-requested-at", "now", "write a time like 2026-01-31T12:00:00Z"),
    "a collection's on a connection": (CONNECTION, "force-release", "true", "it is for a MilvusCollection"),
    "a connection's on a collection": (COLLECTION, "approved-rollout", HASH * 2, "it is for a MilvusConnection"),
    "a slip of the pen": (COLLECTION, "realease-to", "search/docs", f"did you mean {annotations.RELEASE_TO}?"),
    "what there is not": (COLLECTION, "colour", "green", "remove it"),
}


@pytest.mark.parametrize("sentence", GOOD)
def test_a_value_that_means_something(sentence: str) -> None:
    kind, name, value = GOOD[sentence]
    assert mistake(annotations.PREFIX + name, value, kind=kind) == ""


@pytest.mark.parametrize("sentence", BAD)
def test_a_value_that_means_nothing(sentence: str) -> None:
    kind, name, value, told = BAD[sentence]
    assert told in mistake(annotations.PREFIX + name, value, kind=kind)


def test_those_of_others_are_not_looked_at() -> None:
    assert mistake("example.com/force-release", "maybe", kind=COLLECTION) == ""


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)


@given(NAMES, NAMES)
def test_an_heir_is_what_it_is_written_as(namespace: str, name: str) -> None:
    assert released_to(f"{namespace}/{name}", place=("Search", "docs"), observes=False) == (namespace, name)


@given(st.text())
def test_whatever_is_written_it_is_told_on_one_line(value: str) -> None:
    assert "\n" not in mistake(annotations.RELEASE_TO, value, kind=COLLECTION)


def test_observe_hands_nothing_over() -> None:
    with pytest.raises(ValueError, match="adoptionPolicy Observe"):
        released_to("search/heir", place=("search", "docs"), observes=True)
