"""Each option of the spec set, changed and removed, as far as the other rows of the table leave one of them out."""

from tests.unit.domain.planning.scenes import ALI, BASE, MODELS, fields
from tests.unit.domain.planning.table import Body, Change, embedding, functions, key, since_2_6_7, since_3, spec

SPARSE: Body = {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"}
ANALYZED: Body = {"name": "document", "analyzer": {"enabled": True}}
DENSE_TOO: Body = {"name": "second", "type": "FLOAT_VECTOR", "dim": 1024}
AS_AT = "spec.fields[at]"
ALI_PATH = "spec.functions[ali]"
MODEL = f"{ALI_PATH}.textEmbedding"


def ali(**changes: object) -> dict[str, object]:
    return functions({**ALI, **changes})


def reference(name: str, **namespace: str) -> dict[str, object]:
    return ali(textEmbedding={"functionRef": {"name": name, **namespace}})


def analyzer(**options: object) -> dict[str, object]:
    return fields({"name": "document", "analyzer": options})


def indexed(*items: Body) -> dict[str, object]:
    return {"indexes": list(items)}


def _field_options() -> dict[str, Change]:
    document, team, tags = "spec.fields[document]", "spec.fields[team]", "spec.fields[tags]"
    described = fields({"name": "at", "description": "x"})
    keyed = fields({"name": "team", "partitionKey": True})
    chinese = analyzer(enabled=True, params={"type": "chinese"})
    return {
        "a field gets another name": spec(
            {}, {**fields({"name": "then", "type": "INT64", "nullable": True}, without="at")},
            *since_3(AS_AT, "Destructive!", "Destructive"), also=("spec.fields[then]",)),
        "two nullable fields are added at once": spec(
            {}, fields({"name": "one", "type": "JSON", "nullable": True},
                       {"name": "two", "type": "BOOL", "nullable": True, "defaultValue": True}),
            "spec.fields[one] InPlace", also=("spec.fields[two]",)),
        "a nullable text is added with mmap and a description": spec(
            {}, fields({"name": "note", "type": "VARCHAR", "maxLength": 10, "nullable": True, "description": "x",
                        "mmap": True}), "spec.fields[note] InPlace"),
        "a nullable array is added": spec(
            {}, fields({"name": "more", "type": "ARRAY", "elementType": "INT64", "maxCapacity": 4, "nullable": True}),
            "spec.fields[more] InPlace"),
        "a field's description changes": spec(described, fields({"name": "at", "description": "y"}),
                                              f"{AS_AT}.description InPlace"),
        "the primary key changes places": spec(
            fields({"name": "team", "primaryKey": False}),
            fields({"name": "id", "primaryKey": False}, {"name": "team", "primaryKey": True}),
            "spec.fields[id].primaryKey Rebuild", also=("spec.fields[team].primaryKey",)),
        "primaryKey is written out as false": spec({}, fields({"name": "team", "primaryKey": False}), ""),
        "primaryKey written out as false is removed": spec(fields({"name": "team", "primaryKey": False}), {}, ""),
        "autoID is turned off": spec(fields({"name": "id", "autoID": True}), fields({"name": "id", "autoID": False}),
                                     "spec.fields[id].autoID Rebuild"),
        "a text becomes a number": spec({}, fields({"name": "team", "type": "INT64", "maxLength": None}),
                                        f"{team}.type Rebuild"),
        "a number becomes a text": spec({}, fields({"name": "at", "type": "VARCHAR", "maxLength": 9,
                                                    "defaultValue": None}),
                                        f"{AS_AT}.type Rebuild", also=(f"{AS_AT}.defaultValue", f"{AS_AT}.maxLength")),
        "an array becomes a text": spec({}, fields({"name": "tags", "type": "VARCHAR", "elementType": None,
                                                    "maxCapacity": None}),
                                        f"{tags}.type Rebuild"),
        "a text becomes an array": spec({}, fields({"name": "team", "type": "ARRAY", "elementType": "VARCHAR",
                                                    "maxCapacity": 3}),
                                        f"{team}.type Rebuild", also=(f"{team}.elementType", f"{team}.maxCapacity")),
        "the dim of a function's output is written out": spec({}, fields({"name": "dense", "dim": 1024}), ""),
        "the dim of a function's output is removed": spec(fields({"name": "dense", "dim": 1024}), {}, ""),
        "maxLength goes up and a description is set": spec(
            {}, fields({"name": "document", "maxLength": 9500, "description": "x"}), f"{document}.maxLength InPlace",
            also=(f"{document}.description",)),
        "nullable is turned off": spec({}, fields({"name": "at", "nullable": False}), f"{AS_AT}.nullable Rebuild"),
        "nullable is written out as false": spec({}, fields({"name": "team", "nullable": False}), ""),
        "partitionKey is turned off": spec(keyed, fields({"name": "team", "partitionKey": False}),
                                           f"{team}.partitionKey Rebuild"),
        "clusteringKey is turned off": spec(
            fields({"name": "at", "clusteringKey": True}), fields({"name": "at", "clusteringKey": False}),
            f"{AS_AT}.clusteringKey Rebuild"),
        "mmap is written out as false": spec({}, fields({"name": "at", "mmap": False}), ""),
        "the analyzer is turned off": spec(analyzer(enabled=True), analyzer(enabled=False),
                                           f"{document}.analyzer.enabled Rebuild"),
        "an empty analyzer is declared": spec({}, analyzer(), ""),
        "enabled of the analyzer is set": spec(analyzer(), analyzer(enabled=True),
                                               f"{document}.analyzer.enabled Rebuild"),
        "enabled of the analyzer is removed": spec(analyzer(enabled=True), analyzer(),
                                                   f"{document}.analyzer.enabled Rebuild"),
        "match is turned off": spec(analyzer(enabled=True, match=True), analyzer(enabled=True, match=False),
                                    f"{document}.analyzer.match Rebuild"),
        "match is removed": spec(analyzer(enabled=True, match=True), analyzer(enabled=True),
                                 f"{document}.analyzer.match Rebuild"),
        "the analyzer's parameters change to others": spec(
            chinese, analyzer(enabled=True, params={"type": "english"}), f"{document}.analyzer.params Rebuild"),
        "the analyzer's parameters are removed": spec(chinese, analyzer(enabled=True),
                                                      f"{document}.analyzer.params Rebuild"),
    }  # fmt: skip


def _function_options() -> dict[str, Change]:
    credential = f"{MODEL}.credential"
    text_in_2_6 = (f"{ALI_PATH}.description InPlace!", f"{ALI_PATH}.description InPlace",
                   f"{ALI_PATH}.description InPlace", f"{ALI_PATH}.description InPlace!")  # fmt: skip
    listed: dict[str, object] = {"model": "text-embedding-v3", "dim": 1024}
    unlisted = {**listed, "allowUnlisted": True}
    own = {"credentialRef": {"name": "c"}}
    search = {"credentialRef": {"name": "c", "namespace": "search"}}
    second = {**ALI, "name": "too", "outputFields": ["second"]}
    two_outputs = fields(DENSE_TOO)
    two = {**two_outputs, **functions(ALI, second)}
    return {
        "a function's description changes": spec(ali(description="x"), ali(description="y"), *text_in_2_6),
        "a function's description is removed": spec(ali(description="x"), {}, *text_in_2_6),
        "the output field changes": spec(
            two_outputs, {**two_outputs, **ali(outputFields=["second"]), **fields(DENSE_TOO, {"name": "dense",
                                                                                              "dim": 1024})},
            f"{ALI_PATH}.outputFields Rebuild"),
        "functions are declared where there were none": spec(
            {"functions": None, **fields({"name": "dense", "dim": 1024})}, {}, f"{ALI_PATH} Rebuild"),
        "the list of functions is removed": spec(
            {}, {"functions": None, **fields({"name": "dense", "dim": 1024})},
            f"{ALI_PATH} Destructive!", f"{ALI_PATH} Destructive", f"{ALI_PATH} Destructive", f"{ALI_PATH} Rebuild"),
        "a second function is added with its output": spec(
            {}, two, "spec.functions[too] Rebuild", also=("spec.fields[second]", "spec.indexes[second]")),
        "the second function is removed with its output": spec(
            two, {}, *since_3("spec.functions[too]", "Destructive!", "Destructive"),
            also=("spec.fields[second]", "spec.indexes[second]")),
        "the labels of two functions change at once": spec(
            two, {**two_outputs, **functions({**ALI, **_inline(**key("a"))}, {**second, **_inline(**key("b"))})},
            *since_2_6_7(credential, "InPlace!", "InPlace"), also=("spec.functions[too].textEmbedding.credential",)),
        "an inline model becomes a reference to the same": spec({}, reference("docs-v3"), ""),
        "a reference becomes an inline model that is the same": spec(reference("docs-v3"), {}, ""),
        "a reference to the same model with a key": spec(
            reference("docs-v3"), reference("docs-v3-a"), *since_2_6_7(credential, "InPlace!", "InPlace")),
        "a reference to another model of equal dimension": spec(
            reference("docs-v2"), reference("docs-v1"), f"{MODEL}.model Rebuild"),
        "a reference to another model": spec(
            reference("docs-v3"), reference("docs-v1"), f"{MODEL}.model Rebuild",
            also=(f"{MODEL}.dim", "spec.fields[dense].dim")),
        "the namespace of a reference is written out": spec(
            reference("docs-v3"), reference("docs-v3", namespace="search"), ""),
        "the namespace of a reference changes": spec(
            reference("docs-v3", namespace="search"), reference("docs-v3", namespace="shared"), ""),
        "the namespace of a reference is removed": spec(
            reference("docs-v3", namespace="search"), reference("docs-v3"), ""),
        "an EmbeddingFunction gets a key": _function(
            listed, {**listed, **key("a")}, *since_2_6_7(credential, "InPlace!", "InPlace")),
        "an EmbeddingFunction gets another key": _function(
            {**listed, **key("a")}, {**listed, **key("b")}, *since_2_6_7(credential, "InPlace!", "InPlace")),
        "an EmbeddingFunction loses its key": _function(
            {**listed, **key("a")}, listed, *since_2_6_7(credential, "InPlace!", "InPlace")),
        "an EmbeddingFunction says that its model may be unlisted": _function(listed, unlisted, ""),
        "an EmbeddingFunction says that its model may not be unlisted": _function(
            unlisted, {**listed, "allowUnlisted": False}, ""),
        "an EmbeddingFunction says no more whether its model may be unlisted": _function(unlisted, listed, ""),
        "an EmbeddingFunction names the namespace of its key": _function({**listed, **own}, {**listed, **search}, ""),
        "an EmbeddingFunction takes a key of another namespace": _function(
            {**listed, **search}, {**listed, **key("c")}, *since_2_6_7(credential, "InPlace!", "InPlace")),
        "an EmbeddingFunction leaves out the namespace of its key": _function(
            {**listed, **search}, {**listed, **own}, ""),
        "the model's dimension is written out as another": spec(
            embedding(dim=768), embedding(dim=512), f"{MODEL}.dim Rebuild", also=("spec.fields[dense].dim",)),
        "the model's dimension is removed": spec(
            embedding(dim=512), {}, f"{MODEL}.dim Rebuild", also=("spec.fields[dense].dim",)),
        "the default dimension is no longer written out": spec(embedding(dim=1024), {}, ""),
        "a model that is not listed": spec(
            {}, embedding(model="text-embedding-v4", dim=1024, allowUnlisted=True), f"{MODEL}.model Rebuild"),
        "a listed model is allowed to be unlisted": spec({}, embedding(dim=1024, allowUnlisted=True), ""),
        "allowUnlisted is turned off": spec(
            embedding(dim=1024, allowUnlisted=True), embedding(dim=1024, allowUnlisted=False), ""),
        "allowUnlisted is removed": spec(embedding(dim=1024, allowUnlisted=True), embedding(dim=1024), ""),
        "a credential of the own namespace": spec(
            {}, embedding(**own), *since_2_6_7(credential, "InPlace!", "InPlace")),
        "a credential of the same name in the connection's namespace": spec(
            embedding(**own), embedding(**key("c")), *since_2_6_7(credential, "InPlace!", "InPlace")),
        "the namespace of a credential changes": spec(
            embedding(credentialRef={"name": "c", "namespace": "search"}), embedding(**key("c")),
            *since_2_6_7(credential, "InPlace!", "InPlace")),
        "the namespace of a credential is removed": spec(
            embedding(credentialRef={"name": "c", "namespace": "search"}), embedding(**own), ""),
        "a text embedding becomes bm25": spec(
            fields(ANALYZED, SPARSE), {**fields(ANALYZED, SPARSE, {"name": "dense", "dim": 1024}),
                                       **functions(_bm25("ali")), **indexed({"field": "sparse", "metric": "BM25"})},
            f"{ALI_PATH}.type Rebuild", also=(f"{ALI_PATH}.outputFields", "spec.indexes[sparse].metric")),
        "bm25 becomes a text embedding": spec(
            {**fields(ANALYZED, SPARSE, {"name": "dense", "dim": 1024}), **functions(_bm25("ali"))},
            {**fields(ANALYZED, SPARSE), **indexed({"field": "sparse", "metric": "IP"})},
            f"{ALI_PATH}.type Rebuild", also=(f"{ALI_PATH}.outputFields", "spec.indexes[sparse].metric")),
    }  # fmt: skip


def _function(old: Body, new: Body, *expected: str) -> Change:
    """The collection stays as it is; the EmbeddingFunction that it refers to is declared anew."""
    same, models = reference("docs-v3"), ({**MODELS, "docs-v3": old}, {**MODELS, "docs-v3": new})
    return spec(same, same, *expected, models=models)


def _inline(**dashscope: object) -> dict[str, object]:
    return {"textEmbedding": {"dashscope": {"model": "text-embedding-v3", **dashscope}}}


def _bm25(name: str) -> dict[str, object]:
    return {"name": name, "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}}


def _index_options() -> dict[str, Change]:
    own = "spec.indexes[own]"
    plain: dict[str, object] = {"field": "own"}
    l2, cosine = {**plain, "metric": "L2"}, {**plain, "metric": "COSINE"}
    hnsw: dict[str, object] = {**plain, "type": "HNSW"}
    tuned = {**hnsw, "params": {"M": 16}}
    named, other = {"field": "at", "name": "time"}, {"field": "at", "name": "clock"}
    return {
        "an index gets another type": spec(indexed(hnsw), indexed({**plain, "type": "IVF_FLAT"}),
                                           f"{own}.type Disruptive"),
        "the type of an index is set": spec(indexed(plain), indexed(hnsw), f"{own}.type Disruptive"),
        "the type of an index is removed": spec(indexed(hnsw), indexed(plain), f"{own}.type Disruptive"),
        "the default metric is written out": spec(indexed(plain), indexed(cosine), ""),
        "another metric is set": spec(indexed(plain), indexed(l2), f"{own}.metric Disruptive"),
        "a metric changes": spec(indexed(cosine), indexed({**plain, "metric": "IP"}), f"{own}.metric Disruptive"),
        "a metric is removed": spec(indexed(l2), indexed(plain), f"{own}.metric Disruptive"),
        "parameters are declared": spec(indexed(hnsw), indexed(tuned), f"{own}.params.M Disruptive"),
        "parameters are removed": spec(indexed(tuned), indexed(hnsw), f"{own}.params.M Disruptive"),
        "a second parameter is declared": spec(
            indexed(tuned), indexed({**hnsw, "params": {"M": 16, "efConstruction": 100}}),
            f"{own}.params.efConstruction Disruptive"),
        "the name of an index changes": spec(
            indexed(named), indexed(other), *since_3("spec.indexes[clock]", "Disruptive", "InPlace"),
            also=("spec.indexes[time]",)),
        "the name of an index is removed": spec(indexed(named), indexed({"field": "at"}), ""),
        "the name of an index is written out": spec(
            indexed({"field": "at"}), indexed(named), *since_3("spec.indexes[time]", "Disruptive", "InPlace"),
            also=("spec.indexes[at]",)),
        "an empty list of indexes is declared": spec({"indexes": None}, {}, ""),
        "an empty list of indexes is removed": spec({}, {"indexes": None}, ""),
        "the index of one field becomes that of another": spec(
            indexed({"field": "at"}), indexed({"field": "team"}), *since_3("spec.indexes[at]", "Disruptive", "InPlace"),
            also=("spec.indexes[team]",)),
        "the only index of the list is removed": spec(
            indexed({"field": "team"}), {}, *since_3("spec.indexes[team]", "Disruptive", "InPlace")),
    }  # fmt: skip


def _settings() -> dict[str, Change]:
    def properties(**values: object) -> dict[str, object]:
        return {"properties": {name.replace("_", "."): value for name, value in values.items()}}

    def load(**options: object) -> dict[str, object]:
        return {"load": options}

    groups, replicas, enabled = "spec.load.resourceGroups", "spec.load.replicas", "spec.load.enabled"
    keyed = fields({"name": "team", "partitionKey": True})
    dynamic, shards, level = "spec.enableDynamicField", "spec.shards", "spec.consistencyLevel"
    mmap = "spec.properties[mmap.enabled]"
    return {
        "the description and a property change at once": spec(
            {"description": "x", **properties(a_b=1)}, {"description": "y", **properties(a_b=2)},
            "spec.description InPlace", also=("spec.properties[a.b]",)),
        "one property is set and another removed": spec(
            properties(a_b=1), properties(a_c=1), "spec.properties[a.b] InPlace", also=("spec.properties[a.c]",)),
        "a property is spelled in another way": spec(properties(a_b=True), properties(a_b="true"), ""),
        "mmap of the collection changes": spec(properties(mmap_enabled=True), properties(mmap_enabled=False),
                                               f"{mmap} Disruptive"),
        "a warm-up is set": spec({}, properties(warmup_vectorField="sync"),
                                 "spec.properties[warmup.vectorField] Disruptive"),
        "a rate limit is set": spec({}, {"properties": {"collection.insertRate.max.mb": 5}},
                                    "spec.properties[collection.insertRate.max.mb] InPlace"),
        "numPartitions is written out as it is": spec(keyed, {**keyed, "numPartitions": 16}, ""),
        "numPartitions is set": spec(keyed, {**keyed, "numPartitions": 32}, "spec.numPartitions Rebuild"),
        "numPartitions is removed": spec({**keyed, "numPartitions": 32}, keyed, ""),
        "partitions change": spec({"partitions": ["p", "q"]}, {"partitions": ["q", "r"]},
                                  "spec.partitions[p] Destructive", also=("spec.partitions[r]",)),
        "Milvus' own partition is written out": spec({}, {"partitions": ["_default"]}, ""),
        "aliases change": spec({"aliases": ["one", "two"]}, {"aliases": ["two", "three"]},
                               "spec.aliases[one] Disruptive", also=("spec.aliases[three]",)),
        "the dynamic field is written out as off": spec({}, {"enableDynamicField": False}, ""),
        "the dynamic field changes to off": spec({"enableDynamicField": True}, {"enableDynamicField": False},
                                                 *since_3(dynamic, "Destructive!", "Destructive")),
        "shards change to another number": spec({"shards": 2}, {"shards": 3}, f"{shards} Rebuild"),
        "shards are removed": spec({"shards": 2}, {}, f"{shards} Rebuild"),
        "the consistency level changes to another": spec(
            {"consistencyLevel": "Strong"}, {"consistencyLevel": "Session"}, f"{level} InPlace"),
        "the consistency level is removed": spec({"consistencyLevel": "Eventually"}, {}, f"{level} InPlace"),
        "loading is written out": spec({}, load(enabled=True), ""),
        "loading changes to off": spec(load(enabled=True), load(enabled=False), f"{enabled} Disruptive"),
        "enabled of load is set": spec(load(replicas=1), load(enabled=False, replicas=1), f"{enabled} Disruptive"),
        "enabled of load is removed": spec(load(enabled=False, replicas=1), load(replicas=1), f"{enabled} InPlace"),
        "replicas are set beside loading": spec(load(enabled=True), load(enabled=True, replicas=2),
                                                f"{replicas} InPlace"),
        "replicas change to another number": spec(load(replicas=2), load(replicas=3), f"{replicas} InPlace"),
        "replicas are removed beside loading": spec(load(enabled=True, replicas=2), load(enabled=True),
                                                    f"{replicas} InPlace"),
        "replicas change while it is released": spec(load(enabled=False), load(enabled=False, replicas=2), ""),
        "resource groups are set beside replicas": spec(
            load(replicas=2), load(replicas=2, resourceGroups=["one", "two"]), f"{groups} InPlace"),
        "resource groups change": spec(
            load(resourceGroups=["one"]), load(resourceGroups=["two"]), f"{groups} InPlace"),
        "resource groups are removed beside replicas": spec(
            load(replicas=2, resourceGroups=["one", "two"]), load(replicas=2), f"{groups} InPlace"),
        "everything of this class at once": spec(
            {}, {"description": "x", "consistencyLevel": "Strong", "aliases": ["now"], "partitions": ["p"],
                 **properties(a_b=1), **load(replicas=2), **fields({"name": "note", "type": "JSON", "nullable": True})},
            "spec.description InPlace",
            also=(level, "spec.aliases[now]", "spec.partitions[p]", "spec.properties[a.b]", replicas,
                  "spec.fields[note]")),
    }  # fmt: skip


def _policies() -> dict[str, Change]:
    """Nothing of Milvus changes by these. Each row: the field, a value, another, and what Ready says of the latter."""
    rows: list[tuple[str, object, object]] = [
        ("createDatabase", False, True),
        ("deletionPolicy", "Delete", "DeleteIfEmpty"),
        ("adoptionPolicy", "IfMatching", "Never"),
        ("driftPolicy", "Report", "Ignore"),
        ("changePolicy.inPlace", "Manual", "Never"),
        ("changePolicy.disruptive", "Never", "Automatic"),
        ("changePolicy.destructive", "Manual", "Never"),
        ("changePolicy.rebuild", "Manual", "Never"),
        ("changePolicy.approvedPlan", "0123456789abcdef", "fedcba9876543210"),
        ("paused", False, True),
    ]
    found: dict[str, Change] = {
        "nothing of Milvus changes: the policies are removed": spec({"changePolicy": {"inPlace": "Manual"}}, {}, "")
    }
    for path, one, other in rows:
        said = "Paused" if other is True and path == "paused" else ""
        without, with_one, with_other = (nested(path, value) for value in (None, one, other))
        found[f"nothing of Milvus changes: {path} is set"] = spec(without, with_one, "")
        found[f"nothing of Milvus changes: {path} is removed"] = spec(with_one, without, "")
        found[f"nothing of Milvus changes: {path} changes"] = spec(with_one, with_other, "", answer=said)
    return found


def nested(path: str, value: object) -> dict[str, object]:
    """The option, in the block that holds it; None leaves it out of the block."""
    block, _, name = path.rpartition(".")
    content = {} if value is None else {name: value}
    return {block: content} if block else content


def _names() -> dict[str, Change]:
    return {
        "the collection's name is written out": spec({}, {"collectionName": "docs"}, ""),
        "the collection's name is left out again": spec({"collectionName": "docs"}, {}, ""),
        "the database is written out": spec({}, {"database": "default"}, ""),
        "the base is declared again": spec({}, dict(BASE), ""),
        "what is taken over by Observe": spec({}, {"adoptionPolicy": "Observe"}, "", answer="Observed"),
        "rebuilds by themselves": spec({}, {"changePolicy": {"rebuild": "Automatic"}}, "", answer="NotSupportedYet"),
    }


OPTIONS = {
    **_field_options(), **_function_options(), **_index_options(), **_settings(), **_policies(), **_names(),
}  # fmt: skip
