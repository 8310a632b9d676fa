"""What controllers need of a Milvus, and the ways it can fail.

Every method is one external call with a deadline. Messages in errors are scrubbed and short. A call that raises
`OutcomeUnknown` may have happened or may still happen: the next describe decides, never the error.

    MilvusError
    ├── Unreachable            no connection; nothing happened
    ├── AuthenticationFailed   the server refused user, password or token
    ├── PermissionDenied       the user lacks a privilege
    ├── Unimplemented          this server has no such call
    ├── OutcomeUnknown         deadline passed in the middle of the call
    │   └── ConnectionLost     the connection broke in the middle of the call
    ├── DatabaseNotFound
    ├── ReadOnly               the operator runs with --read-only; nothing was sent
    ├── NotLeading             this process lost the lease; nothing was sent
    ├── RateLimited            Milvus' own limit; nothing happened
    ├── ProviderFailed         the live check of an embedding function failed (`cause` tells how)
    └── Rejected               Milvus refused the request (code and text)
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.domain.schema import Description, Field, Function, Index, LoadState, Schema

NOT_FOUND = 100
"""The code of a Rejected call whose collection is not there."""
NOT_LOADED = frozenset({101, 201})
"""Codes of a Rejected count or search: the collection, or a partition, is not loaded."""


class MilvusError(Exception):
    """Base. `str()` is fit for a condition's message."""


class Unreachable(MilvusError):
    """No connection to the server; nothing happened."""


class AuthenticationFailed(MilvusError):
    """User name, password or token were refused."""


class PermissionDenied(MilvusError):
    """The user lacks a privilege for this call."""


class Unimplemented(MilvusError):
    """The server does not know this call."""


class OutcomeUnknown(MilvusError):
    """The call may have happened, or may still happen."""


class ConnectionLost(OutcomeUnknown):
    """The connection broke in the middle of a call: the server, or what is in front of it, went away."""


class DatabaseNotFound(MilvusError):
    """The database is not there (never raised for a missing collection)."""


class ReadOnly(MilvusError):
    """The operator runs with --read-only; nothing was sent."""


class NotLeading(MilvusError):
    """This process lost the lease, and another one may act by now; nothing was sent."""


class RateLimited(MilvusError):
    """Milvus' own rate limit; nothing happened."""


class ProviderCause(StrEnum):
    """Why an embedding function's live check failed, as far as Milvus' text tells."""

    KEY_NOT_FOUND = "KeyNotFound"  # "can not find key", "Missing credentials config"
    KEY_REJECTED = "KeyRejected"  # the provider answered 401
    DIMENSION = "Dimension"  # the model's vectors have another length than the field
    RATE_LIMITED = "RateLimited"  # the provider answered 429
    MODEL = "Model"  # the provider answered 400 or 404 about the model or a parameter
    DISABLED = "Disabled"  # the provider is disabled in milvus.yaml
    OTHER = "Other"


class ProviderFailed(MilvusError):
    """The live check of an embedding function failed; nothing was created."""

    def __init__(self, message: str, cause: ProviderCause) -> None:
        super().__init__(message)
        self.cause = cause


