"""Everything that a MilvusCollection can declare, one row for each feature, with the first Milvus that has it.

The rows are created, read back and compared on the contract server of the devkit and, as far as it goes, on a real
Milvus 2.3.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Spec = dict[str, Any]
Version = tuple[int, int, int]
OLDEST, SPARSE_SINCE, TEXT_SINCE, FUNCTIONS_SINCE = (2, 3, 0), (2, 4, 0), (2, 5, 0), (2, 6, 0)
TIME_AND_SPACE_SINCE, NULLABLE_VECTORS_SINCE = (2, 6, 4), (3, 0, 0)

ID: Final[Spec] = {"name": "id", "type": "INT64", "primaryKey": True}
TEXT: Final[Spec] = {"name": "document", "type": "VARCHAR", "maxLength": 9000}
ANALYZED: Final[Spec] = {**TEXT, "analyzer": {"enabled": True}}
DENSE: Final[Spec] = {"name": "dense", "type": "FLOAT_VECTOR", "dim": 8}
SPARSE: Final[Spec] = {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"}
BM25: Final[Spec] = {"name": "words", "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}}
MEANING: Final[Spec] = {"name": "meaning", "type": "FLOAT_VECTOR"}


@dataclass(frozen=True)
class Feature:
    """What is declared besides connection and name. `since`: the first version on which it can be Ready; properties and
    parameters of indexes are kept by any, if not heeded.
    """

    spec: Mapping[str, Any]
    since: Version = OLDEST


def embedding(name: str = "ali", output: str = "meaning", **dashscope: Any) -> Spec:
    model = {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev", "namespace": "milvus"}, **dashscope}
    return {
        "name": name, "inputFields": ["document"], "outputFields": [output], "textEmbedding": {"dashscope": model},
    }  # fmt: skip


def _field(since: Version = OLDEST, /, **field: Any) -> Feature:
    return Feature({"fields": [ID, TEXT, {"name": "x", **field}, DENSE]}, since)


def _vector(since: Version = OLDEST, /, *, index: Spec | None = None, **field: Any) -> Feature:
    """The only vector of the collection."""
    spec: Spec = {"fields": [ID, TEXT, {"name": "x", **field}]}
    return Feature({**spec, "indexes": [{"field": "x", **index}]} if index else spec, since)


def _scalar_index(type_: str, since: Version = OLDEST, /, *, params: Spec | None = None, **field: Any) -> Feature:
    indexes = [{"field": "x", "type": type_, "params": params or {}}]
    return Feature({"fields": [ID, TEXT, {"name": "x", **field}, DENSE], "indexes": indexes}, since)


def _dense_index(type_: str, since: Version = OLDEST, /, metric: str = "COSINE", **params: Any) -> Feature:
    return _vector(since, type="FLOAT_VECTOR", dim=8, index={"type": type_, "metric": metric, "params": params})


def _properties(since: Version = OLDEST, /, **properties: Any) -> Feature:
    return Feature({"properties": {key.replace("__", "."): value for key, value in properties.items()}}, since)


_NUMBERS = ("INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE")
_TEXT_OPTIONS: Spec = {"type": "VARCHAR", "maxLength": 10}
_ARRAY: Spec = {"type": "ARRAY", "maxCapacity": 4096}
_DEFAULTS: dict[str, tuple[Spec, Version]] = {
    "BOOL": ({"type": "BOOL", "defaultValue": False}, OLDEST),
    "INT8": ({"type": "INT8", "defaultValue": -128}, OLDEST),
    "INT16": ({"type": "INT16", "defaultValue": 32767}, OLDEST),
    "INT32": ({"type": "INT32", "defaultValue": -(2**31)}, OLDEST),
    "INT64": ({"type": "INT64", "defaultValue": 2**63 - 1}, OLDEST),
    "FLOAT": ({"type": "FLOAT", "defaultValue": 0.1}, OLDEST),
    "FLOAT, written as a whole number": ({"type": "FLOAT", "defaultValue": 1}, OLDEST),
    "DOUBLE": ({"type": "DOUBLE", "defaultValue": 0.1}, OLDEST),
    "DOUBLE, written as a whole number": ({"type": "DOUBLE", "defaultValue": 1}, OLDEST),
    "VARCHAR": ({**_TEXT_OPTIONS, "defaultValue": "日本語"}, OLDEST),
    "VARCHAR, empty": ({**_TEXT_OPTIONS, "defaultValue": ""}, OLDEST),
    "JSON": ({"type": "JSON", "defaultValue": {"b": 1, "a": [1, None]}}, FUNCTIONS_SINCE),
    "TIMESTAMPTZ": ({"type": "TIMESTAMPTZ", "defaultValue": "2025-01-31T09:00:00+01:00"}, TIME_AND_SPACE_SINCE),
    "GEOMETRY": ({"type": "GEOMETRY", "defaultValue": "POINT (1 2)"}, TIME_AND_SPACE_SINCE),
}
_MAPPED: Spec = {"mmap.enabled": True}
_JSON_CAST: Spec = {"json_path": "x['price']", "json_cast_type": "DOUBLE"}


def _types() -> dict[str, Feature]:
    rows = {f"a field of type {name}": _field(type=name) for name in ("BOOL", *_NUMBERS, "JSON")}
    rows["a field of type VARCHAR"] = _field(**_TEXT_OPTIONS)
    rows["a field of type VARCHAR, as long as may be"] = _field(type="VARCHAR", maxLength=65535)
    for name in ("TIMESTAMPTZ", "GEOMETRY"):
        rows[f"a field of type {name}"] = _field(TIME_AND_SPACE_SINCE, type=name)
    for name in ("BOOL", *_NUMBERS):
        rows[f"an array of {name}"] = _field(**_ARRAY, elementType=name)
    rows["an array of VARCHAR"] = _field(**_ARRAY, elementType="VARCHAR", maxLength=20)
    for name in ("BOOL", *_NUMBERS, "JSON"):
        rows[f"a nullable {name}"] = _field(TEXT_SINCE, type=name, nullable=True)
    rows["a nullable VARCHAR"] = _field(TEXT_SINCE, **_TEXT_OPTIONS, nullable=True)
    rows["a nullable array"] = _field(TEXT_SINCE, **_ARRAY, elementType="INT64", nullable=True)
    rows["a nullable field with a default"] = _field(TEXT_SINCE, type="INT64", nullable=True, defaultValue=5)
    rows["a nullable vector"] = _field(NULLABLE_VECTORS_SINCE, type="FLOAT_VECTOR", dim=4, nullable=True)
    for name, (field, since) in _DEFAULTS.items():
        rows[f"a default of type {name}"] = _field(since, **field)
    rows["vectors of type FLOAT_VECTOR"] = _vector(type="FLOAT_VECTOR", dim=32768)
    rows["vectors of type BINARY_VECTOR"] = _vector(type="BINARY_VECTOR", dim=16)
    rows["vectors of type FLOAT16_VECTOR"] = _vector(SPARSE_SINCE, type="FLOAT16_VECTOR", dim=2)
    rows["vectors of type BFLOAT16_VECTOR"] = _vector(SPARSE_SINCE, type="BFLOAT16_VECTOR", dim=8)
    rows["vectors of type INT8_VECTOR"] = _vector(FUNCTIONS_SINCE, type="INT8_VECTOR", dim=8)
    rows["vectors of type SPARSE_FLOAT_VECTOR"] = _vector(SPARSE_SINCE, type="SPARSE_FLOAT_VECTOR")
    return rows


def _field_options() -> dict[str, Feature]:
    chinese = {"enabled": True, "match": True, "params": {"type": "chinese"}}
    custom = {
        "enabled": True,
        "params": {"tokenizer": "standard", "filter": ["lowercase", {"type": "length", "max": 40}]},
    }
    return {
        "a primary key of texts": Feature({"fields": [{**TEXT, "primaryKey": True}, DENSE]}),
        "a primary key that Milvus gives out": Feature({"fields": [{**ID, "autoID": True}, TEXT, DENSE]}),
        "a text key that Milvus gives out": Feature({"fields": [{**TEXT, "primaryKey": True, "autoID": True}, DENSE]}),
        "descriptions of fields": Feature({"fields": [{**ID, "description": "Key, \"quoted\": ünïcode"}, TEXT, DENSE]}),
        "a partition key": _field(type="INT64", partitionKey=True),
        "a partition key and its number of partitions": Feature(
            {"fields": [ID, {**TEXT, "partitionKey": True}, DENSE], "numPartitions": 3}),
        "a partition key with isolation": Feature(
            {"fields": [ID, {**TEXT, "partitionKey": True}, DENSE], "properties": {"partitionkey.isolation": True},
             "indexes": [{"field": "dense", "type": "HNSW", "params": {"M": 16, "efConstruction": 64}}]}),
        "a clustering key": _field(SPARSE_SINCE, type="INT64", clusteringKey=True),
        "an analyzer": Feature({"fields": [ID, ANALYZED, DENSE]}, TEXT_SINCE),
        "an analyzer for TEXT_MATCH in Chinese": Feature(
            {"fields": [ID, {**TEXT, "analyzer": chinese}, DENSE]}, TEXT_SINCE),
        "an analyzer of one's own": Feature({"fields": [ID, {**TEXT, "analyzer": custom}, DENSE]}, TEXT_SINCE),
        "an analyzer that is off": Feature({"fields": [ID, {**TEXT, "analyzer": {"enabled": False}}, DENSE]}),
        "a mapped field": _field(TEXT_SINCE, type="JSON", mmap=True),
        "a field that is not mapped": _field(TEXT_SINCE, type="JSON", mmap=False),
        "mapped vectors": _vector(TEXT_SINCE, type="FLOAT_VECTOR", dim=8, mmap=True),
        "a dynamic field": Feature({"enableDynamicField": True}),
    }  # fmt: skip


def _functions() -> dict[str, Feature]:
    both = [ID, ANALYZED, MEANING, SPARSE]
    short = {**MEANING, "name": "short"}
    return {
        "bm25": Feature({"fields": [ID, ANALYZED, SPARSE], "functions": [BM25]}, TEXT_SINCE),
        "bm25 with parameters of its index": Feature(
            {"fields": [ID, ANALYZED, SPARSE], "functions": [BM25],
             "indexes": [{"field": "sparse", "type": "SPARSE_INVERTED_INDEX", "metric": "BM25",
                          "params": {"inverted_index_algo": "DAAT_MAXSCORE", "bm25_k1": 1.2, "bm25_b": 0.75}}]},
            TEXT_SINCE),
        "text embedding": Feature(
            {"fields": [ID, TEXT, MEANING], "functions": [{**embedding(), "description": "ali's"}]}, FUNCTIONS_SINCE),
        "text embedding into a declared dim": Feature(
            {"fields": [ID, TEXT, {**MEANING, "dim": 512}], "functions": [embedding(dim=512)]}, FUNCTIONS_SINCE),
        "bm25 beside text embedding": Feature({"fields": both, "functions": [embedding(), BM25]}, FUNCTIONS_SINCE),
        "two embeddings of one text, beside vectors of users": Feature(
            {"fields": [*both, short, DENSE], "functions": [embedding(), embedding("brief", "short", dim=512), BM25]},
            FUNCTIONS_SINCE),
    }  # fmt: skip


def _indexes() -> dict[str, Feature]:
    graph: Spec = {"M": 16, "efConstruction": 64}
    rows = {
        "AUTOINDEX": _dense_index("AUTOINDEX"),
        "FLAT": _dense_index("FLAT", metric="L2"),
        "IVF_FLAT": _dense_index("IVF_FLAT", metric="IP", nlist=128),
        "IVF_SQ8": _dense_index("IVF_SQ8", nlist=128),
        "IVF_PQ": _dense_index("IVF_PQ", metric="L2", nlist=128, m=4, nbits=8),
        "SCANN": _dense_index("SCANN", nlist=128, with_raw_data=True),
        "DISKANN": _dense_index("DISKANN"),
        "HNSW": _dense_index("HNSW", **graph),
        "HNSW_SQ": _dense_index("HNSW_SQ", TEXT_SINCE, **graph, sq_type="SQ8", refine=True, refine_type="FP16"),
        "HNSW_PQ": _dense_index("HNSW_PQ", TEXT_SINCE, **graph, m=4, nbits=8),
        "a mapped index": _dense_index("HNSW", **graph, **_MAPPED),
        "an index with a name of its own": _vector(
            type="FLOAT_VECTOR", dim=8, index={"name": "by_meaning", "type": "HNSW", "metric": "L2", "params": graph}),
        "BIN_FLAT": _vector(type="BINARY_VECTOR", dim=16, index={"type": "BIN_FLAT", "metric": "JACCARD"}),
        "BIN_IVF_FLAT": _vector(
            type="BINARY_VECTOR", dim=16, index={"type": "BIN_IVF_FLAT", "metric": "HAMMING", "params": {"nlist": 64}}),
        "SPARSE_INVERTED_INDEX": _vector(
            SPARSE_SINCE, type="SPARSE_FLOAT_VECTOR",
            index={"type": "SPARSE_INVERTED_INDEX", "metric": "IP", "params": {"drop_ratio_build": 0.2}}),
        "SPARSE_WAND": _vector(SPARSE_SINCE, type="SPARSE_FLOAT_VECTOR", index={"type": "SPARSE_WAND", "metric": "IP"}),
        "HNSW on FLOAT16_VECTOR": _vector(
            SPARSE_SINCE, type="FLOAT16_VECTOR", dim=8, index={"type": "HNSW", "metric": "IP", "params": graph}),
        "HNSW on INT8_VECTOR": _vector(
            FUNCTIONS_SINCE, type="INT8_VECTOR", dim=8, index={"type": "HNSW", "metric": "COSINE", "params": graph}),
        "STL_SORT": _scalar_index("STL_SORT", type="INT64"),
        "Trie": _scalar_index("Trie", **_TEXT_OPTIONS),
        "INVERTED on texts": _scalar_index("INVERTED", SPARSE_SINCE, **_TEXT_OPTIONS),
        "INVERTED on numbers": _scalar_index("INVERTED", SPARSE_SINCE, type="DOUBLE"),
        "INVERTED on an array": _scalar_index("INVERTED", TEXT_SINCE, **_ARRAY, elementType="INT64"),
        "BITMAP": _scalar_index("BITMAP", TEXT_SINCE, type="BOOL"),
        "BITMAP on an array": _scalar_index("BITMAP", TEXT_SINCE, **_ARRAY, elementType="VARCHAR", maxLength=9),
        "AUTOINDEX on a number": _scalar_index("AUTOINDEX", SPARSE_SINCE, type="INT64"),
        "NGRAM": _scalar_index("NGRAM", FUNCTIONS_SINCE, params={"min_gram": 2, "max_gram": 3}, **_TEXT_OPTIONS),
        "RTREE": _scalar_index("RTREE", TIME_AND_SPACE_SINCE, type="GEOMETRY"),
        "STL_SORT on times": _scalar_index("STL_SORT", TIME_AND_SPACE_SINCE, type="TIMESTAMPTZ"),
        "INVERTED on a path of JSON": _scalar_index("INVERTED", FUNCTIONS_SINCE, type="JSON", params=_JSON_CAST),
        "two paths of one JSON field": Feature(
            {"fields": [ID, TEXT, {"name": "x", "type": "JSON"}, DENSE],
             "indexes": [{"field": "x", "name": "price", "type": "INVERTED", "params": _JSON_CAST},
                         {"field": "x", "name": "tags", "type": "INVERTED",
                          "params": {"json_path": "x['tags']", "json_cast_type": "ARRAY_VARCHAR"}}]},
            FUNCTIONS_SINCE),
    }  # fmt: skip
    return {f"an index: {name}": feature for name, feature in rows.items()}


def _options() -> dict[str, Feature]:
    rows = {
        f"consistency {level}": Feature({"consistencyLevel": level}) for level in ("Strong", "Session", "Eventually")
    }
    return rows | {
        "a description": Feature({"description": "Texts, and what they mean: 文档"}),
        "shards": Feature({"shards": 2}),
        "a lifetime of rows": _properties(collection__ttl__seconds=3600),
        "rows for ever": _properties(collection__ttl__seconds=-1),
        "a mapped collection": _properties(mmap__enabled=True),
        "a time zone": _properties(timezone="Asia/Shanghai"),
        "values of all kinds": _properties(a=True, b=1, c=0.5, d="x", e={"f": [1]}),
        "auto-compaction off": _properties(collection__autocompaction__enabled=False),
        "keys of one's own beside autoID": Feature(
            {"fields": [{**ID, "autoID": True}, TEXT, DENSE], "properties": {"allow_insert_auto_id": True}}
        ),
        "warm-up": _properties(warmup="sync"),
        "rates": _properties(**{"collection.insertRate.max.mb": 8}),
        "partitions": Feature({"partitions": ["2024", "german", "_default"]}),
        "a partition with a dash": Feature({"partitions": ["en-GB"]}, FUNCTIONS_SINCE),
        "aliases": Feature({"aliases": ["{name}_now", "{name}_all"]}),
        "not loaded": Feature({"load": {"enabled": False}}),
        "loaded into a resource group": Feature({"load": {"resourceGroups": ["__default_resource_group"]}}),
        "another database": Feature({"database": "search", "createDatabase": True}),
    }


FEATURES: Final[Mapping[str, Feature]] = {
    **_types(), **_field_options(), **_functions(), **_indexes(), **_options(),
}  # fmt: skip


def declared(feature: Feature, name: str) -> Spec:
    """The spec of a row for a collection of that name."""
    spec: Spec = {"fields": [ID, TEXT, DENSE], "functions": [], "indexes": None, "collectionName": name, **feature.spec}
    if "aliases" in spec:
        spec["aliases"] = [alias.format(name=name) for alias in spec["aliases"]]
    return spec
