"""The kubelet's part that kwok leaves out: a pod starts with what its volumes and variables name at that moment, and
waits until it is there. What the pods that serve were started with is what Milvus is given.

Only in one namespace, and only the configuration of Milvus: a file by subPath, or variables from Secrets.
"""

from __future__ import annotations

import base64
import http.client
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.api import Api, Refused
from tests.e2e.turns import Turns
from tests.e2e.workloads import PROXY, STANDALONE, component_of

if TYPE_CHECKING:
    from collections.abc import Callable

Body = dict[str, Any]

START, END = "lab.test/start", "lab.test/end"
RUNNING, SLOW, NOW = "Running", "slow", "now"
_NOTHING = b"{}\n"


@dataclass(frozen=True, slots=True)
class Started:
    """What a pod has since its start."""

    component: str
    file: bytes = field(repr=False)
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class NotThereError(Exception):
    """Something that the pod needs to start."""


class Kubelet(Turns):
    """`serve` gets what the oldest pod that serves was started with, whenever it changes:
    as long as one old pod takes requests, an application may get its answers.

    trouble: component -> why its new pods do not start. lingering: components whose deleted pods stay Terminating.
    """

    def __init__(self, api: Api, namespace: str, serve: Callable[[Started], None]) -> None:
        super().__init__(f"kubelet of {namespace}")
        self.trouble: dict[str, str] = {}
        self.lingering: set[str] = set()
        self.starts: Counter[str] = Counter()
        self._api = api
        self._namespace = namespace
        self._serve = serve
        self._served: Started | None = None
        self._started: dict[str, Started] = {}
        self._waiting: dict[str, str] = {}

    def let_go(self) -> None:
        """Pods that stay Terminating end now, and later ones do not stay."""
        self.lingering.clear()
        for pod in self.pods():
            if pod["metadata"].get("annotations", {}).get(END) == SLOW:
                self._annotate(pod, **{END: NOW})

    def pods(self) -> list[Body]:
        items: list[Body] = self._api.get(self._path())["items"]
        return items

    def started_with(self, pod: Body) -> Started | None:
        return self._started.get(pod["metadata"]["uid"])

    def sync(self) -> None:
        pods = self.pods()
        for pod in pods:
            if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]:
                self._tend(pod)
        self._tell(pods)

    def _tend(self, pod: Body) -> None:
        uid, component = pod["metadata"]["uid"], component_of(pod["metadata"].get("labels", {}))
        if uid in self._started:
            return
        reason, started = self.trouble.get(component, ""), None
        if not reason:
            try:
                started = Started(component, self._file(pod), self._variables(pod))
            except NotThereError as error:
                reason = str(error)
        if self._waiting.get(uid) != reason:
            end = {END: SLOW} if component in self.lingering else {}
            self._annotate(pod, **{START: reason or RUNNING}, **end)
            self._waiting[uid] = reason
        if started is not None:
            self._started[uid] = started
            self.starts[component] += 1

    def _tell(self, pods: list[Body]) -> None:
        serving = {pod["metadata"]["uid"] for pod in pods if _serves(pod)}
        # In the order of their starts.
        oldest = next((started for uid, started in self._started.items() if uid in serving), None)
        if oldest is not None and oldest != self._served:
            self._served = oldest
            self._serve(oldest)

    def _file(self, pod: Body) -> bytes:
        """What is mounted as a file of Milvus' configuration."""
        content = _NOTHING
        volumes = {volume["name"]: volume["secret"] for volume in pod["spec"].get("volumes", []) if "secret" in volume}
        data = {name: self._secret(source["secretName"]) for name, source in volumes.items()}
        for name, source in volumes.items():
            if data[name] is None and not source.get("optional"):
                raise NotThereError("ContainerCreating")
        for mount in pod["spec"]["containers"][0].get("volumeMounts", []):
            if mount["name"] in volumes and mount["mountPath"].startswith("/milvus/configs/"):
                items = {item["path"]: item["key"] for item in volumes[mount["name"]].get("items", [])}
                key = items.get(mount["subPath"], mount["subPath"])
                # A file that is missing is made a folder, with which Milvus reads no file at all.
                content = (data[mount["name"]] or {}).get(key, _NOTHING)
        return content

    def _variables(self, pod: Body) -> tuple[tuple[str, str], ...]:
        found = {}
        for variable in pod["spec"]["containers"][0].get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference is None:
                found[variable["name"]] = variable.get("value", "")
                continue
            value = (self._secret(reference["name"]) or {}).get(reference["key"])
            if value is not None:
                found[variable["name"]] = value.decode()
            elif not reference.get("optional"):
                raise NotThereError("CreateContainerConfigError")
        return tuple(sorted(found.items()))

    def _secret(self, name: str) -> dict[str, bytes] | None:
        try:
            body = self._api.get(f"/api/v1/namespaces/{self._namespace}/secrets/{name}")
        except Refused as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise
        return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}

    def _annotate(self, pod: Body, **annotations: str) -> None:
        self._api.patch(self._path(pod["metadata"]["name"]), {"metadata": {"annotations": annotations}})

    def _path(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self._namespace}/pods" + (f"/{name}" if name else "")


def is_ready(pod: Body) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _serves(pod: Body) -> bool:
    """Whether applications reach it."""
    is_entrance = component_of(pod["metadata"].get("labels", {})) in (PROXY, STANDALONE)
    return is_entrance and is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
