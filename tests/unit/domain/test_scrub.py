"""Nothing of a secret gets out, however it is wrapped."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.scrub import LIMIT, Scrubber

SECRETS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=6, max_size=40).filter(
    lambda secret: not any(mark in secret for mark in "*…")
)


def knowing(*secrets: str) -> Scrubber:
    scrubber = Scrubber()
    scrubber.learn(*secrets)
    return scrubber


@given(SECRETS, st.text(max_size=50), st.text(max_size=50))
def test_a_known_secret_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    assert secret not in knowing(secret).clean(before + secret + after)


@given(SECRETS, st.binary(max_size=7), st.binary(max_size=7))
def test_its_base64_forms_are_masked_at_any_alignment(secret: str, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()

    cleaned = knowing(secret).clean(encoded)

    assert "***" in cleaned
    kept = cleaned.replace("***", "")
    # At most what the neighbours of the secret also touch is left: two characters on each side.
    assert len(kept) <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4


@given(SECRETS, st.text(max_size=400))
def test_a_quote_is_one_line_of_at_most_200_characters_without_the_secret(secret: str, around: str) -> None:
    quoted = knowing(secret).quote(around + secret + around)

    assert len(quoted) <= LIMIT
    assert len(quoted.splitlines()) <= 1
    assert secret not in quoted


@given(st.text(max_size=300))
def test_quoting_twice_is_quoting_once(text: str) -> None:
    scrubber = Scrubber()

    assert scrubber.quote(scrubber.quote(text)) == scrubber.quote(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("401 for Bearer sk-unknown-0123", id="a bearer token that nobody learned"),
        pytest.param("key sk-unknown-0123 is invalid", id="a key in DashScope's shape that nobody learned"),
        pytest.param("authorization: bearer c2stdW5rbm93bi0wMTIz", id="a header"),
    ],
)
def test_what_looks_like_a_key_is_masked_although_nobody_learned_it(text: str) -> None:
    quoted = Scrubber().quote(text)

    assert "unknown" not in quoted
    assert "c2st" not in quoted


def test_values_shorter_than_six_characters_are_no_secrets() -> None:
    assert knowing("root").quote("user root") == "user root"


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    assert knowing("abcdef", "abcdefghij").clean("x abcdefghij y") == "x *** y"


def test_surrounding_whitespace_is_not_part_of_a_secret() -> None:
    assert knowing("  abcdef\n").clean("x abcdef y") == "x *** y"


def test_without_secrets_text_stays_as_it_is() -> None:
    assert Scrubber().clean("two\nlines") == "two\nlines"


def test_learning_twice_changes_nothing() -> None:
    scrubber = knowing("abcdef", "abcdef")
    assert scrubber.clean("abcdef") == "***"
    scrubber.learn("abcdef")
    assert scrubber.clean("abcdef") == "***"
