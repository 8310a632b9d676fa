"""What the API declares and this version does not do yet: refused where a value asks for it, by name.

Each entry names the field, the value and what to write instead. Defaults never appear here.
"""

from collections.abc import Iterator

from milvus_embedding.api.collection import (
    AdoptionPolicy,
    ChangeMode,
    DeletionPolicy,
    DestructiveMode,
    MigrationSpec,
    MilvusCollection,
)
from milvus_embedding.api.connection import MilvusConnection, RolloutStrategy, Verify
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Grant, GrantFrom
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason

Resource = MilvusConnection | EmbeddingCredential | EmbeddingFunction | MilvusCollection


def refuse_unsupported(resource: Resource) -> None:
    """Raises Blocked(NotSupportedYet) naming every field that asks for something not built yet."""
    asked = "; ".join(_asks(resource))
    if asked:
        raise Blocked(Reason.NOT_SUPPORTED_YET, f"not supported by this version: {asked}")


def _asks(resource: Resource) -> Iterator[str]:
    match resource:
        case MilvusConnection():
            yield from _connection(resource)
        case EmbeddingCredential():
            yield from _grant("spec.allowedNamespaces", resource.spec.allowed_namespaces)
            quota = resource.spec.quota
            if quota.group or quota.requests_per_minute or quota.tokens_per_minute:
                yield "spec.quota (leave it out)"
        case EmbeddingFunction():
            yield from _grant("spec.allowedNamespaces", resource.spec.allowed_namespaces)
        case MilvusCollection():
            yield from _collection(resource)


def _connection(connection: MilvusConnection) -> Iterator[str]:
    spec = connection.spec
    if spec.milvus_ref is not None:
        yield "spec.milvusRef (set spec.uri)"
    yield from _grant("spec.allowedNamespaces", spec.allowed_namespaces)
    yield from _grant("spec.allowedAdoption", spec.allowed_adoption)
    if spec.embedding is None:
        return
    yield from _grant("spec.embedding.allowedNamespaces", spec.embedding.allowed_namespaces)
    if spec.effective_strategy is not RolloutStrategy.NONE:
        yield f"spec.embedding.rollout.strategy {spec.effective_strategy} (set strategy: None and leave workloads out)"
    if spec.embedding.verify is not Verify.NONE:
        yield f"spec.embedding.verify {spec.embedding.verify} (leave it out)"


def _grant(path: str, grant: Grant) -> Iterator[str]:
    if grant.from_ is GrantFrom.SELECTOR:
        yield f"{path}.from Selector (use Same, All or Names)"


def _collection(collection: MilvusCollection) -> Iterator[str]:
    spec = collection.spec
    if spec.create_database:
        yield "spec.createDatabase true (create the database in Milvus, then leave it out)"
    if spec.deletion_policy is not DeletionPolicy.RETAIN:
        yield f"spec.deletionPolicy {spec.deletion_policy} (use Retain)"
    if spec.adoption_policy is AdoptionPolicy.OBSERVE:
        yield "spec.adoptionPolicy Observe (use IfMatching or Never)"
    policy = spec.change_policy
    if policy.disruptive is ChangeMode.AUTOMATIC:
        yield "spec.changePolicy.disruptive Automatic (use Manual or Never)"
    if policy.destructive is not DestructiveMode.NEVER:
        yield "spec.changePolicy.destructive Manual (use Never)"
    if policy.rebuild is ChangeMode.AUTOMATIC:
        yield "spec.changePolicy.rebuild Automatic (use Manual or Never)"
    if policy.approved_plan:
        yield "spec.changePolicy.approvedPlan (leave it out)"
    if spec.migration != MigrationSpec():
        yield "spec.migration (leave it out)"
