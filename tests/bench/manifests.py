"""The objects of a run: the manual's collection many times over, and for the product what a collection refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.site import API_KEY

if TYPE_CHECKING:
    from tests.e2e.lab import Body

GROUP_VERSION = "embedding.milvus.io/v1alpha1"
CONNECTION = "milvus"
RENDERED_SECRET = "milvus-embedding-config"
_LABEL = "apikey_dev"

# What the product renders, for the operator that renders nothing.
STATIC_CONFIG = f"""\
credential:
  {_LABEL}:
    apikey: "{API_KEY}"
function:
  textEmbedding:
    providers:
      dashscope:
        credential: {_LABEL}
        url: "{{url}}"
"""


def references(namespace: str, *, uri: str, url: str) -> list[Body]:
    """A Secret with the key, its credential, and the connection."""
    credential = {
        "connectionRef": {"name": CONNECTION},
        "label": _LABEL,
        "apiKeySecretRef": {"name": "dashscope-dev", "key": "apikey"},
    }
    dashscope = {"credentialRef": {"name": "apikey-dev"}, "url": url}
    connection = {"uri": uri, "embedding": {"secretName": RENDERED_SECRET, "dashscope": dashscope}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "dashscope-dev", "namespace": namespace},
        "stringData": {"apikey": API_KEY},
    }
    return [
        secret,
        _object("EmbeddingCredential", namespace, "apikey-dev", credential),
        _object("MilvusConnection", namespace, CONNECTION, connection),
    ]


def collection(namespace: str, name: str) -> Body:
    spec = {
        "connectionRef": {"name": CONNECTION},
        "fields": [
            {"name": "id", "type": "INT64", "primaryKey": True},
            {"name": "document", "type": "VARCHAR", "maxLength": 9000},
            {"name": "dense", "type": "FLOAT_VECTOR", "dim": 1024},
        ],
        "functions": [
            {
                "name": "ali",
                "inputFields": ["document"],
                "outputFields": ["dense"],
                "textEmbedding": {"dashscope": {"model": "text-embedding-v3"}},
            }
        ],
        "indexes": [{"field": "dense", "type": "AUTOINDEX", "metric": "COSINE"}],
    }
    return _object("MilvusCollection", namespace, name, spec)


def plain_account(namespace: str, name: str) -> list[Body]:
    """A ServiceAccount that may do everything: permissions are not what is measured."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": role,
            "subjects": [subject],
        },
    ]


def _object(kind: str, namespace: str, name: str, spec: Body) -> Body:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": GROUP_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
