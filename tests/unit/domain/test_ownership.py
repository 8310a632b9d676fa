"""The stamp in a collection's properties."""

import pytest

from milvus_embedding.domain.ownership import (
    IDENTITY,
    OWNER,
    UID,
    Owner,
    Standing,
    identities,
    neighbour,
    stamp,
    standing,
)

ME = Owner("cluster", "search", "docs")
IDENTITIES: dict[str, dict[str, str | int]] = {
    "dense": {"provider": "dashscope", "model": "text-embedding-v3", "dim": 1024}
}


def test_the_stamp_is_read_back() -> None:
    properties = stamp(ME, uid="u1", identities=IDENTITIES)

    assert properties[OWNER] == "cluster/search/docs"
    assert properties[UID] == "u1"
    assert standing(properties, ME) is Standing.OURS
    assert identities(properties) == IDENTITIES


def test_the_stamp_is_the_same_in_any_order() -> None:
    two: dict[str, dict[str, str | int]] = {"a": {"dim": 1, "model": "m"}, "b": {"model": "m", "dim": 1}}
    turned: dict[str, dict[str, str | int]] = {"b": {"dim": 1, "model": "m"}, "a": {"model": "m", "dim": 1}}

    assert stamp(ME, uid="u", identities=two) == stamp(ME, uid="u", identities=turned)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        pytest.param("cluster/search/docs", Standing.OURS, id="ours"),
        pytest.param("former/search/docs", Standing.OURS, id="a former id of this installation"),
        pytest.param("other/search/docs", Standing.OTHERS, id="another installation"),
        pytest.param("cluster/search/docs2", Standing.OTHERS, id="another object"),
        pytest.param("cluster/other/docs", Standing.OTHERS, id="another namespace"),
        pytest.param("cluster/search/docs/x", Standing.OTHERS, id="something longer"),
        pytest.param("", Standing.UNSTAMPED, id="an empty stamp is none"),
        pytest.param(None, Standing.UNSTAMPED, id="no stamp"),
    ],
)
def test_whose_it_is(owner: str | None, expected: Standing) -> None:
    assert standing({} if owner is None else {OWNER: owner}, ME, accepted_ids=["former"]) is expected


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("cluster/search/other", "other"),
        ("former/search/other", "other"),
        ("cluster/search/" + "x" * 40_000, None),
        ("cluster/search/Not a name", None),
        ("cluster/team/other", None),
        ("foreign/search/other", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_only_neighbours_are_named(owner: str, name: str | None) -> None:
    assert neighbour({OWNER: owner}, ME, accepted_ids=["former"]) == name


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"dense": 1}'])
def test_an_identity_that_cannot_be_read_is_none(text: str) -> None:
    assert identities({IDENTITY: text}) == {}


def test_no_stamp_has_no_identity() -> None:
    assert identities({}) == {}
