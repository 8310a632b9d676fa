"""`plan`: everything in which Milvus differs from the spec, as steps with a class each.

Total: every pair of declared and observed collection has a plan. Deterministic: the order of lists, the server's own
defaults and spellings do not matter. Whose the collection is, and whether anything may be done, is decided elsewhere.
"""

from collections.abc import Iterable, Iterator

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.fields import SHAPE, field_steps
from milvus_embedding.domain.planning.functions import function_steps
from milvus_embedding.domain.planning.indexes import index_steps
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.placement import alias_steps, load_steps, partition_steps
from milvus_embedding.domain.planning.record import APPLIED, recorded
from milvus_embedding.domain.planning.settings import setting_steps
from milvus_embedding.domain.planning.steps import (
    ABSENT,
    RANK,
    Action,
    Generations,
    Needs,
    Plan,
    Step,
    digest,
    ordered,
)


def plan(desired: Desired, observed: Observed | None, capabilities: Capabilities, *, generations: Generations) -> Plan:
    """`observed` None: the collection is proven absent."""
    steps = ordered(_steps(desired, observed, capabilities, generations))
    applied = observed.schema.properties.get(APPLIED, "") if observed is not None else ""
    collection_id = (observed.id if observed is not None else generations.known_id) or ""
    return Plan(
        collection_id=collection_id,
        steps=steps,
        class_=max((s.class_ for s in steps), key=RANK.__getitem__, default=None),
        hash=digest(steps, collection_id=collection_id, applied=applied) if steps else "",
        desired=desired,
        capabilities=capabilities,
        generations=generations,
    )


def _steps(want: Desired, have: Observed | None, able: Capabilities, generations: Generations) -> Iterable[Step]:
    if have is None:
        return [_absent(want, generations)]
    if generations.known_id not in (None, have.id):
        return [_stranger(have, generations)]
    steps = list(_differences(want, have, able))
    if any(s.class_ is ChangeClass.REBUILD for s in steps) and have.name == want.name:
        steps.append(_behind_alias(want, generations))
    return steps


def _differences(want: Desired, have: Observed, able: Capabilities) -> Iterator[Step]:
    record = recorded(have.schema.properties)
    functions = tuple(function_steps(want, have.schema, able, record=record))
    fields = tuple(field_steps(want.schema, have.schema, able, record=record, functions=functions))
    yield from functions
    yield from fields
    yield from index_steps(
        want.indexes,
        have.indexes,
        able,
        schemas=(want.schema, have.schema),
        record=record,
        carriers={s.subject: s for s in fields if _carries_indexes(s)},
    )
    yield from setting_steps(want.schema, have.schema, able, record=record)
    yield from partition_steps(want, have)
    yield from alias_steps(want, have)
    yield from load_steps(want, have, able, record=record)


def _carries_indexes(step: Step) -> bool:
    whole = f"spec.fields[{step.subject}]"
    return step.path in (whole, *(whole + end for end in SHAPE))


def _absent(want: Desired, generations: Generations) -> Step:
    if generations.known_id is None:
        return Step(
            action=Action.CREATE_COLLECTION,
            path="spec.collectionName",
            class_=ChangeClass.IN_PLACE,
            before=ABSENT,
            after=want.name,
        )
    return Step(
        action=Action.RECREATE_COLLECTION,
        path="status.collection.id",
        class_=ChangeClass.REBUILD,
        before=generations.known_id,
        after=f"a new and empty {want.name}",
    )


def _stranger(have: Observed, generations: Generations) -> Step:
    return Step(
        action=Action.ACCEPT_COLLECTION,
        path="status.collection.id",
        class_=ChangeClass.REBUILD,
        before=generations.known_id or ABSENT,
        after=have.id,
    )


def _behind_alias(want: Desired, generations: Generations) -> Step:
    """The first rebuild of a collection that is used by its name."""
    return Step(
        action=Action.RENAME_COLLECTION,
        path="spec.collectionName",
        class_=ChangeClass.DISRUPTIVE,
        before=want.name,
        after=f"{want.name}_g{generations.serving}, and {want.name} an alias",
        needs=Needs.CARRIED,
    )
