"""What a server's version tells."""

import pytest

from milvus_embedding.domain.planning.capabilities import Capabilities, capabilities

FLAGS = ("functions", "alters_functions", "adds_and_drops_functions", "checks_target_only", "drops_fields")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("v2.3.5", (False, False, False, False, False), id="an old server keeps no functions"),
        pytest.param("v2.6.0", (True, False, False, False, False), id="2.6.0 keeps functions"),
        pytest.param("2.6.6", (True, False, False, False, False), id="2.6.6 alters none"),
        pytest.param("v2.6.7", (True, True, True, False, False), id="2.6.7 alters, adds and drops them"),
        pytest.param("v2.6.9", (True, True, True, True, False), id="2.6.9 checks the one that is altered"),
        pytest.param("v2.6.17-dev", (True, True, True, True, False), id="the later ones of 2.6 too"),
        pytest.param("v3.0.0", (True, True, False, True, True), id="3.0 alters parameters and drops fields"),
        pytest.param("v3.1.2", (True, True, False, True, True), id="and so do the later ones"),
        pytest.param("milvus_lite-3.2.2", (True, True, True, True, True), id="nothing is forbidden to the unknown"),
        pytest.param("", (True, True, True, True, True), id="nor to what tells nothing"),
        pytest.param(None, (True, True, True, True, True), id="nor to what was not asked"),
    ],
)
def test_capabilities(version: str | None, expected: tuple[bool, ...]) -> None:
    able = capabilities(version)

    assert tuple(getattr(able, flag) for flag in FLAGS) == expected


@pytest.mark.parametrize(
    ("version", "param", "alterable"),
    [
        ("v2.6.6", "credential", False),
        ("v2.6.7", "credential", True),
        ("v2.6.7", "anything", True),
        ("v3.0.0", "credential", True),
        ("v3.0.0", "timeout_ms", True),
        ("v3.0.0", "model_name", False),
        ("v3.0.0", "dim", False),
        ("dev", "anything", True),
    ],
)
def test_alterable_parameters(version: str, param: str, *, alterable: bool) -> None:
    assert capabilities(version).alters_param(param) is alterable


def test_an_unknown_version_can_at_least_what_each_known_one_can() -> None:
    unknown = capabilities("dev")
    for version in ("v2.3.5", "v2.6.0", "v2.6.9", "v3.0.0"):
        known = capabilities(version)
        for flag in Capabilities.__slots__:
            if isinstance(getattr(known, flag), bool) and flag != "drops_scalar_index_loaded":
                assert getattr(known, flag) <= getattr(unknown, flag), flag
