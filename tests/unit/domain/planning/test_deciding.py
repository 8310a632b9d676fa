"""Who may change what: precedence, classes, drift, approvals, and how far an approval reaches."""

import dataclasses

import pytest

from milvus_embedding.api.collection import (
    ChangeClass,
    ChangeMode,
    ChangePolicy,
    DestructiveMode,
    DriftPolicy,
    PlanStatus,
)
from milvus_embedding.domain.planning.acting import next_act
from milvus_embedding.domain.planning.acts import AcceptCollection, CreateCollection
from milvus_embedding.domain.planning.approval import UnderWay, approvals
from milvus_embedding.domain.planning.capabilities import capabilities
from milvus_embedding.domain.planning.deciding import Permission, decide
from milvus_embedding.domain.planning.effects import apply
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.steps import Generations, Plan
from tests.unit.domain.planning.scenes import FREE, decided, fields, planned, standing, wanted

DEFAULTS = ChangePolicy()
ALL_MANUAL = ChangePolicy(in_place=ChangeMode.MANUAL, disruptive=ChangeMode.MANUAL, destructive=DestructiveMode.MANUAL)
ALL_NEVER = ChangePolicy(in_place=ChangeMode.NEVER, disruptive=ChangeMode.NEVER, rebuild=ChangeMode.NEVER)
AUTOMATIC = FREE.model_copy(update={"rebuild": ChangeMode.AUTOMATIC})

IN_PLACE, DISRUPTIVE, DESTRUCTIVE, REBUILD = ChangeClass
PLANS: dict[ChangeClass, Plan] = {
    IN_PLACE: planned(wanted({"description": "x"}), standing(wanted())),
    DISRUPTIVE: planned(wanted(), standing(wanted({"aliases": ["a"]}))),
    DESTRUCTIVE: planned(wanted(), standing(wanted({"partitions": ["p"]}))),
    REBUILD: planned(wanted({"shards": 2}), dataclasses.replace(standing(wanted()))),
}
RUN, APPROVAL, NEVER, MIGRATION = Permission.RUN, Permission.APPROVAL, Permission.NEVER, Permission.MIGRATION
REPORTED, IGNORED = Permission.REPORTED, Permission.IGNORED
ENFORCE, REPORT, IGNORE = DriftPolicy
M, N, R, X, Q, G = RUN, NEVER, REPORTED, APPROVAL, IGNORED, MIGRATION

# sentence: policy, drift (None: a change), approved, then the permission of each class
TABLE: dict[str, tuple[ChangePolicy, DriftPolicy | None, bool, tuple[Permission, ...]]] = {
    "defaults make a change in place, and ask for others": (DEFAULTS, None, False, (M, X, N, X)),
    "an approval lets through what is Manual": (DEFAULTS, None, True, (M, M, N, G)),
    "all by hand": (ALL_MANUAL, None, False, (X, X, X, X)),
    "all by hand, and approved": (ALL_MANUAL, None, True, (M, M, M, G)),
    "Never outranks an approval": (ALL_NEVER, None, True, (N, N, N, N)),
    "Automatic asks for destructive changes alone": (AUTOMATIC, None, False, (M, M, X, G)),
    "drift is repaired where nobody notices": (DEFAULTS, ENFORCE, False, (M, X, N, X)),
    "drift waits although the class is Automatic": (AUTOMATIC, ENFORCE, False, (M, X, X, X)),
    "drift in place waits where inPlace is Manual": (ALL_MANUAL, ENFORCE, False, (X, X, X, X)),
    "drift is repaired as approved": (ALL_MANUAL, ENFORCE, True, (M, M, M, G)),
    "drift is reported": (AUTOMATIC, REPORT, False, (R, R, R, R)),
    "reported drift is repaired as approved": (AUTOMATIC, REPORT, True, (M, M, M, G)),
    "drift that is Never repaired": (ALL_NEVER, REPORT, True, (N, N, N, N)),
    "drift is ignored, approved or not": (AUTOMATIC, IGNORE, True, (Q, Q, Q, Q)),
}


@pytest.mark.parametrize("class_", ChangeClass)
@pytest.mark.parametrize("sentence", TABLE)
def test_permissions(sentence: str, class_: ChangeClass) -> None:
    policy, drift, is_approved, expected = TABLE[sentence]
    current = PLANS[class_]

    decision = decided(current, policy=policy, drift=drift, approved=(current.hash,) if is_approved else ())

    found = {v.permission for v in decision.verdicts if v.step.class_ is class_}
    assert found == {expected[list(ChangeClass).index(class_)]}
    assert all(v.reason for v in decision.verdicts if v.permission is not RUN)


