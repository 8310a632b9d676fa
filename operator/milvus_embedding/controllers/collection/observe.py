"""Gathers a collection with everything around it. Calls that do not need each other run at the same time."""

import asyncio

from milvus_embedding.clients.milvus.port import Milvus
from milvus_embedding.domain.schema import Observation


async def observe(milvus: Milvus, database: str, name: str) -> Observation | None:
    """None if there is neither a collection nor an alias of that name. Raises MilvusError."""
    described = await milvus.describe(database, name)
    if described is None:
        return None
    indexes, partitions, load = await asyncio.gather(
        milvus.list_indexes(database, described.name),
        milvus.list_partitions(database, described.name),
        milvus.load_state(database, described.name),
    )
    return Observation(
        description=described,
        indexes=tuple(indexes),
        partitions=tuple(partitions),
        aliases=tuple(described.aliases),
        load=load,
    )


async def is_absent(milvus: Milvus, database: str, name: str) -> bool:
    """One look that proves absence as far as one look can: the database is there, and the name is not in it."""
    if database not in await milvus.list_databases():
        return False
    return name not in await milvus.list_collections(database)
