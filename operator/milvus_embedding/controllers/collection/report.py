"""From what a pass found to the status: conditions, the collection's identity, its functions, its differences.

What a pass could not see keeps its former condition; a status never forgets what still holds.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.conditions import Condition
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.answer import Answer, answer, approval, differences
from milvus_embedding.controllers.replaced import ABSENT, ANOTHER
from milvus_embedding.domain.compare import Difference
from milvus_embedding.domain.conditions import Assertion, Draft, Truth, false, true, unknown, with_summary
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.deciding import Decision
from milvus_embedding.domain.planning.steps import Action, Step, shown
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import FunctionKind, LoadState, Observation

_ORDER = (
    "Ready",
    "Available",
    "FunctionsResolved",
    "SchemaInSync",
    "IndexesInSync",
    "Loaded",
    "Drifted",
    "PlanApproved",
)
_DRIFT_SHOWN = 64
_HANDED_OVER = "SchemaInSync"
"""The condition that remembers a hand-over whatever happens to Ready."""
_NUMBERS = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")
# Reasons whose messages quote Milvus, which may put a time or the id of a request into each answer.
_QUOTES = frozenset(
    {
        Reason.REJECTED_BY_MILVUS,
        Reason.MILVUS_ERROR,
        Reason.PROVIDER_ERROR,
        Reason.RATE_LIMITED,
        Reason.PERMISSION_DENIED,
        Reason.UNREACHABLE,
        Reason.OUTCOME_UNKNOWN,
        Reason.DELETION_BLOCKED,
    }
)
_UNSEEN = ANOTHER | {Reason.UNREACHABLE, Reason.AUTHENTICATION_FAILED, Reason.CONNECTION_NOT_FOUND}
# What a pass saw although it could not go on.
_UNFINISHED = {Reason.LOADING: ("Loaded", "Available"), Reason.INDEX_BUILDING: ("IndexesInSync",)}


_WELL = {
    Reason.READY: "is as declared",
    Reason.DRIFT_IGNORED: "differs, and driftPolicy is Ignore",
    Reason.OBSERVED: "is as declared, and adoptionPolicy Observe changes nothing",
}


def in_sync(
    collection: MilvusCollection, want: Desired, have: Observation, *, as_: Reason = Reason.READY, remark: str = ""
) -> Draft:
    """Read back and equal, or different in ways that driftPolicy Ignore passes over. `as_` is one of _WELL. `remark`:
    what would be refused if it were made anew.
    """
    text = f"collection {want.database}.{want.name} {_WELL[as_]}"
    ready = true("Ready", as_, f"{text}; a new one would not be made: {remark}" if remark else text)
    wanted = {f.name for f in want.schema.functions}
    conditions = [
        ready,
        _available(want, have, Reason.DRIFTED, functions=wanted),
        true("FunctionsResolved", Reason.RESOLVED),
        true("SchemaInSync", Reason.IN_SYNC),
        true("IndexesInSync", Reason.IN_SYNC),
        _loaded(want, have, Reason.DRIFTED),
        false("Drifted", Reason.NO_DRIFT),
    ]
    return _draft(collection, conditions, _seen(want, have))


def planned(
    collection: MilvusCollection,
    want: Desired,
    have: Observation,
    decision: Decision,
    *,
    is_drift: bool,
    rows: int | None = None,
) -> Draft:
    """Read back and different: something waits, is refused or under way. `rows`: of partitions to be dropped."""
    told = answer(decision, is_drift=is_drift, rows=rows)
    steps = differences(decision)
    known = {f.name for f in collection.status.functions}
    wanted = {f.name for f in want.schema.functions}
    conditions = [
        false("Ready", told.reason, told.message),
        _available(want, have, told.reason, functions=wanted if is_drift else wanted & known),
        true("FunctionsResolved", Reason.RESOLVED),
        _sync("SchemaInSync", [s for s in steps if not s.path.startswith(("spec.indexes[", "spec.load."))], told),
        _sync("IndexesInSync", [s for s in steps if s.path.startswith("spec.indexes[")], told),
        _loaded(want, have, told.reason),
        _drifted(told, is_drift=is_drift),
        _plan_approved(decision, is_drift=is_drift),
    ]
    fields = _seen(want, have) | {"plan": plan(decision, rows=rows)}
    if is_drift:
        fields["drift"] = [_entry(s.path, want=s.after, have=s.before) for s in steps[:_DRIFT_SHOWN]]
    return _draft(collection, conditions, fields)


def watched(
    collection: MilvusCollection, want: Desired, have: Observation, decision: Decision, *, is_ours: bool
) -> Draft:
    """Under adoptionPolicy Observe: every difference is somebody else's. What is not ours is told without a generation,
    so that no later pass takes it for what this object had.
    """
    if decision.plan.steps:
        draft = planned(collection, want, have, decision, is_drift=True)
    else:
        draft = in_sync(collection, want, have, as_=Reason.OBSERVED)
    if is_ours:
        return draft
    identity = {name: value for name, value in _identity(want, have).items() if name != "generation"}
    return dataclasses.replace(draft, fields={**draft.fields, "collection": identity})


def unseen(collection: MilvusCollection, cause: Blocked) -> Draft:
    """There is something of which the reader may not know more; what was told before is taken back."""
    ready = false("Ready", cause.reason, cause.message)
    return _draft(collection, [ready, unknown("Available", cause.reason, cause.message)], {})


def handed_over(collection: MilvusCollection, want: Desired, have: Observation, heir: str) -> Draft:
    """The stamp names another object by the will of this one. `heir` is namespace/name."""
    text = f"collection {want.name} belongs to {heir} now: this object changes nothing any more and can be deleted"
    conditions = [
        true("Ready", Reason.HANDED_OVER, text),
        _available(want, have, Reason.HANDED_OVER, functions=set()),
        unknown(_HANDED_OVER, Reason.HANDED_OVER, "not compared any more"),
        _loaded(want, have, Reason.HANDED_OVER),
    ]
    return _draft(collection, conditions, {"collection": _seen(want, have)["collection"]})


def was_handed_over(collection: MilvusCollection) -> bool:
    """Whether a status says so since the spec or the annotation was last acted upon otherwise."""
    told = collection.status.condition(_HANDED_OVER)
    return told is not None and told.reason == Reason.HANDED_OVER


def lost(collection: MilvusCollection, what: str, decision: Decision) -> Draft:
    """The collection is gone, or another one stands in its place; the plan to go on waits for an approval."""
    verdict = decision.verdicts[0]
    if verdict.reason:
        approve = (
            f"approve the plan {decision.plan.hash} in changePolicy.approvedPlan or by the annotation approved-plan"
        )
        if decision.plan.steps[0].action is Action.ACCEPT_COLLECTION:
            text = f"{what}, and is not touched: bring the former one back, or {approve} to go on with this one"
        else:
            text = (
                f"{what}: somebody dropped it; nothing is created in its place. Restore it, delete this "
                f"MilvusCollection and apply it again to have an empty one, or {approve}"
            )
    else:
        text = f"{what}: the plan {decision.plan.hash} is approved and carried out"
    draft = blocked(collection, Blocked(Reason.LOST, text), resolved=True)
    kept = [a for a in draft.conditions if a.type in _ORDER and a.type != "PlanApproved"]
    conditions = [*kept, _plan_approved(decision, is_drift=False, waits=Answer(Reason.LOST, text))]
    return _draft(collection, conditions, {**draft.fields, "plan": plan(decision)})


def plan(decision: Decision, *, rows: int | None = None) -> Mapping[str, object] | None:
    """status.plan, None without steps."""
    if decision.status is None:
        return None
    costs = {} if rows is None else {"estimate": {"rows": rows}}
    return {**decision.status.to_yaml(), **costs}


def blocked(
    collection: MilvusCollection,
    cause: Blocked,
    *,
    resolved: bool | None,
    unequal: Sequence[Difference] = (),
    available: Assertion | None = None,
) -> Draft:
    """Something keeps the pass from going on. `resolved`: whether the functions did, None if that was not looked at.
    `available`: what a glance at the collection found all the same.
    """
    cause = _as_told_before(collection, cause)
    ready = false("Ready", cause.reason, cause.message)
    kept = {c.type: c for c in _former(collection)}
    kept["Ready"] = ready
    if resolved:
        kept["FunctionsResolved"] = true("FunctionsResolved", Reason.RESOLVED)
    elif resolved is not None:
        kept["FunctionsResolved"] = false("FunctionsResolved", cause.reason, cause.message)
    kept["Available"] = available or _availability(kept.get("Available"), cause)
    for type_ in _UNFINISHED.get(cause.reason, ()):
        kept[type_] = false(type_, cause.reason, cause.message)
    fields = _kept_fields(collection)
    if cause.reason is Reason.NAME_TAKEN:
        fields.pop("drift", None)
    if unequal:
        fields["drift"] = drift(unequal)
    return _draft(collection, [kept[type_] for type_ in _ORDER if type_ in kept], fields)


def _as_told_before(collection: MilvusCollection, cause: Blocked) -> Blocked:
    """The same trouble with other numbers in it is no news: it would be a write for every try."""
    ready = collection.status.condition("Ready")
    if ready is None or ready.reason != cause.reason or cause.reason not in _QUOTES:
        return cause
    if ready.observed_generation != collection.metadata.generation:
        return cause
    same = _NUMBERS.sub("#", ready.message) == _NUMBERS.sub("#", cause.message)
    return Blocked(cause.reason, ready.message) if same else cause


def held(collection: MilvusCollection, ready: Assertion) -> Draft:
    """Paused: everything stays as it was but Ready's reason."""
    kept = [c for c in _former(collection) if c.type != "Ready"]
    return Draft(collection.metadata.generation, (ready, *kept), _kept_fields(collection))


