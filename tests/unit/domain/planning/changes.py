"""The table of spec changes: what is declared first, what then, and what the change comes to at each version.

Expectations are `path class`, a trailing `!` for what the server cannot do; one for all four versions or one for each.
"""

from dataclasses import dataclass, field

from milvus_embedding.domain.desired import Desired
from tests.unit.domain.planning.scenes import ALI, BASE, fields, wanted

SPARSE = {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"}
ANALYZED = {"name": "document", "analyzer": {"enabled": True}}
BM25: dict[str, object] = {"name": "bm", "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}}
HNSW: dict[str, object] = {"field": "dense", "type": "HNSW", "metric": "COSINE", "params": {"M": 16}}
SORTED: dict[str, object] = {"field": "at", "type": "STL_SORT"}


@dataclass(frozen=True)
class Change:
    before: Desired
    after: Desired
    expected: tuple[str, str, str, str]
    also: tuple[str, ...] = field(default=())
    """Paths of further steps."""


def _change(before: Desired, after: Desired, *expected: str, also: tuple[str, ...] = ()) -> Change:
    four = expected * 4 if len(expected) == 1 else expected
    assert len(four) == 4
    return Change(before, after, (four[0], four[1], four[2], four[3]), also)


def _spec(before: dict[str, object], after: dict[str, object], *expected: str, also: tuple[str, ...] = ()) -> Change:
    return _change(wanted(before), wanted(after), *expected, also=also)


def _both(path: str, old: str, new: str) -> tuple[str, str, str, str]:
    """One answer below 2.6.7, one from there on."""
    return (f"{path} {old}", f"{path} {new}", f"{path} {new}", f"{path} {new}")


def _until3(path: str, old: str, new: str) -> tuple[str, str, str, str]:
    return (f"{path} {old}", f"{path} {old}", f"{path} {old}", f"{path} {new}")


def _functions(*items: dict[str, object]) -> dict[str, object]:
    return {"functions": list(items)}


def _field_changes() -> dict[str, Change]:
    new = {"name": "new", "type": "INT64"}
    nullable = {**new, "nullable": True}
    vector = {"name": "extra", "type": "FLOAT_VECTOR", "dim": 4, "nullable": True}
    at, doc = "spec.fields[at]", "spec.fields[document]"
    return {
        "a nullable field is added": _spec({}, fields(nullable), "spec.fields[new] InPlace"),
        "a field that is not nullable is added": _spec({}, fields(new), "spec.fields[new] Rebuild"),
        "a partition key is added": _spec({}, fields({**new, "partitionKey": True}), "spec.fields[new] Rebuild"),
        "a clustering key is added": _spec({}, fields({**nullable, "clusteringKey": True}), "spec.fields[new] Rebuild"),
        "a nullable vector is added": _spec(
            {}, fields(vector), *_until3("spec.fields[extra]", "InPlace!", "InPlace"), also=("spec.indexes[extra]",)
        ),
        "a field is removed": _spec({}, fields(without="at"), *_until3(at, "Destructive!", "Destructive")),
        "a vector is removed": _spec(
            {},
            fields(without="own"),
            *_until3("spec.fields[own]", "Destructive!", "Destructive"),
            also=("spec.indexes[own]",),
        ),
        "the primary key becomes another field": _spec(
            {},
            fields({"name": "id", "primaryKey": None}, {"name": "team", "primaryKey": True}),
            "spec.fields[id].primaryKey Rebuild",
            also=("spec.fields[team].primaryKey",),
        ),
        "autoID is set": _spec({}, fields({"name": "id", "autoID": True}), "spec.fields[id].autoID Rebuild"),
        "autoID is removed": _spec(fields({"name": "id", "autoID": True}), {}, "spec.fields[id].autoID Rebuild"),
        "a type changes": _spec({}, fields({"name": "at", "type": "INT32"}), f"{at}.type Rebuild"),
        "maxLength goes up": _spec({}, fields({"name": "document", "maxLength": 9001}), f"{doc}.maxLength InPlace"),
        "maxLength goes down": _spec({}, fields({"name": "document", "maxLength": 8999}), f"{doc}.maxLength Rebuild"),
        "maxLength of an array goes up": _spec({}, fields({"name": "tags", "maxLength": 30}),
                                               "spec.fields[tags].maxLength InPlace"),
        "maxCapacity goes up": _spec({}, fields({"name": "tags", "maxCapacity": 6}),
                                     "spec.fields[tags].maxCapacity InPlace"),
        "maxCapacity goes down": _spec({}, fields({"name": "tags", "maxCapacity": 4}),
                                       "spec.fields[tags].maxCapacity Rebuild"),
        "elementType changes": _spec({}, fields({"name": "tags", "elementType": "INT64", "maxLength": None}),
                                     "spec.fields[tags].elementType Rebuild"),
        "dim changes": _spec({}, fields({"name": "own", "dim": 16}), "spec.fields[own].dim Rebuild"),
        "nullable is set": _spec({}, fields({"name": "team", "nullable": True}), "spec.fields[team].nullable Rebuild"),
        "nullable is removed": _spec({}, fields({"name": "at", "nullable": None}), f"{at}.nullable Rebuild"),
        "a default is set": _spec({}, fields({"name": "team", "defaultValue": "x"}),
                                  "spec.fields[team].defaultValue Rebuild"),
        "a default changes": _spec({}, fields({"name": "at", "defaultValue": 6}), f"{at}.defaultValue Rebuild"),
        "a default is removed": _spec({}, fields({"name": "at", "defaultValue": None}), f"{at}.defaultValue Rebuild"),
        "partitionKey is set": _spec({}, fields({"name": "team", "partitionKey": True}),
                                     "spec.fields[team].partitionKey Rebuild"),
        "partitionKey is removed": _spec(fields({"name": "team", "partitionKey": True}), {},
                                         "spec.fields[team].partitionKey Rebuild"),
        "clusteringKey is set": _spec({}, fields({"name": "at", "clusteringKey": True}), f"{at}.clusteringKey Rebuild"),
        "clusteringKey is removed": _spec(fields({"name": "at", "clusteringKey": True}), {},
                                          f"{at}.clusteringKey Rebuild"),
        "mmap of a field is set": _spec({}, fields({"name": "at", "mmap": True}), f"{at}.mmap Disruptive"),
        "mmap of a field changes": _spec(fields({"name": "at", "mmap": True}), fields({"name": "at", "mmap": False}),
                                         f"{at}.mmap Disruptive"),
        "mmap of a field is removed": _spec(fields({"name": "at", "mmap": True}), {}, f"{at}.mmap Disruptive"),
        "a field's description is set": _spec({}, fields({"name": "at", "description": "x"}),
                                              f"{at}.description InPlace"),
        "a field's description is removed": _spec(fields({"name": "at", "description": "x"}), {},
                                                  f"{at}.description InPlace"),
        "an analyzer is set": _spec({}, fields(ANALYZED), f"{doc}.analyzer.enabled Rebuild"),
        "an analyzer is removed": _spec(fields(ANALYZED), {}, f"{doc}.analyzer.enabled Rebuild"),
        "match is set": _spec(fields(ANALYZED),
                              fields({"name": "document", "analyzer": {"enabled": True, "match": True}}),
                              f"{doc}.analyzer.match Rebuild"),
        "the analyzer's parameters change": _spec(
            fields(ANALYZED),
            fields({"name": "document", "analyzer": {"enabled": True, "params": {"type": "chinese"}}}),
            f"{doc}.analyzer.params Rebuild",
        ),
    }  # fmt: skip


def _function_changes() -> dict[str, Change]:
    ali, where = "spec.functions[ali]", "spec.functions[ali].textEmbedding"
    bound = {**fields(ANALYZED, SPARSE), **_functions(ALI, BM25)}
    plain = _functions()
    return {
        "a label is set": _change(wanted(), wanted(label="a"), *_both(f"{where}.credential", "InPlace!", "InPlace")),
        "a label changes": _change(wanted(label="a"), wanted(label="b"),
                                   *_both(f"{where}.credential", "InPlace!", "InPlace")),
        "a label is removed": _change(wanted(label="a"), wanted(),
                                      *_both(f"{where}.credential", "InPlace!", "InPlace")),
        "the model changes at equal dimension": _change(
            wanted(model="text-embedding-v2"), wanted(model="text-embedding-v1"), f"{where}.model Rebuild"),
        "the model changes with its dimension": _change(
            wanted(), wanted(model="text-embedding-v1"), f"{where}.model Rebuild",
            also=(f"{where}.dim", "spec.fields[dense].dim")),
        "the model's dimension changes": _change(wanted(), wanted(dim=512), f"{where}.dim Rebuild",
                                                 also=("spec.fields[dense].dim",)),
        "the default dimension is written out": _change(wanted(), wanted(dim=1024), ""),
        "a function's description is set": _spec(
            {}, _functions({**ALI, "description": "x"}),
            f"{ali}.description InPlace!", f"{ali}.description InPlace", f"{ali}.description InPlace",
            f"{ali}.description InPlace!"),
        "a function is added to a vector that users filled": _change(
            wanted({**plain, **fields({"name": "dense", "dim": 1024})}), wanted(), f"{ali} Rebuild"),
        "a function is removed, its output stays": _change(
            wanted(), wanted({**plain, **fields({"name": "dense", "dim": 1024})}),
            f"{ali} Destructive!", f"{ali} Destructive", f"{ali} Destructive", f"{ali} Rebuild"),
        "a function is removed with its output": _change(
            wanted(), wanted({**plain, **fields(without="dense")}),
            *_until3(ali, "Destructive!", "Destructive"), also=("spec.fields[dense]", "spec.indexes[dense]")),
        "a function gets another name": _change(
            wanted(), wanted(_functions({**ALI, "name": "new"})),
            "spec.functions[new] Rebuild", "spec.functions[new] Disruptive", "spec.functions[new] Disruptive",
            "spec.functions[new] Rebuild", also=(ali,)),
        "the input field changes": _spec(
            {}, _functions({**ALI, "inputFields": ["team"]}), f"{ali}.inputFields Rebuild"),
        "bm25 is added": _spec(fields(ANALYZED), bound, "spec.functions[bm] Rebuild",
                               also=("spec.fields[sparse]", "spec.indexes[sparse]")),
        "bm25 is removed, its output stays": _spec(
            bound, {**fields(ANALYZED, SPARSE), "indexes": [{"field": "sparse", "metric": "BM25"}]},
            "spec.functions[bm] Rebuild"),
        "bm25 is removed with its output": _spec(
            bound, fields(ANALYZED), *_until3("spec.functions[bm]", "Destructive!", "Destructive"),
            also=("spec.fields[sparse]", "spec.indexes[sparse]")),
    }  # fmt: skip


def _index_changes() -> dict[str, Change]:
    def indexed(*items: dict[str, object]) -> dict[str, object]:
        return {"indexes": list(items)}

    dense, at = "spec.indexes[dense]", "spec.indexes[at]"
    return {
        "a vector index gets another type": _spec({}, indexed(HNSW), f"{dense}.type Disruptive",
                                                  also=(f"{dense}.params.M",)),
        "a vector index is removed": _spec(indexed(HNSW), {}, f"{dense}.type Disruptive", also=(f"{dense}.params.M",)),
        "the metric changes": _spec({}, indexed({"field": "own", "metric": "L2"}),
                                    "spec.indexes[own].metric Disruptive"),
        "a parameter changes": _spec(indexed(HNSW), indexed({**HNSW, "params": {"M": 32}}),
                                     f"{dense}.params.M Disruptive"),
        "a parameter is removed": _spec(indexed(HNSW), indexed({**HNSW, "params": {}}), f"{dense}.params.M Disruptive"),
        "an index is mapped": _spec(indexed(HNSW), indexed({**HNSW, "params": {"M": 16, "mmap.enabled": True}}),
                                    f"{dense}.params.mmap.enabled Disruptive"),
        "an index is mapped no more": _spec(indexed({**HNSW, "params": {"M": 16, "mmap.enabled": True}}), indexed(HNSW),
                                            f"{dense}.params.mmap.enabled Disruptive"),
        "a vector index gets a name": _spec(indexed(HNSW), indexed({**HNSW, "name": "graph"}),
                                            "spec.indexes[graph] Disruptive", also=(dense,)),
        "a scalar index is added": _spec({}, indexed(SORTED), f"{at} InPlace"),
        "a scalar index is removed": _spec(indexed(SORTED), {}, *_until3(at, "Disruptive", "InPlace")),
        "a scalar index gets another type": _spec(indexed(SORTED), indexed({**SORTED, "type": "INVERTED"}),
                                                  *_until3(f"{at}.type", "Disruptive", "InPlace")),
        "an index is added with its field": _spec(
            {}, {**fields({"name": "new", "type": "INT64", "nullable": True}),
                 **indexed({"field": "new", "type": "STL_SORT"})},
            "spec.fields[new] InPlace", also=("spec.indexes[new]",)),
    }  # fmt: skip


def _other_changes() -> dict[str, Change]:
    def properties(**items: object) -> dict[str, object]:
        return {"properties": {name.replace("_", "."): value for name, value in items.items()}}

    def ttl(seconds: object) -> dict[str, object]:
        return {"properties": {"collection.ttl.seconds": seconds}}

    age, load = "spec.properties[collection.ttl.seconds]", "spec.load"
    isolation, keyed = {"properties": {"partitionkey.isolation": True}}, fields({"name": "team", "partitionKey": True})
    return {
        "the description is set": _spec({}, {"description": "x"}, "spec.description InPlace"),
        "the description changes": _spec({"description": "x"}, {"description": "y"}, "spec.description InPlace"),
        "the description is removed": _spec({"description": "x"}, {}, "spec.description InPlace"),
        "the consistency level changes": _spec({}, {"consistencyLevel": "Strong"}, "spec.consistencyLevel InPlace"),
        "the dynamic field is turned on": _spec({}, {"enableDynamicField": True}, "spec.enableDynamicField InPlace"),
        "the dynamic field is turned off": _spec(
            {"enableDynamicField": True}, {}, *_until3("spec.enableDynamicField", "Destructive!", "Destructive")),
        "shards change": _spec({}, {"shards": 2}, "spec.shards Rebuild"),
        "numPartitions changes": _spec({**keyed, "numPartitions": 16}, {**keyed, "numPartitions": 32},
                                       "spec.numPartitions Rebuild"),
        "a TTL is set": _spec({}, ttl(60), f"{age} Destructive"),
        "a TTL is lowered": _spec(ttl(60), ttl(59), f"{age} Destructive"),
        "a TTL is raised": _spec(ttl(60), ttl(61), f"{age} InPlace"),
        "a TTL is lifted": _spec(ttl(60), ttl(-1), f"{age} InPlace"),
        "a TTL is removed": _spec(ttl(60), {}, f"{age} InPlace"),
        "another property is set": _spec({}, properties(a_b=True), "spec.properties[a.b] InPlace"),
        "another property changes": _spec(properties(a_b=1), properties(a_b=2), "spec.properties[a.b] InPlace"),
        "another property is removed": _spec(properties(a_b=1), {}, "spec.properties[a.b] InPlace"),
        "mmap of the collection is set": _spec({}, properties(mmap_enabled=True),
                                               "spec.properties[mmap.enabled] Disruptive"),
        "mmap of the collection is removed": _spec(properties(mmap_enabled=True), {},
                                                   "spec.properties[mmap.enabled] Disruptive"),
        "isolation is set": _spec(keyed, {**keyed, **isolation}, "spec.properties[partitionkey.isolation] Disruptive"),
        "isolation is removed": _spec({**keyed, **isolation}, keyed,
                                      "spec.properties[partitionkey.isolation] Disruptive"),
        "a key of encryption is set": _spec({}, properties(cipher_key=1), "spec.properties[cipher.key] Rebuild"),
        "a property of the server's is set": _spec({}, {"properties": {"max_field_id": 9}},
                                                   "spec.properties[max_field_id] InPlace!"),
        "a field of the spec is set as a property": _spec({}, {"properties": {"dynamicfield.enabled": True}},
                                                          "spec.properties[dynamicfield.enabled] InPlace!"),
        "a partition is added": _spec({}, {"partitions": ["p"]}, "spec.partitions[p] InPlace"),
        "a partition is removed": _spec({"partitions": ["p"]}, {}, "spec.partitions[p] Destructive"),
        "an alias is added": _spec({}, {"aliases": ["current"]}, "spec.aliases[current] InPlace"),
        "an alias is removed": _spec({"aliases": ["current"]}, {}, "spec.aliases[current] Disruptive"),
        "loading is turned off": _spec({}, {"load": {"enabled": False}}, f"{load}.enabled Disruptive"),
        "loading is turned on": _spec({"load": {"enabled": False}}, {}, f"{load}.enabled InPlace"),
        "replicas change": _spec({}, {"load": {"replicas": 2}}, f"{load}.replicas InPlace"),
        "replicas are removed": _spec({"load": {"replicas": 2}}, {}, f"{load}.replicas InPlace"),
        "a resource group is set": _spec({}, {"load": {"resourceGroups": ["a"]}}, f"{load}.resourceGroups InPlace"),
        "a resource group is removed": _spec({"load": {"resourceGroups": ["a"]}}, {}, f"{load}.resourceGroups InPlace"),
        "nothing of Milvus changes: the database may be created": _spec({}, {"createDatabase": True}, ""),
        "nothing of Milvus changes: deletion": _spec({}, {"deletionPolicy": "Delete"}, ""),
        "nothing of Milvus changes: adoption": _spec({}, {"adoptionPolicy": "Never"}, ""),
        "nothing of Milvus changes: drift": _spec({}, {"driftPolicy": "Report"}, ""),
        "nothing of Milvus changes: policies": _spec({}, {"changePolicy": {"rebuild": "Never"}}, ""),
        "nothing of Milvus changes: migration": _spec({}, {"migration": {"writers": "Live"}}, ""),
        "nothing of Milvus changes: pausing": _spec({}, {"paused": True}, ""),
        "nothing of Milvus changes: an index as implied": _spec({}, {"indexes": [{"field": "own"}]}, ""),
        "nothing of Milvus changes: no model is given": _change(wanted(), wanted(BASE), ""),
    }  # fmt: skip


CHANGES = {**_field_changes(), **_function_changes(), **_index_changes(), **_other_changes()}
