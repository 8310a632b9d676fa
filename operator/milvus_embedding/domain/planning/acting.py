"""`next_act`: the next external call on the way to what a decision allows, chosen by looking at the observed state.

A change of several calls (release, drop, build, load) has no memory here: the plan is made anew of what is there, so
that a pass that was killed after any call goes on where it stopped. Whoever performs the act reads back before asking
for the next one.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from milvus_embedding.domain.acts import builds_index
from milvus_embedding.domain.planning import acts
from milvus_embedding.domain.planning.acts import Act
from milvus_embedding.domain.planning.deciding import Decision
from milvus_embedding.domain.planning.fields import DESCRIPTION as FIELD_DESCRIPTION
from milvus_embedding.domain.planning.functions import DESCRIPTION as FUNCTION_DESCRIPTION
from milvus_embedding.domain.planning.indexes import matching
from milvus_embedding.domain.planning.observed import Observed, field_named, function_named, is_vector
from milvus_embedding.domain.planning.placement import REPLICAS, RESOURCE_GROUPS, wanted_groups
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.record import APPLIED, RECORD, declared, recorded, written
from milvus_embedding.domain.planning.settings import CONSISTENCY, DESCRIPTION, DYNAMIC
from milvus_embedding.domain.planning.steps import ABSENT, Action, Needs, Step
from milvus_embedding.domain.schema import Field, Function, LoadState


@dataclasses.dataclass(frozen=True, slots=True)
class _Scene:
    """What may be done (`steps`, each of this very moment), and where."""

    decision: Decision
    have: Observed
    steps: tuple[Step, ...]
    pending: tuple[Step, ...]

    def of(self, *actions: Action, needs: Needs | None = None) -> list[Step]:
        return [s for s in self.steps if s.action in actions and needs in (None, s.needs)]


def next_act(decision: Decision, observed: Observed | None) -> Act | None:
    """None: nothing is left to do, or Milvus is still at it (indexes under construction, a load under way)."""
    want = decision.plan.desired
    if observed is None:
        return _create(decision) if _runs(decision, Action.CREATE_COLLECTION, Action.RECREATE_COLLECTION) else None
    if any(s.action is Action.ACCEPT_COLLECTION for s in decision.plan.steps):
        return acts.AcceptCollection(observed.id) if _runs(decision, Action.ACCEPT_COLLECTION) else None
    current = plan(want, observed, decision.plan.capabilities, generations=decision.plan.generations)
    if current.collection_id != decision.plan.collection_id:
        return None
    steps = tuple(s for s in current.steps if s.needs is not Needs.CARRIED and decision.permits(s))
    scene = _Scene(decision, observed, steps, current.steps)
    return next((act for stage in _STAGES for act in stage(scene)), None)


def _runs(decision: Decision, *actions: Action) -> bool:
    return any(s.action in actions for s in decision.runs)


def _create(decision: Decision) -> Act:
    want = decision.plan.desired
    properties = {**want.schema.properties, RECORD: written(declared(want))}
    return acts.CreateCollection(want.name, dataclasses.replace(want.schema, properties=properties))


def _settings(scene: _Scene) -> Iterator[Act]:
    """Everything that AlterCollection takes at any time, in one call; the dynamic field wants one of its own."""
    want = scene.decision.plan.desired
    values = _values(scene, Needs.NOTHING)
    if scene.of(Action.SET_DESCRIPTION):
        values[DESCRIPTION] = want.schema.description
    if scene.of(Action.SET_CONSISTENCY):
        values[CONSISTENCY] = want.schema.consistency
    if scene.of(Action.SET_REPLICAS, needs=Needs.NOTHING):
        values[REPLICAS] = str(want.replicas)
    if scene.of(Action.SET_RESOURCE_GROUPS, needs=Needs.NOTHING):
        values[RESOURCE_GROUPS] = ",".join(_groups(scene))
    if values:
        yield acts.AlterProperties(values)
    yield from _dropped(scene, Needs.NOTHING)
    if scene.of(Action.ENABLE_DYNAMIC_FIELD):
        yield acts.AlterProperties({DYNAMIC: "true"})


def _values(scene: _Scene, needs: Needs) -> dict[str, str]:
    steps = scene.of(Action.SET_PROPERTY, needs=needs)
    return {s.subject: scene.decision.plan.desired.schema.properties[s.subject] for s in steps}


def _dropped(scene: _Scene, needs: Needs) -> Iterator[Act]:
    if keys := tuple(s.subject for s in scene.of(Action.DROP_PROPERTY, needs=needs)):
        yield acts.DropProperties(keys)


def _groups(scene: _Scene) -> tuple[str, ...]:
    record = recorded(scene.have.schema.properties)
    return wanted_groups(scene.decision.plan.desired, recorded="spec.load.resourceGroups" in record)


def _fields(scene: _Scene) -> Iterator[Act]:
    yield from _field_params(scene, Needs.NOTHING)
    for step in scene.of(Action.ADD_FIELD):
        yield acts.AddField(_wanted_field(scene, step.subject))


def _field_params(scene: _Scene, needs: Needs) -> Iterator[Act]:
    steps = scene.of(Action.ALTER_FIELD, needs=needs)
    for name in dict.fromkeys(s.subject for s in steps):
        field = _wanted_field(scene, name)
        details = [s.detail for s in steps if s.subject == name]
        texts = {FIELD_DESCRIPTION: field.description} if FIELD_DESCRIPTION in details else {}
        values = {detail: field.params[detail] for detail in details if detail in field.params}
        if values or texts:
            yield acts.AlterField(name, {**values, **texts})
        elif gone := tuple(detail for detail in details if detail not in field.params):
            yield acts.DropFieldProperties(name, gone)


def _wanted_field(scene: _Scene, name: str) -> Field:
    field = field_named(scene.decision.plan.desired.schema, name)
    if field is None:
        raise AssertionError(f"a step names the field {name}, which the spec does not have")
    return field


def _functions(scene: _Scene) -> Iterator[Act]:
    want = scene.decision.plan.desired.schema
    steps = scene.of(Action.ALTER_FUNCTION)
    for name in dict.fromkeys(s.subject for s in steps):
        wanted, present = function_named(want, name), function_named(scene.have.schema, name)
        if wanted is not None and present is not None:
            yield acts.AlterFunction(_altered(present, wanted, [s for s in steps if s.subject == name]))
    for step in scene.of(Action.ADD_FUNCTION_FIELD):
        brought = function_named(want, step.subject)
        if brought is not None:
            (output,) = brought.outputs
            index = next(i for i in scene.decision.plan.desired.indexes if i.field == output)
            yield acts.AddFunctionField(brought, _wanted_field(scene, output), index)
    for step in scene.of(Action.DROP_FUNCTION):
        yield acts.DropFunction(step.subject)
    taken = {output for function in scene.have.schema.functions for output in function.outputs}
    for step in scene.of(Action.ADD_FUNCTION):
        function = function_named(want, step.subject)
        if function is not None and not taken & set(function.outputs):
            yield acts.AddFunction(function)


def _altered(present: Function, wanted: Function, steps: Sequence[Step]) -> Function:
    """Milvus 3.x compares spellings: all that does not change goes back as it came."""
    params = dict(present.params)
    description = present.description
    for step in steps:
        if step.detail == FUNCTION_DESCRIPTION:
            description = wanted.description
        elif step.after == ABSENT:
            params.pop(step.detail, None)
        else:
            params[step.detail] = wanted.params[step.detail]
    return dataclasses.replace(present, params=params, description=description)


def _losses(scene: _Scene) -> Iterator[Act]:
    for step in scene.of(Action.DROP_FUNCTION_FIELD):
        yield acts.DropFunctionField(step.subject)
    if scene.of(Action.DISABLE_DYNAMIC_FIELD):
        yield acts.AlterProperties({DYNAMIC: "false"})
    for step in scene.of(Action.DROP_FIELD):
        yield acts.DropField(step.subject)


def _partitions(scene: _Scene) -> Iterator[Act]:
    yield from (acts.CreatePartition(s.subject) for s in scene.of(Action.CREATE_PARTITION))
    for step in scene.of(Action.DROP_PARTITION):
        if scene.have.is_released or step.subject in scene.have.released:
            yield acts.DropPartition(step.subject)
        else:
            yield acts.ReleasePartitions((step.subject,))


def _release(scene: _Scene) -> Iterator[Act]:
    """Whatever needs the collection out of memory comes after this, and loading last."""
    needs = any(s.needs in (Needs.RELEASED, Needs.BARE) for s in scene.steps)
    if not scene.have.is_released and (needs or scene.of(Action.RELEASE)):
        yield acts.Release()


def _while_released(scene: _Scene) -> Iterator[Act]:
    if values := _values(scene, Needs.RELEASED):
        yield acts.AlterProperties(values)
    yield from _dropped(scene, Needs.RELEASED)
    yield from _field_params(scene, Needs.RELEASED)


def _bare(scene: _Scene) -> Iterator[Act]:
    if not any(s.needs is Needs.BARE for s in scene.steps):
        return
    vectors = {f.name for f in scene.have.schema.fields if is_vector(f)}
    yield from (acts.DropIndex(i.field, i.name or i.field) for i in scene.have.indexes if i.field in vectors)
    if values := _values(scene, Needs.BARE):
        yield acts.AlterProperties(values)
    yield from _dropped(scene, Needs.BARE)


def _indexes(scene: _Scene) -> Iterator[Act]:
    going = {s.subject for s in scene.of(Action.REPLACE_INDEX, Action.DROP_INDEX)}
    for index in scene.have.indexes:
        if (index.name or index.field) in going:
            yield acts.DropIndex(index.field, index.name or index.field)
    want, steps = scene.decision.plan.desired.indexes, scene.of(Action.ALTER_INDEX)
    for wanted, present in matching(want, scene.have.indexes).pairs:
        if present is not None:
            name = present.name or present.field
            if details := [s.detail for s in steps if s.subject == name]:
                yield acts.AlterIndex(name, {detail: wanted.params[detail] for detail in details})
    missing = {s.path for s in scene.of(Action.CREATE_INDEX)}
    for wanted, present in matching(want, scene.have.indexes).pairs:
        exists = field_named(scene.have.schema, wanted.field) is not None
        if present is None and exists and f"spec.indexes[{wanted.name or wanted.field}]" in missing:
            yield acts.CreateIndex(wanted)


def _load(scene: _Scene) -> Iterator[Act]:
    """Milvus loads a collection only if each of its vector fields has a finished index."""
    have, want = scene.have, scene.decision.plan.desired
    if not scene.of(Action.LOAD) or have.load is LoadState.LOADING or builds_index(have):
        return
    if have.load is LoadState.LOADED:
        yield acts.Load(have.replicas or want.replicas, have.resource_groups or _groups(scene))
        return
    indexed = {index.field for index in have.indexes}
    if all(f.name in indexed for f in have.schema.fields if is_vector(f)):
        yield acts.Load(want.replicas, _groups(scene))


def _aliases(scene: _Scene) -> Iterator[Act]:
    yield from (acts.CreateAlias(s.subject) for s in scene.of(Action.CREATE_ALIAS))
    yield from (acts.AlterAlias(s.subject) for s in scene.of(Action.MOVE_ALIAS))
    yield from (acts.DropAlias(s.subject) for s in scene.of(Action.DROP_ALIAS))


def _record(scene: _Scene) -> Iterator[Act]:
    """Last, and only what is true by then: a removal that still waits keeps its entry."""
    properties, values = scene.have.schema.properties, dict[str, str]()
    before = recorded(properties)
    paths = declared(scene.decision.plan.desired) | ({s.path for s in scene.pending} & before)
    if scene.decision.keeps_record and paths != before:
        values[RECORD] = written(frozenset(paths))
    if (finished := scene.decision.finished) and properties.get(APPLIED) != finished:
        values[APPLIED] = finished
    if values:
        yield acts.AlterProperties(values)


_STAGES: tuple[Callable[[_Scene], Iterator[Act]], ...] = (
    _settings,
    _fields,
    _functions,
    _partitions,
    _release,
    _losses,
    _while_released,
    _bare,
    _indexes,
    _load,
    _aliases,
    _record,
)
