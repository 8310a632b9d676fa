"""From a spec to Milvus' terms."""

import pytest

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.domain.desired import DimensionDiffers, desired, to_strings
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index
from tests.unit.domain.specs import FIELDS, declared, embedding, wanted


def field(**spec: object) -> Field:
    (made,) = [f for f in wanted(fields=[*FIELDS, {"name": "x", **spec}]).schema.fields if f.name == "x"]
    return made


def test_the_manuals_schema() -> None:
    schema = wanted().schema

    assert schema.fields == (
        Field(name="id", type="INT64", primary_key=True),
        Field(name="document", type="VARCHAR", params={"max_length": "9000"}),
        Field(name="dense", type="FLOAT_VECTOR", params={"dim": "1024"}),
    )
    assert schema.functions == (
        Function(
            name="ali",
            kind=FunctionKind.TEXT_EMBEDDING,
            inputs=("document",),
            outputs=("dense",),
            params={"provider": "dashscope", "model_name": "text-embedding-v3"},
        ),
    )


def test_label_and_dim_are_sent_as_text() -> None:
    want = desired(
        declared(fields=[*FIELDS[:2], {**FIELDS[2], "dim": 768}]),
        name="docs",
        embeddings={"ali": embedding(label="apikey_dev", dim=768)},
    )

    assert want.schema.functions[0].params == {
        "provider": "dashscope",
        "model_name": "text-embedding-v3",
        "credential": "apikey_dev",
        "dim": "768",
    }
    assert want.identities == {"dense": {"provider": "dashscope", "model": "text-embedding-v3", "dim": 768}}


def test_a_dim_that_is_not_the_models_is_refused_with_both_numbers() -> None:
    with pytest.raises(DimensionDiffers, match=r"fields\[dense\]\.dim is 1024, but .* gives 512: set dim to 512"):
        desired(declared(), name="docs", embeddings={"ali": embedding(dim=512)})


def test_bm25_has_no_parameters_and_no_identity() -> None:
    spec: dict[str, object] = {
        "fields": [*FIELDS[:2], {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"}],
        "functions": [{"name": "words", "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}}],
        "indexes": [],
    }
    want = desired(declared(**spec), name="docs", embeddings={})

    assert (want.schema.functions[0].kind, want.schema.functions[0].params) == (FunctionKind.BM25, {})
    assert want.identities == {}
    assert want.indexes == (Index(field="sparse", metric="BM25"),)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (1, "1"), (0.5, "0.5"), ("True", "True"), ("", "")],
)
def test_scalars_in_milvus_spelling(value: str | float, text: str) -> None:
    assert to_strings({"x": value}) == {"x": text}


@pytest.mark.parametrize(
    ("spec", "params"),
    [
        ({"type": "VARCHAR", "maxLength": 10}, {"max_length": "10"}),
        ({"type": "ARRAY", "elementType": "INT64", "maxCapacity": 5}, {"max_capacity": "5"}),
        ({"type": "INT64", "mmap": True}, {"mmap.enabled": "true"}),
        ({"type": "INT64", "mmap": False}, {"mmap.enabled": "false"}),
        (
            {"type": "VARCHAR", "maxLength": 10, "analyzer": {"enabled": True, "match": True}},
            {"max_length": "10", "enable_analyzer": "true", "enable_match": "true"},
        ),
        (
            {"type": "VARCHAR", "analyzer": {"enabled": True, "params": {"tokenizer": "standard", "filter": ["x"]}}},
            {"enable_analyzer": "true", "analyzer_params": '{"filter":["x"],"tokenizer":"standard"}'},
        ),
        ({"type": "VARCHAR", "analyzer": {}}, {}),
    ],
)
def test_field_options_become_type_parameters(spec: dict[str, object], params: dict[str, str]) -> None:
    assert field(**spec).params == params


@pytest.mark.parametrize(
    ("spec", "default"),
    [
        ({"type": "INT64", "defaultValue": 5}, 5),
        ({"type": "BOOL", "defaultValue": False}, False),
        ({"type": "VARCHAR", "maxLength": 5, "defaultValue": ""}, ""),
        ({"type": "JSON", "defaultValue": {"a": [1]}}, '{"a": [1]}'),
        ({"type": "INT64"}, None),
    ],
)
def test_default_values(spec: dict[str, object], default: object) -> None:
    assert field(**spec).default == default


def test_options_of_the_collection() -> None:
    want = wanted(
        description="d",
        enableDynamicField=True,
        shards=2,
        consistencyLevel="Strong",
        properties={"collection.ttl.seconds": 60, "mmap.enabled": True},
        partitions=["b", "_default", "a"],
        aliases=["y", "x"],
        load={"replicas": 2, "resourceGroups": ["r2", "r1"]},
        numPartitions=16,
    )

    assert (want.schema.description, want.schema.dynamic, want.schema.shards) == ("d", True, 2)
    assert (want.schema.consistency, want.schema.partitions_count) == ("Strong", 16)
    assert want.schema.properties == {"collection.ttl.seconds": "60", "mmap.enabled": "true"}
    assert (want.partitions, want.aliases) == (("a", "b"), ("x", "y"))
    assert (want.loaded, want.replicas, want.resource_groups) == (True, 2, ("r1", "r2"))


def test_every_vector_field_has_an_index() -> None:
    assert wanted(indexes=[]).indexes == (Index(field="dense", metric="COSINE"),)


def test_unset_and_empty_mean_the_same() -> None:
    assert wanted(description="", partitions=[], properties={}, collectionName="") == wanted()


def test_the_schema_takes_no_notice_of_policies() -> None:
    assert wanted(driftPolicy="Ignore", paused=True) == wanted()
    assert isinstance(declared(), CollectionSpec)
