"""What belongs to the collection as a whole: properties, description, consistency, dynamic field, shards, partitions
by key.
"""

from collections.abc import Iterator
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.ownership import PREFIX
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.steps import ABSENT, Action, Needs, Step, needs_version, rebuild, spelled, text
from milvus_embedding.domain.schema import Schema

TTL: Final = "collection.ttl.seconds"
DESCRIPTION: Final = "collection.description"
CONSISTENCY: Final = "consistency_level"
DYNAMIC: Final = "dynamicfield.enabled"

_SPEC_FIELDS = {DESCRIPTION: "description", CONSISTENCY: "consistencyLevel", DYNAMIC: "enableDynamicField"}
_BARE = frozenset({"partitionkey.isolation", "query_mode"})
_FIXED_PREFIXES = ("cipher.", "namespace.")
_SERVER_OWNED = "max_field_id"
_FOREVER = float("inf")


def setting_steps(want: Schema, have: Schema, able: Capabilities, *, record: frozenset[str]) -> Iterator[Step]:
    """`record`: paths that the spec declared before."""
    yield from _text_and_consistency(want, have, able, record)
    yield from _dynamic(want, have, able)
    if want.shards != have.shards:
        yield rebuild("spec.shards", before=text(have.shards), after=text(want.shards))
    if want.partitions_count is not None and want.partitions_count != have.partitions_count:
        before, after = text(have.partitions_count), text(want.partitions_count)
        yield rebuild("spec.numPartitions", before=before, after=after)
    yield from _properties(want, have, able, record)


def needs_of_property(key: str) -> Needs:
    """What has to be out of the way before Milvus alters a property."""
    if key in _BARE:
        return Needs.BARE
    if key == "mmap.enabled" or key.startswith("warmup"):
        return Needs.RELEASED
    return Needs.NOTHING


def _text_and_consistency(want: Schema, have: Schema, able: Capabilities, record: frozenset[str]) -> Iterator[Step]:
    unable = "" if able.alters_fields else needs_version("alter this of a collection that exists", "2.6.0", able)
    described = bool(want.description) or "spec.description" in record
    if described and want.description != have.description:
        yield Step(
            action=Action.SET_DESCRIPTION,
            path="spec.description",
            class_=ChangeClass.IN_PLACE,
            before=have.description,
            after=want.description,
            unsupported=unable,
        )
    if want.consistency != have.consistency:
        yield Step(
            action=Action.SET_CONSISTENCY,
            path="spec.consistencyLevel",
            class_=ChangeClass.IN_PLACE,
            before=have.consistency,
            after=want.consistency,
            unsupported=unable,
        )


def _dynamic(want: Schema, have: Schema, able: Capabilities) -> Iterator[Step]:
    if want.dynamic == have.dynamic:
        return
    if want.dynamic:
        unable = "" if able.alters_fields else needs_version("turn the dynamic field on", "2.6.0", able)
    else:
        unable = "" if able.disables_dynamic_field else needs_version("turn the dynamic field off", "3.0.0", able)
    yield Step(
        action=Action.ENABLE_DYNAMIC_FIELD if want.dynamic else Action.DISABLE_DYNAMIC_FIELD,
        path="spec.enableDynamicField",
        class_=ChangeClass.IN_PLACE if want.dynamic else ChangeClass.DESTRUCTIVE,
        before=text(have.dynamic),
        after=text(want.dynamic),
        unsupported=unable,
    )


def _properties(want: Schema, have: Schema, able: Capabilities, record: frozenset[str]) -> Iterator[Step]:
    for key, value in want.properties.items():
        if key.startswith(PREFIX):
            continue
        before, after = _shown(have, key), spelled(value)
        if before != after:
            yield _property(key, before, after, able)
    for key in have.properties:
        if key not in want.properties and f"spec.properties[{key}]" in record:
            yield _property(key, _shown(have, key), ABSENT, able)


def _shown(schema: Schema, key: str) -> str:
    return spelled(schema.properties[key]) if key in schema.properties else ABSENT


def _property(key: str, before: str, after: str, able: Capabilities) -> Step:
    path = f"spec.properties[{key}]"
    if key.startswith(_FIXED_PREFIXES):
        return rebuild(path, before=before, after=after, subject=key)
    return Step(
        action=Action.DROP_PROPERTY if after == ABSENT else Action.SET_PROPERTY,
        path=path,
        class_=_class(key, before, after),
        before=before,
        after=after,
        subject=key,
        needs=needs_of_property(key),
        unsupported=_unable(key, after, able),
    )


def _class(key: str, before: str, after: str) -> ChangeClass:
    if key == TTL:
        return ChangeClass.DESTRUCTIVE if _shortens(before, after) else ChangeClass.IN_PLACE
    return ChangeClass.IN_PLACE if needs_of_property(key) is Needs.NOTHING else ChangeClass.DISRUPTIVE


def _shortens(before: str, after: str) -> bool:
    """Whether rows may expire sooner. What cannot be read is taken for the worse."""
    old, new = _seconds(before), _seconds(after)
    # 0 is documented nowhere: as an old value it may have kept rows, as a new one it may end them.
    return new < (old or _FOREVER) if new else new != old


def _seconds(value: str) -> float:
    if value == ABSENT:
        return _FOREVER
    try:
        seconds = int(value)
    except ValueError:
        return 0
    return _FOREVER if seconds < 0 else seconds


def _unable(key: str, after: str, able: Capabilities) -> str:
    if key in _SPEC_FIELDS:
        return f"{key} is no property of its own in Milvus: set spec.{_SPEC_FIELDS[key]} instead, and remove it here"
    if key == _SERVER_OWNED:
        return f"{key} belongs to the server: remove it from spec.properties"
    if after == ABSENT and not able.alters_fields:
        return needs_version("drop a property", "2.6.0", able)
    return ""
