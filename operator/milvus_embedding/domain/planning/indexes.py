"""Indexes: which declared one means which observed one, and what it takes to change it.

Milvus alters two parameters of an index; anything else is another index: release, drop, build, load. One field bears
one index, but JSON fields, which bear one for each path.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.observed import field_named, is_vector
from milvus_embedding.domain.planning.steps import ABSENT, RANK, Action, Needs, Step, rebuild, spelled
from milvus_embedding.domain.schema import Index, Schema

ALTERABLE: Final = frozenset({"mmap.enabled", "warmup"})
"""Parameters that AlterIndex takes, of a released collection."""

_JSON_PATH = "json_path"
_DEFAULT_TYPE = "AUTOINDEX"


@dataclass(frozen=True, slots=True)
class Matching:
    """Declared indexes with the observed ones that they mean, and the observed ones that nobody declared."""

    pairs: tuple[tuple[Index, Index | None], ...]
    undeclared: tuple[Index, ...]


def matching(want: Iterable[Index], have: Iterable[Index]) -> Matching:
    """By name where one is given; an unnamed one takes what is left on its field."""
    left = sorted(have, key=lambda i: (i.field, i.name != i.field, i.name))
    pairs: list[tuple[Index, Index | None]] = []
    for index in sorted(want, key=lambda i: (not i.name, i.field, i.name, i.type, sorted(i.params.items()))):
        found = next((i for i in left if _means(index, i)), None)
        if found is not None:
            left.remove(found)
        pairs.append((index, found))
    return Matching(tuple(pairs), tuple(left))


def excludes(one: Index, other: Index) -> bool:
    """Whether a field can bear only one of the two."""
    return one.field == other.field and not (_JSON_PATH in one.params and _JSON_PATH in other.params)


def index_steps(
    want: tuple[Index, ...],
    have: tuple[Index, ...],
    able: Capabilities,
    *,
    schemas: tuple[Schema, Schema],
    record: frozenset[str],
    carriers: Mapping[str, Step],
) -> Iterator[Step]:
    """`schemas`: wanted and observed; `record`: paths that the spec declared before; `carriers`: field -> the step that
    adds, removes or rebuilds it.
    """
    matched = matching(want, have)
    vectors = {f.name for schema in schemas for f in schema.fields if is_vector(f)}
    for index, present in matched.pairs:
        carrier = carriers.get(index.field)
        if present is None:
            exists = _exists(schemas[1], index)
            yield _missing(index, matched, vectors, able, carrier, exists=exists, record=record)
        else:
            changed = _changed(index, present, able, is_vector=index.field in vectors, record=record)
            yield from (_carried(step, carrier) for step in changed)
    for index in matched.undeclared:
        class_, needs = _dropping(index, able, is_vector=index.field in vectors, record=record)
        yield _undeclared(index, class_, needs, carriers.get(index.field))


def _means(want: Index, have: Index) -> bool:
    if want.field != have.field or (want.name and want.name != have.name):
        return False
    return bool(want.name) or want.params.get(_JSON_PATH) == have.params.get(_JSON_PATH)


def _exists(schema: Schema, index: Index) -> bool:
    return field_named(schema, index.field) is not None


def _path(index: Index, rest: str = "") -> str:
    return f"spec.indexes[{index.name or index.field}]{rest}"


def _summary(index: Index) -> str:
    return f"{_type(index)} on {index.field}"


def _definition(index: Index) -> str:
    """Everything that an approval of the new index approves."""
    params = [f"{name}={spelled(value)}" for name, value in sorted(index.params.items())]
    return ", ".join([_summary(index), *([index.metric.upper()] if index.metric else []), *params])


def _type(index: Index) -> str:
    return index.type.upper() or _DEFAULT_TYPE


def _replacing(able: Capabilities, *, is_vector: bool) -> tuple[ChangeClass, Needs]:
    if not is_vector and able.drops_scalar_index_loaded:
        return ChangeClass.IN_PLACE, Needs.NOTHING
    return ChangeClass.DISRUPTIVE, Needs.RELEASED


def _dropping(
    index: Index, able: Capabilities, *, is_vector: bool, record: frozenset[str]
) -> tuple[ChangeClass, Needs]:
    """Nobody notices an index go that this spec declared before; one built by hand somebody may search by."""
    class_, needs = _replacing(able, is_vector=is_vector)
    was_declared = not record.isdisjoint((_path(index), f"spec.indexes[{index.field}]"))
    return (class_ if was_declared else ChangeClass.DISRUPTIVE), needs


def _missing(
    index: Index,
    matched: Matching,
    vectors: set[str],
    able: Capabilities,
    carrier: Step | None,
    *,
    exists: bool,
    record: frozenset[str],
) -> Step:
    class_, needs = ChangeClass.IN_PLACE, Needs.NOTHING
    for other in matched.undeclared:
        if excludes(index, other) and class_ is not ChangeClass.DISRUPTIVE:
            class_, needs = _dropping(other, able, is_vector=index.field in vectors, record=record)
    step = Step(
        action=Action.CREATE_INDEX,
        path=_path(index),
        class_=class_,
        before=ABSENT,
        after=_definition(index),
        subject=index.name or index.field,
        needs=needs,
    )
    if carrier is None and not exists:
        return _never(step, f"field is {index.field}, which is not in spec.fields: declare it, or correct field")
    if _has_rival(index, matched):
        return _never(step, f"field is {index.field}, which has another index, and Milvus takes one: keep one of them")
    return _carried(step, carrier)


def _has_rival(index: Index, matched: Matching) -> bool:
    """Of two declared indexes that exclude each other, the one that is there stays, else the first."""
    for other, present in matched.pairs:
        if other is index:
            return any(o is not index and p is not None and excludes(index, o) for o, p in matched.pairs)
        if excludes(index, other) or (present is not None and excludes(index, present)):
            return True
    return False


def _never(step: Step, why: str) -> Step:
    return Step(
        action=step.action,
        path=step.path,
        class_=step.class_,
        before=step.before,
        after=step.after,
        needs=Needs.CARRIED,
        unsupported=f"{step.path}.{why}",
    )


def _undeclared(index: Index, class_: ChangeClass, needs: Needs, carrier: Step | None) -> Step:
    step = Step(
        action=Action.DROP_INDEX,
        path=_path(index),
        class_=class_,
        before=_summary(index),
        after=ABSENT,
        subject=index.name or index.field,
        needs=needs,
    )
    return _carried(step, carrier)


def _carried(step: Step, carrier: Step | None) -> Step:
    """The index of a field that goes, or becomes another, goes with it; one of a field that a function brings comes
    with it.
    """
    adds = carrier is not None and carrier.action is Action.ADD_FIELD and carrier.needs is not Needs.CARRIED
    if carrier is None or (adds and not carrier.unsupported):
        return step
    if carrier.class_ is ChangeClass.REBUILD:
        return rebuild(step.path, before=step.before, after=step.after, subject=step.subject)
    return Step(
        action=step.action,
        path=step.path,
        class_=max(step.class_, carrier.class_, key=RANK.__getitem__),
        before=step.before,
        after=step.after,
        subject=step.subject,
        needs=Needs.CARRIED,
        unsupported=carrier.unsupported,
    )


def _changed(
    want: Index, have: Index, able: Capabilities, *, is_vector: bool, record: frozenset[str]
) -> Iterator[Step]:
    pairs = {"type": (_type(have), _type(want))}
    if want.metric:
        pairs["metric"] = (have.metric.upper(), want.metric.upper())
    names = {*want.params, *(p for p in have.params if _path(want, f".params.{p}") in record)}
    for name in names:
        pairs[f"params.{name}"] = (_param(have, name), _param(want, name))
    class_, needs = _replacing(able, is_vector=is_vector)
    for word, (before, after) in pairs.items():
        if before == after:
            continue
        param = word.removeprefix("params.")
        # Given at creation it stays in what is read back: only another index is without it.
        alters = param in ALTERABLE and after != ABSENT
        yield Step(
            action=Action.ALTER_INDEX if alters else Action.REPLACE_INDEX,
            path=_path(want, f".{word}"),
            class_=ChangeClass.DISRUPTIVE if alters else class_,
            before=before,
            after=after,
            subject=have.name or have.field,
            detail=param if alters else "",
            needs=Needs.RELEASED if alters else needs,
        )


def _param(index: Index, name: str) -> str:
    return spelled(index.params[name]) if name in index.params else ABSENT
