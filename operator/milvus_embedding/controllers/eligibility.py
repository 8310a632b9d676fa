"""Which credentials a connection renders, and under which label: one rule, used by both controllers."""

from collections.abc import Iterable, Mapping

from milvus_embedding.api.connection import Delivery, MilvusConnection, RolloutStrategy
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.references import connection_for_credentials
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.domain import labels
from milvus_embedding.domain.reasons import Reason

LABELS_SHOWN = 500
"""The most entries of a connection's status.labels; with as many, the label of a credential may not be among them."""


def owner_of(credential: EmbeddingCredential) -> str:
    """namespace/name, as the rendered Secret remembers it."""
    return f"{credential.namespace}/{credential.name}"


def credential_key(owner: str) -> Key:
    """The other way round: the credential that an `owner_of` means."""
    namespace, _, name = owner.partition("/")
    return Key(EmbeddingCredential.KIND, namespace, name)


def connection_of(credential: EmbeddingCredential, world: World) -> MilvusConnection:
    """The connection of this credential, which renders its key unless that is kept outside. Raises Blocked."""
    refuse_unsupported(credential)
    connection = connection_for_credentials(world, credential.spec.connection_ref, holder=credential.namespace)
    if connection.spec.embedding is None and credential.spec.external is None:
        raise Blocked(
            Reason.EMBEDDING_NOT_CONFIGURED,
            f"spec.connectionRef: MilvusConnection {connection.name} has no spec.embedding and delivers no keys; "
            "add an embedding block to it",
        )
    return connection


def label_of(credential: EmbeddingCredential, connection: MilvusConnection) -> str:
    """The label of a credential. Raises Blocked(LabelNotAllowed)."""
    label = labels.effective(
        credential.spec.label,
        namespace=credential.namespace,
        name=credential.name,
        connection_namespace=connection.namespace,
    )
    if label is None:
        raise Blocked(
            Reason.LABEL_NOT_ALLOWED,
            f"spec.label: only credentials of the connection's namespace {connection.namespace} may choose a label; "
            f"create the credential without one: it then has {labels.derived(credential.namespace, credential.name)}",
        )
    return label


def shows_all_labels(connection: MilvusConnection) -> bool:
    """Whether status.labels has room for all, so that what is not in it is not rendered."""
    return len(connection.status.labels) < LABELS_SHOWN


def sees_delivery(connection: MilvusConnection) -> bool:
    """Whether anybody here can see what the pods of Milvus have, so that it may be waited for."""
    if connection.spec.effective_strategy is not RolloutStrategy.RESTART:
        return False
    told = connection.status.condition("ConfigDelivered")
    return told is None or told.status != "Unknown"


def candidates(
    connection: MilvusConnection, world: World, *, like: str | None = None
) -> dict[str, tuple[str, EmbeddingCredential]]:
    """The credentials that want to be rendered for a connection: owner -> (label, credential).

    like: only those whose label Milvus cannot tell from this one. With a thousand credentials each asks for its rivals
    at every pass, so what is cheap to know is looked at first.
    """
    found: dict[str, tuple[str, EmbeddingCredential]] = {}
    for credential in world.list(EmbeddingCredential):
        if credential.spec.connection_ref.resolve(credential.namespace) != (connection.namespace, connection.name):
            continue
        if like is not None and not _may_fold(credential, like):
            continue
        try:
            if connection_of(credential, world).key == connection.key and not credential.is_deleted:
                found[owner_of(credential)] = (label_of(credential, connection), credential)
        except Blocked:
            continue
    return found


def _may_fold(credential: EmbeddingCredential, label: str) -> bool:
    own = credential.spec.label or labels.derived(credential.namespace, credential.name)
    return labels.fold(own) == labels.fold(label)


def winners(
    wanting: Mapping[str, tuple[str, EmbeddingCredential]], holders: Mapping[str, str]
) -> dict[str, EmbeddingCredential]:
    """Label -> the credential that gets it. `holders`: label -> owner as the rendered Secret has it."""
    claims = (
        labels.Claim(label, owner, credential.metadata.creation_timestamp)
        for owner, (label, credential) in wanting.items()
    )
    return {label: wanting[owner][1] for owner, label in labels.assign(holders, claims).items()}


def default_label(connection: MilvusConnection, holders: Iterable[tuple[str, str]]) -> str | None:
    """The label of the provider's default key, also when its credential is gone: its label is then the remembered one.

    holders: (label, owner) of what is rendered or wins now.
    """
    spec = connection.spec.embedding
    if spec is None or spec.dashscope.credential_ref is None:
        return None
    owner = f"{connection.namespace}/{spec.dashscope.credential_ref.name}"
    return next((label for label, holder in holders if holder == owner), None)


def is_environment(connection: MilvusConnection) -> bool:
    return connection.spec.embedding is not None and connection.spec.embedding.delivery is Delivery.ENVIRONMENT
