"""Whose is what stands under an object's name, and the one call that makes it somebody else's: a stamp that is written.

AlterCollection has no compare-and-set. So a stamp is written only to what was described directly before, and counts
only once it was seen to stand two seconds later: of two that write at the same time one is overwritten, and sees that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import MilvusError, Unimplemented
from milvus_embedding.controllers.base import Note, Stale, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.changing import Case
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.references import admits
from milvus_embedding.domain.compare import ABSENT, Difference, schema_differences
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.ownership import (
    ADOPTED,
    OWNER,
    UID,
    Owner,
    Standing,
    is_namesake,
    neighbour,
    stamp,
    standing,
)
from milvus_embedding.domain.planning.record import RECORD, declared, written
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import Description, Observation

OTHERS_AGAIN = 30.0
"""Seconds: nothing tells that somebody dropped or renamed what stands in the way."""
LASTING = 2.0
TRIES = 4


class NotMatching(Blocked):
    """An unstamped collection that differs; `differences` may be shown."""

    def __init__(self, message: str, differences: tuple[Difference, ...]) -> None:
        super().__init__(Reason.NOT_MATCHING, message, retry_after=OTHERS_AGAIN)
        self.differences = differences


class Stamped(Blocked):
    """A stamp was written, or found so fresh that it has to be seen to stand."""

    def __init__(self, doing: str, seconds: float) -> None:
        text = f"{doing}: it is stamped, and looked at again to see that stand"
        super().__init__(Reason.CHANGING, text, retry_after=seconds)


@dataclass(slots=True)
class _Trial:
    """A stamp on its way: since when it was seen to stand (None: not yet), how often it was written."""

    stamped: str
    since: float | None = None
    tries: int = 0


class Ownership:
    """`owner_id` and the former ids in `accepted_ids` make a stamp ours. `clock` is monotonic, in seconds."""

    def __init__(self, *, owner_id: str, accepted_ids: tuple[str, ...] = (), clock: Callable[[], float]) -> None:
        self._owner_id = owner_id
        self._accepted_ids = accepted_ids
        self._clock = clock
        self._trials: dict[Key, _Trial] = {}

    def marks(self, collection: MilvusCollection, want: Desired) -> dict[str, str]:
        """The properties of a collection of ours: stamp and record."""
        marks = stamp(self._owner(collection), uid=collection.metadata.uid, identities=want.identities)
        return {RECORD: written(declared(want)), **marks}

    def standing(self, collection: MilvusCollection, described: Description) -> Standing:
        return self.standing_of(self._owner(collection), described)

    def standing_of(self, owner: Owner, described: Description) -> Standing:
        return standing(described.schema.properties, owner, accepted_ids=self._accepted_ids)

    def is_ours(self, collection: MilvusCollection, described: Description) -> bool:
        return self.standing(collection, described) is Standing.OURS

    def heir(self, namespace: str, name: str) -> Owner:
        """Another object of this installation."""
        return Owner(self._owner_id, namespace, name)

    def may_see(
        self, collection: MilvusCollection, described: Description, connection: MilvusConnection, world: World
    ) -> bool:
        """Whether the reader of the object's status may be told what the collection is like. What another namespace
        owns is not there to be adopted, so that allowedAdoption does not show it.
        """
        match self.standing(collection, described):
            case Standing.OURS:
                return True
            case Standing.UNSTAMPED:
                return may_adopt(collection, connection, world)
            case Standing.OTHERS:
                return self._neighbour(collection, described) is not None

    def require_claim(self, case: Case, have: Observation, *, may_adopt: bool) -> None:
        """Raises Blocked unless it bears our stamp, or none and may be adopted. Whether it is the one that we know is
        the plan's matter.
        """
        collection, described = case.collection, have.description
        require_own_name(case.subject.want, described)
        match self.standing(collection, described):
            case Standing.OTHERS:
                self._trials.pop(collection.key, None)
                raise self.others(collection, described)
            case Standing.UNSTAMPED:
                _require_adoptable(collection, case.subject.want, have, may_adopt=may_adopt)

    def others(self, collection: MilvusCollection, described: Description) -> Blocked:
        owner = self._owner(collection)
        handed_over = f"annotation release-to: {owner.namespace}/{owner.name}"
        if other := self._neighbour(collection, described):
            whose, fix = f"MilvusCollection {other} of this namespace", f"hand it over by its {handed_over}"
        elif is_namesake(described.schema.properties, owner):
            whose = "an object of this name under another owner id"
            fix = "if that is a former id of this installation, start the operator with --accept-owner and that id"
        else:
            whose, fix = "another owner", f"have the owner hand it over by the {handed_over}"
        text = f"collection {described.name} belongs to {whose}; it is not touched: choose another spec.collectionName"
        return Blocked(Reason.OWNED_BY_OTHER, f"{text}, or {fix}", retry_after=OTHERS_AGAIN)

    def _neighbour(self, collection: MilvusCollection, described: Description) -> str | None:
        return neighbour(described.schema.properties, self._owner(collection), accepted_ids=self._accepted_ids)

    async def take(self, case: Case, have: Observation) -> tuple[Note, ...]:
        """After `require_claim`. Raises Blocked until the collection is ours to change: adopts it if it bears no stamp.
        What was created bears its stamp from the first moment.
        """
        collection, described = case.collection, have.description
        properties = described.schema.properties
        if self.standing(collection, described) is Standing.UNSTAMPED:
            marks = {**self.marks(collection, case.subject.want), ADOPTED: "true"}
            raise await self.write(
                case, have, marks, doing=f"adopting collection {described.name}", on=Standing.UNSTAMPED
            )
        is_fresh = ADOPTED in properties and collection.status.collection.owned_id is None
        if not is_fresh and collection.key not in self._trials:
            return ()
        self.require_lasting(collection.key, properties[OWNER], doing=f"adopting collection {described.name}")
        if properties.get(UID) != collection.metadata.uid:
            return ()
        return (Note("Adopted", f"collection {described.name} (id {described.id}) is this object's from now on"),)

    async def write(
        self, case: Case, have: Observation, marks: Mapping[str, str], *, doing: str, on: Standing
    ) -> Stamped:
        """Returns what the pass ends with, as the stamp has to be seen to stand. Raises Blocked, Stale or KubeError.

        on: what the collection must be to this object by a look directly before.
        """
        key, subject, stamped = case.collection.key, case.subject, marks[OWNER]
        trial = self._trials.get(key)
        if trial is None or trial.stamped != stamped:
            trial = self._trials[key] = _Trial(stamped)
        if trial.tries >= TRIES:
            del self._trials[key]
            text = f"{doing}: Milvus took the stamp and does not show it; without one nothing is changed"
            raise Blocked(Reason.UNSUPPORTED_SERVER, text, retry_after=OTHERS_AGAIN)
        await case.confirm()
        try:
            found = await subject.milvus.describe(subject.want.database, have.description.name)
            if found is None or not _is_same(found, have) or self.standing(case.collection, found) is not on:
                raise Stale(f"collection {have.description.name} is not the one that was decided on")
            trial.since = None
            await subject.milvus.alter_properties(subject.want.database, found.name, marks)
        except Unimplemented:
            text = (
                f"{doing}: this Milvus cannot alter the properties of a collection, where the owner is kept, so it is "
                "not touched; upgrade Milvus, or set adoptionPolicy: Observe"
            )
            raise Blocked(Reason.UNSUPPORTED_SERVER, text) from None
        except MilvusError as error:
            raise blocked_by(error, doing=doing) from None
        trial.since, trial.tries = self._clock(), trial.tries + 1
        return Stamped(doing, LASTING)

    def require_lasting(self, key: Key, stamped: str, *, doing: str) -> None:
        """Raises Blocked(Changing) until this stamp was seen to stand for two seconds."""
        trial = self._trials.get(key)
        if trial is None or trial.stamped.partition("/")[2] != stamped.partition("/")[2]:
            trial = self._trials[key] = _Trial(stamped)
        if trial.since is None:
            trial.since = self._clock()
        left = trial.since + LASTING - self._clock()
        if left > 0:
            raise Stamped(doing, left)
        del self._trials[key]

    def forget(self, key: Key) -> None:
        self._trials.pop(key, None)

    def _owner(self, collection: MilvusCollection) -> Owner:
        return Owner(self._owner_id, collection.namespace, collection.name)


def may_adopt(collection: MilvusCollection, connection: MilvusConnection, world: World) -> bool:
    """Whether the connection's allowedAdoption admits the namespace."""
    grant = connection.spec.allowed_adoption
    return admits(world, grant, collection.namespace, own_namespace=connection.namespace)


