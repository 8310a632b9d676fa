"""The rendered Secret itself: read fresh, not touched if it is not ours, written with the version that was read."""

from milvus_embedding.api.annotations import CONNECTION_LABEL
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.controllers.base import (
    SecretFailed,
    SecretForbidden,
    SecretFound,
    SecretMissing,
    SecretWrite,
    World,
    WriteRefused,
)
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection.rendering.composition import Composed
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import document, state

LONGEST_NAME = 63
"""Of a connection that delivers: its Secret bears the name as the value of a label."""

SIZE_LIMIT = 900 * 1024


async def read(connection: MilvusConnection, world: World) -> SecretFound | None:
    """None if it is not there. Raises Blocked if it cannot be read, or is not ours."""
    name = connection.secret_name or ""
    match await world.read_secret(connection.namespace, name):
        case SecretFound() as secret:
            _refuse_foreign(secret, connection)
            return secret
        case SecretMissing():
            return None
        case SecretForbidden():
            raise Blocked(
                Reason.RENDER_FAILED,
                f"the operator may not get Secret {name}; give its ServiceAccount get, create and update on it",
                retry_after=10,
            )
        case SecretFailed(detail):
            raise Blocked(Reason.RENDER_FAILED, f"Secret {name} cannot be read: {detail}", retry_after=2)


def remembered(present: SecretFound | None, secret_name: str) -> state.State:
    """What it remembers. Raises Blocked if that cannot be read."""
    try:
        return state.load(present.data.get(state.KEY) if present else None)
    except state.UnreadableState as error:
        raise Blocked(
            Reason.RENDER_FAILED,
            f"{error}; restore it, or delete that key of Secret {secret_name} to start anew: labels whose "
            "credential is gone are then lost",
        ) from None


async def write(connection: MilvusConnection, world: World, present: SecretFound | None, composed: Composed) -> None:
    """Only if anything differs. Raises Blocked."""
    if present is not None and dict(present.data) == dict(composed.data):
        return
    if composed.size > SIZE_LIMIT:
        raise Blocked(
            Reason.CONFIG_TOO_LARGE,
            f"it would have {composed.size // 1024} KiB, with room for {SIZE_LIMIT // 1024}: remove credentials",
        )
    write = SecretWrite(
        namespace=connection.namespace,
        name=connection.secret_name or "",
        labels={**(present.labels if present else {}), CONNECTION_LABEL: connection.name},
        data=composed.data,
        resource_version=present.resource_version if present else None,
    )
    try:
        await world.write_secret(write)
    except WriteRefused as error:
        raise Blocked(Reason.RENDER_FAILED, f"Secret {write.name} cannot be written: {error}", retry_after=10) from None


def refuse_long_name(connection: MilvusConnection) -> None:
    if len(connection.name) > LONGEST_NAME:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"metadata.name has {len(connection.name)} characters, and with spec.embedding {LONGEST_NAME} at most are "
            "possible, as the rendered Secret bears it as a label; use a shorter name",
        )


def _refuse_foreign(secret: SecretFound, connection: MilvusConnection) -> None:
    """A Secret is ours if it bears our label and holds nothing that somebody else put there."""
    name, bearer = connection.secret_name, secret.labels.get(CONNECTION_LABEL)
    if bearer != connection.name:
        told = f"belongs to connection {bearer}" if bearer else f"has no label {CONNECTION_LABEL}"
        raise Blocked(
            Reason.SECRET_NOT_OURS,
            f"Secret {name} exists and {told}; it is not touched: set spec.embedding.secretName to another name"
            + (
                f", or give it the label {CONNECTION_LABEL}: {connection.name} if it is meant for this"
                if not bearer
                else ""
            ),
        )
    foreign = sorted(set(secret.data) - {document.FILE_KEY, state.KEY, *document.VARIABLES})
    if foreign:
        raise Blocked(
            Reason.SECRET_NOT_OURS,
            f"Secret {name} holds other data ({', '.join(foreign)[:80]}); it is not touched: remove that data",
        )
