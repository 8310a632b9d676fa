"""adoptionPolicy Observe: what stands under the name is compared with the spec and told, and never changed.

A status tells only what its reader may know: what is not this object's is compared if it bears no stamp and the
connection's allowedAdoption admits the namespace, or if its owner is an object of the same one.
"""

import dataclasses

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.clients.milvus.port import MilvusError
from milvus_embedding.controllers.base import Outcome
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.absence import Absences
from milvus_embedding.controllers.collection.changing import Case, Changes
from milvus_embedding.controllers.collection.converge import Converge
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.controllers.collection.observe import look_around
from milvus_embedding.controllers.collection.ownership import OTHERS_AGAIN, Ownership, require_own_name
from milvus_embedding.domain.acts import is_unsettled
from milvus_embedding.domain.ownership import Standing
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.record import RECORD
from milvus_embedding.domain.reasons import Reason

SETTLING = 4.0


class Observing:
    """Looks, and does nothing else."""

    def __init__(self, *, converge: Converge, changes: Changes, absences: Absences, ownership: Ownership) -> None:
        self._converge = converge
        self._changes = changes
        self._absences = absences
        self._ownership = ownership

    async def look(self, case: Case, connection: MilvusConnection) -> Outcome:
        """Raises Blocked."""
        collection, subject = case.collection, case.subject
        have = await self._converge.observe(subject)
        if have is None:
            await self._absences.require_proof(collection, subject.milvus)
            text = f"collection {subject.want.name} is not in Milvus, and adoptionPolicy Observe creates nothing"
            raise Blocked(Reason.COLLECTION_NOT_FOUND, text, retry_after=OTHERS_AGAIN)
        self._absences.forget(collection.key)
        require_own_name(subject.want, have.description)
        if not self._ownership.may_see(collection, have.description, connection, case.world):
            cause = self._hidden(case, have, connection)
            return Outcome(status=report.unseen(collection, cause), requeue_after=OTHERS_AGAIN)
        have = await self._around(case, have)
        followed = dataclasses.replace(case, known_id=have.id, creating=False)
        decision = self._changes.decide(followed, have, None)
        draft = report.watched(collection, subject.want, have, decision, is_ours=case.is_ours(have.description))
        return Outcome(status=draft, requeue_after=SETTLING if is_unsettled(have) else None)

    def _hidden(self, case: Case, have: Observed, connection: MilvusConnection) -> Blocked:
        if self._ownership.standing(case.collection, have.description) is Standing.UNSTAMPED:
            return _not_allowed(case, connection)
        text = (
            f"collection {case.subject.want.name} belongs to another namespace or installation: only objects of its "
            "owner's namespace may observe it; declare the observing object there"
        )
        return Blocked(Reason.NOT_ALLOWED, text)

    async def _around(self, case: Case, have: Observed) -> Observed:
        subject = case.subject
        try:
            seen = await look_around(subject.milvus, subject.want, have, is_ours=case.is_ours)
        except MilvusError as error:
            raise blocked_by(error, doing=f"looking at collection {have.name}") from None
        return seen if case.is_ours(have.description) else _without_record(seen)


def _without_record(have: Observed) -> Observed:
    """What another owner declared is not what this object declared before."""
    properties = {key: value for key, value in have.schema.properties.items() if key != RECORD}
    return have.with_schema(dataclasses.replace(have.schema, properties=properties))


def _not_allowed(case: Case, connection: MilvusConnection) -> Blocked:
    text = (
        f"collection {case.subject.want.name} bears no stamp: to compare it, allowedAdoption of connection "
        f"{connection.name} has to admit namespace {case.collection.namespace}"
    )
    return Blocked(Reason.NOT_ALLOWED, text)
