"""What milvus-operator does with a Milvus resource, as far as delivery sees it: Deployments, pauses, and a status.

As in the real one annotations of components win over the global ones, what was merged into a Deployment once is never
taken away, and volumes of a component replace the global ones. Left out: services, dependencies, the wait of 30 s
before a pod counts as available.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.e2e import workloads
from tests.e2e.turns import Turns
from tests.e2e.workloads import Mounting, deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.api import Api

Body = dict[str, Any]

COMPONENTS = {
    "cluster": {"proxy": workloads.PROXY, "dataNode": workloads.DATA_NODE, "queryNode": workloads.QUERY_NODE},
    "standalone": {"standalone": workloads.STANDALONE},
}
PAUSE = "milvus.io/pause-reconcile"
_BARE = Mounting(is_mounted=False)


class MilvusOperator(Turns):
    """Serves one namespace; `endpoint` is what it tells of every Milvus there."""

    def __init__(self, api: Api, namespace: str, endpoint: str) -> None:
        super().__init__(f"milvus-operator of {namespace}")
        self.writes: Counter[str] = Counter()
        """How often it wrote each Deployment."""
        self._api = api
        self._namespace = namespace
        self._endpoint = endpoint

    def sync(self) -> None:
        for milvus in self._api.get(self._milvuses())["items"]:
            is_held = milvus["metadata"].get("annotations", {}).get(PAUSE) == "true"
            if not is_held and "deletionTimestamp" not in milvus["metadata"]:
                self._reconcile(milvus)

    def _reconcile(self, milvus: Body) -> None:
        present = {item["metadata"]["name"]: item for item in self._api.get(self._deployments())["items"]}
        wanted = list(_desired(milvus))
        for body in wanted:
            found = present.get(body["metadata"]["name"])
            if found is None:
                self._api.create(self._deployments(), body)
            elif patch := _difference(found, body):
                self._api.patch(self._deployments(body["metadata"]["name"]), patch)
            else:
                continue
            self.writes[body["metadata"]["name"]] += 1
        healthy = all(_is_available(present.get(body["metadata"]["name"], {})) for body in wanted)
        self._tell(milvus, "Healthy" if healthy else "Unhealthy" if milvus.get("status") else "Pending")

    def _tell(self, milvus: Body, status: str) -> None:
        told = {
            "status": status,
            "endpoint": self._endpoint,
            "observedGeneration": milvus["metadata"]["generation"],
            "conditions": [{"type": "MilvusReady", "status": str(status == "Healthy")}],
        }
        if milvus.get("status") != told:
            self._api.patch(f"{self._milvuses(milvus['metadata']['name'])}/status", {"status": told})

    def _milvuses(self, name: str = "") -> str:
        return f"/apis/milvus.io/v1beta1/namespaces/{self._namespace}/milvuses" + (f"/{name}" if name else "")

    def _deployments(self, name: str = "") -> str:
        return f"/apis/apps/v1/namespaces/{self._namespace}/deployments" + (f"/{name}" if name else "")


def _desired(milvus: Body) -> Iterator[Body]:
    meta, spec = milvus["metadata"], milvus.get("spec", {})
    for field, component in COMPONENTS[spec.get("mode", "standalone")].items():
        everywhere = spec.get("components", {})
        own = everywhere.get(field, {})
        labels = workloads.operator_labels(meta["name"], component)
        annotations = {**everywhere.get("podAnnotations", {}), **own.get("podAnnotations", {})}
        body = deployment(
            meta["namespace"],
            f"{meta['name']}-milvus-{component}",
            labels,
            mounting=_BARE,
            replicas=own.get("replicas", 1),
            env=[*everywhere.get("env", []), *own.get("env", [])],
            annotations=annotations or {"milvus.io/made-by": "lab"},
        )
        owner = {"apiVersion": milvus["apiVersion"], "kind": "Milvus", "name": meta["name"], "uid": meta["uid"]}
        body["metadata"]["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
        pods = body["spec"]["template"]["spec"]
        pods["volumes"] = own.get("volumes") or everywhere.get("volumes", [])
        pods["containers"][0]["volumeMounts"] = [*everywhere.get("volumeMounts", []), *own.get("volumeMounts", [])]
        body["spec"]["paused"] = bool(everywhere.get("paused") or own.get("paused"))
        yield body


def _difference(found: Body, wanted: Body) -> Body:
    """The merge patch from one to the other; {} if nothing is to be done. Annotations are only ever added."""
    patch: Body = {}
    for field in ("replicas", "paused"):
        if found["spec"].get(field, False) != wanted["spec"][field]:
            patch[field] = wanted["spec"][field]
    have, want = found["spec"]["template"], wanted["spec"]["template"]
    annotations = have["metadata"].get("annotations", {})
    if any(annotations.get(name) != value for name, value in want["metadata"]["annotations"].items()):
        patch.setdefault("template", {})["metadata"] = {"annotations": want["metadata"]["annotations"]}
    if _mounts(have) != _mounts(want):
        patch.setdefault("template", {})["spec"] = want["spec"]
    return {"spec": patch, "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}} if patch else {}


def _mounts(template: Body) -> tuple[list[str], list[Body]]:
    """What matters of the volumes; the API server adds defaults to them."""
    secrets = sorted(str(volume.get("secret", {}).get("secretName")) for volume in template["spec"].get("volumes", []))
    return secrets, template["spec"]["containers"][0].get("volumeMounts", [])


def _is_available(body: Body) -> bool:
    status = body.get("status", {})
    return bool(body) and status.get("availableReplicas", 0) >= body["spec"]["replicas"]
