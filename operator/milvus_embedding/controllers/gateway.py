"""From a connection object to a Milvus to talk to: address, user and certificates, kept until they change.

The connection's own controller refreshes what is kept here at each of its passes; the collections only use it.
"""

from collections.abc import Sequence

from milvus_embedding.api.connection import CaKind, MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusClients
from milvus_embedding.clients.milvus.target import Target, TlsFiles
from milvus_embedding.controllers.base import (
    SecretFailed,
    SecretForbidden,
    SecretFound,
    SecretMissing,
    SecretRead,
    World,
)
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.endpoints import check_endpoint
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.scrub import Scrubber

UNWATCHED_SECONDS = 4.0


class Gateway:
    """`allowed_endpoints` are the patterns of --allow-endpoint; none allows every address but link-local ones."""

    def __init__(self, clients: MilvusClients, scrubber: Scrubber, *, allowed_endpoints: Sequence[str] = ()) -> None:
        self._clients = clients
        self._scrubber = scrubber
        self._allowed = tuple(allowed_endpoints)
        self._targets: dict[Key, Target] = {}

    async def refresh(self, connection: MilvusConnection, world: World, uri: str) -> Milvus:
        """Reads the connection's Secrets anew. `uri` is where Milvus is now. Raises Blocked."""
        target = await self._target(connection, world, uri)
        self._targets[connection.key] = target
        return await self._clients.get(connection.key, target)

    async def client(self, connection: MilvusConnection, world: World) -> Milvus:
        """The client of a connection, as its last refresh left it. Raises Blocked."""
        target, uri = self._targets.get(connection.key), _address(connection)
        if target is None or target.uri != uri:
            return await self.refresh(connection, world, uri)
        return await self._clients.get(connection.key, target)

    async def kept(self, connection: Key) -> Milvus | None:
        """The same for what outlives a pass; None if there was no refresh. Reads nothing."""
        target = self._targets.get(connection)
        return await self._clients.get(connection, target) if target is not None else None

    async def drop(self, connection: Key) -> None:
        self._targets.pop(connection, None)
        await self._clients.forget(connection)

    def check(self, url: str, path: str) -> None:
        """Raises Blocked(EndpointNotAllowed) if the operator may not be sent to this address."""
        if (refusal := check_endpoint(url, self._allowed)) is not None:
            raise Blocked(Reason.ENDPOINT_NOT_ALLOWED, f"{path}: {refusal}")

    async def _target(self, connection: MilvusConnection, world: World, uri: str) -> Target:
        spec = connection.spec
        self.check(uri, "spec.uri" if spec.uri else "spec.milvusRef")
        user, password, token = await self._login(connection, world)
        tls = await _certificates(connection, world)
        try:
            return Target(
                uri=uri,
                user=user,
                password=password,
                token=token,
                tls=tls,
                timeout_seconds=spec.request_timeout_seconds,
            )
        except ValueError as error:
            raise Blocked(Reason.INVALID_SPEC, f"spec: {error}") from None

    async def _login(self, connection: MilvusConnection, world: World) -> tuple[str, str, str]:
        ref = connection.spec.auth_secret_ref
        if ref is None:
            return "", "", ""
        secret = found(await world.read_secret(connection.namespace, ref.name), "spec.authSecretRef", ref.name)
        values = {name: data.decode(errors="replace").strip() for name, data in secret.data.items()}
        user, password, token = (values.get(name, "") for name in ("username", "password", "token"))
        self._scrubber.learn(password, token)
        if token:
            return "", "", token
        if user and password:
            return user, password, ""
        raise Blocked(
            Reason.SECRET_KEY_MISSING,
            f"spec.authSecretRef: Secret {ref.name} has neither token nor username and password; add them",
        )


def _address(connection: MilvusConnection) -> str:
    """As the spec has it, or as the connection's own pass found it last. Raises Blocked."""
    uri = connection.spec.uri or connection.status.endpoint
    if not uri:
        text = f"MilvusConnection {connection.name} has not found out yet where its Milvus is, see its Ready"
        raise Blocked(Reason.MILVUS_NOT_READY, text)
    return uri


async def _certificates(connection: MilvusConnection, world: World) -> TlsFiles | None:
    tls = connection.spec.tls
    if tls is None:
        return None
    ca = certificate = key = None
    if (ref := tls.ca_ref) is not None:
        read = world.read_config_map if ref.kind is CaKind.CONFIG_MAP else world.read_secret
        source = found(await read(connection.namespace, ref.name), "spec.tls.caRef", ref.name, kind=str(ref.kind))
        ca = _entry(source, ref.key, "spec.tls.caRef", ref.name, kind=str(ref.kind))
    if (client := tls.client_certificate_secret_ref) is not None:
        path = "spec.tls.clientCertificateSecretRef"
        source = found(await world.read_secret(connection.namespace, client.name), path, client.name)
        certificate = _entry(source, "tls.crt", path, client.name)
        key = _entry(source, "tls.key", path, client.name)
    return TlsFiles(ca=ca, certificate=certificate, key=key, server_name=tls.server_name or "")


def found(read: SecretRead, path: str, name: str, *, kind: str = "Secret") -> SecretFound:
    """The Secret that was read, or why not. Raises Blocked with one of four reasons."""
    match read:
        case SecretFound():
            return read
        case SecretMissing():
            text = f"{path}: {kind} {name} does not exist in this namespace; create it"
            raise Blocked(Reason.SECRET_NOT_FOUND, text, retry_after=_again(kind))
        case SecretForbidden():
            raise Blocked(
                Reason.SECRET_FORBIDDEN,
                f"{path}: the operator may not get {kind} {name}; give its ServiceAccount get on it",
                retry_after=10,
            )
        case SecretFailed():
            raise Blocked(Reason.SECRET_UNREADABLE, f"{path}: {kind} {name}: {read.detail}", retry_after=2)


def _entry(source: SecretFound, key: str, path: str, name: str, *, kind: str = "Secret") -> bytes:
    value = source.data.get(key)
    if not value:
        text = f"{path}: {kind} {name} has no key {key}; add it"
        raise Blocked(Reason.SECRET_KEY_MISSING, text, retry_after=_again(kind))
    return value


def _again(kind: str) -> float | None:
    """Seconds: a Secret that changes wakes its readers, a ConfigMap is not watched."""
    return UNWATCHED_SECONDS if kind == CaKind.CONFIG_MAP else None
