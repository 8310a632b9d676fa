"""Builds a status from what a controller asserts, and tells whether it differs from the one that is there.

lastTransitionTime moves only with a condition's status. A status that says nothing new is not written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum

from milvus_embedding.domain.reasons import Reason, ReasonClass

Status = Mapping[str, object]


class Truth(StrEnum):
    """A condition's status."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Assertion:
    """One condition as a controller sees it now."""

    type: str
    status: Truth
    reason: Reason
    message: str = ""


def true(type_: str, reason: Reason, message: str = "") -> Assertion:
    return Assertion(type_, Truth.TRUE, reason, message)


def false(type_: str, reason: Reason, message: str = "") -> Assertion:
    return Assertion(type_, Truth.FALSE, reason, message)


def unknown(type_: str, reason: Reason, message: str = "") -> Assertion:
    return Assertion(type_, Truth.UNKNOWN, reason, message)


@dataclass(frozen=True, slots=True)
class Draft:
    """A status as a controller wants it: conditions, and the kind's own fields (absent or None: not in the status)."""

    generation: int
    conditions: tuple[Assertion, ...]
    fields: Mapping[str, object] = field(default_factory=dict)


def with_summary(assertions: Iterable[Assertion]) -> tuple[Assertion, ...]:
    """Adds Reconciling or Stalled (never both) as the reason of Ready demands. Ready must be among them."""
    listed = tuple(assertions)
    ready = next(a for a in listed if a.type == "Ready")
    if ready.status is Truth.TRUE or ready.reason is Reason.PAUSED or ready.reason.kind is ReasonClass.FINE:
        return listed
    summary = "Stalled" if ready.reason.kind is ReasonClass.YOURS else "Reconciling"
    return (*listed, true(summary, ready.reason, ready.message))


def merge(previous: Status, draft: Draft, now: datetime) -> Status | None:
    """The whole new status, or None when `previous` says the same. `now` must be aware (UTC)."""
    before = {str(c["type"]): c for c in _conditions(previous)}
    conditions = [_condition(a, before.get(a.type), draft.generation, now) for a in draft.conditions]
    fields = {name: value for name, value in draft.fields.items() if value is not None}
    status: dict[str, object] = {"observedGeneration": draft.generation, "conditions": conditions, **fields}
    return None if _plain(status) == _plain(previous) else status


def find(status: Status, type_: str) -> Mapping[str, object] | None:
    """The condition of that type in a status as Kubernetes stores it."""
    return next((c for c in _conditions(status) if c.get("type") == type_), None)


def merge_patch(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """The JSON merge patch (RFC 7386) that turns `old` into `new`; lists are replaced whole."""
    patch: dict[str, object] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[name] = inner
        elif name not in old or _plain(before) != _plain(value):
            patch[name] = value
    return patch


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with seconds, as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None, *, zone: tzinfo | None = None) -> datetime | None:
    """The time that an ISO 8601 text means, None if it means none. One that names no zone does only in `zone`."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None or (found.tzinfo is None and zone is None):
        return None
    return found.replace(tzinfo=found.tzinfo or zone)


def _condition(a: Assertion, before: Mapping[str, object] | None, generation: int, now: datetime) -> dict[str, object]:
    since = timestamp(now)
    if before is not None and before.get("status") == a.status:
        since = str(before.get("lastTransitionTime", since))
    return {
        "type": a.type,
        "status": str(a.status),
        "reason": str(a.reason),
        "message": a.message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }


def _conditions(status: Status) -> Sequence[Mapping[str, object]]:
    listed = status.get("conditions")
    return [c for c in listed if isinstance(c, Mapping)] if isinstance(listed, Sequence) else []


def _plain(value: object) -> object:
    """Equal values compare equal whatever container types they came in; conditions compare as a map by type."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_plain(v) for v in value]
        if items and all(isinstance(i, dict) and "lastTransitionTime" in i for i in items):
            return sorted(items, key=lambda i: str(i["type"]) if isinstance(i, dict) else "")
        return items
    return str(value) if isinstance(value, StrEnum) else value
