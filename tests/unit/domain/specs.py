"""The manual's collection as a spec, and what its function resolves to."""

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.domain.catalogue import resolve
from milvus_embedding.domain.desired import Desired, ResolvedEmbedding, desired

ALI = {
    "name": "ali",
    "inputFields": ["document"],
    "outputFields": ["dense"],
    "textEmbedding": {"dashscope": {"model": "text-embedding-v3"}},
}
FIELDS: list[dict[str, object]] = [
    {"name": "id", "type": "INT64", "primaryKey": True},
    {"name": "document", "type": "VARCHAR", "maxLength": 9000},
    {"name": "dense", "type": "FLOAT_VECTOR", "dim": 1024},
]


def declared(**changes: object) -> CollectionSpec:
    base: dict[str, object] = {
        "connectionRef": {"name": "milvus"},
        "fields": FIELDS,
        "functions": [ALI],
        "indexes": [{"field": "dense", "metric": "COSINE"}],
    }
    return CollectionSpec.model_validate({**base, **changes})


def embedding(*, label: str | None = None, dim: int | None = None) -> ResolvedEmbedding:
    return ResolvedEmbedding(resolve("text-embedding-v3", dim), label)


def wanted(**changes: object) -> Desired:
    return desired(declared(**changes), name="docs", embeddings={"ali": embedding()})
