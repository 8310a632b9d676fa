"""Arbitrary declared collections, and arbitrary things that happen to them in Milvus."""

import dataclasses
from random import Random

from hypothesis import strategies as st

from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.observed import Observed, is_vector
from milvus_embedding.domain.schema import Index, LoadState
from tests.unit.domain.planning.scenes import ALI, AT, DENSE, ID, OWN, TAGS, TEAM, TEXT, standing, wanted

Options = dict[str, object]


def maybe(item: Options, **options: st.SearchStrategy[object]) -> st.SearchStrategy[Options | None]:
    """The item with some of the options, or not at all."""
    drawn = st.fixed_dictionaries({}, optional=dict(options))
    return st.none() | drawn.map(lambda chosen: {**item, **chosen})


def surely(item: Options, **options: st.SearchStrategy[object]) -> st.SearchStrategy[Options]:
    return st.fixed_dictionaries({}, optional=dict(options)).map(lambda chosen: {**item, **chosen})


def _texts() -> st.SearchStrategy[object]:
    return st.sampled_from(["x", "y"])


def _numbers(*values: int) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


@st.composite
def specs(draw: st.DrawFn) -> Options:
    """A spec as users may write it; every part of it may be there or not."""
    fields = [
        draw(surely(ID, autoID=st.booleans())),
        draw(surely(TEXT, maxLength=_numbers(100, 9000, 9001), description=_texts(), mmap=st.booleans())),
        draw(surely({**OWN, "dim": 8}, mmap=st.booleans(), description=_texts())),
        draw(maybe({**DENSE, "dim": 1024})),
        draw(maybe(TAGS, maxCapacity=_numbers(4, 5, 6), maxLength=_numbers(10, 20, 30))),
        draw(maybe(TEAM, nullable=st.booleans(), defaultValue=_texts(), partitionKey=st.booleans())),
        draw(maybe(AT, mmap=st.booleans(), defaultValue=_numbers(5, 6), clusteringKey=st.booleans())),
        draw(maybe({"name": "extra", "type": "FLOAT_VECTOR", "dim": 4, "nullable": True})),
        draw(maybe({"name": "more", "type": "JSON", "nullable": True})),
    ]
    present = [f for f in fields if f is not None]
    names = {f["name"] for f in present}
    keyed = any(f.get("partitionKey") for f in present)
    functions = [surely({**ALI, "name": name}, description=_texts()) for name in ("ali", "eli")]
    return {
        "fields": draw(st.permutations(present)),
        "functions": [draw(draw(st.sampled_from(functions)))] if "dense" in names and draw(st.booleans()) else [],
        "indexes": [index for index in draw(_indexes()) if index["field"] in names],
        "properties": draw(_properties()),
        "partitions": [] if keyed else draw(st.lists(st.sampled_from("pqr"), unique=True)),
        "aliases": draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True)),
        **draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "description": _texts(),
                    "enableDynamicField": st.booleans(),
                    "shards": _numbers(1, 1, 1, 2),
                    "consistencyLevel": st.sampled_from(["Strong", "Bounded"]),
                    "load": st.fixed_dictionaries(
                        {},
                        optional={
                            "enabled": st.booleans(),
                            "replicas": _numbers(1, 2),
                            "resourceGroups": st.lists(st.sampled_from("gh"), unique=True),
                        },
                    ),
                },
            )
        ),
    }


def _indexes() -> st.SearchStrategy[list[Options]]:
    params = st.dictionaries(st.sampled_from(["M", "efConstruction", "mmap.enabled"]), st.sampled_from([16, 32, True]))
    vectors = st.sampled_from(["dense", "own", "extra"]).flatmap(
        lambda field: surely(
            {"field": field},
            type=st.sampled_from(["HNSW", "AUTOINDEX"]),
            metric=st.sampled_from(["COSINE", "L2"]),
            name=st.sampled_from([f"{field}_by_hand"]),
            params=params,
        )
    )
    scalars = st.sampled_from(["team", "at", "document"]).flatmap(
        lambda field: surely({"field": field, "type": "INVERTED"}, type=st.sampled_from(["STL_SORT", "TRIE"]))
    )
    return st.lists(vectors | scalars, max_size=5, unique_by=lambda index: str(index["field"]))


def _properties() -> st.SearchStrategy[Options]:
    return st.fixed_dictionaries(
        {},
        optional={
            "collection.ttl.seconds": _numbers(-1, 0, 60, 90),
            "mmap.enabled": st.booleans(),
            "partitionkey.isolation": st.booleans(),
            "collection.autocompaction.enabled": st.booleans(),
            "anything": st.sampled_from(["x", "y", 1, 0.5]),
        },
    )


labels = st.sampled_from([None, "a", "b"])


