"""Cases of a kind of their own: identities, stamps, spellings, what other servers and other hands leave behind."""

import dataclasses
import json
from collections.abc import Mapping

import pytest

from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.ownership import IDENTITY
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.record import RECORD, recorded
from milvus_embedding.domain.planning.steps import Step
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index
from tests.unit.domain.planning.scenes import ALI, VERSIONS, fields, performed, planned, standing, wanted


def with_properties(have: Observed, **changes: str) -> Observed:
    properties = {**have.schema.properties, **changes}
    return have.with_schema(dataclasses.replace(have.schema, properties=properties))


def with_params(have: Observed, **changes: str) -> Observed:
    (function,) = have.schema.functions
    changed = dataclasses.replace(function, params={**function.params, **changes})
    return have.with_schema(dataclasses.replace(have.schema, functions=(changed,)))


def with_field(have: Observed, name: str, **changes: object) -> Observed:
    replaced = [
        dataclasses.replace(f, **changes) if f.name == name else f  # type: ignore[arg-type]
        for f in have.schema.fields
    ]
    return have.with_schema(dataclasses.replace(have.schema, fields=tuple(replaced)))


def differing(want: Desired, have: Observed, version: str = "v2.6.9") -> list[tuple[str, str, str]]:
    steps = planned(want, have, version).steps
    return [(s.path, s.before, s.after) for s in steps if s.action != "RenameCollection"]


def only(want: Desired, have: Observed, version: str = "v2.6.9") -> Step:
    (step,) = (s for s in planned(want, have, version).steps if s.action != "RenameCollection")
    return step


def identity(model: str, dim: int = 1024) -> dict[str, str]:
    return {IDENTITY: json.dumps({"dense": {"provider": "dashscope", "model": model, "dim": dim}})}


MODEL = "spec.functions[ali].textEmbedding.model"


@pytest.mark.parametrize("version", VERSIONS)
def test_vectors_of_another_model_are_rebuilt_although_the_function_was_altered_by_hand(version: str) -> None:
    have = with_properties(standing(wanted()), **identity("text-embedding-v2"))

    assert differing(wanted(), have, version) == [(MODEL, "text-embedding-v2", "text-embedding-v3")]
    assert only(wanted(), have, version).class_ == "Rebuild"


def test_a_function_that_was_altered_by_hand_is_rebuilt() -> None:
    have = with_params(standing(wanted()), model_name="text-embedding-v4")

    assert differing(wanted(), have) == [(MODEL, "text-embedding-v4", "text-embedding-v3")]
    assert only(wanted(), have).class_ == "Rebuild"


@pytest.mark.parametrize("stamp", ["", "{}", "no json", "[1]", '{"dense": 5}'])
def test_without_a_readable_stamp_the_function_tells(stamp: str) -> None:
    assert differing(wanted(), with_properties(standing(wanted()), **{IDENTITY: stamp})) == []


@pytest.mark.parametrize("params", [{"provider": "DashScope"}, {"dim": "0"}, {"dim": ""}, {"dim": "1024"}])
def test_spellings_of_one_function(params: Mapping[str, str]) -> None:
    assert differing(wanted(), with_params(standing(wanted()), **params)) == []


@pytest.mark.parametrize(
    ("version", "unsupported"), [("v2.6.6", True), ("v2.6.7", False), ("v3.0.0", False), ("milvus_lite-3.2.2", False)]
)
def test_a_time_out_that_somebody_set_is_taken_back(version: str, *, unsupported: bool) -> None:
    step = only(wanted(), with_params(standing(wanted()), timeout_ms="5"), version)

    assert (step.path, step.class_) == ("spec.functions[ali].textEmbedding.params[timeout_ms]", "InPlace")
    assert bool(step.unsupported) is unsupported


def test_a_parameter_that_3_0_binds_is_told() -> None:
    step = only(wanted(), with_params(standing(wanted()), output_type="x"), "v3.0.0")

    assert step.unsupported.startswith("Milvus 3.0.0 alters the connection parameters of a function only")


