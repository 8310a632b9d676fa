"""What the service answers: models, dimensions, limits, error codes, usage."""

import json
from collections.abc import Mapping

import pytest

from milvus_embedding.devkit.dashscope import RateLimit
from milvus_embedding.devkit.dashscope.service import (
    MODELS,
    MalformedRequestError,
    answer,
    count_tokens,
    parse,
    refuse_key,
)


def request(model: str, texts: list[str], parameters: Mapping[str, object] | None = None) -> bytes:
    return json.dumps({"model": model, "input": {"texts": texts}, "parameters": parameters or {}}).encode()


def lengths(body: Mapping[str, object]) -> list[int]:
    output = body["output"]
    assert isinstance(output, dict)
    return [len(entry["embedding"]) for entry in output["embeddings"]]


@pytest.mark.parametrize(
    ("model", "dimension", "length"),
    [
        pytest.param("text-embedding-v1", None, 1536, id="v1 gives 1536"),
        pytest.param("text-embedding-v2", 512, 1536, id="v2 ignores a dimension"),
        pytest.param("text-embedding-v3", None, 1024, id="v3 gives 1024 unasked"),
        pytest.param("text-embedding-v3", 768, 768, id="v3 gives 768 if asked"),
        pytest.param("text-embedding-v3", 512, 512, id="v3 gives 512 if asked"),
        pytest.param("text-embedding-v4", 2048, 2048, id="v4 gives 2048 if asked"),
    ],
)
def test_a_model_gives_its_dimension(model: str, dimension: int | None, length: int) -> None:
    outcome = answer(parse(request(model, ["one", "two"], {"dimension": dimension} if dimension else {})))
    assert outcome.status == 200
    assert lengths(outcome.body) == [length, length]


def test_embeddings_come_with_their_index_and_in_no_promised_order() -> None:
    output = answer(parse(request("text-embedding-v3", ["a", "b", "c"]))).body["output"]
    assert isinstance(output, dict)
    assert [entry["text_index"] for entry in output["embeddings"]] == [2, 1, 0]


def test_usage_counts_tokens_of_all_texts() -> None:
    outcome = answer(parse(request("text-embedding-v3", ["hello world", "你好"])))
    assert outcome.tokens == count_tokens("hello world") + 2
    assert outcome.body["usage"] == {"total_tokens": outcome.tokens}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(request("text-embedding-v9", ["a"]), "Model not exist.", id="an unknown model"),
        pytest.param(request("text-embedding-v3", ["a"] * 11), "it should not be larger than 10", id="11 texts for v3"),
        pytest.param(request("text-embedding-v4", ["a"] * 11), "it should not be larger than 10", id="11 texts for v4"),
        pytest.param(request("text-embedding-v2", ["a"] * 26), "it should not be larger than 25", id="26 texts for v2"),
        pytest.param(request("text-embedding-v3", ["a"], {"dimension": 100}), "dimension is invalid", id="v3 with 100"),
        pytest.param(request("text-embedding-v3", ["a", ""]), "Range of input length", id="an empty text"),
        pytest.param(request("text-embedding-v1", ["字" * 2049]), "[1, 2048]", id="too many tokens for v1"),
        pytest.param(request("text-embedding-v3", []), "must not be empty", id="no texts"),
        pytest.param(
            request("text-embedding-v3", ["a"], {"text_type": "passage"}), "text_type", id="a wrong text type"
        ),
    ],
)
def test_the_service_refuses_with_invalid_parameter(body: bytes, message: str) -> None:
    outcome = answer(parse(body))
    assert (outcome.status, outcome.body["code"]) == (400, "InvalidParameter")
    assert message in str(outcome.body["message"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"no json", id="no JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"model": "m"}', id="no input"),
        pytest.param(b'{"model": "m", "input": {"texts": "one"}}', id="a string in place of a list"),
        pytest.param(b'{"model": "m", "input": {"texts": [1]}}', id="numbers in place of texts"),
    ],
)
def test_a_body_of_another_shape_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse(body)


def test_a_missing_and_a_wrong_key_are_401_invalid_api_key() -> None:
    for key in ("", "wrong"):
        outcome = refuse_key(key, {"good"})
        assert outcome is not None
        assert (outcome.status, outcome.body["code"]) == (401, "InvalidApiKey")
    assert refuse_key("good", {"good"}) is None


def test_the_rate_limit_is_per_model_and_its_window_slides() -> None:
    limit = RateLimit(requests=2, seconds=60)
    assert limit.refuse("text-embedding-v3", 0) is None
    assert limit.refuse("text-embedding-v3", 1) is None
    refused = limit.refuse("text-embedding-v3", 2)
    assert refused is not None
    assert (refused.status, refused.body["code"]) == (429, "Throttling.RateQuota")
    assert limit.refuse("text-embedding-v2", 2) is None
    assert limit.refuse("text-embedding-v3", 60.5) is None


def test_the_manuals_models_are_there() -> None:
    assert {"text-embedding-v1", "text-embedding-v2", "text-embedding-v3"} <= MODELS.keys()
