"""Which calls a change comes to, in which order."""

import dataclasses

import pytest

from milvus_embedding.api.collection import ChangePolicy
from milvus_embedding.domain.acts import CreateAlias, CreateIndex, CreatePartition, Load
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.acting import next_act
from milvus_embedding.domain.planning.acts import (
    Act,
    AddField,
    AlterAlias,
    AlterField,
    AlterFunction,
    AlterIndex,
    AlterProperties,
    CreateCollection,
    DropAlias,
    DropFieldProperties,
    DropFunction,
    DropFunctionField,
    DropIndex,
    DropPartition,
    DropProperties,
    Release,
    ReleasePartitions,
)
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.effects import Illegal, apply
from milvus_embedding.domain.planning.observed import AliasTarget
from milvus_embedding.domain.planning.record import RECORD, declared, recorded
from milvus_embedding.domain.schema import Function, LoadState
from tests.unit.domain.planning.scenes import ALI, decided, fields, performed, planned, standing, wanted

HNSW: dict[str, object] = {"field": "own", "type": "HNSW", "metric": "COSINE", "params": {"M": 16}}


def names(before: Desired, after: Desired, version: str = "v2.6.9") -> list[str]:
    """The calls, without the one that keeps the record of what is declared."""
    _, done = performed(after, standing(before), version)
    return [type(act).__name__ for act in done if not is_record(act)]


def is_record(act: Act) -> bool:
    return isinstance(act, AlterProperties) and set(act.properties) == {RECORD}


