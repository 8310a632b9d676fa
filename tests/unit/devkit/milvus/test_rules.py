"""The pure rules: names, function structure, property values, with Milvus' sentences."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymilvus.grpc_gen import common_pb2, schema_pb2

from milvus_embedding.devkit.milvus.catalog import CollectionRecord, IndexRecord, complete, engine_schema
from milvus_embedding.devkit.milvus.rules import (
    check_fields,
    check_functions,
    check_name,
    check_partition_name,
    check_properties,
    embedding_targets,
)
from milvus_embedding.devkit.milvus.status import RefusedError

TYPES = schema_pb2.DataType


def pair(key: str, value: object) -> common_pb2.KeyValuePair:
    return common_pb2.KeyValuePair(key=key, value=str(value))


def schema(*functions: schema_pb2.FunctionSchema, **document: object) -> schema_pb2.CollectionSchema:
    """id, document, dense, other; `document` changes the field of that name."""
    text = {"name": "document", "data_type": TYPES.VarChar, "type_params": [pair("max_length", 10)], **document}
    return schema_pb2.CollectionSchema(
        name="docs",
        fields=[
            schema_pb2.FieldSchema(name="id", data_type=TYPES.Int64, is_primary_key=True),
            schema_pb2.FieldSchema(**text),
            schema_pb2.FieldSchema(name="dense", data_type=TYPES.FloatVector, type_params=[pair("dim", 8)]),
            schema_pb2.FieldSchema(
                name="other", data_type=TYPES.FloatVector, type_params=[pair("dim", 8)], nullable=True
            ),
        ],
        functions=functions,
    )


def function(name: str = "ali", source: str = "document", output: str = "dense") -> schema_pb2.FunctionSchema:
    return schema_pb2.FunctionSchema(
        name=name,
        type=2,
        input_field_names=[source],
        output_field_names=[output],
        params=[pair("provider", "dashscope")],
    )


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,254}", fullmatch=True))
def test_every_plain_name_is_good(name: str) -> None:
    check_name("collection name", name)


@given(st.text(max_size=300).filter(lambda name: not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name)))
def test_every_other_name_is_refused_with_1100(name: str) -> None:
    with pytest.raises(RefusedError) as error:
        check_name("collection name", name)
    assert error.value.code == 1100


@pytest.mark.parametrize("name", ["2024-01", "_default", "a-b"])
def test_partition_names_may_begin_with_a_digit_and_hold_a_dash(name: str) -> None:
    check_partition_name(name)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        pytest.param(schema(function(""), ), "function name cannot be empty", id="a function without name"),
        pytest.param(schema(function(), function(output="other")), "duplicate function name: ali", id="a name twice"),
        pytest.param(schema(function(), function("b")), "duplicate function output field: dense", id="an output twice"),
        pytest.param(schema(function(output="none")), "function output field not found: none", id="an unknown output"),
        pytest.param(schema(function(source="none")), "function input field not found: none", id="an unknown input"),
        pytest.param(schema(function(source="id")), "must be a VARCHAR/TEXT field", id="a number as input"),
        pytest.param(schema(function(output="document")), "both input and output", id="one field for both"),
        pytest.param(schema(function(output="other")), "output field cannot be nullable", id="a nullable output"),
        pytest.param(schema(function(output="id")), "cannot be primary", id="the key as output"),
        pytest.param(schema(function(), nullable=True), "input field cannot be nullable", id="a nullable input"),
    ],
)  # fmt: skip
def test_a_function_is_refused(declared: schema_pb2.CollectionSchema, message: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(message)):
        check_functions(declared)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param({"name": "$meta"}, "is reserved", id="a reserved name"),
        pytest.param({"name": "a b"}, "Invalid field name", id="a bad name"),
        pytest.param({"name": "dense"}, "duplicated field name: dense", id="a name twice"),
        pytest.param({"type_params": []}, "max_length", id="no length"),
        pytest.param({"type_params": [pair("max_length", 70000)]}, "(0, 65535]", id="a length beyond the limit"),
    ],
)
def test_a_field_is_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(message)):
        check_fields(schema(**document))


def test_parameters_are_read_in_any_case_and_the_first_provider_counts() -> None:
    declared = schema(function())
    declared.functions[0].params.extend([pair("Provider", "openai"), pair("Model_Name", "m"), pair("model_name", "n")])
    ((_, target),) = embedding_targets(declared)
    assert target.parameters == {"provider": "dashscope", "model_name": "n"}
    assert (target.output_field, target.dimension) == ("dense", 8)


@pytest.mark.parametrize("ttl", ["-1", "0", "3155760000"])
def test_a_time_to_live_in_range_is_taken(ttl: str) -> None:
    check_properties({"collection.ttl.seconds": ttl}, loaded=True, vector_indexed=True)


@pytest.mark.parametrize("ttl", ["-2", "3155760001", "abc", "", "--1"])
def test_any_other_is_refused(ttl: str) -> None:
    with pytest.raises(RefusedError):
        check_properties({"collection.ttl.seconds": ttl}, loaded=False, vector_indexed=False)


def test_the_engine_sees_plain_vectors_where_clients_see_functions() -> None:
    declared = schema(function())
    complete(declared)
    plain = engine_schema(declared)
    assert [field.name for field in declared.fields if field.is_function_output] == ["dense"]
    assert [field.name for field in plain.fields if field.is_function_output] == []
    assert len(plain.functions) == 0


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4), st.booleans())
def test_a_record_survives_its_file(description: str, properties: dict[str, str], loaded: bool) -> None:
    declared = schema(function(), description=description)
    complete(declared)
    record = CollectionRecord("default", "docs", 7, 7, declared, properties=properties, loaded=loaded)
    record.indexes.append(IndexRecord("i", "dense", 9, {"index_type": "HNSW", "params": '{"M": 8}'}))
    assert CollectionRecord.from_json(record.to_json(), "docs") == record
