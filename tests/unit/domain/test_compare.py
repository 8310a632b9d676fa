"""Comparing what is owned: no difference without a cause, and one per cause."""

import dataclasses
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.acts import CreateAlias, CreateIndex, CreatePartition, Load, is_unsettled, missing
from milvus_embedding.domain.compare import Difference, schema_differences
from milvus_embedding.domain.desired import Desired, desired
from milvus_embedding.domain.schema import Description, Field, Function, Index, LoadState, Observation, Schema
from tests.unit.domain.specs import FIELDS, declared, embedding, wanted

RICH: dict[str, object] = {
    "description": "documents",
    "fields": [
        *FIELDS,
        {"name": "tags", "type": "ARRAY", "elementType": "VARCHAR", "maxCapacity": 5, "maxLength": 20},
        {"name": "team", "type": "VARCHAR", "maxLength": 20, "partitionKey": True, "description": "who"},
        {"name": "at", "type": "INT64", "clusteringKey": True, "defaultValue": 5, "nullable": True},
    ],
    "properties": {"collection.ttl.seconds": 60},
    "indexes": [{"field": "dense", "metric": "COSINE", "params": {"M": 16}}, {"field": "team", "name": "by_team"}],
    "numPartitions": 16,
    "aliases": ["current"],
}
Change = Callable[[Schema], Schema]


def change(**changes: object) -> Change:
    return lambda schema: dataclasses.replace(schema, **changes)  # type: ignore[arg-type]


def change_field(name: str, **changes: object) -> Change:
    def apply(schema: Schema) -> Schema:
        fields = [
            dataclasses.replace(f, **changes) if f.name == name else f  # type: ignore[arg-type]
            for f in schema.fields
        ]
        return dataclasses.replace(schema, fields=tuple(fields))

    return apply


def params_of(name: str, schema: Schema) -> Mapping[str, str]:
    return next(field for field in schema.fields if field.name == name).params


def change_params(name: str, **params: str) -> Change:
    def apply(schema: Schema) -> Schema:
        return change_field(name, params={**params_of(name, schema), **params})(schema)

    return apply


def change_function(**changes: object) -> Change:
    def apply(schema: Schema) -> Schema:
        (one,) = schema.functions
        return dataclasses.replace(schema, functions=(dataclasses.replace(one, **changes),))  # type: ignore[arg-type]

    return apply


def change_function_params(**params: str) -> Change:
    return lambda schema: change_function(params={**schema.functions[0].params, **params})(schema)


DIFFERENT: dict[str, tuple[Change, tuple[str, str, str]]] = {
    "description": (change(description="x"), ("description", "documents", "x")),
    "dynamic": (change(dynamic=True), ("enableDynamicField", "false", "true")),
    "shards": (change(shards=2), ("shards", "1", "2")),
    "consistency": (change(consistency="Strong"), ("consistencyLevel", "Bounded", "Strong")),
    "partitions": (change(partitions_count=64), ("numPartitions", "16", "64")),
    "property": (change(properties={}), ("properties[collection.ttl.seconds]", "60", "absent")),
    "type": (change_field("at", type="INT32"), ("fields[at].type", "INT64", "INT32")),
    "field description": (change_field("team", description="x"), ("fields[team].description", "who", "x")),
    "primary key": (change_field("id", primary_key=False), ("fields[id].primaryKey", "true", "false")),
    "auto id": (change_field("id", auto_id=True), ("fields[id].autoID", "false", "true")),
    "nullable": (change_field("at", nullable=False), ("fields[at].nullable", "true", "false")),
    "partition key": (change_field("team", partition_key=False), ("fields[team].partitionKey", "true", "false")),
    "clustering key": (change_field("at", clustering_key=False), ("fields[at].clusteringKey", "true", "false")),
    "element type": (change_field("tags", element_type="INT64"), ("fields[tags].elementType", "VARCHAR", "INT64")),
    "default": (change_field("at", default=None), ("fields[at].defaultValue", "5", "absent")),
    "max length": (change_params("document", max_length="1"), ("fields[document].maxLength", "9000", "1")),
    "dim": (change_params("dense", dim="768"), ("fields[dense].dim", "1024", "768")),
    "capacity": (change_params("tags", max_capacity="9"), ("fields[tags].maxCapacity", "5", "9")),
    "function inputs": (change_function(inputs=("team",)), ("functions[ali].inputFields", "document", "team")),
    "function outputs": (change_function(outputs=("x",)), ("functions[ali].outputFields", "dense", "x")),
    "function gone": (change(functions=()), ("functions[ali]", "present", "absent")),
    "model": (
        change_function_params(model_name="text-embedding-v2"),
        ("functions[ali].model_name", "text-embedding-v3", "text-embedding-v2"),
    ),
    "unlisted model": (change_function_params(model_name="x"), ("functions[ali].model_name", "text-embedding-v3", "x")),
    "label": (change_function_params(credential="x"), ("functions[ali].credential", "absent", "x")),
    "function dim": (change_function_params(dim="768"), ("functions[ali].dim", "1024", "768")),
    "provider": (change_function_params(provider="openai"), ("functions[ali].provider", "dashscope", "openai")),
}
SAME: dict[str, Change] = {
    "nothing": lambda schema: schema,
    "the order of fields": lambda schema: dataclasses.replace(schema, fields=schema.fields[::-1]),
    "properties of the server": lambda schema: dataclasses.replace(
        schema, properties={"timezone": "UTC", "max_field_id": "105", **schema.properties}
    ),
    "the order of parameters": lambda schema: change_field(
        "tags", params=dict(sorted(params_of("tags", schema).items(), reverse=True))
    )(schema),
    "parameters that nobody declared": change_params("id", warmup="sync"),
    "the provider in capitals": change_function_params(provider="DashScope"),
    "the default dimension written out": change_function_params(dim="1024"),
    "no dimension as 0": change_function_params(dim="0"),
    "the description of a function": change_function(description="somebody wrote one"),
    "a description of a field that declares none": change_field("id", description="x"),
    "an element type where there is no array": change_field("id", element_type="NONE"),
}


