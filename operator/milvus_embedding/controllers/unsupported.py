"""What the API declares and this version does not do yet: refused where a value asks for it, by name.

Each entry names the field, the value and what to write instead. Defaults never appear here.
"""

from collections.abc import Iterator

from milvus_embedding.api.collection import (
    ChangeMode,
    MigrationSpec,
    MilvusCollection,
)
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
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
        case EmbeddingCredential():
            quota = resource.spec.quota
            if quota.group or quota.requests_per_minute or quota.tokens_per_minute:
                yield "spec.quota (leave it out)"
        case MilvusCollection():
            yield from _collection(resource)


def _collection(collection: MilvusCollection) -> Iterator[str]:
    spec = collection.spec
    policy = spec.change_policy
    if policy.rebuild is ChangeMode.AUTOMATIC:
        yield "spec.changePolicy.rebuild Automatic (use Manual or Never)"
    if spec.migration != MigrationSpec():
        yield "spec.migration (leave it out)"
