"""What the two halves of the adapter share: sending one request, and telling a missing database from a missing
collection.

Knows the protocol's messages only as far as that; which RPC means what is in reads.py and changes.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from milvus_embedding.clients.milvus.connection import Connection
from milvus_embedding.clients.milvus.port import DatabaseNotFound, PermissionDenied, ReadOnly, Rejected, Unimplemented
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.target import Target

DEFAULT_DATABASE = "default"
_INVALID_PARAMETER = 1100
R = TypeVar("R")


class Rpc:
    """One server as one user."""

    def __init__(self, target: Target, connection: Connection, *, read_only: bool = False) -> None:
        """read_only: calls that change something are not sent."""
        self.target = target
        self._connection = connection
        self._read_only = read_only

    async def _read(self, method: str, request: object, database: str, response_type: type[R]) -> R:
        response = await self._connection.call(method, request, database=database or self.target.database)
        if not isinstance(response, response_type):
            raise TypeError(f"{method} answered with {type(response).__name__}")
        return response

    async def _change(self, method: str, request: object, database: str) -> None:
        if self._read_only:
            raise ReadOnly(f"{method} is not sent, as the operator runs with --read-only")
        await self._connection.call(method, request, database=database, changing=True)

    async def _databases(self) -> tuple[str, ...]:
        pb = await load()
        request = pb.milvus.ListDatabasesRequest()
        response = await self._read("ListDatabases", request, "", pb.milvus.ListDatabasesResponse)
        return tuple(sorted(response.db_names))

    async def _collections(self, database: str) -> tuple[str, ...]:
        pb = await load()
        request = pb.milvus.ShowCollectionsRequest(db_name=database)
        response = await self._read("ShowCollections", request, database, pb.milvus.ShowCollectionsResponse)
        return tuple(sorted(response.collection_names))

    async def _check_database(self, database: str) -> None:
        """Some servers say "collection not found" of a database that does not exist. Who may not list databases learns
        it by listing the collections in it; who may not do that either is believed.
        """
        if database in ("", DEFAULT_DATABASE):
            return
        try:
            databases = await self._databases()
        except (PermissionDenied, Unimplemented):
            with suppress(PermissionDenied, Unimplemented):
                await self._collections(database)
            return
        if database not in databases:
            raise DatabaseNotFound(f"The database {database} does not exist in Milvus at {self.target.uri}.")


@contextmanager
def refusing() -> Iterator[None]:
    """What cannot be said in Milvus' protocol is Rejected as Milvus would, and nothing is sent."""
    try:
        yield
    except ValueError as error:
        raise Rejected(str(error), _INVALID_PARAMETER) from None


def named(name: str, what: str) -> str:
    """Guards calls for which an empty name means everything (DropIndex drops all indexes of a collection)."""
    if not name:
        raise Rejected(
            f"The {what} has no name; nothing was sent, as Milvus would take all of them.", _INVALID_PARAMETER
        )
    return name
