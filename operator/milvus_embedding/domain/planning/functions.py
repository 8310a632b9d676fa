"""Functions: what Milvus may alter in place, what binds the stored vectors, what takes columns with it.

The identity of an output (provider, model, dimension) is never altered: another model of equal dimension is another
vector space, and no Milvus embeds the stored rows again.
"""

from collections.abc import Iterator, Mapping

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.ownership import identities
from milvus_embedding.domain.planning.capabilities import Capabilities
from milvus_embedding.domain.planning.observed import field_named, function_named, is_vector
from milvus_embedding.domain.planning.steps import ABSENT, PRESENT, Action, Needs, Step, needs_version, rebuild
from milvus_embedding.domain.schema import Function, FunctionKind, Schema

_IDENTITY = {"provider": "provider", "model_name": "model", "dim": "dim"}
_CREDENTIAL = "credential"
_UNKNOWN_KIND = "function_type"
_ANALYZED = "enable_analyzer"
DESCRIPTION = "description"
"""The detail of a step that alters a function's text."""


def function_steps(want: Desired, have: Schema, able: Capabilities, *, record: frozenset[str]) -> Iterator[Step]:
    """`record`: paths that the spec declared before."""
    stamped = identities(have.properties)
    added = {f.name: _added(f, want, have, able, stamped) for f in want.schema.functions if not _in(have, f.name)}
    yield from added.values()
    for function in want.schema.functions:
        present = function_named(have, function.name)
        if present is not None:
            yield from _changed(function, present, want, have, able, record, stamped)
    for function in have.functions:
        if not _in(want.schema, function.name):
            yield _dropped(function, want.schema, have, able, added)


def keeps_vector(want: Schema, have: Schema) -> bool:
    """Milvus refuses to drop the last vector field, even if another one is about to be added."""
    return any(is_vector(f) and field_named(want, f.name) is not None for f in have.fields)


def identity(function: Function, schema: Schema) -> dict[str, str]:
    """Provider, model and effective dimension as far as they are told: spellings of one function are equal."""
    params = {name.lower(): value for name, value in function.params.items()}
    dim = params.get("dim", "")
    if dim in ("", "0") and function.outputs:
        output = field_named(schema, function.outputs[0])
        dim = output.params.get("dim", "") if output is not None else ""
    return {"provider": params.get("provider", "").lower(), "model_name": params.get("model_name", ""), "dim": dim}


def _in(schema: Schema, name: str) -> bool:
    return function_named(schema, name) is not None


def _path(name: str, rest: str = "") -> str:
    return f"spec.functions[{name}]{rest}"


def _added(
    function: Function,
    want: Desired,
    have: Schema,
    able: Capabilities,
    stamped: Mapping[str, Mapping[str, str | int]],
) -> Step:
    path, name = _path(function.name), function.name
    if not able.functions:
        return Step(
            action=Action.ADD_FUNCTION,
            path=path,
            class_=ChangeClass.REBUILD,
            before=ABSENT,
            after=_summary(function, want.schema),
            subject=name,
            needs=Needs.CARRIED,
            unsupported=needs_version("keep functions", "2.6.0", able),
        )
    if able.adds_function_fields and _brings_its_field(function, want, have):
        return Step(
            action=Action.ADD_FUNCTION_FIELD,
            path=path,
            class_=ChangeClass.IN_PLACE,
            before=ABSENT,
            after=_summary(function, want.schema),
            subject=name,
        )
    if not (able.adds_and_drops_functions and _restores(function, want.schema, have, stamped)):
        return rebuild(path, before=ABSENT, after=_summary(function, want.schema), subject=name)
    return Step(
        action=Action.ADD_FUNCTION,
        path=path,
        class_=ChangeClass.DISRUPTIVE,
        before=ABSENT,
        after=_summary(function, want.schema),
        subject=name,
    )


def _brings_its_field(function: Function, want: Desired, have: Schema) -> bool:
    """Whether Milvus takes it with its output: BM25 over texts that are there and split into tokens already."""
    if function.kind is not FunctionKind.BM25 or len(function.outputs) != 1:
        return False
    output = function.outputs[0]
    inputs = [field_named(have, name) for name in function.inputs]
    analyzed = all(f is not None and not f.nullable and f.params.get(_ANALYZED) == "true" for f in inputs)
    indexed = any(index.field == output for index in want.indexes)
    return analyzed and indexed and field_named(want.schema, output) is not None and field_named(have, output) is None


def _summary(function: Function, schema: Schema) -> str:
    """Everything that an approval of the new function approves."""
    told = identity(function, schema) if function.kind is FunctionKind.TEXT_EMBEDDING else {}
    params = {**function.params, **told}
    words = [f"{name}={value}" for name, value in sorted(params.items())]
    return ", ".join([f"{function.kind} of {','.join(function.inputs)} in {','.join(function.outputs)}", *words])


def _restores(function: Function, want: Schema, have: Schema, stamped: Mapping[str, Mapping[str, str | int]]) -> bool:
    """Whether the stored vectors are this function's own: it was dropped by hand, or goes by another name now."""
    if function.kind is not FunctionKind.TEXT_EMBEDDING or len(function.outputs) != 1:
        return False
    for name in (*function.inputs, *function.outputs):
        wanted, present = field_named(want, name), field_named(have, name)
        if wanted is None or present is None or wanted.type != present.type or present.nullable:
            return False
    holders = [f.name for f in have.functions if set(f.outputs) & set(function.outputs)]
    if any(_in(want, holder) for holder in holders):
        return False
    known = stamped.get(function.outputs[0])
    return known is not None and _stamped(known) == identity(function, want)


