"""Milvus' texts about failed live checks, in the spellings of 2.6 and 3.x."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvus_embedding.clients.milvus.port import ProviderCause, ProviderFailed
from milvus_embedding.clients.milvus.provider_errors import recognise
from milvus_embedding.domain.scrub import Scrubber

CHECK = "Check function [ali:TextEmbedding] failed, the err is: "
CHECK_3 = "check function [ali:TextEmbedding] failed, the err is: "


def answer(status: str, code: str = "X") -> str:
    return f'{CHECK}Call service failed, errs:[{status}, {{"code":"{code}","message":"private","request_id":"r"}}]'


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        pytest.param(
            "apikey_dev is not a apikey crediential, can not find key: apikey_dev.apikey",
            ProviderCause.KEY_NOT_FOUND,
            id="a label that milvus.yaml has not",
        ),
        pytest.param(
            "Missing credentials config or configure the MILVUS_DASHSCOPE_API_KEY environment variable in the Milvus "
            "service.",
            ProviderCause.KEY_NOT_FOUND,
            id="no key at all, 2.6",
        ),
        pytest.param(
            "missing credentials config or configure the MILVUS_DASHSCOPE_API_KEY environment variable in the Milvus "
            "service: invalid parameter",
            ProviderCause.KEY_NOT_FOUND,
            id="no key at all, 3.x",
        ),
        pytest.param(
            "text embedding model provider [dashscope] is disabled", ProviderCause.DISABLED, id="a disabled provider"
        ),
        pytest.param(answer("401 Unauthorized", "InvalidApiKey"), ProviderCause.KEY_REJECTED, id="a refused key"),
        pytest.param(
            CHECK_3 + "call service failed, errs:[401 Unauthorized, {}]",
            ProviderCause.KEY_REJECTED,
            id="a refused key, 3.x",
        ),
        pytest.param(
            CHECK + 'Call service failed, code: 401, {"code": "x"}', ProviderCause.KEY_REJECTED, id="status as a code"
        ),
        pytest.param(answer("403 Forbidden", "AccessDenied"), ProviderCause.OTHER, id="no access"),
        pytest.param(answer("400 Bad Request", "Arrearage"), ProviderCause.OTHER, id="an unpaid bill"),
        pytest.param(answer("400 Bad Request", "InvalidParameter"), ProviderCause.MODEL, id="a bad parameter"),
        pytest.param(answer("404 Not Found", "ModelNotFound"), ProviderCause.MODEL, id="an unknown model"),
        pytest.param(answer("429 Too Many Requests"), ProviderCause.RATE_LIMITED, id="too many requests"),
        pytest.param(answer("400 Bad Request", "Throttling.RateQuota"), ProviderCause.RATE_LIMITED, id="throttling"),
        pytest.param(answer("500 Internal Server Error"), ProviderCause.OTHER, id="the provider's own failure"),
        pytest.param(
            CHECK + "The required embedding dim is [512], but the embedding obtained from the model is [1024]",
            ProviderCause.DIMENSION,
            id="vectors of another length",
        ),
        pytest.param(
            "Function output field:[dense]'s dimension [512] does not match the dimension [1024] provided in Function "
            "params.",
            ProviderCause.DIMENSION,
            id="a dim that contradicts the field",
        ),
        pytest.param(
            CHECK + "Get embedding failed. The number of texts and embeddings does not match text:[1], embedding:[0]",
            ProviderCause.OTHER,
            id="an answer without embeddings",
        ),
        pytest.param(
            CHECK + 'Call service failed, errs:[Post "https://x": dial tcp: i/o timeout]',
            ProviderCause.OTHER,
            id="no network",
        ),
        pytest.param(CHECK + "context deadline exceeded", ProviderCause.OTHER, id="the provider did not answer"),
    ],
)
def test_causes(text: str, cause: ProviderCause) -> None:
    failure = recognise(text, Scrubber())
    assert failure is not None
    assert failure.cause is cause
    assert "private" not in str(failure)


@pytest.mark.parametrize(
    "text",
    ["collection not found", "Invalid collection name: a-b", "duplicate function name: ali", "context canceled", ""],
)
def test_anything_else_is_not_about_the_provider(text: str) -> None:
    assert recognise(text, Scrubber()) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            answer("401 Unauthorized", "InvalidApiKey"),
            "The check of function ali failed: the embedding service refused the API key (HTTP 401, InvalidApiKey).",
            id="status and code are told",
        ),
        pytest.param(
            answer("500", "sk-not a code"),
            "The check of function ali failed: the embedding service failed or refused (HTTP 500).",
            id="a code that looks like none is not",
        ),
        pytest.param(
            "a is not a apikey crediential, can not find key: a.apikey",
            "The check of an embedding function failed: Milvus has no API key of the label a.",
            id="the label is told",
        ),
        pytest.param(
            CHECK + "something new",
            'The check of function ali failed: Milvus says "something new".',
            id="an unknown failure is quoted",
        ),
        pytest.param(
            CHECK + '{"all": "body"}',
            "The check of function ali failed: Milvus does not say why.",
            id="unless it is all body",
        ),
    ],
)
def test_messages(text: str, message: str) -> None:
    assert str(recognise(text, Scrubber())) == message


@settings(deadline=None)
@given(st.text(max_size=600), st.sampled_from(["", CHECK, CHECK + "Call service failed, errs:[400 x, "]))
def test_whatever_milvus_says_becomes_a_short_line(text: str, prefix: str) -> None:
    failure = recognise(prefix + text, Scrubber())
    if prefix:
        assert isinstance(failure, ProviderFailed)
        assert len(str(failure)) < 400
        assert "\n" not in str(failure)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["Lo"]), min_size=1))
def test_a_body_is_never_quoted(body: str) -> None:
    failure = recognise(f"{CHECK}Call service failed, errs:[502 Bad Gateway, {body}]", Scrubber())
    assert body not in str(failure)