def desireds() -> st.SearchStrategy[Desired]:
    return st.builds(lambda spec, label: wanted(spec, label=label), specs(), labels)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Desired, Observed]:
    """A declared collection, and one that was created from another spec and that others worked at since. Half of the
    pairs need no rebuild.
    """
    old, new = draw(specs()), draw(specs())
    if draw(st.booleans()):
        new = _near(draw, old, new)
    return wanted(new, label=draw(labels)), draw(_worked_at(standing(wanted(old, label=draw(labels)))))


def _near(draw: st.DrawFn, old: Options, new: Options) -> Options:
    """The new spec with no change of the old one's fields but those that Milvus makes in place."""
    fields = [dict(f) for f in _fields_of(old)]
    for field in fields:
        field.update({"description": draw(_texts())} if draw(st.booleans()) else {})
        field.update({"mmap": draw(st.booleans())} if draw(st.booleans()) else {})
        if field["name"] in ("document", "tags"):
            field["maxLength"] = int(str(field["maxLength"])) + draw(st.sampled_from([0, 1]))
    names = {f["name"] for f in fields}
    fields += [f for f in _fields_of(new) if f["name"] not in names and f["name"] in ("at", "extra", "more")]
    fields = [{**f, "clusteringKey": False} if f["name"] not in names else f for f in fields]
    if draw(st.booleans()):
        fields = [f for f in fields if f["name"] not in ("more", "extra")]
    keyed = any(f.get("partitionKey") for f in fields)
    kept = {f["name"] for f in fields}
    indexes = new["indexes"]
    assert isinstance(indexes, list)
    same: Options = {key: old[key] for key in ("functions", "shards") if key in old}
    return {
        **{key: value for key, value in new.items() if key not in ("functions", "shards")},
        **same,
        "fields": fields,
        "partitions": [] if keyed else new["partitions"],
        "indexes": [index for index in indexes if index["field"] in kept],
    }


def _fields_of(spec: Options) -> list[Options]:
    fields = spec["fields"]
    assert isinstance(fields, list | tuple)
    return list(fields)


@st.composite
def _worked_at(draw: st.DrawFn, have: Observed) -> Observed:
    strays = draw(st.lists(st.sampled_from(["stray", "other"]), unique=True))
    if not any(f.partition_key for f in have.schema.fields):
        have = dataclasses.replace(have, partitions=(*have.partitions, *strays))
    have = dataclasses.replace(
        have,
        aliases=(*have.aliases, *draw(st.lists(st.sampled_from(["s", "t"]), unique=True))),
        rows_known_empty=dict.fromkeys(have.partitions, draw(st.booleans())),
    )
    if draw(st.booleans()):
        have = released(have)
        have = dataclasses.replace(have, indexes=tuple(i for i in have.indexes if draw(st.booleans())))
    return shuffled(have, draw(st.randoms(use_true_random=False)))


def released(have: Observed) -> Observed:
    return dataclasses.replace(have, load=LoadState.NOT_LOADED, replicas=None, resource_groups=None)


def shuffled(have: Observed, randomness: Random) -> Observed:
    """The same collection with every list in another order."""
    schema, sample = have.schema, randomness.sample
    mixed = dataclasses.replace(
        have,
        indexes=tuple(sample(list(have.indexes), len(have.indexes))),
        partitions=tuple(sample(list(have.partitions), len(have.partitions))),
        aliases=tuple(sample(list(have.aliases), len(have.aliases))),
    )
    return mixed.with_schema(
        dataclasses.replace(
            schema,
            fields=tuple(sample(list(schema.fields), len(schema.fields))),
            functions=tuple(sample(list(schema.functions), len(schema.functions))),
            properties=dict(sample(list(schema.properties.items()), len(schema.properties))),
        )
    )


def noisy(have: Observed) -> Observed:
    """With what newer servers add by themselves, and with other spellings of the same values."""
    schema = have.schema
    spelled = {
        key: value.capitalize() if value in ("true", "false") else value for key, value in schema.properties.items()
    }
    fields = tuple(dataclasses.replace(f, params={**f.params, "warmup": "sync"}) for f in schema.fields)
    functions = tuple(
        dataclasses.replace(f, params={**f.params, "provider": "DashScope", "dim": "1024"}) for f in schema.functions
    )
    indexes = tuple(
        _with_defaults(i, vector=any(f.name == i.field and is_vector(f) for f in fields)) for i in have.indexes
    )
    added = {"timezone": "UTC", "max_field_id": "110", "namespace.sharding.enabled": "false", "consistency_level": "2"}
    return dataclasses.replace(have, indexes=indexes).with_schema(
        dataclasses.replace(schema, fields=fields, functions=functions, properties={**added, **spelled})
    )


def _with_defaults(index: Index, *, vector: bool) -> Index:
    return dataclasses.replace(index, params={"nlist": "128", **index.params}) if vector else index
