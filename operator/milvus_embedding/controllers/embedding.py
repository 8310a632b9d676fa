"""From a function's declaration to a model and a label, under every grant on the way.

A grant is not transitive: who uses another namespace's function needs the grant of that function's credential too.
"""

from collections.abc import Sequence

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import LabelState, LabelStatus, MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import DashscopeModelSpec, EmbeddingFunction
from milvus_embedding.api.references import ObjectRef
from milvus_embedding.api.schema import CollectionFunctionSpec
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.eligibility import is_environment, label_of, sees_delivery, shows_all_labels
from milvus_embedding.controllers.references import follow
from milvus_embedding.domain.catalogue import EffectiveModel, ModelError, resolve
from milvus_embedding.domain.desired import ResolvedEmbedding
from milvus_embedding.domain.reasons import Reason


def effective_model(spec: DashscopeModelSpec, *, path: str) -> EffectiveModel:
    """Raises Blocked(InvalidSpec)."""
    try:
        return resolve(spec.model, spec.dim, allow_unlisted=spec.allow_unlisted)
    except ModelError as error:
        raise Blocked(Reason.INVALID_SPEC, f"{path}: {error}") from None


def credential_of(
    world: World, ref: ObjectRef, *, path: str, holder: str, reader: str | None = None
) -> EmbeddingCredential:
    """Raises Blocked."""
    return follow(
        world,
        EmbeddingCredential,
        ref,
        path=path,
        holder=holder,
        reader=reader,
        grant=lambda c: c.spec.allowed_namespaces,
    )


def embeddings(
    collection: MilvusCollection, connection: MilvusConnection, world: World
) -> dict[str, ResolvedEmbedding]:
    """What each text embedding function of a collection comes to. Raises Blocked for the first that does not."""
    return {
        function.name: _embedding(function, collection, connection, world)
        for function in collection.spec.functions
        if function.text_embedding is not None
    }


def require_delivered(function: str, collection: MilvusCollection, connection: MilvusConnection, world: World) -> None:
    """Raises Blocked while the key of a function is known not to be in Milvus: altering it would fail, or worse."""
    for one in collection.spec.functions:
        if one.name == function and one.text_embedding is not None:
            _embedding(one, collection, connection, world, must_have_come=True)


def _embedding(
    function: CollectionFunctionSpec,
    collection: MilvusCollection,
    connection: MilvusConnection,
    world: World,
    *,
    must_have_come: bool = False,
) -> ResolvedEmbedding:
    path, holder = f"spec.functions[{function.name}].textEmbedding", collection.namespace
    declared = function.text_embedding
    spec = declared.dashscope if declared is not None else None
    if declared is not None and declared.function_ref is not None:
        referred = follow(
            world,
            EmbeddingFunction,
            declared.function_ref,
            path=f"{path}.functionRef",
            holder=holder,
            grant=lambda f: f.spec.allowed_namespaces,
        )
        spec, holder = referred.spec.dashscope, referred.namespace
    if spec is None:
        raise Blocked(Reason.INVALID_SPEC, f"{path}: set functionRef or dashscope")
    model = effective_model(spec, path=path)
    is_new = collection.status.collection.id is None or must_have_come
    if spec.credential_ref is None:
        _require_default_key(connection, world, path, is_new=is_new)
        return ResolvedEmbedding(model, None)
    credential = _usable(spec.credential_ref, collection, world, path=f"{path}.credentialRef", holder=holder)
    named = collection.namespace in (holder, credential.namespace)
    label = _label(credential, connection, path, reader=collection.namespace, named=named, is_new=is_new)
    if is_new and not _has_come(credential, connection):
        called = f"EmbeddingCredential {credential.name}" if named else "the credential of this function"
        text = f"{path}: waiting for {called} ({Reason.NOT_DELIVERED}: {_on_its_way(connection)})"
        raise Blocked(Reason.CREDENTIAL_NOT_READY, text)
    return ResolvedEmbedding(model, label)


def _has_come(credential: EmbeddingCredential, connection: MilvusConnection) -> bool:
    """Whether Milvus is known to have a key of this credential, or nobody can know. A former one will do: Milvus
    embeds with it until the next one has come.
    """
    if credential.spec.external is not None or not sees_delivery(connection):
        return True
    for entry in connection.status.labels:
        if _belongs_to(entry, credential.namespace, credential.name):
            return entry.rotation.delivered_generation is not None
    return credential.status.rotation.delivered_generation is not None


def _on_its_way(connection: MilvusConnection) -> str:
    told = connection.status.condition("ConfigDelivered")
    known = told is not None and told.status != "True" and told.reason != Reason.NOT_DELIVERED
    why = f", {told.reason}" if told is not None and known else ""
    return f"it is rendered, and not known to be in all pods of Milvus yet{why}"


