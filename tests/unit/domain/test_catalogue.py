"""The manual's table of models."""

import pytest

from milvus_embedding.domain.catalogue import CATALOGUE, ModelError, resolve

RESOLVED = {
    "v3 without dim has the default, which is not sent": ("text-embedding-v3", None, False, (1024, None, 8192)),
    "v3 with its default dim sends it": ("text-embedding-v3", 1024, False, (1024, 1024, 8192)),
    "v3 with 768": ("text-embedding-v3", 768, False, (768, 768, 8192)),
    "v3 with 512": ("text-embedding-v3", 512, False, (512, 512, 8192)),
    "v2 has one dimension": ("text-embedding-v2", None, False, (1536, None, 2048)),
    "v2 takes its dimension and does not send it": ("text-embedding-v2", 1536, False, (1536, None, 2048)),
    "v1 has one dimension": ("text-embedding-v1", None, False, (1536, None, 2048)),
    "v1 takes its dimension and does not send it": ("text-embedding-v1", 1536, False, (1536, None, 2048)),
    "v3 with a dim of some regions, allowed": ("text-embedding-v3", 64, True, (64, 64, 8192)),
    "an unlisted model with dim, allowed": ("text-embedding-v4", 2048, True, (2048, 2048, None)),
    "a listed model stays what it is if unlisted ones are allowed": (
        "text-embedding-v2",
        None,
        True,
        (1536, None, 2048),
    ),
}
REFUSED = {
    "an unlisted model": ("text-embedding-v4", 1024, False, "allowUnlisted"),
    "an unlisted model, allowed, without dim": ("text-embedding-v4", None, True, "dim is not set"),
    "v3 with an unlisted dim": ("text-embedding-v3", 256, False, "listed: 1024, 768, 512"),
    "v2 with another dim": ("text-embedding-v2", 1024, False, "listed: 1536"),
    "a misspelt model": ("Text-Embedding-V3", None, False, "text-embedding-v3"),
}


@pytest.mark.parametrize("sentence", RESOLVED)
def test_what_a_model_comes_to(sentence: str) -> None:
    name, dim, allowed, expected = RESOLVED[sentence]

    model = resolve(name, dim, allow_unlisted=allowed)

    assert (model.dim, model.sent_dim, model.max_tokens) == expected
    assert model.identity == {"provider": "dashscope", "model": name, "dim": model.dim}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_refused_names_the_way_out(sentence: str) -> None:
    name, dim, allowed, text = REFUSED[sentence]

    with pytest.raises(ModelError, match=text):
        resolve(name, dim, allow_unlisted=allowed)


def test_identities_do_not_depend_on_whether_the_default_is_written_out() -> None:
    assert resolve("text-embedding-v3", None).identity == resolve("text-embedding-v3", 1024).identity


def test_the_catalogue_is_the_manuals_table() -> None:
    assert {name: (model.dims, model.max_tokens) for name, model in CATALOGUE.items()} == {
        "text-embedding-v3": ((1024, 768, 512), 8192),
        "text-embedding-v2": ((1536,), 2048),
        "text-embedding-v1": ((1536,), 2048),
    }