@pytest.fixture
def want() -> Desired:
    return desired(declared(**RICH), name="docs", embeddings={"ali": embedding()})


@pytest.mark.parametrize("sentence", SAME)
def test_what_is_no_difference(want: Desired, sentence: str) -> None:
    assert schema_differences(want.schema, SAME[sentence](want.schema)) == ()


@pytest.mark.parametrize("sentence", DIFFERENT)
def test_each_difference_is_told_once(want: Desired, sentence: str) -> None:
    changed, expected = DIFFERENT[sentence]

    assert schema_differences(want.schema, changed(want.schema)) == (Difference(*expected),)


def test_fields_and_functions_that_nobody_declared_are_differences(want: Desired) -> None:
    more = dataclasses.replace(
        want.schema,
        fields=(*want.schema.fields, Field(name="z", type="INT64")),
        functions=(*want.schema.functions, dataclasses.replace(want.schema.functions[0], name="z")),
    )

    assert [d.path for d in schema_differences(want.schema, more)] == ["fields[z]", "functions[z]"]


@pytest.mark.parametrize("name", ["mmap.enabled", "enable_analyzer", "enable_match"])
def test_what_the_server_leaves_out_is_false(name: str) -> None:
    field = Field(name="a", type="VARCHAR", params={name: "false"})

    assert schema_differences(Schema(fields=(field,)), Schema(fields=(Field(name="a", type="VARCHAR"),))) == ()


def test_the_default_of_a_float_is_compared_in_32_bits() -> None:
    def schema(default: float) -> Schema:
        return Schema(fields=(Field(name="a", type="FLOAT", default=default),))

    assert schema_differences(schema(0.123456789), schema(0.12345679)) == ()
    assert schema_differences(schema(1), schema(1.0)) == ()
    assert [d.path for d in schema_differences(schema(0.5), schema(0.25))] == ["fields[a].defaultValue"]
    assert [d.path for d in schema_differences(schema(1e300), schema(0.25))] == ["fields[a].defaultValue"]


def test_both_dimensions_spelled_out_are_compared() -> None:
    def schema(**params: str) -> Schema:
        kind = wanted().schema.functions[0].kind
        function = Function(name="f", kind=kind, inputs=("a",), outputs=("b",), params=params)
        return Schema(fields=(), functions=(function,))

    assert schema_differences(schema(model_name="x", dim="1"), schema(model_name="x")) == (
        Difference("functions[f].dim", "1", "absent"),
    )


INDEX = Index(field="dense", name="dense", type="AUTOINDEX", metric="COSINE", params={"M": "16", "nlist": "1"})


def observation(**changes: object) -> Observation:
    base = Observation(
        description=Description(name="docs", id="1", schema=wanted().schema),
        indexes=(INDEX,),
        partitions=("_default",),
        aliases=(),
        load=LoadState.LOADED,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


@given(
    partitions=st.sets(st.sampled_from("abc")),
    aliases=st.sets(st.sampled_from("xyz")),
    have_partitions=st.sets(st.sampled_from("abcd")),
    have_aliases=st.sets(st.sampled_from("xyzw")),
    indexed=st.booleans(),
    load=st.sampled_from(LoadState),
)
def test_after_the_acts_nothing_is_missing(
    *,
    partitions: set[str],
    aliases: set[str],
    have_partitions: set[str],
    have_aliases: set[str],
    indexed: bool,
    load: LoadState,
) -> None:
    want = wanted(partitions=sorted(partitions), aliases=sorted(aliases))
    have = observation(
        partitions=("_default", *sorted(have_partitions)),
        aliases=tuple(sorted(have_aliases)),
        indexes=(INDEX,) if indexed else (),
        load=load,
    )
    for act in missing(want, have):
        match act:
            case CreatePartition(partition):
                have = dataclasses.replace(have, partitions=(*have.partitions, partition))
            case CreateIndex(index):
                have = dataclasses.replace(have, indexes=(*have.indexes, index))
            case Load():
                assert have.indexes, "Milvus loads what is indexed"
                have = dataclasses.replace(have, load=LoadState.LOADED)
            case CreateAlias(alias):
                have = dataclasses.replace(have, aliases=(*have.aliases, alias))

    assert missing(want, have) == ()


@pytest.mark.parametrize(
    ("have", "expected"),
    [
        (observation(), False),
        (observation(load=LoadState.LOADING), True),
        (observation(indexes=(dataclasses.replace(INDEX, finished=False),)), True),
        (observation(load=LoadState.NOT_LOADED), False),
    ],
)
def test_what_is_unsettled(have: Observation, *, expected: bool) -> None:
    assert is_unsettled(have) is expected
