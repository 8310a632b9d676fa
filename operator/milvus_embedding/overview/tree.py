"""What the statuses say, arranged as the parts depend on each other: connection, its labels, credentials, collections.

Names of the users of a label are among what was listed, and only there: who may not list them sees a number.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from milvus_embedding.api.annotations import APPROVED_PLAN, APPROVED_ROLLOUT
from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import LabelStatus, MilvusConnection, RolloutPhase
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.overview.listing import Listing

AnyResource = MilvusConnection | EmbeddingCredential | EmbeddingFunction | MilvusCollection

_APPROVABLE = frozenset({"AwaitingApproval", "Lost", "Drifted"})
_OUT_OF_REACH = frozenset({"ConnectionNotFound", "NotAllowed"})
"""An old plan is kept then, and approving it would do nothing."""
DRIFT_SHOWN = 8


class Health(StrEnum):
    """Ready; ends by itself; needs somebody."""

    READY = "Ready"
    WAITING = "Waiting"
    YOURS = "Yours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One object. `details` are facts for people; `approval` is the command that lets it go on, empty if none does."""

    key: Key
    health: Health
    reason: str
    message: str
    details: tuple[str, ...] = ()
    approval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLine:
    """`users` are those that were listed; `collections` is how many there are in all, None if nobody counted."""

    label: str
    state: str
    credential: str
    collections: int | None
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A connection with all that hangs on it. `line` None: the connection itself was not listed."""

    place: tuple[str, str]
    line: Line | None
    labels: tuple[LabelLine, ...]
    credentials: tuple[Line, ...]
    collections: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    branches: tuple[Branch, ...]
    functions: tuple[Line, ...]
    unseen: tuple[str, ...]

    def lines(self) -> Iterator[Line]:
        for branch in self.branches:
            if branch.line is not None:
                yield branch.line
            yield from (*branch.credentials, *branch.collections)
        yield from self.functions

    @property
    def is_ready(self) -> bool:
        return all(line.health is Health.READY and not line.approval for line in self.lines())


def tree(listing: Listing) -> Tree:
    connections = {(c.namespace, c.name): c for c in listing.connections}
    credentials: dict[tuple[str, str], list[Line]] = {}
    collections: dict[tuple[str, str], list[MilvusCollection]] = {}
    for credential in listing.credentials:
        place = credential.spec.connection_ref.resolve(credential.namespace)
        label = credential.status.label
        credentials.setdefault(place, []).append(line(credential, f"label {label}" if label else ""))
    for collection in listing.collections:
        place = collection.spec.connection_ref.resolve(collection.namespace)
        collections.setdefault(place, []).append(collection)
    places = sorted({*connections, *credentials, *collections})
    return Tree(
        branches=tuple(
            Branch(
                place=place,
                line=line(connections[place]) if place in connections else None,
                labels=tuple(_labels(connections.get(place), collections.get(place, ()))),
                credentials=tuple(credentials.get(place, ())),
                collections=tuple(line(c) for c in collections.get(place, ())),
            )
            for place in places
        ),
        functions=tuple(line(function) for function in listing.functions),
        unseen=listing.unseen,
    )


def line(resource: AnyResource, *details: str) -> Line:
    """One object's Ready, and what it waits for."""
    ready = resource.status.condition("Ready")
    stalled = resource.status.condition("Stalled")
    health = Health.WAITING
    if ready is not None and ready.status == "True":
        health = Health.READY
    elif stalled is not None and stalled.status == "True":
        health = Health.YOURS
    more: tuple[str, ...] = ()
    approval = ""
    if isinstance(resource, MilvusConnection):
        more, approval = tuple(_delivery(resource)), _rollout_approval(resource)
    elif isinstance(resource, MilvusCollection):
        more, approval = tuple(_collection(resource)), _plan_approval(resource)
    return Line(
        key=resource.key,
        health=health,
        reason=ready.reason if ready is not None else "NotSeen",
        message=ready.message if ready is not None else "no operator has looked at it yet",
        details=(*(detail for detail in details if detail), *more),
        approval=approval,
    )


def _delivery(connection: MilvusConnection) -> Iterator[str]:
    status = connection.status
    if status.endpoint:
        yield f"{status.endpoint}{f' (Milvus {status.server_version})' if status.server_version else ''}"
    if status.config.hash:
        delivered = status.config.delivered_hash
        how = "delivered" if delivered == status.config.hash else f"delivered is {delivered or 'not known'}"
        yield f"configuration {status.config.hash}, {how}"
    if status.rollout.phase not in (None, RolloutPhase.IDLE):
        yield f"rollout {status.rollout.phase}"


def _collection(collection: MilvusCollection) -> Iterator[str]:
    identity, plan = collection.status.collection, collection.status.plan
    if identity.name:
        yield f"{identity.database}.{identity.name}"
    if plan is not None and plan.hash:
        steps = f"{len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"
        yield f"plan {plan.hash}: {plan.class_ or 'changes'}, {steps}{', approved' if plan.approved else ''}"
    for found in collection.status.drift[:DRIFT_SHOWN]:
        yield f"{found.path}: {found.have or 'absent'} in Milvus, {found.want or 'absent'} in the spec"
    if (more := len(collection.status.drift) - DRIFT_SHOWN) > 0:
        yield f"and {more} more"


def _rollout_approval(connection: MilvusConnection) -> str:
    rollout = connection.status.rollout
    if rollout.phase is not RolloutPhase.AWAITING_APPROVAL or not rollout.hash:
        return ""
    return _annotate(connection, "mconn", APPROVED_ROLLOUT, rollout.hash)


def _plan_approval(collection: MilvusCollection) -> str:
    plan, told = collection.status.plan, collection.status.condition("PlanApproved")
    ready = collection.status.condition("Ready")
    if ready is not None and ready.reason in _OUT_OF_REACH:
        return ""
    if plan is None or not plan.hash or plan.approved or told is None or told.reason not in _APPROVABLE:
        return ""
    return _annotate(collection, "mcol", APPROVED_PLAN, plan.hash)


def _annotate(resource: AnyResource, short: str, annotation: str, value: str) -> str:
    return f"kubectl -n {resource.namespace} annotate --overwrite {short} {resource.name} {annotation}={value}"


def _labels(connection: MilvusConnection | None, collections: Iterable[MilvusCollection]) -> Iterator[LabelLine]:
    entries = connection.status.labels if connection is not None else ()
    for entry in sorted(entries, key=lambda e: e.label):
        users = [
            f"{c.namespace}/{c.name}" for c in collections if any(f.label == entry.label for f in c.status.functions)
        ]
        yield LabelLine(
            label=entry.label,
            state=str(entry.state or ""),
            credential=_owner(entry),
            collections=entry.collections,
            users=tuple(users),
        )


def _owner(entry: LabelStatus) -> str:
    return f"{entry.credential.namespace}/{entry.credential.name}" if entry.credential is not None else ""
