"""Hand-over: the annotation `release-to` on the present owner makes another object of this installation the owner.

The owner writes the other one into the stamp, sees it stand, and changes nothing from then on. What follows is the new
owner's matter: to it the collection is its own, and nothing of it is compared before. So the heir has to ask for it: by
declaring the same collection with adoptionPolicy IfMatching (docs/adr/0012-an-heir-consents.md).
"""

from milvus_embedding.api.annotations import RELEASE_TO
from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.controllers.base import Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection import report
from milvus_embedding.controllers.collection.changing import Case
from milvus_embedding.controllers.collection.ownership import OTHERS_AGAIN, Ownership, may_adopt, require_own_name
from milvus_embedding.controllers.references import admits
from milvus_embedding.domain.annotation_values import released_to
from milvus_embedding.domain.ownership import OWNER, Owner, Standing
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.reasons import Reason

_DECLARATION = "the same connectionRef, database and collectionName with adoptionPolicy IfMatching"


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


async def hand_over(
    case: Case, have: Observed, heir: Owner, ownership: Ownership, connection: MilvusConnection
) -> Outcome:
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
    await case.world.confirm(_consenting(collection, heir, connection, case.world))
    raise await ownership.write(case, have, {OWNER: str(heir)}, doing=doing, on=Standing.OURS)


def _consenting(
    collection: MilvusCollection, heir: Owner, connection: MilvusConnection, world: World
) -> MilvusCollection:
    """The heir, if it would take the collection over. Raises Blocked: of another namespace always with the same words,
    as they must not tell whether there is such an object.
    """
    found = world.get(MilvusCollection, heir.namespace, heir.name)
    against = _against(collection, found) if found is not None else "there is none"
    if heir.namespace == collection.namespace:
        if found is None or against:
            raise _not_taken(collection, heir, f" ({against}): it has to declare {_DECLARATION}")
        return found
    if found is None or against or not _may_come_to(found, connection, world):
        grants = f"allowedNamespaces and allowedAdoption of connection {connection.name} have to admit {heir.namespace}"
        raise _not_taken(collection, heir, f": it has to declare {_DECLARATION}, and {grants}")
    return found


def _not_taken(collection: MilvusCollection, heir: Owner, why: str) -> Blocked:
    text = (
        f"annotation {RELEASE_TO}: no MilvusCollection {heir.namespace}/{heir.name} may take collection "
        f"{collection.effective_collection_name} over{why}; or correct or remove the annotation"
    )
    return Blocked(Reason.NOT_ALLOWED, text)


def _against(collection: MilvusCollection, heir: MilvusCollection) -> str:
    """In which field the heir says that it does not want this collection; empty if it does."""
    if heir.is_deleted:
        return "it is being deleted"
    if heir.spec.connection_ref.resolve(heir.namespace) != collection.spec.connection_ref.resolve(collection.namespace):
        return "its spec.connectionRef differs"
    if heir.spec.database != collection.spec.database:
        return "its spec.database differs"
    if heir.effective_collection_name != collection.effective_collection_name:
        return f"its collectionName is {heir.effective_collection_name}"
    if heir.spec.adoption_policy is not AdoptionPolicy.IF_MATCHING:
        return f"its spec.adoptionPolicy is {heir.spec.adoption_policy}"
    return ""


def _may_come_to(heir: MilvusCollection, connection: MilvusConnection, world: World) -> bool:
    """Whether the connection lets the heir's namespace have what was another one's."""
    used = admits(world, connection.spec.allowed_namespaces, heir.namespace, own_namespace=connection.namespace)
    return used and may_adopt(heir, connection, world)


def nothing_to_hand_over(collection: MilvusCollection) -> Blocked:
    text = (
        f"collection {collection.effective_collection_name} is not in Milvus: there is nothing to hand over, and "
        f"nothing is created while the annotation {RELEASE_TO} is there"
    )
    return Blocked(Reason.COLLECTION_NOT_FOUND, text, retry_after=OTHERS_AGAIN)
