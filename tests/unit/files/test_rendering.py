"""What a connection's delivery would be, from manifests alone."""

import pytest

from milvus_embedding.api.connection import Delivery
from milvus_embedding.api.references import Key
from milvus_embedding.domain.labels import derived
from milvus_embedding.files.manifests import Manifests, sort
from milvus_embedding.files.rendering import Offline, RenderError, render
from milvus_embedding.validation.documents import load_text

API = "apiVersion: embedding.milvus.io/v1alpha1"


def connection(name: str = "milvus", embedding: str = "{dashscope: {credentialRef: {name: dev}}}") -> str:
    spec = f"{{uri: 'http://m:19530', embedding: {embedding}}}" if embedding else "{uri: 'http://m:19530'}"
    return f"{API}\nkind: MilvusConnection\nmetadata: {{name: {name}, namespace: milvus}}\nspec: {spec}\n"


def credential(name: str, *, label: str = "", namespace: str = "milvus", source: str = "") -> str:
    source = source or f"apiKeySecretRef: {{name: {name}-key}}"
    chosen = f"label: {label}, " if label else ""
    return (
        f"{API}\nkind: EmbeddingCredential\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{connectionRef: {{name: milvus, namespace: milvus}}, {chosen}{source}}}\n"
    )


def secret(name: str, value: str, namespace: str = "milvus") -> str:
    metadata = f"{{name: {name}-key, namespace: {namespace}}}"
    return f"apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{apikey: '{value}'}}\n"


def manifests(*texts: str) -> Manifests:
    documents, problems = load_text("---\n".join(texts), "a.yaml")
    assert not problems
    return sort(documents)[0]


async def rendered(*texts: str) -> Offline:
    return await render(manifests(*texts), None)


async def test_every_key_is_under_its_label_and_the_default_is_named() -> None:
    offline = await rendered(
        connection(),
        credential("dev", label="apikey_dev"),
        secret("dev", " sk-1\n"),
        credential("prod"),
        secret("prod", "sk-2"),
    )
    assert offline.sections == {
        "credential": {"apikey_dev": {"apikey": "sk-1"}, derived("milvus", "prod"): {"apikey": "sk-2"}},
        "function": {"textEmbedding": {"providers": {"dashscope": {"credential": "apikey_dev"}}}},
    }


async def test_a_default_key_that_nothing_declares_is_a_problem_and_may_be_left_out() -> None:
    with pytest.raises(RenderError, match="EmbeddingCredential milvus/dev is not in the files") as refused:
        await rendered(connection())
    assert refused.value.only_missing
    offline = await render(manifests(connection()), None, allow_missing=True)
    assert offline.sections == {"credential": {}}
    assert len(offline.left_out) == 1


async def test_environment_gives_the_two_variables_with_the_default_key() -> None:
    offline = await rendered(
        connection(embedding="{delivery: Environment, dashscope: {credentialRef: {name: dev}}}"),
        credential("dev"),
        secret("dev", "sk-1"),
    )
    assert offline.delivery is Delivery.ENVIRONMENT
    assert offline.variables == {"MILVUSAI_DASHSCOPE_API_KEY": "sk-1", "MILVUS_DASHSCOPE_API_KEY": "sk-1"}
    assert set(offline.masked().variables.values()) == {"********"}


async def test_a_masked_one_has_no_key() -> None:
    offline = await rendered(connection(), credential("dev"), secret("dev", "sk-secret"))
    assert "sk-secret" not in str(offline.masked().sections)
    assert "sk-secret" not in repr(offline)


async def test_an_external_credential_needs_no_secret_and_is_not_rendered() -> None:
    offline = await rendered(connection(embedding="{}"), credential("dev", label="theirs", source="external: {}"))
    assert offline.sections == {"credential": {}}


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        pytest.param(
            (connection(), credential("dev")),
            "EmbeddingCredential milvus/dev: spec.apiKeySecretRef: Secret dev-key does not exist",
            id="a credential whose Secret is not in the files",
        ),
        pytest.param((connection(), credential("dev"), secret("dev", " ")), "is empty", id="an empty key"),
        pytest.param(
            (connection(), credential("dev", namespace="search"), secret("dev", "sk-1", "search")),
            "EmbeddingCredential search/dev",
            id="a credential of a namespace without a grant",
        ),
        pytest.param(
            (
                connection(embedding="{allowedNamespaces: {from: All}}"),
                credential("dev", namespace="search", label="mine"),
                secret("dev", "sk-1", "search"),
            ),
            "spec.label: only credentials of the connection's namespace",
            id="a label chosen elsewhere",
        ),
        pytest.param(
            (
                connection(),
                credential("dev", label="a_b"),
                secret("dev", "sk-1"),
                credential("prod", label="ab"),
                secret("prod", "sk-2"),
            ),
            "EmbeddingCredential milvus/prod: spec.label: ab is the same to Milvus",
            id="two labels that Milvus cannot tell apart",
        ),
        pytest.param((connection(embedding=""),), "no MilvusConnection with spec.embedding", id="nothing to deliver"),
        pytest.param(
            (connection("a", "{}"), connection("b", "{}")), "--connection (milvus/a, milvus/b)", id="two connections"
        ),
    ],
)
async def test_what_cannot_be_rendered_is_told_without_any_key(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(RenderError) as caught:
        await rendered(*texts)
    assert told in str(caught.value)
    assert "sk-" not in str(caught.value)


async def test_one_of_two_connections_can_be_chosen() -> None:
    both = manifests(connection("milvus", "{}"), connection("b", "{}"), credential("dev"), secret("dev", "sk-1"))
    offline = await render(both, Key("MilvusConnection", "milvus", "b"))
    assert offline.sections == {"credential": {}}


async def test_a_connection_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(RenderError, match=r"no MilvusConnection milvus/c .* it is one of milvus/milvus"):
        await render(manifests(connection()), Key("MilvusConnection", "milvus", "c"))


async def test_a_credential_without_its_secret_can_be_left_out() -> None:
    incomplete = manifests(connection(), credential("dev"), secret("dev", "sk-1"), credential("prod"))
    offline = await render(incomplete, None, allow_missing=True)
    assert list(offline.sections["credential"]) == [derived("milvus", "dev")]  # type: ignore[call-overload]
    assert [text.partition(":")[0] for text in offline.left_out] == ["EmbeddingCredential milvus/prod"]