def require_own_name(want: Desired, described: Description) -> None:
    """Milvus describes the target of an alias. Raises Blocked."""
    if described.name != want.name:
        text = f"{want.name} is an alias of another collection in Milvus; set spec.collectionName to a free name"
        raise Blocked(Reason.NAME_IS_ALIAS, text, retry_after=OTHERS_AGAIN)


def _is_same(found: Description, have: Observation) -> bool:
    return (found.name, found.id) == (have.description.name, have.description.id)


def _require_adoptable(collection: MilvusCollection, want: Desired, have: Observation, *, may_adopt: bool) -> None:
    taken = f"collection {want.name} exists in Milvus and bears no stamp of this operator; it is not touched"
    if collection.spec.adoption_policy is not AdoptionPolicy.IF_MATCHING or not may_adopt:
        text = f"{taken}: set spec.collectionName to a free name"
        raise Blocked(Reason.NAME_TAKEN, text, retry_after=OTHERS_AGAIN)
    found = schema_differences(want.schema, have.description.schema)
    if against := tuple(d for d in found if not _can_be_added(d)):
        raise NotMatching(f"{taken}: it differs from the spec in {len(against)} place(s), see status", against)


def _can_be_added(difference: Difference) -> bool:
    """What is only missing follows by the plan, as in a collection of ours."""
    if difference.path == "description":
        return not difference.have
    return difference.path.startswith("properties[") and difference.have == ABSENT