REBUILT = ["Release", "DropIndex", "CreateIndex", "Load"]
SEQUENCES: dict[str, tuple[dict[str, object], dict[str, object], str, list[str]]] = {
    "a vector index": ({}, {"indexes": [HNSW]}, "v2.6.9", REBUILT),
    "a vector index of what is not loaded": (
        {"load": {"enabled": False}}, {"load": {"enabled": False}, "indexes": [HNSW]}, "v2.6.9",
        ["DropIndex", "CreateIndex"]),
    "a scalar index before 3.0": (
        {"indexes": [{"field": "at", "type": "STL_SORT"}]}, {"indexes": [{"field": "at", "type": "INVERTED"}]},
        "v2.6.9", REBUILT),
    "a scalar index from 3.0 on": (
        {"indexes": [{"field": "at", "type": "STL_SORT"}]}, {"indexes": [{"field": "at", "type": "INVERTED"}]},
        "v3.0.0", ["DropIndex", "CreateIndex"]),
    "isolation": (
        fields({"name": "team", "partitionKey": True}),
        {**fields({"name": "team", "partitionKey": True}), "properties": {"partitionkey.isolation": True}}, "v2.6.9",
        ["Release", "DropIndex", "DropIndex", "AlterProperties", "CreateIndex", "CreateIndex", "Load"]),
    "mmap of two fields and the collection": (
        {},
        {**fields({"name": "at", "mmap": True}, {"name": "team", "mmap": True}), "properties": {"mmap.enabled": True}},
        "v2.6.9", ["Release", "AlterProperties", "AlterField", "AlterField", "Load"]),
    "mmap of an index": (
        {"indexes": [HNSW]}, {"indexes": [{**HNSW, "params": {"M": 16, "mmap.enabled": True}}]}, "v2.6.9",
        ["Release", "AlterIndex", "Load"]),
    "a partition with rows": ({"partitions": ["p"]}, {}, "v2.6.9", ["ReleasePartitions", "DropPartition"]),
    "a partition of what is not loaded": (
        {"partitions": ["p"], "load": {"enabled": False}}, {"load": {"enabled": False}}, "v2.6.9", ["DropPartition"]),
    "replicas before 2.6": ({}, {"load": {"replicas": 2}}, "v2.5.4", ["Release", "Load"]),
    "replicas": ({}, {"load": {"replicas": 2, "resourceGroups": ["a", "b"]}}, "v2.6.9", ["AlterProperties"]),
    "properties, description and consistency in one call": (
        {}, {"properties": {"a": 1, "b": 2}, "description": "x", "consistencyLevel": "Strong"}, "v2.6.9",
        ["AlterProperties"]),
    "the dynamic field in a call of its own": (
        {}, {"description": "x", "enableDynamicField": True}, "v2.6.9", ["AlterProperties", "AlterProperties"]),
    "removed properties in a call of their own": (
        {"properties": {"a": 1, "b": 2}}, {"properties": {"c": 1}}, "v2.6.9", ["AlterProperties", "DropProperties"]),
    "a vector with its function": (
        {}, {**fields(without="dense"), "functions": []}, "v3.0.0", ["Release", "DropFunctionField", "Load"]),
    "a vector added on 3.0": (
        {}, fields({"name": "x", "type": "FLOAT_VECTOR", "dim": 4, "nullable": True}), "v3.0.0",
        ["AddField", "CreateIndex"]),
    "aliases": ({"aliases": ["a"]}, {"aliases": ["b"]}, "v2.6.9", ["CreateAlias", "DropAlias"]),
    "a function under another name": (
        {}, {"functions": [{**ALI, "name": "new"}]}, "v2.6.9", ["DropFunction", "AddFunction"]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", SEQUENCES)
def test_calls_of(sentence: str) -> None:
    before, after, version, calls = SEQUENCES[sentence]

    assert names(wanted(before), wanted(after), version) == calls


def test_a_creation_from_nothing() -> None:
    want = wanted({"partitions": ["p"], "aliases": ["a"], "description": "x"})

    have, done = performed(want, None)

    assert [type(a).__name__ for a in done] == [
        "CreateCollection", "CreatePartition", "CreateIndex", "CreateIndex", "Load", "CreateAlias",
    ]  # fmt: skip
    indexes = {"spec.indexes[dense]", "spec.indexes[own]"}
    assert recorded(have.schema.properties) == declared(want) == {"spec.description"} | indexes
    assert planned(want, have).steps == ()


def test_a_credential_goes_back_with_everything_else_as_it_came() -> None:
    have = standing(wanted(label="a"))
    (function,) = have.schema.functions
    odd = dataclasses.replace(
        function, params={**function.params, "provider": "DashScope", "dim": "1024"}, description="by hand"
    )
    have = have.with_schema(dataclasses.replace(have.schema, functions=(odd,)))

    act = next_act(decided(planned(wanted(label="b"), have, "v3.0.0")), have)

    assert act == AlterFunction(dataclasses.replace(odd, params={**odd.params, "credential": "b"}))


def test_a_label_that_is_left_out_is_taken_away() -> None:
    have, done = performed(wanted(), standing(wanted(label="a")), "v3.0.0")

    (act,) = done
    assert isinstance(act, AlterFunction)
    assert "credential" not in act.function.params
    assert planned(wanted(), have).steps == ()


@pytest.mark.parametrize("load", [LoadState.NOT_LOADED, LoadState.LOADING])
def test_loading_waits_for_the_indexes(load: LoadState) -> None:
    want = wanted()
    have = dataclasses.replace(standing(want), load=load)
    building = dataclasses.replace(have, indexes=tuple(dataclasses.replace(i, finished=False) for i in have.indexes))

    assert next_act(decided(planned(want, building)), building) is None
    expected = Load(1, ()) if load is LoadState.NOT_LOADED else None
    assert next_act(decided(planned(want, have)), have) == expected


def test_a_collection_that_loads_is_released_before_its_index_changes() -> None:
    want = wanted({"indexes": [HNSW]})
    have = dataclasses.replace(standing(wanted()), load=LoadState.LOADING)

    assert next_act(decided(planned(want, have)), have) == Release()


def test_an_alias_moves_from_an_earlier_generation_of_ours_only() -> None:
    want = wanted({"aliases": ["a"]})

    def toward(target: AliasTarget) -> tuple[str, str, Act | None]:
        have = dataclasses.replace(standing(wanted()), alias_targets={"a": target})
        current = planned(want, have)
        (step,) = current.steps
        return step.class_, step.unsupported, next_act(decided(current), have)

    assert toward(AliasTarget("docs_g1", ours=True)) == ("Disruptive", "", AlterAlias("a"))
    class_, unsupported, act = toward(AliasTarget("theirs", ours=False))
    assert (class_, act) == ("InPlace", None)
    assert "points to a collection of somebody else" in unsupported
    assert "theirs" not in unsupported


def test_a_partition_that_is_known_to_be_empty_is_disruptive() -> None:
    have = dataclasses.replace(standing(wanted({"partitions": ["p"]})), rows_known_empty={None: True, "p": True})

    (step,) = planned(wanted(), have).steps

    assert step.class_ == "Disruptive"
    filled = dataclasses.replace(have, rows_known_empty={None: True, "p": False})
    decision = decided(planned(wanted(), have))
    assert next_act(decision, filled) is None, "rows came since the decision"


def test_a_partition_whose_removal_is_taken_back_is_loaded_again() -> None:
    have = standing(wanted({"partitions": ["p"]}))
    have = apply(have, ReleasePartitions(("p",)), capabilities("v2.6.9"))

    for want in (wanted({"partitions": ["p"]}), wanted()):
        decision = decided(planned(want, have), policy=ChangePolicy(), approved=())
        act = next_act(decision, have)
        assert act == Load(1, ("__default_resource_group",))
        assert apply(have, act, capabilities("v2.6.9")).released == frozenset()
    assert next_act(decided(planned(wanted(), have)), have) == DropPartition("p")


def test_a_record_is_kept_where_there_was_none() -> None:
    want = wanted({"properties": {"a": 1}})
    have = standing(want)
    properties = {key: value for key, value in have.schema.properties.items() if key != RECORD}
    have = have.with_schema(dataclasses.replace(have.schema, properties=properties))

    assert planned(want, have).steps == ()
    assert planned(wanted(), have).steps == (), "nobody knows that it was declared"
    after, done = performed(want, have)
    assert done == [AlterProperties({RECORD: '["spec.indexes[dense]","spec.indexes[own]","spec.properties[a]"]'})]
    assert [s.action for s in planned(wanted(), after).steps] == ["DropProperty"]


def test_a_removal_that_waits_stays_in_the_record() -> None:
    have = standing(wanted({**fields({"name": "at", "mmap": True}), "description": "x"}))
    want = wanted()

    decision = decided(planned(want, have), approved=(), policy=ChangePolicy())
    done = []
    while (act := next_act(decision, have)) is not None:
        have = apply(have, act, capabilities("v2.6.9"))
        done.append(act)

    assert recorded(have.schema.properties) == {"spec.fields[at].mmap", "spec.indexes[dense]", "spec.indexes[own]"}
    assert [s.path for s in planned(want, have).steps] == ["spec.fields[at].mmap"]


ILLEGAL: dict[str, tuple[Act, str]] = {
    "a field that is not nullable": (AddField(wanted().schema.fields[1]), "v2.6.9"),
    "a field of an older server": (AlterField("at", {"max_length": "1"}), "v2.5.0"),
    "mmap of a loaded field": (AlterField("at", {"mmap.enabled": "true"}), "v2.6.9"),
    "mmap dropped of a loaded field": (DropFieldProperties("at", ("mmap.enabled",)), "v2.6.9"),
    "an unknown parameter": (AlterField("at", {"dim": "1"}), "v2.6.9"),
    "an unknown field": (AlterField("x", {"max_length": "1"}), "v2.6.9"),
    "mmap of a loaded collection": (AlterProperties({"mmap.enabled": "true"}), "v2.6.9"),
    "isolation of an indexed collection": (AlterProperties({"partitionkey.isolation": "true"}), "v2.6.9"),
    "the dynamic field with something else": (AlterProperties({"dynamicfield.enabled": "true", "a": "1"}), "v2.6.9"),
    "the dynamic field off": (AlterProperties({"dynamicfield.enabled": "false"}), "v2.6.9"),
    "dropped properties of an older server": (DropProperties(("a",)), "v2.3.5"),
    "a function before 2.6.7": (AlterFunction(wanted().schema.functions[0]), "v2.6.6"),
    "another model on 3.0": (AlterFunction(wanted(model="text-embedding-v2").schema.functions[0]), "v3.0.0"),
    "a function that is not there": (
        AlterFunction(Function(name="x", kind=wanted().schema.functions[0].kind, inputs=(), outputs=())), "v2.6.9"),
    "a function dropped on 3.0": (DropFunction("ali"), "v3.0.0"),
    "a function with its field before 3.0": (DropFunctionField("ali"), "v2.6.9"),
    "the vector index of a loaded collection": (DropIndex("own", "own"), "v3.0.0"),
    "an index that is not there": (DropIndex("own", "x"), "v3.0.0"),
    "a parameter of an index of a loaded collection": (AlterIndex("own", {"mmap.enabled": "true"}), "v2.6.9"),
    "a second index on a field": (CreateIndex(wanted().indexes[0]), "v2.6.9"),
    "a loaded partition": (DropPartition("p"), "v2.6.9"),
    "loading what is loaded": (Load(2, ()), "v2.6.9"),
    "creating what is there": (CreateCollection("docs", wanted().schema), "v2.6.9"),
    "moving an alias that is nowhere": (AlterAlias("x"), "v2.6.9"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", ILLEGAL)
def test_what_milvus_refuses(sentence: str) -> None:
    act, version = ILLEGAL[sentence]

    with pytest.raises(Illegal):
        apply(standing(wanted({"partitions": ["p"]})), act, capabilities(version))


@pytest.mark.parametrize(
    "act", [Release(), CreatePartition("p"), ReleasePartitions(("p",)), DropAlias("a"), CreateAlias("a")]
)
def test_nothing_can_be_done_to_what_is_not_there(act: Act) -> None:
    with pytest.raises(Illegal):
        apply(None, act, capabilities("v2.6.9"))
