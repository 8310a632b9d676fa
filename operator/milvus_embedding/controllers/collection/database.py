"""`createDatabase`: a database that is missing is made before the collection is. It is never dropped."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.clients.milvus.port import Milvus, MilvusError, PermissionDenied, Unimplemented
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.errors import blocked_by
from milvus_embedding.domain.reasons import Reason

T = TypeVar("T")


async def observed(collection: MilvusCollection, milvus: Milvus, observe: Callable[[], Awaitable[T]]) -> T:
    """What `observe` sees, in a database that may have to be made first. Raises Blocked.

    Not for an object that had a collection: its database was dropped, and an empty one would hide that.
    """
    try:
        return await observe()
    except Blocked as cause:
        missing = cause.reason is Reason.DATABASE_NOT_FOUND
        if not missing or not collection.spec.create_database or collection.status.collection.owned_id:
            raise
    database = collection.spec.database
    try:
        if not await _is_listed(milvus, database):
            await milvus.create_database(database)
    except MilvusError as error:
        raise blocked_by(error, doing=f"creating database {database}") from None
    return await observe()


async def _is_listed(milvus: Milvus, database: str) -> bool:
    """Another object may have made it meanwhile. Who may not list them finds out by creating."""
    try:
        return database in await milvus.list_databases()
    except (PermissionDenied, Unimplemented):
        return False
