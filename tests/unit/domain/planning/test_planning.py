"""What holds for any declared and any observed collection."""

import dataclasses
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from milvus_embedding.api.collection import ChangeClass, ChangeMode, ChangePolicy, DestructiveMode, DriftPolicy
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.acting import next_act
from milvus_embedding.domain.planning.acts import (
    Act,
    AlterProperties,
    DropField,
    DropFunction,
    DropFunctionField,
    DropPartition,
)
from milvus_embedding.domain.planning.approval import UnderWay
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.effects import apply
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.settings import TTL
from milvus_embedding.domain.planning.steps import Generations, Plan, Step, digest
from milvus_embedding.domain.schema import Field, Schema
from tests.unit.domain.planning.generated import desireds, noisy, pairs, shuffled
from tests.unit.domain.planning.scenes import VERSIONS, decided, performed, planned, standing, wanted

ALL_VERSIONS = ("v2.3.5", *VERSIONS, "milvus_lite-3.2.2")
MANUAL = ChangePolicy(in_place=ChangeMode.MANUAL, disruptive=ChangeMode.MANUAL, destructive=DestructiveMode.MANUAL)
versions = st.sampled_from(ALL_VERSIONS)
thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
brief = settings(thorough, max_examples=20)


@st.composite
def policies(draw: st.DrawFn) -> ChangePolicy:
    mode = st.sampled_from(ChangeMode)
    return ChangePolicy(
        in_place=draw(mode),
        disruptive=draw(mode),
        destructive=draw(st.sampled_from(DestructiveMode)),
        rebuild=draw(mode),
    )


def is_possible(steps: tuple[Step, ...]) -> bool:
    return not any(s.unsupported or s.class_ is ChangeClass.REBUILD for s in steps)


@thorough
@given(pair=pairs(), absent=st.booleans(), version=versions, known=st.sampled_from([None, "new-docs", "7"]))
def test_every_pair_has_one_plan(
    *, pair: tuple[Desired, Observed], absent: bool, version: str, known: str | None
) -> None:
    (want, there), able = pair, capabilities(version)
    have = None if absent else there
    first = plan(want, have, able, generations=Generations(known_id=known))

    assert first == plan(want, have, able, generations=Generations(known_id=known, serving=1))
    assert bool(first.steps) == bool(first.hash) == (first.class_ is not None)
    assert len({s.key for s in first.steps}) == len(first.steps)
    assert all(s.before != s.after and s.path for s in first.steps)


@brief
@given(
    fields=st.lists(st.builds(Field, name=st.text(max_size=3), type=st.text(max_size=5)), max_size=4), want=desireds()
)
def test_a_collection_of_any_content_has_a_plan(*, fields: list[Field], want: Desired) -> None:
    have = standing(want).with_schema(Schema(fields=tuple(fields)))

    assert planned(want, have).steps


@thorough
@given(pair=pairs(), version=st.sampled_from(VERSIONS))
def test_what_may_be_done_is_done_and_leaves_no_plan(*, pair: tuple[Desired, Observed], version: str) -> None:
    want, have = pair
    first = planned(want, have, version)

    after, _ = performed(want, have, version)

    left = planned(want, after, version)
    event(f"possible: {is_possible(first.steps)}, steps: {min(len(first.steps), 3)}")
    if is_possible(first.steps):
        assert left.steps == ()
    assert next_act(decided(left), after) is None


@thorough
@given(pair=pairs(), version=st.sampled_from(VERSIONS), drift=st.sampled_from([None, *DriftPolicy]))
def test_a_pass_killed_after_any_call_goes_on_under_the_same_approval(
    *, pair: tuple[Desired, Observed], version: str, drift: DriftPolicy | None
) -> None:
    want, have = pair
    first = planned(want, have, version)
    status, able = None, capabilities(version)
    for _ in range(200):
        decision = decided(
            planned(want, have, able), policy=MANUAL, approved=(first.hash,), drift=drift, under_way=UnderWay.of(status)
        )
        status = decision.status
        act = next_act(decision, have)
        if act is None:
            break
        have = apply(have, act, able)

    if is_possible(first.steps) and drift is not DriftPolicy.IGNORE and len(first.steps) <= 64:
        assert planned(want, have, able).steps == ()


