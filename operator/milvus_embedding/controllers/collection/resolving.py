"""What a collection refers to and asks for, before Milvus is asked anything: connection, keys, models, limits."""

from dataclasses import dataclass

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.embedding import embeddings
from milvus_embedding.controllers.paused import paused_ready
from milvus_embedding.controllers.references import connection_for_collections
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.domain.desired import Desired, DimensionDiffers, InvalidSpec, desired
from milvus_embedding.domain.limits.breach import Breach, Grade
from milvus_embedding.domain.limits.check import breaches, sentences
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.schema import FunctionKind
from milvus_embedding.domain.versions import lacks_functions, parse


@dataclass(frozen=True, slots=True)
class Resolved:
    """`lacks`: what the server's version does not take, so that no collection can be made there; `is_unsure`: that
    version is not known yet, and matters. `invalid`: what no Milvus takes. None of it is against a collection that
    exists: what Milvus has it has taken.
    """

    connection: MilvusConnection
    want: Desired
    lacks: str
    invalid: tuple[Breach, ...]
    is_unsure: bool
    circuit: tuple[object, ...]


class Held(Exception):
    """Nothing may be changed for now. `ready` is the condition that tells so."""

    def __init__(self, collection: MilvusCollection, message: str) -> None:
        super().__init__(message)
        self.ready = paused_ready(collection, message)


def resolve(collection: MilvusCollection, world: World) -> Resolved:
    """Raises Held or Blocked."""
    refuse_unsupported(collection)
    connection = connection_for_collections(world, collection.spec.connection_ref, holder=collection.namespace)
    _require_supported(connection)
    if collection.spec.paused or connection.spec.paused:
        whose = "spec.paused" if collection.spec.paused else f"spec.paused of connection {connection.name}"
        raise Held(collection, f"{whose} is true: nothing is changed until it is removed")
    if reserved := collection.spec.reserved_properties:
        text = f"spec.properties: {', '.join(reserved)} belong(s) to the operator; remove it"
        raise Blocked(Reason.INVALID_SPEC, text)
    found = breaches(collection.spec, version=parse(connection.status.server_version))
    resolved = embeddings(collection, connection, world)
    try:
        want = desired(collection.spec, name=collection.effective_collection_name, embeddings=resolved)
    except InvalidSpec as error:
        reason = Reason.DIMENSION_MISMATCH if isinstance(error, DimensionDiffers) else Reason.INVALID_SPEC
        raise Blocked(reason, f"spec.{error}") from None
    keys = sorted((embedding.label or "", embedding.model.name) for embedding in resolved.values())
    lacks = sentences(found, Grade.UNSUPPORTED)
    is_unsure = not connection.status.server_version and any(breach.since for breach in found)
    invalid = tuple(breach for breach in found if breach.grade is Grade.INVALID)
    circuit = (connection.key, connection.status.config.hash, *keys)
    return Resolved(connection, want, lacks, invalid, is_unsure, circuit)


def require_reachable(connection: MilvusConnection) -> None:
    reachable = connection.status.condition("Reachable")
    if reachable is not None and reachable.status == "False":
        known = {str(reason): reason for reason in Reason}
        reason = known.get(reachable.reason, Reason.UNREACHABLE)
        raise Blocked(reason, f"connection {connection.name}: {reachable.reason}")


def require_functions(connection: MilvusConnection, want: Desired) -> None:
    version = connection.status.server_version
    embedding = any(f.kind is FunctionKind.TEXT_EMBEDDING for f in want.schema.functions)
    if embedding and lacks_functions(version):
        raise Blocked(
            Reason.UNSUPPORTED_SERVER,
            f"Milvus {version} drops embedding functions silently; spec.functions needs Milvus 2.6 or newer",
        )


def resolves_functions(cause: Blocked) -> bool | None:
    """Whether the functions resolved, None if the pass did not come to them."""
    if cause.message.startswith("spec.functions"):
        return False
    return True if cause.reason is Reason.DIMENSION_MISMATCH else None


def _require_supported(connection: MilvusConnection) -> None:
    try:
        refuse_unsupported(connection)
    except Blocked as blocked:
        text = f"connection {connection.name} asks for what this version does not support; its status has the fields"
        raise Blocked(blocked.reason, text) from None
