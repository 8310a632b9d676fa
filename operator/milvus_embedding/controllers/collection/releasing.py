"""Hand-over: the annotation `release-to` on the present owner makes another object of this installation the owner.

The owner writes the other one into the stamp, sees it stand, and changes nothing from then on. What follows is the new
owner's matter: to it the collection is its own.
"""

from milvus_embedding.api.annotations import RELEASE_TO
from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.controllers.base import Outcome
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.changing import Case
from milvus_embedding.controllers.collection.ownership import OTHERS_AGAIN, Ownership, require_own_name
from milvus_embedding.domain.annotation_values import released_to
from milvus_embedding.domain.ownership import OWNER, Owner, Standing
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.reasons import Reason


def heir_of(collection: MilvusCollection, ownership: Ownership) -> Owner | None:
    """To whom the collection is to be handed over; None if nobody asks for it. Raises Blocked."""
    value = collection.metadata.annotations.get(RELEASE_TO, "").strip()
    if not value:
        return None
    place, observes = (collection.namespace, collection.name), collection.spec.adoption_policy is AdoptionPolicy.OBSERVE
    try:
        return ownership.heir(*released_to(value, place=place, observes=observes))
    except ValueError as error:
        raise Blocked(Reason.INVALID_SPEC, f"annotation {RELEASE_TO}: {error}") from None


async def hand_over(case: Case, have: Observed, heir: Owner, ownership: Ownership) -> Outcome:
    """One step of it. Raises Blocked, Stale or KubeError."""
    collection, described = case.collection, have.description
    require_own_name(case.subject.want, described)
    doing = f"handing collection {described.name} over to {heir.namespace}/{heir.name}"
    if ownership.standing_of(heir, described) is Standing.OURS:
        if not report.was_handed_over(collection):
            ownership.require_lasting(collection.key, described.schema.properties[OWNER], doing=doing)
        return Outcome(status=report.handed_over(collection, case.subject.want, have, f"{heir.namespace}/{heir.name}"))
    match ownership.standing(collection, described):
        case Standing.OTHERS:
            raise ownership.others(collection, described)
        case Standing.UNSTAMPED:
            text = f"collection {described.name} bears no stamp of this object, which therefore cannot hand it over"
            raise Blocked(Reason.NAME_TAKEN, f"{text}; remove the annotation {RELEASE_TO}", retry_after=OTHERS_AGAIN)
    if report.was_handed_over(collection):
        text = f"collection {described.name} came back after it was handed over: remove the annotation {RELEASE_TO}"
        raise Blocked(Reason.HANDED_BACK, text, retry_after=OTHERS_AGAIN)
    raise await ownership.write(case, have, {OWNER: str(heir)}, doing=doing, on=Standing.OURS)


def nothing_to_hand_over(collection: MilvusCollection) -> Blocked:
    text = (
        f"collection {collection.effective_collection_name} is not in Milvus: there is nothing to hand over, and "
        f"nothing is created while the annotation {RELEASE_TO} is there"
    )
    return Blocked(Reason.COLLECTION_NOT_FOUND, text, retry_after=OTHERS_AGAIN)
