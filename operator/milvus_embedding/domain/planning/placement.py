"""What lies around the schema: partitions, aliases, and what is held in memory."""

from collections.abc import Iterator
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.desired import DEFAULT_PARTITION, Desired
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.steps import ABSENT, PRESENT, Action, Needs, Step, text
from milvus_embedding.domain.schema import LoadState

REPLICAS: Final = "collection.replica.number"
RESOURCE_GROUPS: Final = "collection.resource_groups"
DEFAULT_GROUP: Final = "__default_resource_group"


def partition_steps(want: Desired, have: Observed) -> Iterator[Step]:
    """With a partition key Milvus makes the partitions itself."""
    if any(f.partition_key for schema in (want.schema, have.schema) for f in schema.fields):
        return
    for name in set(want.partitions) - set(have.partitions) - {DEFAULT_PARTITION}:
        yield Step(
            action=Action.CREATE_PARTITION,
            path=f"spec.partitions[{name}]",
            class_=ChangeClass.IN_PLACE,
            before=ABSENT,
            after=PRESENT,
            subject=name,
        )
    for name in set(have.partitions) - set(want.partitions) - {DEFAULT_PARTITION}:
        empty = have.rows_known_empty.get(name) is True
        yield Step(
            action=Action.DROP_PARTITION,
            path=f"spec.partitions[{name}]",
            # Writers that name it fail from then on, rows or none.
            class_=ChangeClass.DISRUPTIVE if empty else ChangeClass.DESTRUCTIVE,
            before=PRESENT,
            after=ABSENT,
            subject=name,
        )


def alias_steps(want: Desired, have: Observed) -> Iterator[Step]:
    """An alias moves only from an earlier generation of ours; the collection's own name may be one."""
    for alias in set(want.aliases) - set(have.aliases) - {have.name}:
        yield _missing_alias(alias, have)
    for alias in set(have.aliases) - set(want.aliases) - {want.name}:
        yield Step(
            action=Action.DROP_ALIAS,
            path=f"spec.aliases[{alias}]",
            class_=ChangeClass.DISRUPTIVE,
            before=PRESENT,
            after=ABSENT,
            subject=alias,
        )


def _missing_alias(alias: str, have: Observed) -> Step:
    target = have.alias_targets.get(alias)
    ours = target is not None and target.ours
    taken = "" if target is None or ours else "points to a collection of somebody else: choose another, or drop it"
    return Step(
        action=Action.MOVE_ALIAS if ours else Action.CREATE_ALIAS,
        path=f"spec.aliases[{alias}]",
        class_=ChangeClass.DISRUPTIVE if ours else ChangeClass.IN_PLACE,
        before=f"on {target.collection}" if target is not None and ours else ABSENT,
        after=PRESENT,
        subject=alias,
        unsupported=f"alias {alias} {taken}" if taken else "",
    )


def load_steps(want: Desired, have: Observed, able: Capabilities, *, record: frozenset[str]) -> Iterator[Step]:
    """`record`: paths that the spec declared before. A load under way is no difference yet."""
    if want.loaded == have.is_released:
        yield Step(
            action=Action.LOAD if want.loaded else Action.RELEASE,
            path="spec.load.enabled",
            class_=ChangeClass.IN_PLACE if want.loaded else ChangeClass.DISRUPTIVE,
            before=text(not want.loaded),
            after=text(want.loaded),
        )
    if have.load is not LoadState.LOADED or not want.loaded:
        return
    if out := have.released & {DEFAULT_PARTITION, *have.partitions}:
        # Milvus calls the collection loaded, and leaves their rows out of every answer.
        yield Step(
            action=Action.LOAD,
            path="spec.load.enabled",
            class_=ChangeClass.IN_PLACE,
            before=f"true, without {', '.join(sorted(out))}",
            after="true",
        )
    declared = want.schema.properties
    if REPLICAS not in declared and have.replicas not in (None, want.replicas):
        yield _spread(Action.SET_REPLICAS, "replicas", text(have.replicas), text(want.replicas), REPLICAS, able)
    groups = wanted_groups(want, recorded="spec.load.resourceGroups" in record)
    if RESOURCE_GROUPS in declared or not groups or have.resource_groups is None:
        return
    if groups != tuple(sorted(have.resource_groups)):
        before, after = ",".join(sorted(have.resource_groups)), ",".join(groups)
        yield _spread(Action.SET_RESOURCE_GROUPS, "resourceGroups", before, after, RESOURCE_GROUPS, able)


def wanted_groups(want: Desired, *, recorded: bool) -> tuple[str, ...]:
    """Groups that were declared and are removed leave Milvus' own."""
    return tuple(sorted(want.resource_groups)) or ((DEFAULT_GROUP,) if recorded else ())


def _spread(action: Action, word: str, before: str, after: str, key: str, able: Capabilities) -> Step:
    loaded = able.changes_replicas_loaded
    return Step(
        action=action,
        path=f"spec.load.{word}",
        class_=ChangeClass.IN_PLACE if loaded else ChangeClass.DISRUPTIVE,
        before=before,
        after=after,
        subject=key,
        needs=Needs.NOTHING if loaded else Needs.RELEASED,
    )
