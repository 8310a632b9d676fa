"""The table of changes leaves out no path of the CRDs: each is set, changed and removed, or there is a reason."""

from collections.abc import Iterator

import pytest

from milvus_embedding.validation.crds import schemas
from milvus_embedding.validation.defaults import with_defaults
from milvus_embedding.validation.rules import rule_problems
from milvus_embedding.validation.structure import structural_problems
from tests.contract.cases import REFUSED_CHANGES
from tests.contract.schema_walk import schema_of
from tests.lifecycle.coverage import done, needed
from tests.lifecycle.stage import manifest
from tests.unit.domain.planning.changes import CHANGES

IMMUTABLE = {
    "spec.connectionRef": "another connection of a collection",
    "spec.database": "another database",
    "EmbeddingFunction.spec.dashscope.model": "another model",
    "EmbeddingFunction.spec.dashscope.dim": "another dim",
}
"""Path -> the case in which the API server refuses a change of it."""
EXCEPTIONS = {
    "spec.migration": "refused by name (NotSupportedYet) until migrations are built",
    "EmbeddingFunction.spec.allowedNamespaces": "a grant: tests/lifecycle/test_surroundings.py",
}
EXCEPTED_WAYS = {
    ("spec.collectionName", "changed"): "another collectionName",
    ("spec.indexes[].field", "changed"): "it tells entries apart: one is removed and another set",
}
SPECS = {
    "MilvusCollection": "spec",
    "EmbeddingFunction": "EmbeddingFunction.spec",
}


def test_there_are_enough_of_them() -> None:
    assert len(CHANGES) >= 150


@pytest.mark.parametrize("kind", SPECS)
def test_every_path_is_set_changed_and_removed(kind: str) -> None:
    covered = {found for change in CHANGES.values() for found in done(change)}
    missing = {
        (path, way)
        for path, way in needed(schema_of(kind)["properties"]["spec"], SPECS[kind])
        if (path, way) not in covered and not _excepted(path, way)
    }
    assert sorted(missing) == []


def test_every_exception_is_one() -> None:
    paths = {path for kind, root in SPECS.items() for path, _ in needed(schema_of(kind)["properties"]["spec"], root)}
    assert {*IMMUTABLE, *EXCEPTIONS, *(path for path, _ in EXCEPTED_WAYS)} <= paths
    assert {*IMMUTABLE.values(), EXCEPTED_WAYS["spec.collectionName", "changed"]} <= set(REFUSED_CHANGES)


@pytest.mark.parametrize("sentence", CHANGES)
def test_the_api_server_would_take_it(sentence: str) -> None:
    change = CHANGES[sentence]
    problems = [problem for spec in (change.old, change.new) for problem in _problems(manifest(spec))]
    assert [problem for problem in problems if "budget" not in problem] == []


def _problems(body: dict[str, object]) -> Iterator[str]:
    complete = with_defaults(schemas()["MilvusCollection"], body)
    assert isinstance(complete, dict)
    yield from (problem.message for problem in structural_problems("MilvusCollection", complete))
    yield from (problem.message for problem in rule_problems("MilvusCollection", complete))


def _excepted(path: str, way: str) -> bool:
    return (path, way) in EXCEPTED_WAYS or any(_is_below(path, above) for above in (*EXCEPTIONS, *IMMUTABLE))


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}[]"))
