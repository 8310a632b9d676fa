"""A plan for people and for programs. Both in the same order, and without any key."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.planning.estimate import about
from milvus_embedding.files.planning.configuration import ConfigurationPlan, LabelChange, LabelPlan
from milvus_embedding.files.planning.planned import CollectionPlan, Fate, Outcome, Planned, PlannedStep

Paint = Callable[[str, str], str]
"""(text, colour) -> text, with or without colours."""

_SIGNS: Final = {
    Fate.RUNS: ("~", "green"),
    Fate.WAITS: ("?", "yellow"),
    Fate.HELD: ("-", "yellow"),
    Fate.REFUSED: ("x", "red"),
    Fate.UNSUPPORTED: ("x", "red"),
    Fate.NONE: (" ", ""),
}
_WORDS: Final = {
    Fate.RUNS: "is made",
    Fate.WAITS: "waits for an approval",
    Fate.HELD: "is not made",
    Fate.REFUSED: "is refused",
    Fate.UNSUPPORTED: "is not possible",
}
_HEADS: Final = {
    Outcome.UNCHANGED: "as declared",
    Outcome.CREATE: "is created",
    Outcome.ADOPT: "is adopted",
    Outcome.HAND_OVER: "is handed over",
    Outcome.CHANGE: "differs",
    Outcome.PAUSED: "is paused",
    Outcome.BLOCKED: "cannot be planned",
}


def as_text(planned: Planned, paint: Paint) -> str:
    """Blocks of lines, the summary last."""
    lines: list[str] = []
    for trouble in planned.troubles:
        lines += [f"{trouble.subject}: " + paint(f"{trouble.reason}: {trouble.message}", "red"), ""]
    for configuration in planned.configurations:
        lines += [*_configuration(configuration, paint), ""]
    for collection in planned.collections:
        lines += [*_collection(collection, paint), ""]
    return "\n".join([*lines, summary(planned)])


def summary(planned: Planned) -> str:
    """One line of numbers."""
    steps = [step for collection in planned.collections for step in collection.steps]
    parts = {
        "to create": planned.having(Outcome.CREATE),
        "to adopt": planned.having(Outcome.ADOPT),
        "to hand over": planned.having(Outcome.HAND_OVER),
        "changes to make": sum(step.fate is Fate.RUNS for step in steps),
        "waiting for an approval": sum(step.fate is Fate.WAITS for step in steps),
        "refused or not possible": sum(step.fate in (Fate.REFUSED, Fate.UNSUPPORTED) for step in steps),
        "unchanged": planned.having(Outcome.UNCHANGED),
        "that cannot be planned": planned.having(Outcome.BLOCKED) + len(planned.troubles),
    }
    told = ", ".join(f"{number} {what}" for what, number in parts.items() if number)
    changed = [c.connection for c in planned.configurations if c.changes]
    configured = f"; configuration of {', '.join(changed)} changes" if changed else ""
    return f"Plan: {told or 'nothing to do'}{configured}."


def as_data(planned: Planned) -> dict[str, object]:
    """For JSON and YAML."""
    return {
        "exitStatus": planned.status,
        "owner": planned.owner,
        "summary": summary(planned),
        "problems": [{"object": t.subject, "reason": t.reason, "message": t.message} for t in planned.troubles],
        "configurations": [_configuration_data(c) for c in planned.configurations],
        "collections": [_collection_data(c) for c in planned.collections],
    }


def _configuration(plan: ConfigurationPlan, paint: Paint) -> Iterator[str]:
    head = f"Configuration of MilvusConnection {plan.connection}"
    if not plan.compared:
        yield f"{head}: what Milvus has now is not known (name the folder of apply --write-config with --config)"
    else:
        yield f"{head}: {'changes' if plan.changes else 'as it was'}"
    for label in plan.labels:
        if not plan.compared or label.change is not LabelChange.NONE:
            yield _label(label, paint)
    for name, before, after in plan.settings:
        yield paint(f"  ~ default {name}: {before or 'none'} -> {after or 'none'}", "green")


def _label(plan: LabelPlan, paint: Paint) -> str:
    owner = f" of EmbeddingCredential {plan.credential}" if plan.credential else ""
    match plan.change:
        case LabelChange.ADD:
            return paint(f"  + label {plan.label}{owner}, key ********", "green")
        case LabelChange.REMOVE:
            return paint(f"  - label {plan.label}{owner}", "red")
        case LabelChange.KEY:
            return paint(f"  ~ label {plan.label}{owner}: another key", "yellow")
    return f"    label {plan.label}{owner}"


def _collection(plan: CollectionPlan, paint: Paint) -> Iterator[str]:
    where = f" ({plan.collection}{f', id {plan.id}' if plan.id else ''})" if plan.collection else ""
    yield f"MilvusCollection {plan.namespace}/{plan.name}{where}: {_HEADS[plan.outcome]}"
    if plan.message:
        yield paint(f"  {plan.reason}: {plan.message}", "red" if plan.outcome is Outcome.BLOCKED else "yellow")
    if plan.creates_database:
        yield paint(f"  + database {plan.creates_database}", "green")
    if plan.owner_after:
        yield paint(f"  ~ owner: {plan.owner_before or 'nobody'} -> {plan.owner_after}", "green")
    yield from (paint(f"  + {line}", "green") for line in plan.creates)
    for step in plan.steps:
        yield from _step(step, paint)
    if plan.estimate is not None:
        yield f"  cost of the rebuild: {_estimate(plan)}"
    if plan.count(Fate.WAITS) and plan.class_ is not ChangeClass.REBUILD:
        yield f"  plan {plan.hash}: approve it in spec.changePolicy.approvedPlan, or by"
        annotation = f"embedding.milvus.io/approved-plan={plan.hash}"
        yield f"  kubectl -n {plan.namespace} annotate --overwrite mcol {plan.name} {annotation}"


def _step(step: PlannedStep, paint: Paint) -> Iterator[str]:
    sign, colour = _SIGNS[step.fate]
    change = f"{step.path}: {step.before or 'nothing'} -> {step.after or 'nothing'}"
    yield paint(f"  {sign} {step.class_:<11} {change} ({_WORDS.get(step.fate, '')})", colour)
    if step.loses_rows:
        yield paint(f"      loses {about(step.rows)}", "red")
    if step.why:
        yield f"      {step.why}"


def _estimate(plan: CollectionPlan) -> str:
    costs = plan.estimate
    if costs is None or costs.rows is None:
        return "not known"
    parts = [f"about {costs.rows:,} rows"]
    if costs.requests is not None:
        parts.append(f"about {costs.requests:,} requests to the provider")
    if costs.tokens is not None:
        parts.append(f"{costs.tokens:,} tokens at most")
    return ", ".join(parts)


def _configuration_data(plan: ConfigurationPlan) -> dict[str, object]:
    return {
        "connection": plan.connection,
        "compared": plan.compared,
        "changes": plan.changes,
        "labels": [{"label": p.label, "credential": p.credential, "change": str(p.change)} for p in plan.labels],
        "settings": [{"name": name, "from": before, "to": after} for name, before, after in plan.settings],
    }


def _collection_data(plan: CollectionPlan) -> dict[str, object]:
    data: dict[str, object] = {
        "namespace": plan.namespace,
        "name": plan.name,
        "outcome": str(plan.outcome),
        "collection": plan.collection,
        "id": plan.id,
        "hash": plan.hash,
        "class": str(plan.class_) if plan.class_ is not None else "",
        "steps": [_step_data(step) for step in plan.steps],
        "creates": list(plan.creates),
        "createsDatabase": plan.creates_database,
        "ownerFrom": plan.owner_before,
        "ownerTo": plan.owner_after,
        "estimate": plan.estimate.to_yaml() if plan.estimate is not None else {},
        "reason": plan.reason,
        "message": plan.message,
    }
    return {name: value for name, value in data.items() if value or name in ("steps",)}


def _step_data(step: PlannedStep) -> Mapping[str, object]:
    return {
        "action": step.action,
        "path": step.path,
        "class": str(step.class_),
        "from": step.before,
        "to": step.after,
        "fate": str(step.fate),
        "why": step.why,
        **({"losesRows": step.rows} if step.loses_rows else {}),
    }
