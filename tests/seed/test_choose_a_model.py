"""The page's part "Choose an embedding model": the table, and the `dim` parameter."""

import pytest

from milvus_embedding.domain.catalogue import CATALOGUE
from tests.seed.stage import Stage, part
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS, FUNCTION, function


async def effective(model: str, **dashscope: object) -> object:
    bench = Bench()
    bench.apply(function(model=model, **dashscope))
    await bench.reconcile(FUNCTION)
    return bench.world.status(FUNCTION).get("effective", bench.condition(FUNCTION))


@pytest.mark.parametrize(
    ("model", "dim", "max_tokens"),
    [
        pytest.param("text-embedding-v3", 1024, 8192, id="text-embedding-v3 has 1,024 dimensions and 8,192 tokens"),
        pytest.param("text-embedding-v2", 1536, 2048, id="text-embedding-v2 has 1,536 dimensions and 2,048 tokens"),
        pytest.param("text-embedding-v1", 1536, 2048, id="text-embedding-v1 has 1,536 dimensions and 2,048 tokens"),
    ],
)
async def test_the_available_models_have_dimensions_and_max_tokens_per_row(
    model: str, dim: int, max_tokens: int
) -> None:
    """The table, row by row."""
    expected = {"provider": "dashscope", "model": model, "dim": dim, "maxTokens": max_tokens}

    assert await effective(model) == expected


def test_the_table_has_these_rows_and_no_other() -> None:
    """Any other model needs `allowUnlisted`."""
    assert sorted(CATALOGUE) == ["text-embedding-v1", "text-embedding-v2", "text-embedding-v3"]


@pytest.mark.parametrize("dim", [1024, 768, 512])
async def test_text_embedding_v3_supports_reducing_the_size_by_dim(stage: Stage, dim: int) -> None:
    """Below the table: smaller vectors cost less; the field has to have the same size."""
    stage.model["dim"] = dim
    part(stage.collection, "fields", 2)["dim"] = dim

    await stage.play()

    assert stage.bench.condition(DOCS) == ("True", "Ready")
    assert stage.dashscope.calls[-1].dimension == dim


@pytest.mark.parametrize("model", ["text-embedding-v2", "text-embedding-v1"])
async def test_the_other_models_have_one_size_and_are_not_sent_any(stage: Stage, model: str) -> None:
    """The table: 1,536 only."""
    stage.model.update(model=model, dim=1536)
    part(stage.collection, "fields", 2)["dim"] = 1536

    await stage.play()

    assert stage.bench.condition(DOCS) == ("True", "Ready")
    assert (stage.dashscope.calls[-1].model, stage.dashscope.calls[-1].dimension) == (model, 0)


@pytest.mark.parametrize(
    ("model", "dim"), [("text-embedding-v3", 256), ("text-embedding-v2", 1024), ("text-embedding-v1", 512)]
)
async def test_other_sizes_are_not_offered(model: str, dim: int) -> None:
    """The table lists what is."""
    assert await effective(model, dim=dim) == ("False", "InvalidSpec")
