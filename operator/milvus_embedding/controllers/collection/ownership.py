"""May this object touch what stands under its name? Answers by exception, before anything is changed."""

from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.compare import Difference, schema_differences
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.ownership import Owner, Standing, neighbour, standing
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import Observation

OTHERS_AGAIN = 30.0
"""Seconds: nothing tells that somebody dropped or renamed what stands in the way."""


class NotMatching(Blocked):
    """An unstamped collection that differs; `differences` may be shown."""

    def __init__(self, message: str, differences: tuple[Difference, ...]) -> None:
        super().__init__(Reason.NOT_MATCHING, message, retry_after=OTHERS_AGAIN)
        self.differences = differences


def require_ours(
    collection: MilvusCollection,
    want: Desired,
    have: Observation,
    *,
    owner: Owner,
    accepted_ids: tuple[str, ...],
    may_adopt: bool,
) -> None:
    """Raises Blocked unless the collection bears our stamp. Whether it is the one that we know is the plan's matter.

    may_adopt: whether the connection's allowedAdoption admits the namespace.
    """
    name, described = want.name, have.description
    if described.name != name:
        raise Blocked(
            Reason.NAME_IS_ALIAS,
            f"{name} is an alias of another collection in Milvus; set spec.collectionName to a free name",
            retry_after=OTHERS_AGAIN,
        )
    match standing(described.schema.properties, owner, accepted_ids=accepted_ids):
        case Standing.OTHERS:
            other = neighbour(described.schema.properties, owner)
            whose = f"MilvusCollection {other} of this namespace" if other else "another owner"
            text = f"collection {name} belongs to {whose}; it is not touched"
            raise Blocked(Reason.OWNED_BY_OTHER, text, retry_after=OTHERS_AGAIN)
        case Standing.UNSTAMPED:
            raise _unstamped(collection, want, have, may_adopt=may_adopt)


def _unstamped(collection: MilvusCollection, want: Desired, have: Observation, *, may_adopt: bool) -> Blocked:
    taken = f"collection {want.name} exists in Milvus and was not created by this operator; it is not touched"
    if collection.spec.adoption_policy is AdoptionPolicy.NEVER or not may_adopt:
        text = f"{taken}: set spec.collectionName to a free name"
        return Blocked(Reason.NAME_TAKEN, text, retry_after=OTHERS_AGAIN)
    differences = schema_differences(want.schema, have.description.schema)
    if differences:
        return NotMatching(f"{taken}: it differs from the spec in {len(differences)} place(s), see status", differences)
    return Blocked(
        Reason.NOT_SUPPORTED_YET,
        f"{taken}: it equals the spec, but adopting it is not supported by this version",
        retry_after=OTHERS_AGAIN,
    )