def test_a_function_of_a_kind_that_nobody_knows() -> None:
    have = with_params(standing(wanted()), function_type="MinHash")

    assert ("spec.functions[ali].type", "MinHash", "TextEmbedding") in differing(wanted(), have)


def test_a_server_that_lost_the_function_cannot_keep_one() -> None:
    have = standing(wanted())
    have = have.with_schema(dataclasses.replace(have.schema, functions=()))

    step = only(wanted(), have, "v2.3.5")

    assert "Milvus 2.3.5 cannot keep functions: upgrade Milvus to 2.6.0" in step.unsupported


@pytest.mark.parametrize(
    ("version", "stamp", "class_"),
    [
        pytest.param("v2.6.7", identity("text-embedding-v3"), "Disruptive", id="the vectors are its own"),
        pytest.param("v2.6.6", identity("text-embedding-v3"), "Rebuild", id="the server cannot"),
        pytest.param("v3.0.0", identity("text-embedding-v3"), "Rebuild", id="the server cannot any more"),
        pytest.param("v2.6.7", identity("text-embedding-v2"), "Rebuild", id="the vectors are another model's"),
        pytest.param("v2.6.7", {IDENTITY: "{}"}, "Rebuild", id="nobody knows whose the vectors are"),
    ],
)
def test_a_function_that_was_dropped_by_hand(version: str, stamp: Mapping[str, str], class_: str) -> None:
    have = with_properties(standing(wanted()), **stamp)
    have = have.with_schema(dataclasses.replace(have.schema, functions=()))

    assert only(wanted(), have, version).class_ == class_


def test_a_field_of_a_kind_that_nobody_can_declare_is_a_step() -> None:
    have = standing(wanted())
    struct = Field(name="parts", type="ARRAY_OF_STRUCT")
    have = have.with_schema(dataclasses.replace(have.schema, fields=(*have.schema.fields, struct)))

    assert differing(wanted(), have) == [("spec.fields[parts]", "ARRAY_OF_STRUCT", "absent")]


def test_a_function_without_fields_is_a_step() -> None:
    have = standing(wanted())
    odd = Function(name="odd", kind=FunctionKind.BM25, inputs=(), outputs=())
    have = have.with_schema(dataclasses.replace(have.schema, functions=(*have.schema.functions, odd)))

    assert [path for path, *_ in differing(wanted(), have)] == ["spec.functions[odd]"]


def test_the_last_vector_is_not_dropped_in_place() -> None:
    only_own = {**fields(without="dense"), "functions": []}
    other = {"name": "next", "type": "FLOAT_VECTOR", "dim": 4, "nullable": True}
    replaced = {"fields": [f for f in [*_fields(only_own), other] if f["name"] != "own"], "functions": []}

    steps = {s.path: s.class_ for s in planned(wanted(replaced), standing(wanted(only_own)), "v3.0.0").steps}

    assert steps["spec.fields[own]"] == steps["spec.indexes[own]"] == "Rebuild"
    assert steps["spec.fields[next]"] == "InPlace"


def _fields(spec: Mapping[str, object]) -> list[dict[str, object]]:
    found = spec["fields"]
    assert isinstance(found, list)
    return found


def test_the_input_of_a_function_goes_only_with_a_rebuild() -> None:
    elsewhere = {**fields(without="document"), "functions": [{**ALI, "inputFields": ["team"]}]}

    classes = {s.path: s.class_ for s in planned(wanted(elsewhere), standing(wanted()), "v3.0.0").steps}

    assert classes["spec.fields[document]"] == classes["spec.functions[ali].inputFields"] == "Rebuild"


def test_a_field_that_becomes_another_takes_its_indexes_along() -> None:
    index = {"indexes": [{"field": "at", "type": "STL_SORT"}]}
    other = {**fields({"name": "at", "type": "FLOAT_VECTOR", "dim": 4, "defaultValue": None}), **index}

    steps = planned(wanted(other), standing(wanted(fields(without=""))), "v3.0.0").steps

    assert {s.class_ for s in steps if s.path.startswith(("spec.fields[at]", "spec.indexes[at]"))} == {"Rebuild"}


