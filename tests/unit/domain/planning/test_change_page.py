"""The how-to on changes tells for each the class that the planner gives it."""

import re
from pathlib import Path

import pytest

from tests.unit.domain.planning.changes import CHANGES
from tests.unit.domain.planning.scenes import VERSIONS

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "change-a-collection.md"
SENTENCES = {
    "add a nullable scalar field": ("a nullable field is added",),
    "add a field that is not nullable": ("a field that is not nullable is added",),
    "remove a field": ("a field is removed", "a vector is removed"),
    "raise maxLength": ("maxLength goes up",),
    "lower maxLength": ("maxLength goes down",),
    "the type of a field, nullable, its default value": ("a type changes", "nullable is set", "a default changes"),
    "the model or the dimension of a function": (
        "the model changes at equal dimension",
        "the model's dimension changes",
    ),
    "the credential of a function": ("a label changes", "an EmbeddingFunction gets another key"),
    "add a function to a vector that users filled": ("a function is added to a vector that users filled",),
    "add a BM25 function with its output": ("bm25 is added",),
    "the type, metric or parameters of a vector index": (
        "a vector index gets another type",
        "the metric changes",
        "a parameter changes",
    ),
    "add a scalar index": ("a scalar index is added",),
    "remove a scalar index that was declared": ("a scalar index is removed",),
    "the description, the consistency level, most properties": (
        "the description changes",
        "the consistency level changes",
        "another property is set",
    ),
    "mmap, warm-up, partition key isolation": (
        "mmap of a field is set",
        "a warm-up is set",
        "isolation is set",
    ),
    "set or lower a time to live": ("a TTL is set", "a TTL is lowered"),
    "raise or remove a time to live": ("a TTL is raised", "a TTL is removed"),
    "add a partition": ("a partition is added",),
    "remove a partition": ("a partition is removed",),
    "add an alias": ("an alias is added",),
    "remove an alias": ("an alias is removed",),
    "turn the dynamic field on": ("the dynamic field is turned on",),
    "turn the dynamic field off": ("the dynamic field is turned off",),
    "load: replicas, resource groups, enabled again": (
        "replicas change",
        "a resource group is set",
        "loading is turned on",
    ),
    "load: enabled off": ("loading is turned off",),
    "shards, numPartitions": ("shards change", "numPartitions changes"),
}


def told() -> dict[str, tuple[str, str]]:
    table = PAGE.read_text(encoding="utf-8").partition("## What is what")[2].partition("## See")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return {change: (former, later) for change, former, later in rows if change != "you change"}


def test_every_row_is_held_to_the_planner() -> None:
    assert list(told()) == list(SENTENCES)


@pytest.mark.parametrize("row", SENTENCES)
def test_it_has_the_class_that_the_page_tells(row: str) -> None:
    for version, class_ in zip(("v2.6.9", "v3.0.0"), told()[row], strict=True):
        for sentence in SENTENCES[row]:
            expected = CHANGES[sentence].expected[VERSIONS.index(version)].split(" ")[1]
            assert ("not possible" if expected.endswith("!") else expected) == class_, (sentence, version)
