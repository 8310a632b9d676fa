"""What speaks for and against a drop: whose the collection is, who uses it, how many rows it has.

Nothing here changes anything but `count`, which loads what is not loaded: statistics are no evidence of emptiness.
"""

from milvus_embedding.api.annotations import DELETE_ADOPTED, RELEASE_TO
from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.clients.milvus.port import DatabaseNotFound, Milvus, MilvusError, Rejected
from milvus_embedding.controllers.collection.deletion.outcome import Again, Stays, held_up
from milvus_embedding.domain.ownership import ADOPTED, UID, Owner, Standing, standing
from milvus_embedding.domain.schema import Description, LoadState


def place_of(collection: MilvusCollection) -> str:
    return f"collection {collection.spec.database}.{collection.effective_collection_name}"


async def look(milvus: Milvus, collection: MilvusCollection) -> Description | None:
    """None if it is absent as far as one look can tell. Raises Blocked or MilvusError."""
    database, name = collection.spec.database, collection.effective_collection_name
    try:
        described = await milvus.describe(database, name)
        if described is not None:
            return described
        absent = database not in await milvus.list_databases() or name not in await milvus.list_collections(database)
    except DatabaseNotFound:
        absent = True
    if not absent:
        raise held_up(f"Milvus is of two minds whether {place_of(collection)} exists", retry_after=2)
    return None


def require_droppable(
    collection: MilvusCollection, found: Description, *, owner: Owner, accepted_ids: tuple[str, ...]
) -> None:
    """Raises Stays unless it is the collection that this object made."""
    place, known = place_of(collection), collection.status.collection.owned_id
    properties = found.schema.properties
    if found.name != collection.effective_collection_name:
        raise Stays(f"{place} is an alias of another collection")
    if standing(properties, owner, accepted_ids=accepted_ids) is not Standing.OURS:
        raise Stays(f"{place} does not bear the stamp of this object")
    if heir := collection.metadata.annotations.get(RELEASE_TO):
        raise Stays(f"{place} was to be handed over by the annotation {RELEASE_TO}: {heir[:80]}")
    if known and known != found.id:
        raise Stays(f"{place} is another one (id {found.id}) than this object had (id {known})")
    if not known and properties.get(UID) != collection.metadata.uid:
        raise Stays(f"{place} (id {found.id}) was made in an earlier life of this object")
    if properties.get(ADOPTED) and collection.metadata.annotations.get(DELETE_ADOPTED) != found.id:
        raise Stays(f"{place} was adopted; only with the annotation {DELETE_ADOPTED}: {found.id} it is dropped")
    if foreign := sorted(set(found.aliases) - set(collection.spec.aliases)):
        raise Stays(f"{place} is in use by alias {', '.join(foreign)[:80]}, which is not in spec.aliases")


async def require_empty(milvus: Milvus, collection: MilvusCollection) -> None:
    """Counts all rows at Strong, with every partition loaded. Raises Stays, Again, Blocked or MilvusError."""
    place = place_of(collection)
    state = await _load_state(milvus, collection)
    if state is LoadState.NOT_LOADED:
        await _load(milvus, collection)
        state = await _load_state(milvus, collection)
    if state is not LoadState.LOADED:
        raise held_up(f"{place} is being loaded, as its rows have to be counted", retry_after=1)
    if rows := await _count(milvus, collection):
        raise Stays(f"{place} has {rows} row(s), and spec.deletionPolicy is DeleteIfEmpty")


async def rows_if_loaded(milvus: Milvus, collection: MilvusCollection) -> int | None:
    """For telling only; None if it cannot be had without loading."""
    try:
        loaded = await _load_state(milvus, collection) is LoadState.LOADED
        return await _count(milvus, collection) if loaded else None
    except MilvusError:
        return None


async def _load(milvus: Milvus, collection: MilvusCollection) -> None:
    load = collection.spec.load
    database, name = collection.spec.database, collection.effective_collection_name
    try:
        await milvus.load(database, name, replicas=load.replicas, resource_groups=load.resource_groups)
    except Rejected as error:
        text = f"{place_of(collection)} cannot be loaded, so nothing tells whether it has rows ({error})"
        raise Stays(text) from None


async def _load_state(milvus: Milvus, collection: MilvusCollection) -> LoadState:
    database, name = collection.spec.database, collection.effective_collection_name
    partitions = await milvus.list_partitions(database, name)
    return await milvus.load_state(database, name, partitions=partitions)


async def _count(milvus: Milvus, collection: MilvusCollection) -> int:
    """Of all partitions by name: Milvus refuses that if one was released meanwhile. Raises Again or MilvusError."""
    database, name = collection.spec.database, collection.effective_collection_name
    partitions = await milvus.list_partitions(database, name)
    rows = await milvus.count_rows(database, name, partitions=partitions)
    if set(await milvus.list_partitions(database, name)) - set(partitions):
        raise Again(1)
    return rows