def drift(unequal: Iterable[Difference]) -> list[dict[str, str]]:
    return [_entry(f"spec.{d.path}", want=d.want, have=d.have) for d in unequal][:_DRIFT_SHOWN]


def _entry(path: str, *, want: str, have: str) -> dict[str, str]:
    return {"path": path, "want": shown(want), "have": shown(have)}


def _drifted(told: Answer, *, is_drift: bool) -> Assertion:
    """The reason tells the next pass whether this generation was equal before: see `was_equal`."""
    if is_drift:
        return true("Drifted", Reason.DRIFTED, told.message)
    return false("Drifted", told.reason, "the spec was changed since it was last seen equal")


def _plan_approved(decision: Decision, *, is_drift: bool, waits: Answer | None = None) -> Assertion:
    told = approval(decision, is_drift=is_drift)
    if told.reason is Reason.APPROVED:
        return true("PlanApproved", told.reason, told.message)
    told = waits or told
    return false("PlanApproved", told.reason, told.message)


def _availability(former: Assertion | None, cause: Blocked) -> Assertion:
    """A pass that was kept from looking takes nothing back, but what it cannot see it does not assert."""
    if cause.reason in ABSENT or former is None or former.status is Truth.FALSE:
        return false("Available", cause.reason, cause.message)
    if cause.reason in _UNSEEN:
        return unknown("Available", cause.reason, cause.message)
    return former


