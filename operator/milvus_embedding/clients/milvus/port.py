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
    ├── RateLimited            Milvus' own limit; nothing happened
    ├── ProviderFailed         the live check of an embedding function failed (`cause` tells how)
    └── Rejected               Milvus refused the request (code and text)
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.domain.schema import Description, Index, LoadState, Schema


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

    async def load_state(self, database: str, name: str) -> LoadState: ...

    async def alias_target(self, database: str, alias: str) -> str | None:
        """The collection that an alias points to, None if there is no such alias."""

    # Calls that change something.
    async def create_collection(self, database: str, name: str, schema: Schema) -> None:
        """CreateCollection alone: no index, no load. Runs the live check of every embedding function."""

    async def create_partition(self, database: str, name: str, partition: str) -> None: ...

    async def create_index(self, database: str, name: str, index: Index) -> None:
        """Starts the build and returns; list_indexes tells when it has finished."""

    async def load(self, database: str, name: str, *, replicas: int, resource_groups: Sequence[str]) -> None:
        """Starts loading and returns; load_state tells when it has finished."""

    async def create_alias(self, database: str, name: str, alias: str) -> None: ...

    async def close(self) -> None:
        """Closes the connection; no other method may be called afterwards."""


class MilvusClients(Protocol):
    """One client per connection, replaced when its target changes."""

    async def get(self, connection: Key, target: Target) -> Milvus:
        """Does no I/O. The former client is closed once its calls have ended."""

    async def forget(self, connection: Key) -> None:
        """Closes the client of a connection that is gone."""