def test_an_index_on_a_field_that_is_not_declared() -> None:
    want = dataclasses.replace(wanted(), indexes=(*wanted().indexes, Index(field="nowhere")))

    assert (
        "spec.indexes[nowhere].field is nowhere, which is not in spec.fields"
        in only(want, standing(wanted())).unsupported
    )


@pytest.mark.parametrize(
    "indexes",
    [
        pytest.param([{"field": "own", "name": "by_hand"}], id="under the name that it has"),
        pytest.param([{"field": "own"}], id="under no name"),
    ],
)
def test_an_index_is_recognised(indexes: list[dict[str, object]]) -> None:
    have = standing(wanted({"indexes": [{"field": "own", "name": "by_hand"}]}))

    assert differing(wanted({"indexes": indexes}), have) == []


def test_paths_of_a_json_field_have_an_index_each() -> None:
    meta = fields({"name": "meta", "type": "JSON", "nullable": True})
    paths = [
        {"field": "meta", "name": name, "type": "INVERTED", "params": {"json_path": f"meta['{name}']"}} for name in "ab"
    ]
    both, one = {**meta, "indexes": paths}, {**meta, "indexes": paths[:1]}

    assert differing(wanted(both), standing(wanted(both))) == []
    assert only(wanted(both), standing(wanted(one))).class_ == "InPlace"
    assert [path for path, *_ in differing(wanted(one), standing(wanted(both)))] == ["spec.indexes[b]"]


@pytest.mark.parametrize("there", ["own", "x", ""])
def test_of_two_indexes_on_one_field_one_is_made(there: str) -> None:
    two = wanted({"indexes": [{"field": "own", "name": "own"}, {"field": "own", "name": "x"}]})
    have = standing(wanted({"indexes": [{"field": "own", "name": there}]} if there else {}))
    if not there:
        have = dataclasses.replace(have, indexes=tuple(i for i in have.indexes if i.field != "own"))

    have, _ = performed(two, have)

    step = only(two, have)
    assert step.path == f"spec.indexes[{'own' if there == 'x' else 'x'}]"
    assert "which has another index, and Milvus takes one" in step.unsupported


def test_an_unnamed_index_leaves_a_named_one_its_own() -> None:
    both = wanted({"indexes": [{"field": "own"}, {"field": "own", "name": "x"}]})
    have = standing(wanted({"indexes": [{"field": "own", "name": "x"}]}))

    assert only(both, have).path == "spec.indexes[own]"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_function_is_not_dropped_for_one_of_another_model(version: str) -> None:
    have = standing(wanted(model="text-embedding-v2"))
    want = wanted({"functions": [{**ALI, "name": "new"}]}, model="text-embedding-v1")

    assert {s.class_ for s in planned(want, have, version).steps if s.path.startswith("spec.functions")} == {"Rebuild"}


def test_what_the_server_adds_to_an_index_is_no_difference() -> None:
    have = standing(wanted())
    have = dataclasses.replace(have, indexes=tuple(dataclasses.replace(i, params={"M": "18"}) for i in have.indexes))

    assert differing(wanted(), have) == []


@pytest.mark.parametrize(
    ("old", "new", "class_"),
    [
        (None, "0", "Destructive"),
        ("0", "60", "Destructive"),
        ("0", "-1", "InPlace"),
        ("60", "0", "Destructive"),
        ("-1", "60", "Destructive"),
        ("odd", "60", "Destructive"),
        ("60", "odd", "Destructive"),
        ("60", "61", "InPlace"),
    ],
)
def test_a_ttl_that_may_end_rows_sooner(old: str | None, new: str, class_: str) -> None:
    have = standing(wanted())
    if old is not None:
        have = with_properties(have, **{"collection.ttl.seconds": old})

    assert only(wanted({"properties": {"collection.ttl.seconds": new}}), have).class_ == class_


