"""The workloads of a Milvus and what they mount, as Milvus' Helm chart and milvus-operator make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]

PROXY, DATA_NODE, STANDALONE, QUERY_NODE = "proxy", "datanode", "standalone", "querynode"
CONFIG = "/milvus/configs"
VOLUME = "embedding-config"
KEY = "embedding.yaml"


@dataclass(frozen=True, slots=True)
class Mounting:
    """How a pod has the rendered Secret: `path` in Milvus' folder of configuration, or nowhere."""

    secret: str = "milvus-embedding-config"
    path: str = f"{CONFIG}/_test.yaml"
    sub_path: str = KEY
    is_optional: bool = False
    is_mounted: bool = True

    @property
    def volumes(self) -> list[Body]:
        source: Body = {"secretName": self.secret}
        if self.is_optional:
            source["optional"] = True
        return [{"name": VOLUME, "secret": source}] if self.is_mounted else []

    @property
    def mounts(self) -> list[Body]:
        where = {"name": VOLUME, "mountPath": self.path, "subPath": self.sub_path, "readOnly": True}
        return [where] if self.is_mounted else []


def chart_labels(release: str, component: str) -> dict[str, str]:
    """Those of Milvus' Helm chart, whose component label has no prefix."""
    return {
        "app.kubernetes.io/name": "milvus",
        "app.kubernetes.io/instance": release,
        "component": component,
    }


def operator_labels(name: str, component: str) -> dict[str, str]:
    """Those of milvus-operator."""
    return {
        "app.kubernetes.io/name": "milvus",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "milvus-operator",
    }


def component_of(labels: dict[str, str]) -> str:
    """What both call it; "" for a pod of something else."""
    return labels.get("component") or labels.get("app.kubernetes.io/component", "")


def deployment(
    namespace: str,
    name: str,
    labels: dict[str, str],
    *,
    mounting: Mounting | None = None,
    replicas: int = 1,
    env: list[Body] | None = None,
    recreate: bool = False,
    annotations: dict[str, str] | None = None,
) -> Body:
    """`annotations`: of its pods."""
    mounting = mounting or Mounting()
    strategy: Body = {"type": "Recreate"} if recreate else {"type": "RollingUpdate"}
    if not recreate:
        strategy["rollingUpdate"] = {"maxSurge": 1, "maxUnavailable": 0}
    container = {
        "name": "milvus",
        "image": "milvusdb/milvus:lab",
        "args": ["milvus", "run", component_of(labels)],
        "env": env or [],
        "volumeMounts": mounting.mounts,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "strategy": strategy,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations or {"checksum/config": "0"}},
                "spec": {"containers": [container], "volumes": mounting.volumes},
            },
        },
    }
