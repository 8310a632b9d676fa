"""The page's part "Use embedding function": the schema, the function, and what they are for."""

from pathlib import Path

import pytest

from milvus_embedding.devkit.dashscope.server import fingerprint
from milvus_embedding.validation.validate import validate_paths
from tests.seed.stage import PROD_KEY, Stage, part
from tests.unit.controllers.manifests import CONNECTION, DOCS

INVALID = Path(__file__).parents[2] / "examples" / "invalid"
TEXTS = ["Milvus searches vectors by similarity", "The cat sleeps on the windowsill", "Kubernetes schedules containers"]


async def described(stage: Stage) -> dict[str, object]:
    """The collection as pymilvus describes it to the page's reader."""
    await stage.play()
    assert stage.bench.condition(DOCS) == ("True", "Ready"), stage.bench.message(DOCS)
    with stage.client() as client:
        return dict(client.describe_collection("docs"))


async def test_the_quickstart_becomes_the_pages_collection(stage: Stage) -> None:
    """Step 1: a primary field `id`, a scalar field `document` for the text, a vector field `dense` of 1,024."""
    fields = (await described(stage))["fields"]

    assert isinstance(fields, list)
    assert [(f["name"], f["type"].name, f.get("is_primary", False), f["params"]) for f in fields] == [
        ("id", "INT64", True, {}),
        ("document", "VARCHAR", False, {"max_length": 9000}),
        ("dense", "FLOAT_VECTOR", False, {"dim": 1024}),
    ]
    assert not any(f.get("auto_id") for f in fields)


@pytest.mark.parametrize(
    "example",
    [
        pytest.param("collection-no-primary-key.yaml", id="the primary field that identifies each entity"),
        pytest.param("collection-input-not-text.yaml", id="the scalar field that stores raw text"),
        pytest.param("collection-output-not-declared.yaml", id="the vector field reserved for the embeddings"),
        pytest.param("collection-varchar-without-length.yaml", id="the length of the text field"),
    ],
)
def test_the_schema_must_include_at_least_three_necessary_fields(example: str) -> None:
    """Step 1: without one of them `kubectl apply` refuses the collection."""
    assert validate_paths([INVALID / example])


@pytest.mark.parametrize("model_dim", [768, 512])
async def test_dim_of_the_field_must_match_the_output_of_the_model(stage: Stage, model_dim: int) -> None:
    """Step 1: said before anything is created."""
    stage.model["dim"] = model_dim

    await stage.play()

    assert stage.bench.condition(DOCS) == ("False", "DimensionMismatch")
    assert f"set dim to {model_dim}" in stage.bench.message(DOCS)
    assert stage.dashscope.calls == []


async def test_dim_of_the_field_may_be_left_to_the_model(stage: Stage) -> None:
    """Step 1: what has to match need not be written twice."""
    del part(stage.collection, "fields", 2)["dim"]

    fields = (await described(stage))["fields"]

    assert isinstance(fields, list)
    assert fields[2]["params"] == {"dim": 1024}


async def test_the_function_is_added_to_the_schema_with_name_type_fields_and_params(stage: Stage) -> None:
    """Step 2: as the page's Function object."""
    functions = (await described(stage))["functions"]

    assert isinstance(functions, list)
    (function,) = functions
    assert (function["name"], function["type"].name) == ("ali", "TEXTEMBEDDING")
    assert (function["input_field_names"], function["output_field_names"]) == (["document"], ["dense"])
    assert function["params"] == {"provider": "dashscope", "model_name": "text-embedding-v3"}


async def test_credential_is_optional_and_is_the_label_in_milvus_yaml(stage: Stage) -> None:
    """Step 2: with it, this key is used instead of the provider's."""
    reference = {"name": "apikey-prod", "namespace": "milvus"}
    stage.model["credentialRef"] = reference

    functions = (await described(stage))["functions"]

    assert isinstance(functions, list)
    assert functions[0]["params"]["credential"] == "apikey_prod"
    assert stage.dashscope.calls[-1].key_fingerprint == fingerprint(PROD_KEY)


async def test_dim_of_the_function_is_optional_and_is_sent_as_text(stage: Stage) -> None:
    """Step 2: "dim": "1024"."""
    stage.model["dim"] = 1024

    functions = (await described(stage))["functions"]

    assert isinstance(functions, list)
    assert functions[0]["params"]["dim"] == "1024"


def test_the_provider_must_be_dashscope() -> None:
    """Step 2: another one is refused by the schema."""
    assert validate_paths([INVALID / "credential-other-provider.yaml"])


@pytest.mark.parametrize("example", ["collection-two-models.yaml", "collection-output-used-twice.yaml"])
def test_one_function_has_one_model_and_its_own_output(example: str) -> None:
    """Step 2: one model embeds, into a field of its own."""
    assert validate_paths([INVALID / example])


async def test_the_function_name_is_unique_in_its_collection(stage: Stage) -> None:
    """Step 2: two functions side by side need two names, and two outputs."""
    functions = stage.collection["functions"]
    fields = stage.collection["fields"]
    assert isinstance(functions, list)
    assert isinstance(fields, list)
    functions.append({**functions[0], "name": "ali2", "outputFields": ["dense2"]})
    fields.append({**fields[2], "name": "dense2"})

    described_functions = (await described(stage))["functions"]

    assert isinstance(described_functions, list)
    assert {f["name"]: f["output_field_names"] for f in described_functions} == {"ali": ["dense"], "ali2": ["dense2"]}


async def test_milvus_converts_the_text_into_embeddings_and_stores_them(stage: Stage) -> None:
    """Step 2: who inserts gives texts only."""
    await stage.play()

    with stage.client() as client:
        client.insert("docs", [{"id": number, "document": text} for number, text in enumerate(TEXTS)])
        rows = client.query("docs", filter="id >= 0", output_fields=["dense"], consistency_level="Strong")

    assert [len(row["dense"]) for row in rows] == [1024] * 3
    assert (stage.dashscope.calls[-1].text_type, stage.dashscope.calls[-1].texts) == ("document", 3)


@pytest.mark.parametrize(("query", "hit"), [("a sleeping cat", 1), ("containers in kubernetes", 2)])
async def test_after_index_and_insertion_you_search_by_text(stage: Stage, query: str, hit: int) -> None:
    """Next steps: index, insertion and semantic search work on what was declared."""
    await stage.play()

    with stage.client() as client:
        client.insert("docs", [{"id": number, "document": text} for number, text in enumerate(TEXTS)])
        hits = client.search("docs", data=[query], limit=1, consistency_level="Strong")

    assert hits[0][0]["id"] == hit


async def test_applied_once_more_nothing_is_called_that_changes_anything(stage: Stage) -> None:
    """All of the page is declarative: the second time there is nothing to do."""
    await stage.play()
    before, asked = stage.milvus.changing_calls, len(stage.dashscope.calls)

    await stage.play()

    assert (stage.milvus.changing_calls, len(stage.dashscope.calls)) == (before, asked)
    assert stage.bench.condition(CONNECTION) == ("True", "Ready")
