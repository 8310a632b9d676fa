"""The manual's page as manifests, in the shape of examples/quickstart, with room for what a test changes."""

from collections.abc import Mapping

from milvus_embedding.api.references import Key

Body = dict[str, object]

CONNECTION = Key("MilvusConnection", "milvus", "milvus")
DEV = Key("EmbeddingCredential", "milvus", "apikey-dev")
PROD = Key("EmbeddingCredential", "milvus", "apikey-prod")
FUNCTION = Key("EmbeddingFunction", "search", "docs-v3")
DOCS = Key("MilvusCollection", "search", "docs")

DEV_KEY, PROD_KEY = "sk-dev-0123456789abcdef", "sk-prod-fedcba9876543210"
CONFIG = ("milvus", "milvus-embedding-config")
TO_SEARCH = {"from": "Names", "names": ["search"]}


def manifest(key: Key, spec: Mapping[str, object], **metadata: object) -> Body:
    return {
        "apiVersion": "embedding.milvus.io/v1alpha1",
        "kind": key.kind,
        "metadata": {"name": key.name, "namespace": key.namespace, **metadata},
        "spec": dict(spec),
    }


def connection(key: Key = CONNECTION, /, *, embedding: object = "with the dev key", **spec: object) -> Body:
    if embedding == "with the dev key":
        embedding = {"dashscope": {"credentialRef": {"name": "apikey-dev"}}}
    base = {"uri": "http://milvus.milvus.svc:19530", "allowedNamespaces": TO_SEARCH, "embedding": embedding}
    return manifest(key, {name: value for name, value in {**base, **spec}.items() if value is not None})


def credential(key: Key = DEV, /, *, created: object = "2025-01-01T00:00:00Z", **spec: object) -> Body:
    """The label is the name with _ for -, the Secret has the name of the credential."""
    base: Body = {
        "connectionRef": {"name": "milvus", "namespace": "milvus"},
        "label": key.name.replace("-", "_"),
        "apiKeySecretRef": {"name": key.name},
        "allowedNamespaces": TO_SEARCH,
    }
    given = {name: value for name, value in {**base, **spec}.items() if value is not None}
    return manifest(key, given, creationTimestamp=created)


def function(key: Key = FUNCTION, /, *, grant: object = None, **dashscope: object) -> Body:
    spec: Body = {"dashscope": {"model": "text-embedding-v3", **dashscope}}
    return manifest(key, spec | ({"allowedNamespaces": grant} if grant else {}))


def ali(embedding: object = None) -> Body:
    """The manual's function `ali`."""
    declared = embedding or {"dashscope": {"model": "text-embedding-v3"}}
    return {"name": "ali", "inputFields": ["document"], "outputFields": ["dense"], "textEmbedding": declared}


def fields(**dense: object) -> list[Body]:
    return [
        {"name": "id", "type": "INT64", "primaryKey": True},
        {"name": "document", "type": "VARCHAR", "maxLength": 9000},
        {"name": "dense", "type": "FLOAT_VECTOR", "dim": 1024, **dense},
    ]


def collection(key: Key = DOCS, /, *, embedding: object = None, **spec: object) -> Body:
    base: Body = {
        "connectionRef": {"name": "milvus", "namespace": "milvus"},
        "fields": fields(),
        "functions": [ali(embedding)],
        "indexes": [{"field": "dense", "type": "AUTOINDEX", "metric": "COSINE"}],
    }
    return manifest(key, {name: value for name, value in {**base, **spec}.items() if value is not None})