@pytest.mark.parametrize(
    ("field", "change"),
    [
        pytest.param({"name": "at", "type": "FLOAT", "defaultValue": 0.1}, {"default": 0.10000000149011612},
                     id="FLOAT"),
        pytest.param({"name": "at", "type": "DOUBLE", "defaultValue": 1}, {"default": 1.0}, id="DOUBLE"),
        pytest.param({"name": "at", "type": "JSON", "defaultValue": {"b": 1, "a": 2}},
                     {"default": '{ "a": 2, "b": 1 }'}, id="JSON"),
        pytest.param({"name": "at"}, {"element_type": "NONE"}, id="no array"),
        pytest.param({"name": "at", "mmap": False}, {"params": {}}, id="mmap left out"),
        pytest.param({"name": "at"}, {"params": {"mmap.enabled": "true"}}, id="mmap that nobody declared"),
        pytest.param({"name": "at"}, {"description": "by hand"}, id="a text that nobody declared"),
        pytest.param({"name": "at", "mmap": True}, {"params": {"mmap.enabled": "True"}}, id="mmap in capitals"),
    ],
)  # fmt: skip
def test_spellings_of_one_field(field: dict[str, object], change: dict[str, object]) -> None:
    want = wanted(fields(field))

    assert differing(want, with_field(standing(want), "at", **change)) == []


def test_a_default_that_no_float_can_hold_has_a_plan() -> None:
    want = wanted(fields({"name": "at", "type": "FLOAT", "defaultValue": 1e300}))

    assert differing(want, standing(want)) == []


@pytest.mark.parametrize("value", ["", "{}", "[1, 2]", "no json", '"x"'])
def test_a_record_that_cannot_be_read_records_nothing(value: str) -> None:
    assert recorded({RECORD: value}) == frozenset()


def test_the_replicas_that_a_property_names_are_the_propertys() -> None:
    both = {"properties": {"collection.replica.number": 2}, "load": {"replicas": 1}}
    have = dataclasses.replace(standing(wanted(both)), replicas=2)

    assert differing(wanted(both), have) == []


def test_what_was_not_asked_is_not_compared() -> None:
    want = wanted({"load": {"replicas": 3, "resourceGroups": ["a"]}})
    have = dataclasses.replace(standing(wanted()), replicas=None, resource_groups=None)

    assert differing(want, have) == []


def test_partitions_by_key_are_milvus_own() -> None:
    keyed = wanted(fields({"name": "team", "partitionKey": True}))
    have = dataclasses.replace(standing(keyed), partitions=tuple(f"_default_{n}" for n in range(16)))

    assert differing(keyed, have) == []


APPROVED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "another default of a new field": (
        fields({"name": "new", "type": "INT64", "nullable": True, "defaultValue": 1}),
        fields({"name": "new", "type": "INT64", "nullable": True, "defaultValue": 2}),
    ),
    "another length of a new field": (
        fields({"name": "new", "type": "VARCHAR", "maxLength": 1}),
        fields({"name": "new", "type": "VARCHAR", "maxLength": 2}),
    ),
    "another parameter of a new index": (
        {"indexes": [{"field": "at", "type": "INVERTED", "params": {"a": 1}}]},
        {"indexes": [{"field": "at", "type": "INVERTED", "params": {"a": 2}}]},
    ),
}


@pytest.mark.parametrize("sentence", APPROVED)
def test_an_approval_is_of_everything_that_is_new(sentence: str) -> None:
    one, other = APPROVED[sentence]
    have = standing(wanted())

    assert planned(wanted(one), have).hash != planned(wanted(other), have).hash


def test_an_approval_of_a_new_function_is_of_its_model() -> None:
    have = standing(wanted({"functions": [], **fields({"name": "dense", "dim": 1536})}))

    hashes = {planned(wanted(model=f"text-embedding-v{n}"), have).hash for n in (1, 2)}

    assert len(hashes) == 2
