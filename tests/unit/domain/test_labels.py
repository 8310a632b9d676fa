"""Labels: stable, and never two that Milvus cannot tell apart."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.labels import PATTERN, Claim, assign, derived, effective, fold

OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
LABELS = st.text("ab_-", min_size=1, max_size=4).filter(lambda label: label[0] in "ab")
OWNERS = st.sampled_from([f"n/{letter}" for letter in "abcdef"])
CLAIMS = st.lists(
    st.builds(
        Claim,
        LABELS,
        OWNERS,
        st.none() | st.integers(0, 3).map(lambda days: OLD + timedelta(days=days)),
    ),
    unique_by=lambda claim: claim.owner,
    max_size=6,
)
HOLDERS = st.dictionaries(LABELS, OWNERS, max_size=3)


def test_a_derived_label_never_changes() -> None:
    """It is in collections' functions: another value would cut them off their key."""
    assert derived("milvus", "apikey-dev") == "kca02a6f32e231a44"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_derived_label_is_a_label(namespace: str, name: str) -> None:
    label = derived(namespace, name)

    assert PATTERN.fullmatch(label)
    assert len(label) == 17
    assert fold(label) == label


@pytest.mark.parametrize(
    ("chosen", "namespace", "expected"),
    [
        pytest.param("mine", "milvus", "mine", id="the connection's namespace chooses"),
        pytest.param("mine", "search", None, id="others may not"),
        pytest.param(None, "search", derived("search", "dev"), id="others get one"),
        pytest.param(None, "milvus", derived("milvus", "dev"), id="so does who chose none"),
    ],
)
def test_the_effective_label(chosen: str | None, namespace: str, expected: str | None) -> None:
    assert effective(chosen, namespace=namespace, name="dev", connection_namespace="milvus") == expected


@pytest.mark.parametrize(
    ("label", "folded"), [("a_b", "ab"), ("ab", "ab"), ("A.b/C", "abc"), ("a-b", "a-b"), ("k_1_2", "k12")]
)
def test_what_milvus_makes_of_a_label(label: str, folded: str) -> None:
    assert fold(label) == folded


@given(HOLDERS, CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_claims_and_holders_never_matters(
    holders: dict[str, str], claims: list[Claim], dice: random.Random
) -> None:
    shuffled, turned = list(claims), list(holders.items())
    dice.shuffle(shuffled)
    dice.shuffle(turned)

    assert assign(dict(turned), shuffled) == assign(holders, claims)


@given(HOLDERS, CLAIMS)
def test_no_two_winners_fold_together_nor_with_what_somebody_else_holds(
    holders: dict[str, str], claims: list[Claim]
) -> None:
    winners = assign(holders, claims)

    folded = [fold(label) for label in winners.values()]
    assert len(folded) == len(set(folded))
    for owner, label in winners.items():
        same = {(held, holder) for held, holder in holders.items() if fold(held) == fold(label)}
        assert not same or (label, owner) in same


@given(CLAIMS)
def test_without_holders_every_folded_label_has_one_winner(claims: list[Claim]) -> None:
    assert {fold(label) for label in assign({}, claims).values()} == {fold(claim.label) for claim in claims}


@pytest.mark.parametrize(
    ("holders", "winner"),
    [
        pytest.param({}, "n/old", id="among newcomers the older one"),
        pytest.param({"a_b": "n/new"}, "n/new", id="the holder keeps it"),
        pytest.param({"ab": "n/old"}, "n/old", id="also the older holder"),
        pytest.param({"ab": "n/gone"}, None, id="a holder that is gone is not inherited from"),
        pytest.param({"a_b": "n/old"}, None, id="nor does a holder get a second spelling"),
    ],
)
def test_who_gets_a_label(holders: dict[str, str], winner: str | None) -> None:
    claims = [Claim("ab", "n/old", OLD), Claim("a_b", "n/new", NEW)]

    assert list(assign(holders, claims)) == ([winner] if winner else [])


def test_what_exists_comes_before_manifests_and_names_decide_the_rest() -> None:
    assert list(assign({}, [Claim("a", "n/a", None), Claim("a", "n/z", NEW)])) == ["n/z"]
    assert list(assign({}, [Claim("a", "n/z", None), Claim("a", "n/a", None)])) == ["n/a"]
