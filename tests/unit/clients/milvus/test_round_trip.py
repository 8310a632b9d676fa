"""What is encoded for CreateCollection and CreateIndex decodes to what it was."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvus_embedding.clients.milvus import decode, encode
from milvus_embedding.clients.milvus.protocol import protocol
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index, Schema

TYPES = sorted(set(protocol().type_numbers) - {"NONE", "UNKNOWN"})
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
DEFAULTS: dict[str, st.SearchStrategy[bool | int | float | str]] = {
    "BOOL": st.booleans(),
    "INT8": st.integers(-128, 127),
    "INT16": st.integers(-(2**15), 2**15 - 1),
    "INT32": INT32,
    "INT64": INT64,
    "FLOAT": st.decimals(-1000, 1000, places=3).map(float),
    "DOUBLE": st.floats(allow_nan=False),
    "VARCHAR": st.text(),
    "JSON": st.text(),
}
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)
PARAMS = st.dictionaries(NAMES, st.text(max_size=10), max_size=3)


@st.composite
def fields(draw: st.DrawFn) -> Field:
    kind = draw(st.sampled_from(sorted(DEFAULTS)))
    return Field(
        name=draw(NAMES),
        type=kind,
        description=draw(st.text(max_size=10)),
        nullable=draw(st.booleans()),
        partition_key=draw(st.booleans()),
        clustering_key=draw(st.booleans()),
        default=draw(st.none() | DEFAULTS[kind]),
        params=draw(PARAMS),
    )


def read_back(schema: Schema) -> Schema:
    """As a server would answer that stores what it is sent."""
    pb = protocol()
    request = encode.create_collection_request("default", "docs", schema)
    message = pb.schema.CollectionSchema()
    message.ParseFromString(request.schema)
    response = pb.milvus.DescribeCollectionResponse(
        schema=message,
        collectionID=7,
        shards_num=request.shards_num,
        num_partitions=request.num_partitions,
        consistency_level=request.consistency_level,
        properties=request.properties,
    )
    return decode.description(response).schema


@settings(deadline=None)
@given(st.lists(fields(), min_size=1, max_size=4).map(tuple), PARAMS)
def test_fields_with_all_options_come_back_as_they_were(some: tuple[Field, ...], properties: dict[str, str]) -> None:
    has_key = any(field.partition_key for field in some)
    schema = Schema(fields=some, properties=properties, partitions_count=8 if has_key else None, shards=3)
    assert read_back(schema) == schema


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_the_same_name_both_ways(name: str) -> None:
    schema = Schema(fields=(Field(name="a", type=name),))
    assert read_back(schema) == schema


@pytest.mark.parametrize("element", ["BOOL", "INT8", "INT64", "FLOAT", "DOUBLE", "VARCHAR"])
def test_arrays_keep_their_element_type(element: str) -> None:
    field = Field(name="a", type="ARRAY", element_type=element, params={"max_capacity": "8"})
    assert read_back(Schema(fields=(field,))).fields == (field,)


@pytest.mark.parametrize("level", ["Strong", "Session", "Bounded", "Eventually"])
def test_consistency_levels_come_back(level: str) -> None:
    schema = Schema(fields=(), consistency=level, dynamic=True, description="d")
    assert read_back(schema) == schema


def test_functions_come_back_and_their_outputs_are_marked() -> None:
    text = Field(name="text", type="VARCHAR", params={"max_length": "10", "enable_analyzer": "true"})
    sparse = Field(name="sparse", type="SPARSE_FLOAT_VECTOR")
    function = Function(name="f", kind=FunctionKind.BM25, inputs=("text",), outputs=("sparse",), description="d")
    schema = Schema(fields=(text, sparse), functions=(function,))
    assert read_back(schema) == schema
    marked = encode.collection_schema("docs", schema).fields
    assert [field.is_function_output for field in marked] == [False, True]


def test_keys_of_function_parameters_are_lower_case_and_their_values_untouched() -> None:
    pb = protocol()
    message = pb.schema.FunctionSchema(name="f", type=2, params=encode.pairs({"Provider": "DashScope"}))
    response = pb.milvus.DescribeCollectionResponse(schema=pb.schema.CollectionSchema(functions=[message]))
    assert decode.description(response).schema.functions[0].params == {"provider": "DashScope"}


@pytest.mark.parametrize(("number", "name"), [(4, "MinHash"), (99, "99")])
def test_functions_of_other_kinds_equal_nothing_that_can_be_declared(number: int, name: str) -> None:
    pb = protocol()
    message = pb.schema.FunctionSchema(name="f")
    message.type = number
    response = pb.milvus.DescribeCollectionResponse(schema=pb.schema.CollectionSchema(functions=[message]))
    assert decode.description(response).schema.functions[0].params == {decode.UNKNOWN_KIND: name}


def test_struct_fields_are_shown_and_the_dynamic_field_is_not() -> None:
    pb = protocol()
    message = pb.schema.CollectionSchema(
        fields=[pb.schema.FieldSchema(name="$meta", is_dynamic=True)],
        struct_array_fields=[pb.schema.StructArrayFieldSchema(name="parts")],
    )
    found = decode.description(pb.milvus.DescribeCollectionResponse(schema=message)).schema
    assert [(field.name, field.type) for field in found.fields] == [("parts", "ARRAY_OF_STRUCT")]


def test_a_type_newer_than_this_client_has_a_name_all_the_same() -> None:
    pb = protocol()
    field = pb.schema.FieldSchema(name="a")
    field.data_type = 77
    response = pb.milvus.DescribeCollectionResponse(schema=pb.schema.CollectionSchema(fields=[field]))
    assert decode.description(response).schema.fields[0].type == "TYPE_77"


def test_analyzer_parameters_compare_by_meaning() -> None:
    spelled = Field(name="a", type="VARCHAR", params={"analyzer_params": '{"type": "english", "a": 1}'})
    found = read_back(Schema(fields=(spelled,))).fields[0]
    assert found.params == {"analyzer_params": '{"a":1,"type":"english"}'}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param(Field(name="a", type="INT65"), "a has the type INT65", id="a type that does not exist"),
        pytest.param(Field(name="a", type="INT8", default="x"), "default value 'x'", id="a text for a number"),
        pytest.param(
            Field(name="a", type="INT64", default=True), "default value True", id="a truth value for a number"
        ),
        pytest.param(Field(name="a", type="BOOL", default=1), "default value 1", id="a number for a truth value"),
    ],
)
def test_what_cannot_be_encoded_is_named(field: Field, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode.create_collection_request("default", "docs", Schema(fields=(field,)))


def test_a_consistency_level_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="consistencyLevel is Weak"):
        encode.create_collection_request("default", "docs", Schema(fields=(), consistency="Weak"))


def described(index: Index, *, state: int = 3) -> Index:
    pb = protocol()
    request = encode.create_index_request("default", "docs", index)
    message = pb.milvus.IndexDescription(
        field_name=request.field_name, index_name=request.index_name, params=request.extra_params
    )
    message.state = state
    return decode.indexes(pb.milvus.DescribeIndexResponse(index_descriptions=[message]))[0]


SCALARS = st.integers().map(str) | st.booleans().map(json.dumps) | st.floats(allow_nan=False).map(str) | st.text()


@settings(deadline=None)
@given(st.dictionaries(NAMES.filter(lambda key: key not in ("params", "index_type", "metric_type")), SCALARS))
def test_parameters_of_an_index_come_back_as_the_strings_they_were(params: dict[str, str]) -> None:
    index = Index(field="dense", name="i", type="HNSW", metric="COSINE", params=params)
    assert described(index) == index


def test_numbers_travel_as_numbers() -> None:
    request = encode.create_index_request("default", "docs", Index(field="v", params={"M": "16", "a": "01"}))
    sent = {pair.key: pair.value for pair in request.extra_params}
    assert json.loads(sent["params"]) == {"M": 16, "a": "01"}
    assert "metric_type" not in sent


@pytest.mark.parametrize(("state", "finished"), [(1, False), (2, False), (3, True), (4, False)])
def test_only_a_finished_build_is_finished(state: int, *, finished: bool) -> None:
    assert described(Index(field="v", name="v"), state=state) == replace(Index(field="v", name="v"), finished=finished)


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_32_bit_default_is_read_as_its_shortest_spelling(value: float) -> None:
    field = Field(name="a", type="FLOAT", default=value)
    once = read_back(Schema(fields=(field,))).fields[0]
    assert read_back(Schema(fields=(once,))).fields[0] == once