def _require_default_key(connection: MilvusConnection, world: World, path: str, *, is_new: bool) -> None:
    """A function without a credential spends the provider's default key, where the connection names one."""
    ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
    if ref is None:
        return
    default = world.get(EmbeddingCredential, connection.namespace, ref.name)
    if default is not None and default.spec.external is not None:
        return
    shown = [entry for entry in connection.status.labels if _belongs_to(entry, connection.namespace, ref.name)]
    if is_new and sees_delivery(connection) and not _has_come_by_default(shown, default):
        raise Blocked(
            Reason.CREDENTIAL_NOT_READY,
            f"{path}: waiting for the default key of connection {connection.name} "
            f"({Reason.NOT_DELIVERED}: {_on_its_way(connection)})",
        )
    if shown:
        return
    if default is None or not _says_it_is_rendered(default, connection):
        raise Blocked(
            Reason.CREDENTIAL_NOT_READY,
            f"{path}: waiting for the default key of connection {connection.name}, which is not rendered yet",
        )


def _has_come_by_default(shown: Sequence[LabelStatus], default: EmbeddingCredential | None) -> bool:
    rotations = [entry.rotation for entry in shown] or ([default.status.rotation] if default is not None else [])
    return any(rotation.delivered_generation is not None for rotation in rotations)


def _usable(
    ref: ObjectRef, collection: MilvusCollection, world: World, *, path: str, holder: str
) -> EmbeddingCredential:
    """The collection's namespace needs the credential's grant, and so does the function's. The collection's is asked
    for first: without it the answer is the same whether or not there is such a credential.
    """
    try:
        credential_of(world, ref, path=path, holder=holder, reader=collection.namespace)
        return credential_of(world, ref, path=path, holder=holder)
    except Blocked as blocked:
        if holder == collection.namespace:
            raise
        # The reader named the function, not what the function refers to.
        raise Blocked(
            blocked.reason,
            f"{path}: the credential of this function cannot be used from namespace {collection.namespace}: it has to "
            "be there, and its allowedNamespaces has to admit the namespaces of function and collection",
        ) from None


def _label(
    credential: EmbeddingCredential, connection: MilvusConnection, path: str, *, reader: str, named: bool, is_new: bool
) -> str:
    """`named`: the reader named the credential itself, so it may be named back."""
    called = f"EmbeddingCredential {credential.name}" if named else "the credential of this function"
    if credential.spec.connection_ref.resolve(credential.namespace) != (connection.namespace, connection.name):
        raise Blocked(
            Reason.CREDENTIAL_OF_OTHER_CONNECTION,
            f"{path}: {called} belongs to another MilvusConnection than the collection",
        )
    if is_environment(connection):
        raise Blocked(
            Reason.LABEL_IN_ENVIRONMENT,
            f"{path}: delivery of connection {connection.name} is Environment, which has no labels; "
            "leave credentialRef out",
        )
    try:
        label = label_of(credential, connection)
    except Blocked as blocked:
        text = f"{path}: waiting for {called} ({blocked.reason})"
        raise Blocked(Reason.CREDENTIAL_NOT_READY, text) from None
    if credential.spec.external is None and not _is_rendered(credential, connection, label, is_new=is_new):
        why = _why_not_ready(credential, reader)
        raise Blocked(Reason.CREDENTIAL_NOT_READY, f"{path}: waiting for {called}{why}")
    return label


def _why_not_ready(credential: EmbeddingCredential, reader: str) -> str:
    """Its reason; the whole message only for readers of its own namespace."""
    ready = credential.status.condition("Ready")
    if ready is None or ready.status == "True":
        return ""
    return f" ({ready.reason}: {ready.message})" if credential.namespace == reader else f" ({ready.reason})"


def _is_rendered(credential: EmbeddingCredential, connection: MilvusConnection, label: str, *, is_new: bool) -> bool:
    """A label that is Retained is good enough for what runs: its grant may have been withdrawn, or its key be lost."""
    shown = any(
        entry.label == label
        and not (is_new and entry.state is LabelState.RETAINED)
        and _belongs_to(entry, credential.namespace, credential.name)
        for entry in connection.status.labels
    )
    return shown or _says_it_is_rendered(credential, connection)


def _says_it_is_rendered(credential: EmbeddingCredential, connection: MilvusConnection) -> bool:
    """Where the connection has more labels than its status shows, the credential itself has looked."""
    delivered = credential.status.condition("Delivered")
    return not shows_all_labels(connection) and delivered is not None and delivered.status != "False"


def _belongs_to(entry: LabelStatus, namespace: str, name: str) -> bool:
    """Rendered now for this credential, or still for it."""
    owner = entry.credential
    return (
        entry.state is not LabelState.RELEASED
        and owner is not None
        and (owner.namespace, owner.name) == (namespace, name)
    )
