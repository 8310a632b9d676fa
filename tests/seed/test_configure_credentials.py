"""The page's part "Configure credentials": what Milvus is given, and what it makes of it."""

import pytest
import yaml

from milvus_embedding.devkit.dashscope.server import fingerprint
from tests.seed.stage import DEV_KEY, PROD_KEY, Stage, part
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DEV, DOCS, PROD, connection, credential
from tests.unit.controllers.manifests import DEV_KEY as BENCH_DEV_KEY
from tests.unit.controllers.manifests import PROD_KEY as BENCH_PROD_KEY


@pytest.fixture
def page() -> Bench:
    """The page's two keys, without any Milvus."""
    bench = Bench()
    bench.secret("apikey-dev", apikey=BENCH_DEV_KEY)
    bench.secret("apikey-prod", apikey=BENCH_PROD_KEY)
    bench.apply(connection(), credential(), credential(PROD))
    return bench


async def document(bench: Bench) -> dict[str, object]:
    await bench.settle()
    bench.close()
    loaded = yaml.safe_load(bench.config()["embedding.yaml"])
    assert isinstance(loaded, dict)
    return loaded


async def test_you_may_list_one_or_many_api_keys_each_has_a_label_you_invent(page: Bench) -> None:
    """Option 1, step 1: `credential:` maps labels to keys."""
    assert (await document(page))["credential"] == {
        "apikey_dev": {"apikey": BENCH_DEV_KEY},
        "apikey_prod": {"apikey": BENCH_PROD_KEY},
    }


async def test_one_key_is_enough(page: Bench) -> None:
    """Option 1, step 1: one or many."""
    page.world.remove(PROD)

    assert (await document(page))["credential"] == {"apikey_dev": {"apikey": BENCH_DEV_KEY}}


async def test_you_point_the_provider_at_the_label_you_want_it_to_use(page: Bench) -> None:
    """Option 1, step 2: `function.textEmbedding.providers.dashscope.credential`."""
    assert (await document(page))["function"] == {
        "textEmbedding": {"providers": {"dashscope": {"credential": "apikey_dev"}}}
    }


async def test_you_choose_any_label_you_defined(page: Bench) -> None:
    """Option 1, step 2: the other label is as good."""
    page.apply(connection(embedding={"dashscope": {"credentialRef": {"name": "apikey-prod"}}}))

    assert part(await document(page), "function", "textEmbedding", "providers", "dashscope") == {
        "credential": "apikey_prod"
    }


async def test_a_custom_url_is_optional(page: Bench) -> None:
    """Option 1, step 2: `url` is rendered as declared, and only if it is."""
    url = "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
    page.apply(connection(embedding={"dashscope": {"credentialRef": {"name": "apikey-dev"}, "url": url}}))

    assert part(await document(page), "function", "textEmbedding", "providers", "dashscope") == {
        "credential": "apikey_dev",
        "url": url,
    }


async def test_the_pages_own_url_is_rendered_with_a_warning(page: Bench) -> None:
    """Option 1, step 2: the commented example is the OpenAI-compatible address, which does not serve Milvus."""
    url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    page.apply(connection(embedding={"dashscope": {"url": url}}))

    assert part(await document(page), "function", "textEmbedding", "providers", "dashscope") == {"url": url}
    assert page.condition(CONNECTION, "ConfigRendered") == ("True", "UrlSuspect")
    assert "api/v1/services/embeddings/text-embedding/text-embedding" in page.message(CONNECTION, "ConfigRendered")


async def test_the_environment_variable_is_milvusai_dashscope_api_key(page: Bench) -> None:
    """Option 2: the variable of the table (and the name that newer servers have for it)."""
    page.apply(
        connection(embedding={"delivery": "Environment", "dashscope": {"credentialRef": {"name": "apikey-dev"}}})
    )
    for key in (DEV, CONNECTION):
        await page.reconcile(key)
    page.close()

    config = page.config()
    assert config["MILVUSAI_DASHSCOPE_API_KEY"] == config["MILVUS_DASHSCOPE_API_KEY"] == BENCH_DEV_KEY
    assert "embedding.yaml" not in config


async def test_milvus_must_know_your_key_before_it_can_request_embeddings(stage: Stage) -> None:
    """Configure credentials: until the document is mounted the collection waits, and then it comes by itself."""
    stage.apply()
    await stage.bench.settle()
    assert stage.bench.condition(DOCS) == ("False", "CredentialNotDelivered")

    stage.mount()
    stage.bench.clock.advance(60)
    await stage.bench.settle()

    assert stage.bench.condition(DOCS) == ("True", "Ready")


async def test_every_restart_picks_the_key_up_automatically(stage: Stage) -> None:
    """Configuration file: keys are persistent across restarts."""
    await stage.play()
    stage.milvus.restart()

    with stage.client() as client:
        client.load_collection("docs")
        client.insert("docs", [{"id": 1, "document": "after the restart"}])

    assert stage.dashscope.calls[-1].status == 200


async def test_the_label_binds_a_specific_key_to_every_request(stage: Stage) -> None:
    """Option 1, step 2: inserts and searches use the key that the provider's label names."""
    await stage.play()
    stage.dashscope.calls.clear()

    with stage.client() as client:
        client.insert("docs", [{"id": 1, "document": "a text"}])
        client.search("docs", data=["a text"], limit=1)

    assert {call.key_fingerprint for call in stage.dashscope.calls} == {fingerprint(DEV_KEY)}


async def test_you_switch_keys_just_by_changing_a_label(stage: Stage) -> None:
    """Option 1, step 1: the collection is not touched."""
    await stage.play()
    changing = stage.milvus.changing_calls
    part(stage.connection, "embedding", "dashscope")["credentialRef"] = {"name": "apikey-prod"}

    await stage.play()
    switched = stage.milvus.changing_calls
    with stage.client() as client:
        client.insert("docs", [{"id": 1, "document": "a text"}])

    assert stage.dashscope.calls[-1].key_fingerprint == fingerprint(PROD_KEY)
    assert switched == changing


async def test_the_environment_is_used_if_no_key_is_found_in_milvus_yaml(stage: Stage) -> None:
    """Option 2: without any label, the variable serves."""
    part(stage.connection, "embedding")["delivery"] = "Environment"
    stage.apply()
    await stage.bench.settle()
    stage.mount()
    (stage.milvus.config_dir / "milvus.yaml").write_text(
        yaml.safe_dump({"function": {"textEmbedding": {"providers": {"dashscope": {"url": stage.dashscope.url}}}}}),
        encoding="utf-8",
    )
    stage.milvus.restart()
    stage.bench.clock.advance(60)

    await stage.bench.settle_ready(DOCS)

    assert stage.dashscope.calls[-1].key_fingerprint == fingerprint(DEV_KEY)


async def test_milvus_always_uses_the_value_in_milvus_yaml_and_ignores_the_environment(stage: Stage) -> None:
    """Note: the file has the higher priority."""
    stage.milvus.environment = {"MILVUSAI_DASHSCOPE_API_KEY": PROD_KEY, "MILVUS_DASHSCOPE_API_KEY": PROD_KEY}
    stage.milvus.restart()
    stage.apply()
    await stage.bench.settle()
    stage.milvus.config_dir.joinpath("user.yaml").write_text(stage.bench.config()["embedding.yaml"], encoding="utf-8")
    stage.bench.clock.advance(60)

    await stage.bench.settle_ready(DOCS)

    assert stage.dashscope.calls[-1].key_fingerprint == fingerprint(DEV_KEY)