def _available(want: Desired, have: Observation, reason: Reason, *, functions: set[str]) -> Assertion:
    """Exists, loaded and embedding by these functions, of whatever generation; whether it equals the spec is Ready's
    matter.
    """
    if have.load is not LoadState.LOADED:
        loaded = _loaded(want, have, reason)
        return false("Available", loaded.reason, f"{loaded.message}: the collection cannot be searched")
    lacking = functions - {f.name for f in have.description.schema.functions}
    if lacking:
        return false("Available", reason, f"function(s) {', '.join(sorted(lacking))} are not there")
    return true("Available", Reason.AVAILABLE)


def _loaded(want: Desired, have: Observation, reason: Reason) -> Assertion:
    if have.load is LoadState.LOADED:
        return true("Loaded", Reason.LOADED)
    if not want.loaded:
        return false("Loaded", Reason.NOT_REQUESTED, "load.enabled is false")
    return false("Loaded", reason, "it is not loaded in Milvus")


def _sync(type_: str, steps: Sequence[Step], told: Answer) -> Assertion:
    if not steps:
        return true(type_, Reason.IN_SYNC)
    return false(type_, told.reason, ", ".join(s.path for s in steps[:8]))


def _seen(want: Desired, have: Observation) -> dict[str, object]:
    return {"collection": _identity(want, have), "functions": _functions(have) or None}


def _identity(want: Desired, have: Observation) -> dict[str, object]:
    return {"database": want.database, "name": have.description.name, "id": have.description.id, "generation": 1}


def _functions(have: Observation) -> list[dict[str, object]]:
    dims = {f.name: f.params.get("dim", "") for f in have.description.schema.fields}
    shown = []
    for function in sorted(have.description.schema.functions, key=lambda f: f.name):
        entry: dict[str, object] = {"name": function.name}
        if function.kind is FunctionKind.TEXT_EMBEDDING:
            entry["provider"] = function.params.get("provider")
            entry["model"] = function.params.get("model_name")
            entry["label"] = function.params.get("credential")
            dim = dims.get(function.outputs[0], "")
            entry["dim"] = int(dim) if dim.isdigit() else None
        shown.append({name: value for name, value in entry.items() if value is not None})
    return shown


def _former(collection: MilvusCollection) -> list[Assertion]:
    known = {str(reason): reason for reason in Reason}
    return [
        Assertion(c.type, Truth(c.status), known[c.reason], c.message)
        for c in collection.status.conditions
        if c.reason in known and c.type in _ORDER and not _is_outdated(c, collection)
    ]


def _is_outdated(condition: Condition, collection: MilvusCollection) -> bool:
    """What Drifted says of an older spec must not be taken for an answer about this one."""
    return condition.type == "Drifted" and condition.observed_generation != collection.metadata.generation


def _kept_fields(collection: MilvusCollection) -> dict[str, object]:
    dumped: Mapping[str, object] = collection.status.to_yaml()
    return {name: value for name, value in dumped.items() if name not in ("conditions", "observedGeneration") and value}


def _draft(collection: MilvusCollection, conditions: Iterable[Assertion], fields: Mapping[str, object]) -> Draft:
    return Draft(collection.metadata.generation, with_summary(conditions), fields)