@brief
@given(pair=pairs(), randomness=st.randoms(use_true_random=False), version=versions)
def test_the_order_of_lists_never_matters(*, pair: tuple[Desired, Observed], randomness: Random, version: str) -> None:
    want, have = pair
    schema = want.schema
    other = dataclasses.replace(
        want,
        indexes=tuple(randomness.sample(want.indexes, len(want.indexes))),
        schema=dataclasses.replace(schema, fields=tuple(randomness.sample(schema.fields, len(schema.fields)))),
    )

    assert planned(want, have, version) == planned(other, shuffled(have, randomness), version)


@brief
@given(pair=pairs(), version=versions)
def test_the_servers_defaults_and_spellings_never_matter(*, pair: tuple[Desired, Observed], version: str) -> None:
    want, have = pair
    assert planned(want, noisy(have), version) == planned(want, have, version)


@brief
@given(pair=pairs(), version=versions)
def test_what_the_spec_does_not_list_is_always_a_step(*, pair: tuple[Desired, Observed], version: str) -> None:
    want, have = pair
    paths = {s.path for s in planned(want, have, version).steps}
    schema = want.schema
    keyed = any(f.partition_key for s in (schema, have.schema) for f in s.fields)
    gone = [f"spec.aliases[{a}]" for a in set(have.aliases) - set(want.aliases)]
    gone += [f"spec.fields[{f.name}]" for f in have.schema.fields if f.name not in {w.name for w in schema.fields}]
    gone += [f"spec.functions[{f.name}]" for f in have.schema.functions if f not in schema.functions
             and f.name not in {w.name for w in schema.functions}]  # fmt: skip
    gone += [] if keyed else [f"spec.partitions[{p}]" for p in set(have.partitions) - {"_default", *want.partitions}]
    gone += [f"spec.indexes[{i.name}]" for i in have.indexes if i.field not in {w.field for w in want.indexes}]

    assert set(gone) <= paths


@brief
@given(
    pair=pairs(),
    policy=policies(),
    drift=st.sampled_from([None, *DriftPolicy]),
    begun=st.booleans(),
)
def test_nothing_is_lost_without_its_approval(
    *, pair: tuple[Desired, Observed], policy: ChangePolicy, drift: DriftPolicy | None, begun: bool
) -> None:
    want, have = pair
    current = planned(want, have, "v3.0.0")
    under_way = UnderWay("former", frozenset(s.key for s in current.steps), interrupted=True) if begun else None
    for approved in ((), ("another",)):
        decision = decided(current, policy=policy, approved=approved, drift=drift, under_way=under_way)
        state, able = have, capabilities("v3.0.0")
        while (act := next_act(decision, state)) is not None:
            assert not _loses(act, state)
            state = apply(state, act, able)
        assert all(s.class_ is not ChangeClass.DESTRUCTIVE for s in decision.runs)


def _loses(act: Act, have: Observed) -> bool:
    if isinstance(act, DropPartition):
        return have.rows_known_empty.get(act.partition) is not True
    if isinstance(act, AlterProperties) and TTL in act.properties:
        old, new = (int(values.get(TTL, "-1")) for values in (have.schema.properties, act.properties))
        return new >= 0 and not 0 < old <= new
    return isinstance(act, DropField | DropFunction | DropFunctionField)


@brief
@given(pair=pairs())
def test_an_approval_of_another_collection_approves_nothing(*, pair: tuple[Desired, Observed]) -> None:
    want, have = pair
    again = dataclasses.replace(have, description=dataclasses.replace(have.description, id="another"))
    mine, other = planned(want, have), planned(want, again)

    assert mine.steps == other.steps
    assert not mine.steps or mine.hash != other.hash


@pytest.mark.parametrize("changed", ["class_", "path", "before", "after"])
def test_the_hash_is_over_class_path_and_values(changed: str) -> None:
    step = _some().steps[0]
    value = ChangeClass.REBUILD if changed == "class_" else "x"
    other = dataclasses.replace(step, **{changed: value})  # type: ignore[arg-type]

    assert digest([step], collection_id="1") != digest([other], collection_id="1")
    told_otherwise = dataclasses.replace(step, unsupported="not here", detail="x")
    assert digest([step], collection_id="1") == digest([told_otherwise], collection_id="1")


def _some() -> Plan:
    return planned(wanted({"partitions": ["p"]}), standing(wanted()))
