"""Vectors from spelling: deterministic unit vectors in which similar texts are near each other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.devkit.dashscope import embed_text

WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9), min_size=5, max_size=12, unique=True)


def cosine(first: list[float], second: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(first, second, strict=True))


@given(st.text(min_size=1, max_size=200), st.sampled_from([64, 512, 1024]))
def test_every_text_gives_the_same_unit_vector_each_time(text: str, dimension: int) -> None:
    vector = embed_text(text, dimension)
    assert len(vector) == dimension
    assert math.isclose(cosine(vector, vector), 1.0, rel_tol=1e-9)
    assert embed_text(text, dimension) == vector


@given(WORDS)
def test_a_text_without_one_of_its_words_is_nearer_than_its_words_spelt_in_other_letters(words: list[str]) -> None:
    original = embed_text(" ".join(words), 1024)
    shorter = embed_text(" ".join(words[:-1]), 1024)
    shifted = "".join(
        chr((ord(sign) - ord("a") + 13) % 26 + 0x430) if sign.isalpha() else sign for sign in " ".join(words)
    )
    assert cosine(original, shorter) > cosine(original, embed_text(shifted, 1024))


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        pytest.param(
            "vector search", "searching vectors in Milvus", "a recipe for bread", id="inflected English words"
        ),
        pytest.param("北京的天气", "今天北京天气很好", "如何安装数据库", id="Chinese without spaces"),
        pytest.param("東京の天気", "東京は今日も天気が良い", "データベースの作り方", id="Japanese in two scripts"),
        pytest.param("KUBERNETES Pod", "pods of kubernetes", "rows of a table", id="another case"),
        pytest.param(
            "\uff46\uff55\uff4c\uff4c width", "full width text", "something else", id="compatibility characters"
        ),
    ],
)
def test_similar_texts_are_nearer_than_unrelated_ones(query: str, near: str, far: str) -> None:
    for dimension in (512, 1024, 1536):
        vector = embed_text(query, dimension)
        assert cosine(vector, embed_text(near, dimension)) > cosine(vector, embed_text(far, dimension)) + 0.1


def test_punctuation_alone_still_gives_a_vector() -> None:
    assert embed_text("?!", 64) != embed_text("...", 64)
