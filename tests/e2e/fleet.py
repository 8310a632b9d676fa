"""The workloads that run Milvus in one namespace, and what became of them: Kubernetes itself counts the rolls."""

from __future__ import annotations

import http.client
import json
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from milvus_embedding.api.annotations import CONFIG_HASH
from milvus_embedding.devkit.controlplane import Binary
from tests.e2e.api import Refused
from tests.e2e.kubelet import is_ready
from tests.e2e.lab import eventually, path_of
from tests.e2e.workloads import DATA_NODE, PROXY, Mounting, chart_labels, component_of, deployment

if TYPE_CHECKING:
    from milvus_embedding.devkit.controlplane import Binaries
    from tests.e2e.lab import Body, Lab

CHART = Path(__file__).with_name("chart-of-milvus")
RELEASE = "my-release"
HELM_SECONDS = 60
_REVISION = "deployment.kubernetes.io/revision"
_DEPLOYMENT = "Deployment"


class Fleet:
    """Deployments named `<instance>-milvus-<component>`, as Milvus' chart and milvus-operator both name them."""

    def __init__(self, lab: Lab, namespace: str, *, instance: str = RELEASE) -> None:
        self.lab = lab
        self.namespace = namespace
        self.instance = instance

    @property
    def selector(self) -> Body:
        """For spec.embedding.rollout.workloads."""
        return {"selector": {"matchLabels": {"app.kubernetes.io/instance": self.instance}}}

    def name(self, component: str) -> str:
        return f"{self.instance}-milvus-{component}"

    # what its owner does

    def manifest(self, component: str, mounting: Mounting | None = None, **options: Any) -> Body:
        """A Deployment as Milvus' chart makes it; `options` are those of workloads.deployment."""
        labels = chart_labels(self.instance, component)
        return deployment(self.namespace, self.name(component), labels, mounting=mounting, **options)

    def install(self, *components: str, mounting: Mounting | None = None, **options: Any) -> None:
        """With kubectl apply, as somebody without Helm does; proxy and datanode unless told."""
        chosen = components or (PROXY, DATA_NODE)
        self.lab.apply(*(self.manifest(component, mounting, **options) for component in chosen))

    def pause(self, component: str, paused: bool = True) -> None:
        self.lab.patch(_DEPLOYMENT, self.namespace, self.name(component), {"spec": {"paused": paused}})

    def delete_pods(self, component: str) -> None:
        """As somebody does who restarts by hand."""
        for pod in self.pods(component):
            try:
                self.lab.api.delete(path_of("Pod", self.namespace, pod["metadata"]["name"]))
            except Refused as error:
                # One that was ending already may end meanwhile.
                if error.code != http.client.NOT_FOUND or "deletionTimestamp" not in pod["metadata"]:
                    raise

    # what became of it

    def deployment(self, component: str) -> Body:
        found = self.lab.get(_DEPLOYMENT, self.namespace, self.name(component))
        assert found is not None, f"there is no Deployment {self.name(component)}"
        return found

    def rolls(self, component: str) -> int:
        """How often its pod template was changed since it was made, going back included."""
        return int(self.deployment(component)["metadata"].get("annotations", {}).get(_REVISION, "1")) - 1

    def all_rolls(self) -> dict[str, int]:
        """Of every Deployment of the namespace, by component."""
        listed = self.lab.list(_DEPLOYMENT, self.namespace)
        return {(c := component_of(item["metadata"]["labels"])): self.rolls(c) for item in listed}

    def config_hash(self, component: str) -> str | None:
        """Our annotation on its pod template."""
        template = self.deployment(component)["spec"]["template"]
        value: str | None = template["metadata"].get("annotations", {}).get(CONFIG_HASH)
        return value

    def pods(self, component: str) -> list[Body]:
        listed = self.lab.list("Pod", self.namespace)
        return [pod for pod in listed if component_of(pod["metadata"].get("labels", {})) == component]

    def wait_complete(self, *components: str, within: float = 20.0) -> None:
        """Until all pods are those of the present template, and ready; no other pod is left."""
        for component in components or (PROXY, DATA_NODE):
            eventually(f"{component} is complete", partial(self.is_complete, component), within=within)

    def is_complete(self, component: str) -> bool:
        body = self.deployment(component)
        status, wanted, pods = body.get("status", {}), body["spec"]["replicas"], self.pods(component)
        is_seen = status.get("observedGeneration") == body["metadata"]["generation"]
        return (
            is_seen
            and status.get("updatedReplicas") == status.get("availableReplicas") == wanted == len(pods)
            and all(is_ready(pod) for pod in pods)
        )


class Helm:
    """Helm itself, on one namespace, with its own files in a folder of the test's."""

    def __init__(self, lab: Lab, binaries: Binaries, namespace: str, folder: Path) -> None:
        self._lab = lab
        self._program = binaries.path(Binary.HELM)
        self._namespace = namespace
        self._folder = folder
        self._environment = lab.plane.environment() | {
            f"HELM_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")
        }

    def install(self, mounting: Mounting | None = None, **values: Any) -> None:
        """Or upgrade, as pipelines do."""
        mounting = mounting or Mounting()
        given = {"volumes": mounting.volumes, "volumeMounts": mounting.mounts, **values}
        self.run("upgrade", "--install", RELEASE, str(CHART), values=given)

    def run(self, *arguments: str, values: Body | None = None) -> str:
        command = [str(self._program), *arguments, f"--namespace={self._namespace}"]
        if values is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / "values.yaml"
            path.write_text(yaml.safe_dump(json.loads(json.dumps(values))))
            command.append(f"--values={path}")
        result = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=HELM_SECONDS, check=False
        )
        assert result.returncode == 0, f"helm {arguments[0]}: {result.stderr}"
        return result.stdout