class Rejected(MilvusError):
    """Milvus refused the request; nothing happened. `code` is Milvus' number."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Milvus(Protocol):
    """One Milvus server, as one user. Methods may raise any MilvusError."""

    async def server_version(self) -> str:
        """As the server tells it, for instance v2.6.9 or milvus_lite-3.2.2. Passes an open breaker: it is the probe."""

    async def list_databases(self) -> Sequence[str]: ...

    async def list_collections(self, database: str) -> Sequence[str]: ...

    async def describe(self, database: str, name: str) -> Description | None:
        """None if there is neither a collection nor an alias of that name. Raises DatabaseNotFound."""

    async def list_indexes(self, database: str, name: str) -> Sequence[Index]:
        """All indexes with their parameters and `finished`."""

    async def list_partitions(self, database: str, name: str) -> Sequence[str]: ...

    async def list_aliases(self, database: str, name: str) -> Sequence[str]: ...

    async def load_state(self, database: str, name: str, *, partitions: Sequence[str] = ()) -> LoadState:
        """Without `partitions` Milvus says Loaded while some partition is not; with all of their names it tells the
        truth: Loaded only if every one of them is.
        """

    async def count_rows(self, database: str, name: str, *, partitions: Sequence[str] = ()) -> int:
        """By count(*) at consistency Strong, of `partitions` or of those that are loaded: it is the number of all
        rows only if `load_state` with all partitions says Loaded. Rejected with NOT_LOADED if the collection is not
        loaded, or a partition that is named. Never the statistics, which are no evidence.
        """

    async def estimate_rows(self, database: str, name: str, *, partition: str | None = None) -> int:
        """Of the collection or of one partition, by the server's statistics, whether it is loaded or not. An estimate:
        deleted rows may be counted, new ones not. Good for telling what something costs, never as evidence.
        """

    async def list_replicas(self, database: str, name: str) -> Sequence[str]:
        """The resource group of each replica, sorted; empty if the collection is not loaded."""

    async def list_resource_groups(self) -> Sequence[str]: ...

    async def alias_target(self, database: str, alias: str) -> str | None:
        """The collection that an alias points to, None if there is no such alias."""

    # Calls that change something. Those that name a collection take an alias for it as well: describe first.
    async def create_database(self, database: str) -> None:
        """Refused if it is there already."""

    async def create_collection(self, database: str, name: str, schema: Schema) -> None:
        """CreateCollection alone: no index, no load. Runs the live check of every embedding function."""

    async def create_partition(self, database: str, name: str, partition: str) -> None: ...

    async def drop_partition(self, database: str, name: str, partition: str) -> None:
        """Drops it with its rows; one that is not there changes nothing. It has to be released before."""

    async def create_index(self, database: str, name: str, index: Index) -> None:
        """Starts the build and returns; list_indexes tells when it has finished."""

    async def alter_index(self, database: str, name: str, index: str, params: Mapping[str, str]) -> None:
        """Sets parameters that need no other index (mmap.enabled, warmup). Only while the collection is released."""

    async def drop_index_params(self, database: str, name: str, index: str, keys: Sequence[str]) -> None:
        """The counterpart of alter_index: back to the server's default."""

    async def drop_index(self, database: str, name: str, index: str) -> None:
        """Rows stay. One that is not there changes nothing. An index of a vector needs the collection released."""

    async def load(self, database: str, name: str, *, replicas: int, resource_groups: Sequence[str]) -> None:
        """Starts loading and returns; load_state tells when it has finished. All partitions are loaded."""

    async def release(self, database: str, name: str) -> None:
        """Out of memory: searches and queries fail until it is loaded again. Rows and indexes stay."""

    async def release_partitions(self, database: str, name: str, partitions: Sequence[str]) -> None:
        """The same for some partitions: from now on searches leave them out without a word."""

    async def create_alias(self, database: str, name: str, alias: str) -> None: ...

    async def alter_alias(self, database: str, name: str, alias: str) -> None:
        """Moves an alias that exists from whatever it points to, in one step. Inserts under way may land there yet."""

    async def drop_alias(self, database: str, alias: str) -> None:
        """Clients that use it fail from now on. One that is not there changes nothing."""

    async def alter_properties(self, database: str, name: str, properties: Mapping[str, str]) -> None:
        """Sets these properties of the collection and leaves the others; `collection.description` and
        `consistency_level` set these two. A TTL expires rows that are there; `dynamicfield.enabled` has to come alone.
        """

    async def drop_properties(self, database: str, name: str, keys: Sequence[str]) -> None:
        """Back to the server's defaults; a key that is not set changes nothing."""

    async def alter_field(self, database: str, name: str, field: str, params: Mapping[str, str]) -> None:
        """Sets max_length, max_capacity, mmap.enabled, warmup or `field.description`. Nobody looks at stored values."""

    async def drop_field_params(self, database: str, name: str, field: str, keys: Sequence[str]) -> None:
        """The counterpart of alter_field for mmap.enabled and warmup."""

    async def add_field(self, database: str, name: str, field: Field) -> None:
        """A nullable field; rows that are there have its default or null. There is no way back before 3.0."""

    async def drop_field(self, database: str, name: str, field: str) -> None:
        """Drops it with its values in every row (3.0 and newer)."""

    async def add_function(self, database: str, name: str, function: Function) -> None:
        """On a vector field that is there and that no function fills (2.6.7 to 2.6.x). Runs its live check; rows that
        are there keep their vectors.
        """

    async def add_function_field(
        self, database: str, name: str, function: Function, *, field: Field, index: Index
    ) -> None:
        """A BM25 function with its output field and that field's index, in one call (3.0 and newer). The input is
        there, not nullable and analyzed. Rows that are there get their vectors by and by, as Milvus compacts.
        """

    async def alter_function(self, database: str, name: str, function: Function) -> None:
        """Replaces the function of that name as a whole (2.6.7 and newer). Runs the live check, before 2.6.9 that of
        every function of the collection. No row is embedded anew: another model would mix two vector spaces. 3.0 and
        newer compare parameters as exact strings and take other connection parameters only.
        """

    async def drop_function(self, database: str, name: str, function: str) -> None:
        """The field stays with its vectors, as a plain one (2.6.7 to 2.6.x). One that is not there changes nothing."""

    async def drop_function_field(self, database: str, name: str, function: str) -> None:
        """Drops the function, its output field with all vectors, and its index (3.0 and newer)."""

    async def rename_collection(self, database: str, name: str, new: str) -> None:
        """Within the database; refused if the new name is taken. Aliases stay with the collection."""

    async def drop_collection(self, database: str, name: str) -> None:
        """Drops it with all that it holds; of a name that is not there it changes nothing.

        Milvus goes by the name alone: never call this without a describe directly before that shows this very name
        (not an alias), our stamp and no alias on it, and never to make something fit that differs.
        """

    async def close(self) -> None:
        """Closes the connection; no other method may be called afterwards."""


class MilvusClients(Protocol):
    """One client per connection, replaced when its target changes."""

    async def get(self, connection: Key, target: Target) -> Milvus:
        """Does no I/O. The former client is closed once its calls have ended."""

    async def forget(self, connection: Key) -> None:
        """Closes the client of a connection that is gone."""
