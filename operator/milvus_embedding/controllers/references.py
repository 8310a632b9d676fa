"""Following references, under the grants of the objects referred to.

Across namespaces an object without a grant answers the same whether it exists or not. Objects that the reader named
itself may be named back to it.
"""

from collections.abc import Callable

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.model import EMPTY_MAP
from milvus_embedding.api.references import Grant, GrantFrom, ObjectRef
from milvus_embedding.controllers.base import T, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason

_NOT_FOUND = {
    MilvusConnection: Reason.CONNECTION_NOT_FOUND,
    EmbeddingCredential: Reason.CREDENTIAL_NOT_FOUND,
    EmbeddingFunction: Reason.FUNCTION_NOT_FOUND,
}


def follow(
    world: World,
    kind: type[T],
    ref: ObjectRef,
    *,
    path: str,
    holder: str,
    reader: str | None = None,
    grant: Callable[[T], Grant | None],
) -> T:
    """The object that `ref` means. Raises Blocked with NotAllowed or a not-found reason.

    path: the field, for the message. holder: the namespace of the object that bears the reference. reader: the
    namespace that needs the grant, the holder's if None. grant: the grant that applies, None where there is none.
    """
    namespace, name = ref.resolve(holder)
    asking = reader or holder
    found = world.get(kind, namespace, name)
    if asking != namespace and not _granted(world, found, grant, asking):
        raise Blocked(
            Reason.NOT_ALLOWED,
            f"{path}: namespace {asking} may not use {kind.KIND} {namespace}/{name}, "
            f"or there is none; its allowedNamespaces has to admit {asking}",
        )
    if found is None:
        raise Blocked(
            _NOT_FOUND.get(kind, Reason.NOT_ALLOWED), f"{path}: there is no {kind.KIND} {name} in namespace {namespace}"
        )
    return found


def _granted(world: World, found: T | None, grant: Callable[[T], Grant | None], asking: str) -> bool:
    if found is None:
        return False
    given = grant(found)
    return given is not None and admits(world, given, asking, own_namespace=found.namespace)


def admits(world: World, grant: Grant, namespace: str, *, own_namespace: str) -> bool:
    """Whether the grant of an object in `own_namespace` admits another one. Who asked a selector is woken when the
    labels of `namespace` change.
    """
    by_labels = grant.from_ is GrantFrom.SELECTOR and namespace != own_namespace
    known = world.namespace_labels(namespace) if by_labels else EMPTY_MAP
    return grant.allows(namespace, own_namespace=own_namespace, namespace_labels=known)


def connection_for_collections(world: World, ref: ObjectRef, *, holder: str) -> MilvusConnection:
    """The connection of a collection."""
    return follow(
        world,
        MilvusConnection,
        ref,
        path="spec.connectionRef",
        holder=holder,
        grant=lambda c: c.spec.allowed_namespaces,
    )


def connection_for_credentials(world: World, ref: ObjectRef, *, holder: str) -> MilvusConnection:
    """The connection of a credential: the grant is the one of `embedding`."""
    return follow(
        world,
        MilvusConnection,
        ref,
        path="spec.connectionRef",
        holder=holder,
        grant=lambda c: c.spec.embedding.allowed_namespaces if c.spec.embedding else None,
    )
