"""Milvus' limits on a collection: each problem by field, value and fix; what a Milvus takes passes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.api.schema import DataType
from milvus_embedding.domain.limits.breach import Grade
from milvus_embedding.domain.limits.check import breaches, sentences
from milvus_embedding.domain.limits.index_types import INDEX_TYPES, Range
from milvus_embedding.domain.versions import Version
from tests.unit.domain.specs import FIELDS, declared

ANALYZED: dict[str, Any] = {"name": "document", "type": "VARCHAR", "maxLength": 9000, "analyzer": {"enabled": True}}
SPARSE: dict[str, Any] = {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"}
BM25: dict[str, Any] = {"name": "words", "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}}
SCORED: dict[str, Any] = {"fields": [FIELDS[0], ANALYZED, SPARSE], "functions": [BM25]}


def with_field(**field: object) -> CollectionSpec:
    return declared(fields=[*FIELDS, {"name": "x", **field}])


def with_index(index: dict[str, object], **field: object) -> CollectionSpec:
    added = [{"name": "x", **field}] if field else []
    return declared(fields=[*FIELDS, *added], indexes=[index])


def with_property(key: str, value: object, **spec: object) -> CollectionSpec:
    return declared(properties={key: value}, **spec)


def on(type_: str, index: str, **params: object) -> CollectionSpec:
    """An index on a field of some type."""
    options = {"dim": 16} if type_.endswith("VECTOR") and "SPARSE" not in type_ else {}
    return with_index({"field": "x", "type": index, "params": params}, type=type_, **options)


ARRAY_OF_FLOAT = {"type": "ARRAY", "elementType": "FLOAT", "maxCapacity": 4}
HNSW = {"field": "dense", "type": "HNSW"}

REFUSED: dict[str, tuple[CollectionSpec, str]] = {
    "a default that its type cannot hold": (
        with_field(type="INT8", defaultValue=300),
        "spec.fields[x].defaultValue is 300, which INT8 cannot hold (-128 to 127): correct it, or choose a wider type",
    ),
    "a default below INT16": (with_field(type="INT16", defaultValue=-32769), "which INT16 cannot hold"),
    "a default above INT64": (with_field(type="INT64", defaultValue=2**63), "which INT64 cannot hold"),
    "a text as default of a number": (
        with_field(type="INT64", defaultValue="5"),
        "spec.fields[x].defaultValue is '5', which is no INT64: write a whole number",
    ),
    "a fraction as default of a whole number": (with_field(type="INT32", defaultValue=0.5), "is 0.5, which is no"),
    "a truth value as default of a number": (with_field(type="INT8", defaultValue=True), "is true, which is no INT8"),
    "a number as default of a truth value": (with_field(type="BOOL", defaultValue=1), "write true or false"),
    "a text as default of a float": (with_field(type="DOUBLE", defaultValue="x"), "is 'x', which is no DOUBLE"),
    "a default beyond FLOAT": (with_field(type="FLOAT", defaultValue=1e39), "correct it, or set type to DOUBLE"),
    "a number as default of a text": (
        with_field(type="VARCHAR", maxLength=5, defaultValue=5), "is 5, which is no VARCHAR: write it in quotes"),
    "a default longer than its field, in bytes": (
        with_field(type="VARCHAR", maxLength=5, defaultValue="中文"),
        "defaultValue has 6 bytes, but maxLength is 5: shorten it, or raise maxLength",
    ),
    "a list as default of JSON": (with_field(type="JSON", defaultValue=[1]), "which is no JSON: write a map"),
    "a word as default of JSON": (with_field(type="JSON", defaultValue="x"), "which is no JSON: write a map"),
    "a default of an ARRAY": (with_field(**{**ARRAY_OF_FLOAT, "defaultValue": [1]}), "not for fields of type ARRAY"),
    "a default of a vector": (with_field(type="FLOAT_VECTOR", dim=2, defaultValue=[1, 2]), "of type FLOAT_VECTOR"),
    "a default of the primary key": (
        declared(fields=[{**FIELDS[0], "defaultValue": 1}, *FIELDS[1:]]),
        "spec.fields[id].defaultValue is not for the primary key: remove defaultValue",
    ),
    "a default time without a zone": (
        with_field(type="TIMESTAMPTZ", defaultValue="2025-01-31T08:00:00"), "write as 2025-01-31T08:00:00Z"),
    "a default time that is none": (with_field(type="TIMESTAMPTZ", defaultValue="noon"), "which is no TIMESTAMPTZ"),
    "a default place that is a number": (with_field(type="GEOMETRY", defaultValue=1), "write text, for example POINT"),
    "a clustering key that a function fills": (
        declared(fields=[*FIELDS[:2], {**FIELDS[2], "clusteringKey": True}]), "is the output of a function"),
    "an index for vectors on a number": (
        on("INT64", "HNSW"),
        "which does not go with x of type INT64: write one of AUTOINDEX, STL_SORT, INVERTED, BITMAP",
    ),
    "an index for numbers on a vector": (on("FLOAT_VECTOR", "STL_SORT"), "does not go with x of type FLOAT_VECTOR"),
    "an index for floats on bits": (on("BINARY_VECTOR", "IVF_FLAT"), "write one of AUTOINDEX, HNSW, BIN_FLAT"),
    "an index for floats on sparse vectors": (on("SPARSE_FLOAT_VECTOR", "HNSW"), "AUTOINDEX, SPARSE_INVERTED_INDEX"),
    "an index for bits on floats": (on("FLOAT_VECTOR", "BIN_FLAT"), "type is BIN_FLAT"),
    "an index for sparse vectors on floats": (on("FLOAT_VECTOR", "SPARSE_WAND"), "type is SPARSE_WAND"),
    "a trie on numbers": (on("INT64", "Trie"), "type is Trie, which does not go with"),
    "an index of places on numbers": (on("INT64", "RTREE"), "type is RTREE"),
    "a bitmap of floats": (on("FLOAT", "BITMAP"), "type is BITMAP"),
    "a bitmap of an array of floats": (
        with_index({"field": "x", "type": "BITMAP"}, **ARRAY_OF_FLOAT), "does not go with an ARRAY of FLOAT"),
    "a bitmap of the primary key": (with_index({"field": "id", "type": "BITMAP"}), "is not for the primary key"),
    "more links than HNSW takes": (
        with_index({**HNSW, "params": {"M": 4096}}),
        "spec.indexes[dense].params.M is 4096, but it has to be a whole number from 2 to 2048: correct it",
    ),
    "HNSW without depth": (with_index({**HNSW, "params": {"efConstruction": 0}}), "params.efConstruction is 0"),
    "links that are no number": (with_index({**HNSW, "params": {"M": "many"}}), "params.M is 'many'"),
    "a fraction of links": (with_index({**HNSW, "params": {"M": 16.5}}), "params.M is 16.5"),
    "no lists": (on("FLOAT_VECTOR", "IVF_FLAT", nlist=0), "params.nlist is 0, but it has to be a whole number from 1"),
    "too many lists": (on("BINARY_VECTOR", "BIN_IVF_FLAT", nlist=65537), "from 1 to 65536"),
    "parts that do not divide the vector": (on("FLOAT_VECTOR", "IVF_PQ", m=3), "does not divide the dim of x (16)"),
    "everything dropped": (on("SPARSE_FLOAT_VECTOR", "SPARSE_WAND", drop_ratio_build=1), "a number from 0 to below 1"),
    "an algorithm that does not exist": (
        on("SPARSE_FLOAT_VECTOR", "SPARSE_INVERTED_INDEX", inverted_index_algo="BM25"), "write one of DAAT_MAXSCORE"),
    "NGRAM without lengths": (
        with_index({"field": "document", "type": "NGRAM", "params": {"max_gram": 3}}),
        "spec.indexes[document].params.min_gram is missing, which NGRAM needs: add it",
    ),
    "NGRAM from long to short": (
        with_index({"field": "document", "type": "NGRAM", "params": {"min_gram": 3, "max_gram": 2}}), "exchange them"),
    "an index on JSON without a type": (
        on("JSON", "INVERTED", json_path="x['a']"), "params.json_cast_type is missing, which an index on JSON needs"),
    "an index on JSON of a type that does not exist": (
        on("JSON", "INVERTED", json_path="x['a']", json_cast_type="INT"), "params.json_cast_type is 'INT': write one"),
    "a bitmap of numbers in JSON": (
        on("JSON", "BITMAP", json_path="x['a']", json_cast_type="DOUBLE"), "write one of BOOL, VARCHAR"),
    "a bitmap of all of JSON": (on("JSON", "BITMAP", json_cast_type="BOOL"), "params.json_path is missing"),
    "two indexes on one field": (
        declared(indexes=[{"field": "dense"}, {"field": "dense", "name": "b"}]),
        "spec.indexes[b].field is dense, which has an index already, and Milvus takes one: remove one of them",
    ),
    "two indexes on one path": (
        declared(
            fields=[*FIELDS, {"name": "x", "type": "JSON"}],
            indexes=[
                {"field": "x", "name": n, "type": "INVERTED",
                 "params": {"json_path": "x['a']", "json_cast_type": "DOUBLE"}}
                for n in ("a", "b")
            ],
        ),
        "which has an index at",
    ),
    "two indexes of one name": (
        declared(indexes=[{"field": "dense", "name": "i"}, {"field": "document", "name": "i"}]),
        "spec.indexes[i].name is i, as the index on dense: give each index a name of its own",
    ),
    "an index named for another field": (
        declared(indexes=[{"field": "document", "name": "dense"}, {"field": "dense"}]), "name is dense, as the index"),
    "another metric than BM25 for bm25": (
        declared(**SCORED, indexes=[{"field": "sparse", "metric": "IP"}]), "metric is IP, but the field is the output"),
    "BM25 for vectors of users": (
        declared(fields=[*FIELDS, SPARSE], indexes=[{"field": "sparse", "metric": "BM25"}]), "metric is BM25, but"),
    "a lifetime that is no number": (
        with_property("collection.ttl.seconds", "1h"),
        "spec.properties[collection.ttl.seconds] is '1h', but it has to be whole seconds from -1 (for ever) to ",
    ),
    "a lifetime that is too long": (with_property("collection.ttl.seconds", 3155760001), "to 3155760000: correct it"),
    "a mapping that is neither on nor off": (with_property("mmap.enabled", "on"), "has to be true or false"),
    "isolation without a partition key": (with_property("partitionkey.isolation", True), "add partitionKey: true"),
    "a consistency level as property": (with_property("consistency_level", "Strong"), "set spec.consistencyLevel"),
    "a dynamic field as property": (with_property("dynamicfield.enabled", True), "set spec.enableDynamicField instead"),
    "what belongs to the server": (with_property("max_field_id", 1), "belongs to the server: remove it"),
    "no replicas": (with_property("collection.replica.number", 0), "has to be a number from 1 on"),
    "a rate that is no number": (with_property("collection.insertRate.max.mb", "fast"), "it has to be a number"),
    "a zone that is an offset": (with_property("timezone", "+08:00"), "a time zone by name, as Asia/Shanghai"),
    "a resource group with a dash": (
        declared(load={"resourceGroups": ["rg-1"]}),
        "spec.load.resourceGroups has 'rg-1', but names of resource groups have letters, digits and _ only",
    ),
}  # fmt: skip

TAKEN: dict[str, CollectionSpec] = {
    "the manual's collection": declared(),
    "the ends of INT8": with_field(type="INT8", defaultValue=-128),
    "the ends of INT64": with_field(type="INT64", defaultValue=2**63 - 1),
    "a whole number for a float": with_field(type="FLOAT", defaultValue=1),
    "an empty text": with_field(type="VARCHAR", maxLength=1, defaultValue=""),
    "a text as long as its field": with_field(type="VARCHAR", maxLength=6, defaultValue="中文"),
    "a map": with_field(type="JSON", defaultValue={}),
    "a map as text": with_field(type="JSON", defaultValue='{"a": 1}'),
    "a trie in pymilvus' spelling": on("VARCHAR", "Trie"),
    "parameters as text": with_index({**HNSW, "params": {"M": "16", "efConstruction": "64"}}),
    "parameters that nobody knows": with_index({**HNSW, "params": {"refine": True, "mmap.enabled": False}}),
    "indexes on two paths of one field": declared(
        fields=[*FIELDS, {"name": "x", "type": "JSON"}],
        indexes=[
            {"field": "x", "name": n, "type": "INVERTED", "params": {"json_path": n, "json_cast_type": "double"}}
            for n in ("a", "b")
        ],
    ),
    "a property that nobody knows": with_property("team", "search"),
    "rows for ever": with_property("collection.ttl.seconds", -1),
    "a zone": with_property("timezone", "America/Argentina/Buenos_Aires"),
    "isolation with a partition key": with_property(
        "partitionkey.isolation", "true",
        fields=[*FIELDS, {"name": "team", "type": "VARCHAR", "maxLength": 9, "partitionKey": True}],
    ),
    "bm25 with its metric": declared(**SCORED, indexes=[{"field": "sparse", "metric": "BM25"}]),
}  # fmt: skip

DOUBTFUL: dict[str, tuple[CollectionSpec, str]] = {
    "an index type of a newer Milvus": (
        with_index({"field": "dense", "type": "QUANTUM"}),
        "spec.indexes[dense].type is QUANTUM, which this version does not know: correct it, unless a newer Milvus",
    ),
    "more vectors than Milvus takes as it comes": (
        declared(fields=[*FIELDS, *({"name": f"v{n}", "type": "FLOAT_VECTOR", "dim": 2} for n in range(4))]),
        "spec.fields has 5 vector fields: Milvus takes 4 unless proxy.maxVectorFieldNum is raised",
    ),
    "more partitions than Milvus takes as it comes": (
        declared(partitions=[f"p{n}" for n in range(1024)]), "unless rootCoord.maxPartitionNum is raised"),
    "a word of filters in other letters": (with_field(type="INT64", **{"name": "Like"}), "newer versions of Milvus"),
    "parameters of an analyzer that is off": (
        with_field(type="VARCHAR", maxLength=5, analyzer={"params": {"type": "english"}}), "the analyzer is off"),
    "a time": (with_field(type="TIMESTAMPTZ"), "type is TIMESTAMPTZ, which needs Milvus 2.6.4 or newer"),
    "a nullable vector": (with_field(type="FLOAT_VECTOR", dim=2, nullable=True), "needs Milvus 3.0.0 or newer"),
}  # fmt: skip


def of_grade(spec: CollectionSpec, grade: Grade, version: Version | None = None) -> str:
    return sentences(breaches(spec, version=version), grade)


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_no_milvus_takes_is_refused_with_its_fix(sentence: str) -> None:
    spec, message = REFUSED[sentence]
    (breach,) = [b for b in breaches(spec) if b.grade is Grade.INVALID]
    assert message in str(breach)
    assert ": " in breach.message


@pytest.mark.parametrize("sentence", TAKEN)
def test_what_milvus_takes_passes(sentence: str) -> None:
    assert breaches(TAKEN[sentence], version=(3, 0, 0)) == ()


@pytest.mark.parametrize("sentence", DOUBTFUL)
def test_what_depends_on_the_server_is_told_and_not_refused(sentence: str) -> None:
    spec, message = DOUBTFUL[sentence]
    assert of_grade(spec, Grade.INVALID) == ""
    assert message in of_grade(spec, Grade.DOUBTFUL)


@pytest.mark.parametrize(
    ("field", "version", "message"),
    [
        ({"type": "INT64", "nullable": True}, (2, 3, 5), "which Milvus 2.3.5 cannot hold: remove nullable, or upgrade"),
        ({"type": "INT64", "nullable": True}, (2, 5, 0), ""),
        ({"type": "FLOAT_VECTOR", "dim": 2, "nullable": True}, (2, 6, 9), "or upgrade to 3.0.0"),
        ({"type": "FLOAT_VECTOR", "dim": 2, "nullable": True}, (3, 0, 0), ""),
        ({"type": "GEOMETRY"}, (2, 6, 3), "type is GEOMETRY, which Milvus 2.6.3 cannot hold: choose another type"),
        ({"type": "GEOMETRY"}, (2, 6, 4), ""),
        ({"type": "TIMESTAMPTZ"}, (2, 6, 0), "which Milvus 2.6.0 cannot hold"),
        ({"type": "JSON", "defaultValue": {}}, (2, 3, 5), "remove defaultValue, or upgrade to 2.6.0"),
        ({"type": "INT64", "clusteringKey": True}, (2, 3, 5), "clusteringKey is true, which Milvus 2.3.5 cannot"),
        ({"type": "VARCHAR", "maxLength": 9, "analyzer": {"enabled": True}}, (2, 4, 9), "analyzer.enabled is true"),
        ({"type": "INT8_VECTOR", "dim": 2}, (2, 4, 9), "type is INT8_VECTOR"),
        ({"type": "INT64", "mmap": False}, (2, 3, 5), "mmap is set, which Milvus 2.3.5 cannot hold"),
    ],
)
def test_what_a_known_server_lacks_is_told_with_the_version_that_has_it(
    field: dict[str, object], version: Version, message: str
) -> None:
    told = of_grade(with_field(**field), Grade.UNSUPPORTED, version)
    assert message in told
    assert bool(message) == bool(told)


def test_the_place_is_where_the_field_stands() -> None:
    (breach,) = breaches(with_field(type="INT8", defaultValue=300))
    assert breach.path == ("fields", 3, "defaultValue")


def test_all_problems_are_told_at_once_and_no_more_than_five() -> None:
    fields = [*FIELDS, *({"name": f"x{n}", "type": "INT8", "defaultValue": 300 + n} for n in range(7))]
    told = of_grade(declared(fields=fields), Grade.INVALID)
    assert told.count("which INT8 cannot hold") == 5
    assert told.endswith("; and 2 more")


def test_a_long_value_is_quoted_in_part() -> None:
    (breach,) = breaches(with_field(type="INT64", defaultValue="x" * 5000))
    assert len(str(breach)) < 200


def test_every_field_has_a_type_of_index_and_every_range_its_ends() -> None:
    assert all(data_type in INDEX_TYPES["AUTOINDEX"].fields for data_type in DataType)
    for known in INDEX_TYPES.values():
        for rule in known.params.values():
            if isinstance(rule, Range):
                assert rule.holds(rule.least)
                assert rule.holds(rule.most) != rule.below
                assert not rule.holds(rule.least - 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)


@given(type_=st.sampled_from(list(DataType)), value=JSON)
def test_any_default_of_any_type_has_an_answer_in_one_line(type_: DataType, value: object) -> None:
    options = {"dim": 8} if type_.is_dense else {"elementType": "INT8", "maxCapacity": 1} if type_ == "ARRAY" else {}
    for breach in breaches(with_field(type=type_, defaultValue=json.loads(json.dumps(value)), **options)):
        assert "\n" not in str(breach)
        assert len(str(breach)) < 300


@given(
    type_=st.sampled_from(sorted(INDEX_TYPES)),
    params=st.dictionaries(st.sampled_from(["M", "nlist", "m", "min_gram", "max_gram", "drop_ratio_build"]), SCALARS),
    key=st.sampled_from(["collection.ttl.seconds", "mmap.enabled", "timezone", "collection.replica.number"]),
    value=SCALARS,
)
def test_any_parameter_and_property_has_an_answer(
    type_: str, params: dict[str, object], key: str, value: object
) -> None:
    breaches(declared(indexes=[{"field": "dense", "type": type_, "params": params}], properties={key: value}))
