"""K30: delivery becomes Environment, and File again, and no collection loses its key by it."""

from tests.fakes.dashscope import ACCEPTED
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.faults import BY_LABEL, NEW_KEY, config_hash, document, later
from tests.unit.controllers.manifests import (
    CONNECTION,
    DEV,
    DEV_KEY,
    DOCS,
    PROD,
    connection,
)

# K30: delivery becomes Environment, and File again


def by(delivery: str) -> dict[str, object]:
    return connection(embedding={"delivery": delivery, "dashscope": {"credentialRef": {"name": "apikey-dev"}}})


async def test_k30_delivery_stays_by_file_while_collections_name_labels(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()
    before, data = config_hash(bench), bench.config()

    bench.apply(by("Environment"))
    await later(bench)
    assert bench.condition(CONNECTION, "ConfigRendered") == ("False", "LabelsInUse")
    assert "apikey_dev" in bench.message(CONNECTION, "ConfigRendered")
    assert (config_hash(bench), bench.config()) == (before, data)
    assert bench.condition(DOCS, "Available") == ("True", "Available")

    bench.apply(by("File"))
    await later(bench)
    assert bench.condition(CONNECTION) == bench.condition(DOCS) == ("True", "Ready")
    assert (config_hash(bench), bench.config()) == (before, data)


async def test_k30_delivery_follows_once_no_collection_names_a_label(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    await bench.settle()
    bench.apply(by("Environment"))
    await later(bench)

    bench.world.remove(DOCS)
    bench.milvus.drop("docs")
    await later(bench)

    config = bench.config()
    assert "embedding.yaml" not in config
    assert {config["MILVUSAI_DASHSCOPE_API_KEY"], config["MILVUS_DASHSCOPE_API_KEY"]} == {DEV_KEY}
    assert bench.condition(CONNECTION) == ("True", "Ready")


async def test_k30_there_and_back_is_the_same_file(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    before, text = config_hash(bench), document(bench)

    bench.apply(by("Environment"))
    await later(bench)
    assert config_hash(bench) != before

    bench.apply(by("File"))
    await later(bench)
    assert (config_hash(bench), document(bench)) == (before, text)
    assert "MILVUS_DASHSCOPE_API_KEY" not in bench.config()
    assert bench.condition(DOCS) == ("True", "Ready")


async def test_k30_in_the_environment_the_default_key_is_delivered_and_any_other_one_is_not(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(by("Environment"))

    await bench.settle()

    assert bench.reasons(DEV)["Delivered"] == "Unknown DeliveryUnknown"
    assert bench.condition(DEV) == bench.condition(DOCS) == ("True", "Ready")
    assert bench.condition(PROD) == ("False", "LabelInEnvironment")


async def test_k30_a_rotated_default_key_reaches_both_variables(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(by("Environment"))
    await bench.settle()
    before = config_hash(bench)

    bench.key_probe.results[NEW_KEY] = ACCEPTED
    bench.secret("apikey-dev", apikey=NEW_KEY)
    await later(bench)

    config = bench.config()
    assert {config["MILVUSAI_DASHSCOPE_API_KEY"], config["MILVUS_DASHSCOPE_API_KEY"]} == {NEW_KEY}
    assert config_hash(bench) != before


async def test_k30_a_function_that_names_a_credential_is_an_error_in_the_environment(bench: Bench) -> None:
    bench.quickstart(embedding=BY_LABEL)
    bench.apply(by("Environment"))

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "LabelInEnvironment")
    assert bench.milvus.changing == []