def _stamped(known: Mapping[str, str | int]) -> dict[str, str]:
    return {param: str(known.get(word, "")) for param, word in _IDENTITY.items()}


def _changed(
    want: Function,
    have: Function,
    desired: Desired,
    schema: Schema,
    able: Capabilities,
    record: frozenset[str],
    stamped: Mapping[str, Mapping[str, str | int]],
) -> Iterator[Step]:
    yield from _bound(want, have)
    if want.kind is FunctionKind.TEXT_EMBEDDING and _kind(want) == _kind(have):
        known = stamped.get(want.outputs[0]) if want.outputs else None
        yield from _identity_steps(want, have, desired.schema, schema, known)
    described = bool(want.description) or _path(want.name, ".description") in record
    if described and want.description != have.description:
        later = "3.x no longer" if able.alters_functions else f"{able.version} cannot"
        yield Step(
            action=Action.ALTER_FUNCTION,
            path=_path(want.name, ".description"),
            class_=ChangeClass.IN_PLACE,
            before=have.description,
            after=want.description,
            subject=want.name,
            detail=DESCRIPTION,
            unsupported=""
            if able.alters_function_text and want.kind is not FunctionKind.BM25
            else f"Milvus {later} alter the text of a function (2.6.7 to 2.6.x can, of text embedding): take it back",
        )
    yield from _params(want, have, able)


def _bound(want: Function, have: Function) -> Iterator[Step]:
    pairs = {
        "type": (_kind(want), _kind(have)),
        "inputFields": (",".join(want.inputs), ",".join(have.inputs)),
        "outputFields": (",".join(want.outputs), ",".join(have.outputs)),
    }
    for name, (after, before) in pairs.items():
        if after != before:
            yield rebuild(_path(want.name, f".{name}"), before=before, after=after, subject=want.name)


def _kind(function: Function) -> str:
    return function.params.get(_UNKNOWN_KIND, function.kind)


def _identity_steps(
    want: Function, have: Function, wanted: Schema, present: Schema, known: Mapping[str, str | int] | None
) -> Iterator[Step]:
    after, runs = identity(want, wanted), identity(have, present)
    made = runs if known is None else _stamped(known)
    for param, word in _IDENTITY.items():
        before = runs[param] if runs[param] != after[param] else made[param]
        if before != after[param]:
            path = _path(want.name, f".textEmbedding.{word}")
            yield rebuild(path, before=before, after=after[param], subject=want.name)


def _params(want: Function, have: Function, able: Capabilities) -> Iterator[Step]:
    """Everything that is sent with a request and leaves the vectors what they are."""
    fixed = {*_IDENTITY, _UNKNOWN_KIND}
    for name in sorted({*want.params, *have.params} - fixed):
        before, after = have.params.get(name, ABSENT), want.params.get(name, ABSENT)
        if before == after:
            continue
        where = ".textEmbedding.credential" if name == _CREDENTIAL else f".textEmbedding.params[{name}]"
        yield Step(
            action=Action.ALTER_FUNCTION,
            path=_path(want.name, where),
            class_=ChangeClass.IN_PLACE,
            before=before,
            after=after,
            subject=want.name,
            detail=name,
            unsupported="" if able.alters_param(name) else _unable_param(name, able),
        )


def _unable_param(name: str, able: Capabilities) -> str:
    if not able.alters_functions:
        return needs_version(f"alter {name} of a function", "2.6.7", able)
    return f"Milvus {able.version} alters the connection parameters of a function only, not {name}: take it back"


def _dropped(function: Function, want: Schema, have: Schema, able: Capabilities, added: Mapping[str, Step]) -> Step:
    path, name = _path(function.name), function.name
    kept = [output for output in function.outputs if field_named(want, output) is not None]
    heirs = [f.name for f in want.functions if f.name in added and set(f.outputs) & set(function.outputs)]
    inherited = any(added[heir].class_ is ChangeClass.REBUILD for heir in heirs)
    impossible = bool(kept) and (function.kind is FunctionKind.BM25 or able.alterable_params is not None)
    if inherited or impossible or not keeps_vector(want, have) or not _whole(function, want):
        return rebuild(path, before=PRESENT, after=ABSENT, subject=name)
    if kept:
        able_to, since = able.adds_and_drops_functions, "2.6.7"
    else:
        able_to, since = able.drops_fields, "3.0.0"
    return Step(
        action=Action.DROP_FUNCTION if kept else Action.DROP_FUNCTION_FIELD,
        path=path,
        class_=ChangeClass.DESTRUCTIVE,
        before=PRESENT,
        after=ABSENT,
        subject=name,
        needs=Needs.NOTHING if kept else Needs.RELEASED,
        unsupported="" if able_to else needs_version(_what(kept), since, able),
    )


def _what(kept: list[str]) -> str:
    return "drop a function" if kept else "drop a function with its output field"


def _whole(function: Function, want: Schema) -> bool:
    """Some outputs kept and some not: no server can do half of it."""
    kept = [output for output in function.outputs if field_named(want, output) is not None]
    return not kept or len(kept) == len(function.outputs)