@pytest.mark.parametrize("class_", ChangeClass)
@pytest.mark.parametrize(
    ("read_only", "paused", "observe", "expected"),
    [
        pytest.param(True, True, True, Permission.READ_ONLY, id="read-only comes first"),
        pytest.param(False, True, True, Permission.PAUSED, id="then pausing"),
        pytest.param(False, False, True, Permission.OBSERVED, id="then Observe"),
    ],
)
def test_nothing_is_changed(
    class_: ChangeClass, *, read_only: bool, paused: bool, observe: bool, expected: Permission
) -> None:
    current = PLANS[class_]
    have = standing(wanted({"aliases": ["a"], "partitions": ["p"]}))

    decision = decide(
        current, AUTOMATIC, drift_policy=ENFORCE, was_ready_at_generation=False, approved=(current.hash,),
        observe_only=observe, paused=paused, read_only=read_only, creating=True,
    )  # fmt: skip

    assert {v.permission for v in decision.verdicts} == {expected}
    assert not decision.migrates
    assert next_act(decision, have) is None


def test_nothing_is_created_while_held() -> None:
    current = planned(wanted(), None)
    held = decide(
        current, AUTOMATIC, drift_policy=ENFORCE, was_ready_at_generation=False, approved=(current.hash,),
        observe_only=True, paused=False, read_only=False,
    )  # fmt: skip

    assert next_act(held, None) is None
    assert isinstance(next_act(decided(current, policy=ALL_NEVER, approved=()), None), CreateCollection)


def test_finishing_a_creation_needs_no_permission() -> None:
    want = wanted({"aliases": ["a"]})
    have = apply(None, CreateCollection(want.name, want.schema), capabilities("v2.6.9"))
    current = planned(want, have)

    assert {v.permission for v in decided(current, policy=ALL_MANUAL, approved=(), creating=True).verdicts} == {RUN}
    assert {v.permission for v in decided(current, policy=ALL_MANUAL, approved=()).verdicts} == {APPROVAL}


def test_contested_drift_is_left_alone() -> None:
    current = PLANS[IN_PLACE]

    def permission(**more: object) -> Permission:
        return decided(current, contested=("spec.description",), **more).verdicts[0].permission  # type: ignore[arg-type]

    assert permission(drift=ENFORCE, approved=()) is Permission.CONTESTED
    assert permission(drift=ENFORCE) is RUN
    assert permission(approved=()) is RUN


@pytest.mark.parametrize("policy", [AUTOMATIC, ALL_NEVER, DEFAULTS])
def test_a_lost_collection_comes_back_by_approval_alone(policy: ChangePolicy) -> None:
    lost = plan(wanted(), None, capabilities("v2.6.9"), generations=Generations(known_id="7"))

    assert (lost.class_, lost.collection_id, len(lost.steps)) == (REBUILD, "7", 1)
    assert next_act(decided(lost, policy=policy, approved=()), None) is None
    assert isinstance(next_act(decided(lost, policy=policy), None), CreateCollection)


@pytest.mark.parametrize("policy", [AUTOMATIC, ALL_NEVER])
def test_another_collection_in_its_place_is_accepted_by_approval_alone(policy: ChangePolicy) -> None:
    have = standing(wanted())
    replaced = plan(wanted({"description": "x"}), have, capabilities("v2.6.9"), generations=Generations(known_id="7"))

    assert [s.action for s in replaced.steps] == ["AcceptCollection"]
    assert next_act(decided(replaced, policy=policy, approved=()), have) is None
    assert next_act(decided(replaced, policy=policy), have) == AcceptCollection(have.id)


def test_a_decision_about_one_collection_does_not_touch_another() -> None:
    have = standing(wanted())
    decision = decided(planned(wanted({"description": "x"}), have))
    other = dataclasses.replace(have, description=dataclasses.replace(have.description, id="8"))

    assert next_act(decision, have) is not None
    assert next_act(decision, other) is None


def test_what_the_new_generation_has_is_not_done_to_the_old_one() -> None:
    have = standing(wanted({"partitions": ["p"], "aliases": ["a"]}))
    current = planned(wanted({"shards": 2, "description": "x"}), have)

    decision = decided(current)

    assert decision.migrates
    assert [s.path for s in decision.runs] == ["spec.description"]
    refused = decided(current, policy=FREE.model_copy(update={"rebuild": ChangeMode.NEVER}))
    assert not refused.migrates
    assert {"spec.partitions[p]", "spec.aliases[a]"} <= {s.path for s in refused.runs}


def test_a_rebuild_of_a_collection_used_by_name_needs_the_disruptive_step_too() -> None:
    current = PLANS[REBUILD]
    policy = AUTOMATIC.model_copy(update={"disruptive": ChangeMode.NEVER})

    assert [s.action for s in current.steps] == ["RenameCollection", "Rebuild"]
    assert decided(current).migrates
    assert not decided(current, policy=policy).migrates


def test_a_rebuild_behind_an_alias_has_no_such_step() -> None:
    have = standing(wanted())
    have = dataclasses.replace(
        have, aliases=("docs",), description=dataclasses.replace(have.description, name="docs_g2")
    )

    assert planned(wanted(), have).steps == ()
    assert [s.action for s in planned(wanted({"shards": 2}), have).steps] == ["Rebuild"]


