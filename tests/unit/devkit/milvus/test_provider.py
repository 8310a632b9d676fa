"""The DashScope provider: where the key comes from, what is sent, Milvus' literal texts, three attempts."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.dashscope.server import fingerprint
from milvus_embedding.devkit.milvus.config import MilvusYaml
from milvus_embedding.devkit.milvus.provider import DEFAULT_URL, ProviderError, Providers, Target

V3 = {"provider": "dashscope", "model_name": "text-embedding-v3"}
Build = Callable[..., Providers]


def target(dimension: int = 1024, **parameters: str) -> Target:
    return Target("ali", "dense", dimension, {**V3, **parameters})


@pytest.fixture
def stand_in() -> Iterator[DashScopeStandIn]:
    with DashScopeStandIn({"function", "default", "new-name", "old-name"}) as server:
        yield server


@pytest.fixture
def build(tmp_path: Path, stand_in: DashScopeStandIn) -> Iterator[Build]:
    built: list[Providers] = []

    def make(
        text: str = "", *, env: Mapping[str, str] | None = None, sleep: Callable[[float], object] = id
    ) -> Providers:
        url = f'function: {{textEmbedding: {{providers: {{dashscope: {{url: "{stand_in.url}"}}}}}}}}\n'
        (tmp_path / "milvus.yaml").write_text(url, encoding="utf-8")
        (tmp_path / "user.yaml").write_text(text, encoding="utf-8")
        built.append(Providers(MilvusYaml(tmp_path, env), sleep=sleep))
        return built[-1]

    yield make
    for providers in built:
        providers.close()


def dashscope(section: str, credentials: str = "") -> str:
    return f"function: {{textEmbedding: {{providers: {{dashscope: {{{section}}}}}}}}}\ncredential: {{{credentials}}}\n"


BOTH = "f: {apikey: function}, d: {apikey: default}, empty: {apikey: ''}"
VARIABLES = {"MILVUS_DASHSCOPE_API_KEY": "new-name", "MILVUSAI_DASHSCOPE_API_KEY": "old-name"}


@pytest.mark.parametrize(
    ("text", "credential", "environment", "key"),
    [
        pytest.param(dashscope("credential: d", BOTH), "f", VARIABLES, "function", id="the function's label first"),
        pytest.param(dashscope("credential: d", BOTH), "", VARIABLES, "default", id="then the provider's label"),
        pytest.param(dashscope("", BOTH), "", VARIABLES, "new-name", id="then the new variable"),
        pytest.param("", "", {"MILVUSAI_DASHSCOPE_API_KEY": "old-name"}, "old-name", id="then the old variable"),
        pytest.param(dashscope("credential: d", BOTH), "empty", {}, "default", id="an empty value falls through"),
        pytest.param(dashscope("credential: empty", BOTH), "", VARIABLES, "new-name", id="to the variables too"),
    ],
)
def test_the_key_comes_from(
    build: Build, stand_in: DashScopeStandIn, text: str, credential: str, environment: Mapping[str, str], key: str
) -> None:
    build(text, env=environment).open(target(credential=credential)).embed(["hello"], text_type="document")
    assert [call.key_fingerprint for call in stand_in.calls] == [fingerprint(key)]


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        pytest.param(
            "", target(credential="nope"), "nope is not a apikey crediential, can not find key: nope.apikey",
            id="an unknown label",
        ),
        pytest.param(
            dashscope("", "dev: {apikey: k}"), target(credential="Dev"), "can not find key: Dev.apikey",
            id="a label in another case",
        ),
        pytest.param(
            "", target(),
            "Missing credentials config or configure the MILVUS_DASHSCOPE_API_KEY environment variable in the Milvus "
            "service.",
            id="no key anywhere",
        ),
        pytest.param(
            dashscope("enable: False"), target(), "text embedding model provider [dashscope] is disabled", id="disabled"
        ),
        pytest.param(
            "", target(dim="x"),
            "dimension [x] provided in Function params is not a valid int",
            id="a dim that is no int",
        ),
        pytest.param(
            "", target(dim="768"),
            "Function output field:[dense]'s dimension [1024] does not match the dimension [768] provided in Function "
            "params.",
            id="a dim that is not the field's",
        ),
        pytest.param(
            "", Target("ali", "dense", 1024, {}), "TextEmbedding function accepts no params", id="no parameters",
        ),
        pytest.param(
            "", Target("ali", "dense", 1024, {"model_name": "m"}),
            "the text embedding service provider parameter:[provider] was not found",
            id="no provider",
        ),
        pytest.param(
            "", target(provider="ali"), "unsupported text embedding service provider: [ali]", id="another provider",
        ),
    ],
)  # fmt: skip
def test_a_provider_is_not_built_and_nothing_is_called(
    build: Build, stand_in: DashScopeStandIn, text: str, wanted: Target, message: str
) -> None:
    with pytest.raises(ProviderError) as error:
        build(text).open(wanted)
    assert message in str(error.value)
    assert stand_in.calls == []


def test_batches_are_six_for_v3_and_twenty_five_for_others(build: Build, stand_in: DashScopeStandIn) -> None:
    providers = build(env=VARIABLES)
    texts = [f"text {number}" for number in range(14)]
    vectors = providers.open(target()).embed(texts, text_type="document")
    assert [call.texts for call in stand_in.calls] == [6, 6, 2]
    assert vectors[13] == providers.open(target()).embed(["text 13"], text_type="document")[0]
    stand_in.calls.clear()
    wide = Target("ali", "dense", 1536, {**V3, "model_name": "text-embedding-v2"})
    providers.open(wide).embed(texts * 2, text_type="query")
    assert [(call.texts, call.text_type) for call in stand_in.calls] == [(25, "query"), (3, "query")]
    assert (providers.open(target()).max_rows, providers.open(wide).max_rows) == (30, 125)


def test_v4_is_sent_more_than_dashscope_takes(build: Build) -> None:
    provider = build(env=VARIABLES).open(target(model_name="text-embedding-v4"))
    with pytest.raises(ProviderError, match="should not be larger than 10"):
        provider.embed(["text"] * 11, text_type="document")


def test_dimension_is_sent_only_if_asked_for(build: Build, stand_in: DashScopeStandIn) -> None:
    providers = build(env=VARIABLES)
    providers.open(target(768, dim="768")).embed(["a"], text_type="document")
    providers.open(target(dim="0")).embed(["a"], text_type="document")
    assert [call.dimension for call in stand_in.calls] == [768, 0]


def test_a_model_of_another_length_is_an_error(build: Build) -> None:
    with pytest.raises(ProviderError, match=r"required embedding dim is \[768\].*from the model is \[1024\]"):
        build(env=VARIABLES).open(target(768)).embed(["a"], text_type="document")


def test_three_attempts_with_growing_pauses_and_the_raw_body_in_the_error(
    build: Build, stand_in: DashScopeStandIn
) -> None:
    pauses: list[float] = []
    stand_in.keys.clear()
    with pytest.raises(ProviderError) as error:
        build(env=VARIABLES, sleep=pauses.append).open(target()).embed(["a"], text_type="document")
    assert pauses == [1.0, 2.0]
    assert len(stand_in.calls) == 3
    assert str(error.value).startswith('Call service failed, errs:[401 Unauthorized, {"code": "InvalidApiKey"')


def test_an_attempt_that_works_is_the_last(build: Build, stand_in: DashScopeStandIn) -> None:
    stand_in.fail_next(429, "Throttling.RateQuota", times=2)
    build(env=VARIABLES).open(target()).embed(["a"], text_type="document")
    assert [call.status for call in stand_in.calls] == [429, 429, 200]


def test_a_host_that_does_not_answer_is_a_failed_call(build: Build, stand_in: DashScopeStandIn) -> None:
    providers = build(env=VARIABLES)
    stand_in.stop()
    with pytest.raises(ProviderError, match="Call service failed, errs:"):
        providers.open(target()).embed(["a"], text_type="document")


def test_without_url_the_real_endpoint_is_used(tmp_path: Path) -> None:
    providers = Providers(MilvusYaml(tmp_path, VARIABLES))
    assert providers.open(target()).url == DEFAULT_URL
    providers.close()


def test_no_representation_shows_the_key(build: Build) -> None:
    assert "new-name" not in repr(build(env=VARIABLES).open(target()))
