"""The objects that the end-to-end tests apply, as short as they can be. Keyword arguments become fields of the spec."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

API_VERSION = "embedding.milvus.io/v1alpha1"


def _object(kind: str, namespace: str, name: str, spec: Body) -> Body:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {field: value for field, value in spec.items() if value is not None},
    }


def connection(
    namespace: str, uri: str, *, url: str | None = None, default: str | None = None, name: str = "milvus", **spec: Any
) -> Body:
    """`url`: DashScope's endpoint; None leaves `embedding` out. `default`: the credential of the default key."""
    if url is not None:
        dashscope: Body = {"url": url}
        if default is not None:
            dashscope["credentialRef"] = {"name": default}
        spec["embedding"] = {"dashscope": dashscope, **spec.get("embedding", {})}
    return _object("MilvusConnection", namespace, name, {"uri": uri, **spec})


def secret(namespace: str, name: str, **values: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": values,
    }


def credential(
    namespace: str, name: str, *, secret_name: str | None = None, at: str | None = None, **spec: Any
) -> Body:
    """`at`: the connection's namespace. Without `secret_name` give `external`."""
    ref = {"name": "milvus"} if at is None else {"name": "milvus", "namespace": at}
    if secret_name is not None:
        spec["apiKeySecretRef"] = {"name": secret_name}
    return _object("EmbeddingCredential", namespace, name, {"connectionRef": ref, **spec})


def function(namespace: str, name: str, **spec: Any) -> Body:
    """Its model is text-embedding-v3 unless `dashscope` says otherwise."""
    return _object("EmbeddingFunction", namespace, name, {"dashscope": {"model": "text-embedding-v3"}, **spec})


def collection(
    namespace: str,
    name: str,
    *,
    at: str | None = None,
    credential_ref: Body | None = None,
    function_ref: Body | None = None,
    dim: int = 1024,
    **spec: Any,
) -> Body:
    """The manual's collection. `at`: the connection's namespace."""
    embedding: Body = {"dashscope": {"model": "text-embedding-v3"}}
    if credential_ref is not None:
        embedding["dashscope"]["credentialRef"] = credential_ref
    if function_ref is not None:
        embedding = {"functionRef": function_ref}
    ref = {"name": "milvus"} if at is None else {"name": "milvus", "namespace": at}
    base: Body = {
        "connectionRef": ref,
        "fields": [
            {"name": "id", "type": "INT64", "primaryKey": True},
            {"name": "document", "type": "VARCHAR", "maxLength": 9000},
            {"name": "dense", "type": "FLOAT_VECTOR", "dim": dim},
        ],
        "functions": [
            {"name": "ali", "inputFields": ["document"], "outputFields": ["dense"], "textEmbedding": embedding}
        ],
        "indexes": [{"field": "dense", "type": "AUTOINDEX", "metric": "COSINE"}],
    }
    return _object("MilvusCollection", namespace, name, {**base, **spec})


def annotated(body: Body, **annotations: str) -> Body:
    """A copy with annotations of ours, whose names are given with _ for -."""
    named = {f"embedding.milvus.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {**body, "metadata": {**body["metadata"], "annotations": named}}
