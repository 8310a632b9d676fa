"""What a row of the table comes to on a server: Ready, as declared when it is read back, and quiet from then on."""

from collections.abc import Sequence

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.clients.milvus.port import Milvus
from milvus_embedding.domain.catalogue import resolve
from milvus_embedding.domain.default_values import default_meaning
from milvus_embedding.domain.desired import Desired, ResolvedEmbedding, desired
from milvus_embedding.domain.schema import Description, Field, Index
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS


def wanted(bench: Bench, label: str = "apikey_dev") -> Desired:
    """What the operator has to make of the collection `docs`."""
    collection = bench.world.resource(DOCS)
    assert isinstance(collection, MilvusCollection)
    models = {
        f.name: resolve(f.text_embedding.dashscope.model, f.text_embedding.dashscope.dim)
        for f in collection.spec.functions
        if f.text_embedding is not None and f.text_embedding.dashscope is not None
    }
    embeddings = {name: ResolvedEmbedding(model, label) for name, model in models.items()}
    return desired(collection.spec, name=collection.effective_collection_name, embeddings=embeddings)


async def assert_as_declared(milvus: Milvus, want: Desired) -> Description:
    """Everything that was declared is in what Milvus answers, as the type that it was declared as."""
    have = await milvus.describe(want.database, want.name)
    assert have is not None
    for field in want.schema.fields:
        _assert_field(field, next(f for f in have.schema.fields if f.name == field.name))
    assert len(have.schema.fields) == len(want.schema.fields)
    assert sorted(have.schema.functions, key=lambda f: f.name) == sorted(want.schema.functions, key=lambda f: f.name)
    assert have.schema.properties.items() >= want.schema.properties.items()
    for attribute in ("description", "dynamic", "shards", "consistency"):
        assert getattr(have.schema, attribute) == getattr(want.schema, attribute), attribute
    assert want.schema.partitions_count in (None, have.schema.partitions_count)
    assert set(have.aliases) == set(want.aliases)
    assert set(await milvus.list_partitions(want.database, want.name)) >= set(want.partitions)
    _assert_indexes(want.indexes, await milvus.list_indexes(want.database, want.name))
    return have


def _assert_field(want: Field, have: Field) -> None:
    assert default_meaning(have) == default_meaning(want)
    assert have.params.items() >= want.params.items()
    for name in ("type", "description", "primary_key", "auto_id", "nullable", "partition_key", "clustering_key"):
        assert getattr(have, name) == getattr(want, name), name
    if want.type == "ARRAY":
        assert have.element_type == want.element_type


def _assert_indexes(wanted_ones: Sequence[Index], have: Sequence[Index]) -> None:
    assert len(wanted_ones) == len(have)
    for want in wanted_ones:
        index = next(i for i in have if i.field == want.field and (not want.name or i.name == want.name))
        assert index.type.upper() == want.type.upper()
        assert want.metric in ("", index.metric)
        assert index.params.items() >= want.params.items()
