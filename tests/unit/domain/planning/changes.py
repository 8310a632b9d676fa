"""The table of spec changes: what is declared first, what then, and what the change comes to at each version."""

from tests.unit.domain.planning.options import OPTIONS
from tests.unit.domain.planning.scenes import ALI, BASE, fields
from tests.unit.domain.planning.table import Change, embedding, functions, key, since_2_6_7, since_3, spec

SPARSE = {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"}
ANALYZED = {"name": "document", "analyzer": {"enabled": True}}
BM25: dict[str, object] = {"name": "bm", "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}}
HNSW: dict[str, object] = {"field": "dense", "type": "HNSW", "metric": "COSINE", "params": {"M": 16}}
SORTED: dict[str, object] = {"field": "at", "type": "STL_SORT"}


def _field_changes() -> dict[str, Change]:
    new = {"name": "new", "type": "INT64"}
    nullable = {**new, "nullable": True}
    vector = {"name": "extra", "type": "FLOAT_VECTOR", "dim": 4, "nullable": True}
    at, doc = "spec.fields[at]", "spec.fields[document]"
    return {
        "a nullable field is added": spec({}, fields(nullable), "spec.fields[new] InPlace"),
        "a field that is not nullable is added": spec({}, fields(new), "spec.fields[new] Rebuild"),
        "a partition key is added": spec({}, fields({**new, "partitionKey": True}), "spec.fields[new] Rebuild"),
        "a clustering key is added": spec({}, fields({**nullable, "clusteringKey": True}), "spec.fields[new] Rebuild"),
        "a nullable vector is added": spec(
            {}, fields(vector), *since_3("spec.fields[extra]", "InPlace!", "InPlace"), also=("spec.indexes[extra]",)
        ),
        "a field is removed": spec({}, fields(without="at"), *since_3(at, "Destructive!", "Destructive")),
        "a vector is removed": spec(
            {},
            fields(without="own"),
            *since_3("spec.fields[own]", "Destructive!", "Destructive"),
            also=("spec.indexes[own]",),
        ),
        "the primary key becomes another field": spec(
            {},
            fields({"name": "id", "primaryKey": None}, {"name": "team", "primaryKey": True}),
            "spec.fields[id].primaryKey Rebuild",
            also=("spec.fields[team].primaryKey",),
        ),
        "autoID is set": spec({}, fields({"name": "id", "autoID": True}), "spec.fields[id].autoID Rebuild"),
        "autoID is removed": spec(fields({"name": "id", "autoID": True}), {}, "spec.fields[id].autoID Rebuild"),
        "a type changes": spec({}, fields({"name": "at", "type": "INT32"}), f"{at}.type Rebuild"),
        "maxLength goes up": spec({}, fields({"name": "document", "maxLength": 9001}), f"{doc}.maxLength InPlace"),
        "maxLength goes down": spec({}, fields({"name": "document", "maxLength": 8999}), f"{doc}.maxLength Rebuild"),
        "maxLength of an array goes up": spec({}, fields({"name": "tags", "maxLength": 30}),
                                               "spec.fields[tags].maxLength InPlace"),
        "maxCapacity goes up": spec({}, fields({"name": "tags", "maxCapacity": 6}),
                                     "spec.fields[tags].maxCapacity InPlace"),
        "maxCapacity goes down": spec({}, fields({"name": "tags", "maxCapacity": 4}),
                                       "spec.fields[tags].maxCapacity Rebuild"),
        "elementType changes": spec({}, fields({"name": "tags", "elementType": "INT64", "maxLength": None}),
                                     "spec.fields[tags].elementType Rebuild"),
        "dim changes": spec({}, fields({"name": "own", "dim": 16}), "spec.fields[own].dim Rebuild"),
        "nullable is set": spec({}, fields({"name": "team", "nullable": True}), "spec.fields[team].nullable Rebuild"),
        "nullable is removed": spec({}, fields({"name": "at", "nullable": None}), f"{at}.nullable Rebuild"),
        "a default is set": spec({}, fields({"name": "team", "defaultValue": "x"}),
                                  "spec.fields[team].defaultValue Rebuild"),
        "a default changes": spec({}, fields({"name": "at", "defaultValue": 6}), f"{at}.defaultValue Rebuild"),
        "a default is removed": spec({}, fields({"name": "at", "defaultValue": None}), f"{at}.defaultValue Rebuild"),
        "partitionKey is set": spec({}, fields({"name": "team", "partitionKey": True}),
                                     "spec.fields[team].partitionKey Rebuild"),
        "partitionKey is removed": spec(fields({"name": "team", "partitionKey": True}), {},
                                         "spec.fields[team].partitionKey Rebuild"),
        "clusteringKey is set": spec({}, fields({"name": "at", "clusteringKey": True}), f"{at}.clusteringKey Rebuild"),
        "clusteringKey is removed": spec(fields({"name": "at", "clusteringKey": True}), {},
                                          f"{at}.clusteringKey Rebuild"),
        "mmap of a field is set": spec({}, fields({"name": "at", "mmap": True}), f"{at}.mmap Disruptive"),
        "mmap of a field changes": spec(fields({"name": "at", "mmap": True}), fields({"name": "at", "mmap": False}),
                                         f"{at}.mmap Disruptive"),
        "mmap of a field is removed": spec(fields({"name": "at", "mmap": True}), {}, f"{at}.mmap Disruptive"),
        "a field's description is set": spec({}, fields({"name": "at", "description": "x"}),
                                              f"{at}.description InPlace"),
        "a field's description is removed": spec(fields({"name": "at", "description": "x"}), {},
                                                  f"{at}.description InPlace"),
        "an analyzer is set": spec({}, fields(ANALYZED), f"{doc}.analyzer.enabled Rebuild"),
        "an analyzer is removed": spec(fields(ANALYZED), {}, f"{doc}.analyzer.enabled Rebuild"),
        "match is set": spec(fields(ANALYZED),
                              fields({"name": "document", "analyzer": {"enabled": True, "match": True}}),
                              f"{doc}.analyzer.match Rebuild"),
        "the analyzer's parameters change": spec(
            fields(ANALYZED),
            fields({"name": "document", "analyzer": {"enabled": True, "params": {"type": "chinese"}}}),
            f"{doc}.analyzer.params Rebuild",
        ),
    }  # fmt: skip


def _function_changes() -> dict[str, Change]:
    ali, where = "spec.functions[ali]", "spec.functions[ali].textEmbedding"
    bound = {**fields(ANALYZED, SPARSE), **functions(ALI, BM25)}
    plain = functions()
    return {
        "a label is set": spec({}, embedding(**key("a")), *since_2_6_7(f"{where}.credential", "InPlace!", "InPlace")),
        "a label changes": spec(embedding(**key("a")), embedding(**key("b")),
                                *since_2_6_7(f"{where}.credential", "InPlace!", "InPlace")),
        "a label is removed": spec(embedding(**key("a")), {},
                                   *since_2_6_7(f"{where}.credential", "InPlace!", "InPlace")),
        "the model changes at equal dimension": spec(
            embedding(model="text-embedding-v2"), embedding(model="text-embedding-v1"), f"{where}.model Rebuild"),
        "the model changes with its dimension": spec(
            {}, embedding(model="text-embedding-v1"), f"{where}.model Rebuild",
            also=(f"{where}.dim", "spec.fields[dense].dim")),
        "the model's dimension changes": spec({}, embedding(dim=512), f"{where}.dim Rebuild",
                                              also=("spec.fields[dense].dim",)),
        "the default dimension is written out": spec({}, embedding(dim=1024), ""),
        "a function's description is set": spec(
            {}, functions({**ALI, "description": "x"}),
            f"{ali}.description InPlace!", f"{ali}.description InPlace", f"{ali}.description InPlace",
            f"{ali}.description InPlace!"),
        "a function is added to a vector that users filled": spec(
            {**plain, **fields({"name": "dense", "dim": 1024})}, {}, f"{ali} Rebuild"),
        "a function is removed, its output stays": spec(
            {}, {**plain, **fields({"name": "dense", "dim": 1024})},
            f"{ali} Destructive!", f"{ali} Destructive", f"{ali} Destructive", f"{ali} Rebuild"),
        "a function is removed with its output": spec(
            {}, {**plain, **fields(without="dense")},
            *since_3(ali, "Destructive!", "Destructive"), also=("spec.fields[dense]", "spec.indexes[dense]")),
        "a function gets another name": spec(
            {}, functions({**ALI, "name": "new"}),
            "spec.functions[new] Rebuild", "spec.functions[new] Disruptive", "spec.functions[new] Disruptive",
            "spec.functions[new] Rebuild", also=(ali,)),
        "the input field changes": spec(
            {}, functions({**ALI, "inputFields": ["team"]}), f"{ali}.inputFields Rebuild"),
        "bm25 is added": spec(fields(ANALYZED), bound, *since_3("spec.functions[bm]", "Rebuild", "InPlace"),
                               also=("spec.fields[sparse]", "spec.indexes[sparse]")),
        "bm25 is added over texts that were never split into tokens": spec({}, bound, "spec.functions[bm] Rebuild",
                               also=("spec.fields[document].analyzer.enabled", "spec.fields[sparse]",
                                     "spec.indexes[sparse]")),
        "bm25 is added to a vector that users filled": spec(
            {**fields(ANALYZED, SPARSE), "indexes": [{"field": "sparse", "metric": "IP"}]},
            {**bound, "indexes": [{"field": "sparse", "metric": "BM25"}]}, "spec.functions[bm] Rebuild",
            also=("spec.indexes[sparse].metric",)),
        "bm25 is removed, its output stays": spec(
            bound, {**fields(ANALYZED, SPARSE), "indexes": [{"field": "sparse", "metric": "IP"}]},
            "spec.functions[bm] Rebuild", also=("spec.indexes[sparse].metric",)),
        "bm25 is removed with its output": spec(
            bound, fields(ANALYZED), *since_3("spec.functions[bm]", "Destructive!", "Destructive"),
            also=("spec.fields[sparse]", "spec.indexes[sparse]")),
    }  # fmt: skip


def _index_changes() -> dict[str, Change]:
    def indexed(*items: dict[str, object]) -> dict[str, object]:
        return {"indexes": list(items)}

    dense, at = "spec.indexes[dense]", "spec.indexes[at]"
    return {
        "a vector index gets another type": spec({}, indexed(HNSW), f"{dense}.type Disruptive",
                                                  also=(f"{dense}.params.M",)),
        "a vector index is removed": spec(indexed(HNSW), {}, f"{dense}.type Disruptive", also=(f"{dense}.params.M",)),
        "the metric changes": spec({}, indexed({"field": "own", "metric": "L2"}),
                                    "spec.indexes[own].metric Disruptive"),
        "a parameter changes": spec(indexed(HNSW), indexed({**HNSW, "params": {"M": 32}}),
                                     f"{dense}.params.M Disruptive"),
        "a parameter is removed": spec(indexed(HNSW), indexed({**HNSW, "params": {}}), f"{dense}.params.M Disruptive"),
        "an index is mapped": spec(indexed(HNSW), indexed({**HNSW, "params": {"M": 16, "mmap.enabled": True}}),
                                    f"{dense}.params.mmap.enabled Disruptive"),
        "an index is mapped no more": spec(indexed({**HNSW, "params": {"M": 16, "mmap.enabled": True}}), indexed(HNSW),
                                            f"{dense}.params.mmap.enabled Disruptive"),
        "a vector index gets a name": spec(indexed(HNSW), indexed({**HNSW, "name": "graph"}),
                                            "spec.indexes[graph] Disruptive", also=(dense,)),
        "a scalar index is added": spec({}, indexed(SORTED), f"{at} InPlace"),
        "a scalar index is removed": spec(indexed(SORTED), {}, *since_3(at, "Disruptive", "InPlace")),
        "a scalar index gets another type": spec(indexed(SORTED), indexed({**SORTED, "type": "INVERTED"}),
                                                  *since_3(f"{at}.type", "Disruptive", "InPlace")),
        "an index is added with its field": spec(
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
        "the description is set": spec({}, {"description": "x"}, "spec.description InPlace"),
        "the description changes": spec({"description": "x"}, {"description": "y"}, "spec.description InPlace"),
        "the description is removed": spec({"description": "x"}, {}, "spec.description InPlace"),
        "the consistency level changes": spec({}, {"consistencyLevel": "Strong"}, "spec.consistencyLevel InPlace"),
        "the dynamic field is turned on": spec({}, {"enableDynamicField": True}, "spec.enableDynamicField InPlace"),
        "the dynamic field is turned off": spec(
            {"enableDynamicField": True}, {}, *since_3("spec.enableDynamicField", "Destructive!", "Destructive")),
        "shards change": spec({}, {"shards": 2}, "spec.shards Rebuild"),
        "numPartitions changes": spec({**keyed, "numPartitions": 16}, {**keyed, "numPartitions": 32},
                                       "spec.numPartitions Rebuild"),
        "a TTL is set": spec({}, ttl(60), f"{age} Destructive"),
        "a TTL is lowered": spec(ttl(60), ttl(59), f"{age} Destructive"),
        "a TTL is raised": spec(ttl(60), ttl(61), f"{age} InPlace"),
        "a TTL is lifted": spec(ttl(60), ttl(-1), f"{age} InPlace"),
        "a TTL is removed": spec(ttl(60), {}, f"{age} InPlace"),
        "another property is set": spec({}, properties(a_b=True), "spec.properties[a.b] InPlace"),
        "another property changes": spec(properties(a_b=1), properties(a_b=2), "spec.properties[a.b] InPlace"),
        "another property is removed": spec(properties(a_b=1), {}, "spec.properties[a.b] InPlace"),
        "mmap of the collection is set": spec({}, properties(mmap_enabled=True),
                                               "spec.properties[mmap.enabled] Disruptive"),
        "mmap of the collection is removed": spec(properties(mmap_enabled=True), {},
                                                   "spec.properties[mmap.enabled] Disruptive"),
        "isolation is set": spec(keyed, {**keyed, **isolation}, "spec.properties[partitionkey.isolation] Disruptive"),
        "isolation is removed": spec({**keyed, **isolation}, keyed,
                                      "spec.properties[partitionkey.isolation] Disruptive"),
        "a key of encryption is set": spec({}, properties(cipher_key=1), "spec.properties[cipher.key] Rebuild"),
        "a property of the server's is set": spec({}, {"properties": {"max_field_id": 9}},
                                                   "spec.properties[max_field_id] InPlace!", answer="InvalidSpec"),
        "a field of the spec is set as a property": spec({}, {"properties": {"dynamicfield.enabled": True}},
                                                          "spec.properties[dynamicfield.enabled] InPlace!",
                                                          answer="InvalidSpec"),
        "a partition is added": spec({}, {"partitions": ["p"]}, "spec.partitions[p] InPlace"),
        "a partition is removed": spec({"partitions": ["p"]}, {}, "spec.partitions[p] Destructive"),
        "an alias is added": spec({}, {"aliases": ["current"]}, "spec.aliases[current] InPlace"),
        "an alias is removed": spec({"aliases": ["current"]}, {}, "spec.aliases[current] Disruptive"),
        "loading is turned off": spec({}, {"load": {"enabled": False}}, f"{load}.enabled Disruptive"),
        "loading is turned on": spec({"load": {"enabled": False}}, {}, f"{load}.enabled InPlace"),
        "replicas change": spec({}, {"load": {"replicas": 2}}, f"{load}.replicas InPlace"),
        "replicas are removed": spec({"load": {"replicas": 2}}, {}, f"{load}.replicas InPlace"),
        "a resource group is set": spec({}, {"load": {"resourceGroups": ["a"]}}, f"{load}.resourceGroups InPlace"),
        "a resource group is removed": spec({"load": {"resourceGroups": ["a"]}}, {}, f"{load}.resourceGroups InPlace"),
        "nothing of Milvus changes: the database may be created": spec({}, {"createDatabase": True}, ""),
        "nothing of Milvus changes: deletion": spec({}, {"deletionPolicy": "Delete"}, ""),
        "nothing of Milvus changes: adoption": spec({}, {"adoptionPolicy": "Never"}, ""),
        "nothing of Milvus changes: drift": spec({}, {"driftPolicy": "Report"}, ""),
        "nothing of Milvus changes: policies": spec({}, {"changePolicy": {"rebuild": "Never"}}, ""),
        "nothing of Milvus changes: migration": spec({}, {"migration": {"writers": "Live"}}, "",
                                                     answer="NotSupportedYet"),
        "nothing of Milvus changes: pausing": spec({}, {"paused": True}, "", answer="Paused"),
        "nothing of Milvus changes: an index as implied": spec({}, {"indexes": [{"field": "own"}]}, ""),
        "nothing of Milvus changes: no model is given": spec({}, dict(BASE), ""),
    }  # fmt: skip


CHANGES = {**_field_changes(), **_function_changes(), **_index_changes(), **_other_changes(), **OPTIONS}