def begun() -> tuple[Plan, Observed, PlanStatus]:
    """A plan of two steps, approved by hand, of which the first is done."""
    want, have = wanted({"aliases": ["b"]}), standing(wanted({"aliases": ["a"]}))
    first = planned(want, have)
    decision = decided(first, policy=ALL_MANUAL)
    act = next_act(decision, have)
    assert act is not None
    status = decision.status
    assert status is not None
    have = apply(have, act, capabilities("v2.6.9"))
    return planned(want, have), have, status


def test_an_approval_covers_what_is_left_of_its_plan() -> None:
    left, _, status = begun()
    assert len(left.steps) == 1 != len(status.steps)
    assert left.hash != status.hash

    decision = decided(left, policy=ALL_MANUAL, approved=(str(status.hash),), under_way=UnderWay.of(status))

    assert decision.runs == left.steps
    assert decision.status is not None
    assert (decision.status.hash, decision.status.approved) == (status.hash, True)
    assert [s.path for s in decision.status.steps] == [s.path for s in left.steps]


@pytest.mark.parametrize(
    ("policy", "keep", "why"),
    [
        pytest.param(ALL_MANUAL, False, APPROVAL, id="the approval was withdrawn"),
        pytest.param(ALL_NEVER, True, NEVER, id="the policy became Never"),
    ],
)
def test_an_approval_ends(policy: ChangePolicy, *, keep: bool, why: Permission) -> None:
    left, _, status = begun()

    approved = (str(status.hash),) if keep else ()
    decision = decided(left, policy=policy, approved=approved, under_way=UnderWay.of(status))

    assert {v.permission for v in decision.verdicts} == {why}
    assert decision.under_way is None


def test_a_step_that_was_not_in_the_approved_plan_is_not_covered() -> None:
    _, have, status = begun()
    more = planned(wanted({"aliases": ["b"]}), dataclasses.replace(have, partitions=(*have.partitions, "p")))

    decision = decided(more, policy=ALL_MANUAL, approved=(str(status.hash),), under_way=UnderWay.of(status))

    assert {v.step.path: v.permission for v in decision.verdicts} == {
        "spec.aliases[a]": RUN,
        "spec.partitions[p]": APPROVAL,
    }
    assert decision.status is not None
    assert [s.path for s in decision.status.steps] == ["spec.aliases[a]"]
    assert UnderWay.of(decision.status) == decision.under_way


def test_a_longer_value_with_the_same_beginning_is_another_step() -> None:
    def shown(end: str) -> PlanStatus:
        long = {"name": "document", "analyzer": {"enabled": True, "params": {"stop": "x" * 300 + end}}}
        status = decided(planned(wanted(fields(long)), standing(wanted())), policy=ALL_MANUAL).status
        assert status is not None
        return status

    one, other = UnderWay.of(shown("a")), UnderWay.of(shown("b"))
    assert one is not None
    assert other is not None
    assert one.steps != other.steps
    assert all(len(text) <= 200 for key in one.steps for text in key)


def test_putting_back_what_was_taken_away_needs_no_permission() -> None:
    index = {"field": "own", "type": "HNSW"}
    want, have = wanted({"indexes": [index]}), standing(wanted())
    first = planned(want, have)
    decision = decided(first, policy=ALL_MANUAL, drift=REPORT)
    for _ in range(2):
        act = next_act(decision, have)
        assert act is not None
        have = apply(have, act, capabilities("v2.6.9"))
    assert have.is_released

    later = decided(
        planned(want, have), policy=ALL_MANUAL, drift=REPORT, approved=(), under_way=UnderWay.of(decision.status)
    )

    assert {s.action for s in later.runs} == {"CreateIndex", "Load"}
    assert decided(planned(want, have), policy=ALL_MANUAL, drift=REPORT, approved=()).runs == ()


def test_the_specs_approval_is_spent_once_its_generation_was_ready() -> None:
    policy = ChangePolicy(approved_plan="one")

    assert approvals(policy, "two", was_ready_at_generation=False) == {"one", "two"}
    assert approvals(policy, "two", was_ready_at_generation=True) == {"two"}
    assert approvals(policy, None, was_ready_at_generation=True) == frozenset()


def test_the_status_of_an_empty_plan_is_none_and_of_a_waiting_one_is_not_approved() -> None:
    assert decided(planned(wanted(), standing(wanted()))).status is None
    status = decided(PLANS[DESTRUCTIVE], policy=DEFAULTS, approved=()).status
    assert status is not None
    assert (status.hash, status.class_, status.approved) == (PLANS[DESTRUCTIVE].hash, DESTRUCTIVE, False)
    assert status.to_yaml()["steps"] == [
        {"action": "DropPartition", "class": "Destructive", "from": "present", "path": "spec.partitions[p]",
         "to": "absent"}
    ]  # fmt: skip
    assert UnderWay.of(status) is None


def test_what_the_server_cannot_do_is_told_whatever_the_policy() -> None:
    current = planned(wanted(fields(without="at")), standing(wanted()), "v2.6.9")
    (verdict,) = decided(current, policy=ALL_NEVER).verdicts

    assert verdict.permission is Permission.UNSUPPORTED
    assert "Milvus 2.6.9 cannot drop a field: upgrade Milvus to 3.0.0 or newer" in verdict.reason
