"""Deployments, pods and Milvus resources in memory, rolled step by step.

`Fleet` plays the API server and the controllers of Kubernetes and of milvus-operator, which act only in `step`. It does
not know what a pod reads from its Secret: tests model that from `Pod.created`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from milvus_embedding.clients.kube.port import NotFound
from milvus_embedding.clients.kube.secrets import Conflict
from milvus_embedding.domain.delivery.workload import (
    Component,
    Container,
    MilvusResource,
    Mount,
    Pod,
    Progress,
    Template,
    Volume,
    Workload,
)
from tests.fakes.outside import Outside
from tests.fakes.selectors import matches

_MOST_STEPS = 20


class Mode(StrEnum):
    """How new pods do: become ready, stay unready for `trouble`, or stay unready without telling why."""

    NORMAL = "normal"
    STUCK = "stuck"
    SLOW = "slow"


class Call(NamedTuple):
    """A changing call that was made. `hashes`: by component ("proxy", …; a Deployment has one)."""

    method: str
    name: str
    hashes: Mapping[str, str]


@dataclass(slots=True)
class _Running:
    """A Deployment with its pods. `lingers`: old pods stay Terminating until they are released. `made_of`: the template
    of each pod by its name.
    """

    workload: Workload
    pod_labels: Mapping[str, str]
    mode: Mode = Mode.NORMAL
    trouble: str = ""
    lingers: bool = False
    pods: list[Pod] = field(default_factory=list)
    made_of: dict[str, Template] = field(default_factory=dict)

    def is_present(self, pod: Pod) -> bool:
        """Whether it is of the present template."""
        return self.made_of[pod.name] == self.workload.template


class Fleet:
    """`calls`: changing calls that got through. `today`: the clock of the cluster."""

    def __init__(self, today: Callable[[], datetime], outside: Outside | None = None) -> None:
        self._today = today
        self.outside = outside or Outside()
        self.calls: list[Call] = []
        self._deployments: dict[tuple[str, str], _Running] = {}
        self._milvuses: dict[tuple[str, str], MilvusResource] = {}
        self._version = 0

    # What a test arranges.

    def add(
        self,
        name: str,
        component: Component | None,
        *,
        namespace: str = "default",
        instance: str = "milvus",
        template: Template | None = None,
        secret: str = "",
        config_hash: str | None = None,
        replicas: int = 1,
        milvus: str = "",
        interrupts: bool = False,
        is_paused: bool = False,
    ) -> Workload:
        """A Deployment whose pods run already. `secret`: what a template mounts if none is given."""
        labels = {"app.kubernetes.io/instance": instance}
        if component is not None:
            labels["app.kubernetes.io/component" if milvus else "component"] = component.value
        made = template or (mounting(secret) if secret else Template())
        workload = Workload(
            namespace=namespace,
            name=name,
            uid=f"uid-of-{name}",
            resource_version=self._next(),
            component=component,
            labels=labels,
            milvus=milvus,
            selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
            template=made if config_hash is None else replace(made, config_hash=config_hash),
            replicas=replicas,
            interrupts=interrupts,
            is_paused=is_paused,
        )
        running = self._deployments[namespace, name] = _Running(workload, labels)
        running.pods = [self._pod(running, ready=True) for _ in range(replicas)]
        self._tell(running)
        return running.workload

    def add_milvus(
        self,
        name: str = "milvus",
        *,
        namespace: str = "default",
        components: Sequence[Component] = (Component.STANDALONE,),
        endpoint: str = "",
        health: str = "Healthy",
        secret: str = "",
        template: Template | None = None,
        interrupts: bool = False,
        paused: tuple[str, ...] = (),
    ) -> MilvusResource:
        """A Milvus resource and the Deployments that milvus-operator made of it."""
        found = MilvusResource(
            namespace=namespace,
            name=name,
            uid=f"uid-of-{name}",
            resource_version=self._next(),
            endpoint=endpoint,
            health=health,
            components=tuple(components),
            paused=paused,
        )
        self._milvuses[namespace, name] = found
        for component in components:
            self.add(
                f"{name}-milvus-{component.value}",
                component,
                namespace=namespace,
                instance=name,
                milvus=name,
                secret=secret,
                template=template,
                interrupts=interrupts,
            )
        return found

    def behave(
        self, name: str, mode: Mode, *, trouble: str = "", lingers: bool | None = None, namespace: str = "default"
    ) -> None:
        """How the next pods of a Deployment do; present ones that are not ready do so too."""
        running = self._deployments[namespace, name]
        running.mode, running.trouble = mode, trouble
        running.lingers = running.lingers if lingers is None else lingers

    def linger(self, name: str, *, namespace: str = "default") -> None:
        """Old pods of it stay Terminating until `release`."""
        self._deployments[namespace, name].lingers = True

    def release(self, name: str, *, namespace: str = "default") -> None:
        """Terminating pods go, and do not linger any more."""
        running = self._deployments[namespace, name]
        running.lingers = False
        running.pods = [pod for pod in running.pods if not pod.is_terminating]

    def change(
        self, name: str, change: Callable[[Workload], Workload], *, namespace: str = "default", settled: bool = False
    ) -> None:
        """Somebody else changes a Deployment. `settled`: the pods are of the new template already."""
        running = self._deployments[namespace, name]
        running.workload = replace(change(running.workload), resource_version=self._next())
        if settled:
            template = running.workload.template
            running.pods = [replace(pod, config_hash=template.config_hash) for pod in running.pods]
            running.made_of |= {pod.name: template for pod in running.pods}
            self._tell(running)

    def change_milvus(
        self, change: Callable[[MilvusResource], MilvusResource], *, name: str = "milvus", namespace: str = "default"
    ) -> None:
        """Somebody else, or milvus-operator, changes a Milvus resource."""
        changed = change(self._milvuses[namespace, name])
        self._milvuses[namespace, name] = replace(changed, resource_version=self._next())

    def change_pods(self, name: str, change: Callable[[Pod], Pod], *, namespace: str = "default") -> None:
        """Changes what is told of each pod."""
        running = self._deployments[namespace, name]
        running.pods = [change(pod) for pod in running.pods]
        self._tell(running)

    def restart_pods(self, name: str, *, namespace: str = "default") -> None:
        """All pods are replaced by ready ones of the present template, made now: an eviction, a lost node."""
        running = self._deployments[namespace, name]
        running.pods = [self._pod(running, ready=True) for _ in range(running.workload.replicas)]
        self._tell(running)

    def remove(self, name: str, *, namespace: str = "default") -> None:
        """Deletes a Deployment and its pods."""
        del self._deployments[namespace, name]

    def remove_milvus(self, name: str = "milvus", *, namespace: str = "default") -> None:
        """Deletes a Milvus resource and its Deployments."""
        del self._milvuses[namespace, name]
        for place, running in list(self._deployments.items()):
            if running.workload.milvus == name and place[0] == namespace:
                del self._deployments[place]

    # What the controllers of the cluster do.

    def step(self) -> bool:
        """One turn of every controller; tells whether anything changed."""
        before = self._picture()
        for milvus in self._milvuses.values():
            self._operate(milvus)
        for running in self._deployments.values():
            _roll(running, lambda r=running: self._pod(r, ready=False))  # type: ignore[misc]
            self._tell(running)
        return self._picture() != before

    def settle(self) -> None:
        """Steps until nothing changes."""
        for _ in range(_MOST_STEPS):
            if not self.step():
                return
        raise AssertionError("the fleet does not settle")

    # What a test looks at, without a call.

    def workload(self, name: str, *, namespace: str = "default") -> Workload:
        return self._deployments[namespace, name].workload

    def pods(self, name: str, *, namespace: str = "default") -> Sequence[Pod]:
        return tuple(self._deployments[namespace, name].pods)

    def milvus(self, name: str = "milvus", *, namespace: str = "default") -> MilvusResource:
        return self._milvuses[namespace, name]

    def rolls(self, name: str, *, namespace: str = "default") -> int:
        """How many changing calls named this Deployment, or the Milvus resource of that name."""
        return sum(call.name == f"{namespace}/{name}" for call in self.calls)

    # The calls, as the World has them.

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        with self.outside.call("list_workloads", f"{namespace} {selector}"):
            found = [running.workload for place, running in self._deployments.items() if place[0] == namespace]
            return sorted((w for w in found if matches(selector, w.labels)), key=lambda w: w.name)

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        with self.outside.call("list_pods", f"{namespace} {selector}"):
            here = [running for place, running in self._deployments.items() if place[0] == namespace]
            found = [pod for running in here if matches(selector, running.pod_labels) for pod in running.pods]
            return sorted(found, key=lambda pod: pod.name)

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        with self.outside.call("read_milvus", f"{namespace}/{name}"):
            if (namespace, name) not in self._milvuses:
                raise NotFound(f"GET milvuses {namespace}/{name}: HTTP 404", 404)
            return self._milvuses[namespace, name]

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        place = (workload.namespace, workload.name)
        with self.outside.call("annotate_workload", "/".join(place)):
            running = self._deployments.get(place)
            if running is None:
                raise NotFound(f"PATCH deployments {'/'.join(place)}: HTTP 404", 404)
            present = running.workload
            if (present.uid, present.resource_version) != (workload.uid, workload.resource_version):
                raise Conflict(f"Deployment {'/'.join(place)} was changed meanwhile")
            self.calls.append(Call("annotate_workload", "/".join(place), {present.component or "": config_hash}))
            self._annotate(running, config_hash)

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        place = (milvus.namespace, milvus.name)
        with self.outside.call("apply_milvus", "/".join(place)):
            present = self._milvuses.get(place)
            if present is None:
                raise NotFound(f"PATCH milvuses {'/'.join(place)}: HTTP 404", 404)
            if (present.uid, present.resource_version) != (milvus.uid, milvus.resource_version):
                raise Conflict(f"Milvus {'/'.join(place)} was changed meanwhile")
            hashes = {component.value: value for component, value in config_hashes.items()}
            self.calls.append(Call("apply_milvus", "/".join(place), hashes))
            if dict(present.config_hashes) != dict(config_hashes):
                changed = replace(present, config_hashes=dict(config_hashes), resource_version=self._next())
                self._milvuses[place] = changed

    # Inside.

    def _operate(self, milvus: MilvusResource) -> None:
        """milvus-operator merges annotations into its Deployments; what goes from the resource stays in them."""
        if milvus.paused:
            return
        for running in self._deployments.values():
            workload = running.workload
            if (workload.milvus, workload.namespace) != (milvus.name, milvus.namespace) or workload.component is None:
                continue
            if workload.replicas == 0:
                # The standby of its rolling mode with two Deployments keeps the template that it had.
                continue
            wanted = milvus.config_hashes.get(workload.component)
            if wanted is not None:
                self._annotate(running, wanted)

    def _annotate(self, running: _Running, config_hash: str) -> None:
        workload = running.workload
        if workload.template.config_hash == config_hash:
            return
        running.workload = replace(
            workload,
            template=replace(workload.template, config_hash=config_hash),
            resource_version=self._next(),
            progress=replace(workload.progress, is_observed=False),
        )

    def _pod(self, running: _Running, *, ready: bool) -> Pod:
        workload = running.workload
        name = f"{workload.name}-{len(running.made_of) + 1}"
        running.made_of[name] = workload.template
        return Pod(
            name=name,
            created=self._today(),
            config_hash=workload.template.config_hash,
            is_ready=ready,
        )

    def _tell(self, running: _Running) -> None:
        """Writes the status of a Deployment."""
        workload = running.workload
        alive = [pod for pod in running.pods if not pod.is_terminating and not pod.has_ended]
        progress = Progress(
            replicas=len(alive),
            updated=sum(running.is_present(pod) for pod in alive),
            available=sum(pod.is_ready for pod in alive),
            failure=workload.progress.failure,
        )
        if progress != workload.progress:
            running.workload = replace(workload, progress=progress, resource_version=self._next())

    def _picture(self) -> object:
        return [(running.workload, tuple(running.pods)) for running in self._deployments.values()]

    def _next(self) -> str:
        self._version += 1
        return str(self._version)


def mounting(
    secret: str,
    *,
    config_hash: str | None = None,
    path: str = "/milvus/configs/_test.yaml",
    sub_path: str = "embedding.yaml",
) -> Template:
    """A pod template that mounts the rendered Secret as the documented values do."""
    return Template(
        config_hash=config_hash,
        containers=(Container(name="milvus", mounts=(Mount(volume="embedding", path=path, sub_path=sub_path),)),),
        volumes=(Volume(name="embedding", secret=secret, items={"embedding.yaml": "embedding.yaml"}),),
    )


def _roll(running: _Running, make: Callable[[], Pod]) -> None:
    """One turn of the Deployment controller: new pods come, then are ready, then old ones go (interrupting: first)."""
    workload = running.workload
    alive = [pod for pod in running.pods if not pod.is_terminating]
    old = [pod for pod in alive if not running.is_present(pod)]
    new = [pod for pod in alive if running.is_present(pod)]
    if old and workload.is_paused:
        return
    if old and workload.interrupts:
        _end(running, old)
        return
    if len(new) < workload.replicas:
        running.pods += [make() for _ in range(workload.replicas - len(new))]
        return
    if len(new) > workload.replicas:
        _end(running, new[workload.replicas :])
        return
    if not all(pod.is_ready for pod in new):
        ready = running.mode is Mode.NORMAL
        trouble = running.trouble if running.mode is Mode.STUCK else ""
        running.pods = [
            replace(pod, is_ready=ready, trouble=trouble) if pod in new and not pod.is_ready else pod
            for pod in running.pods
        ]
        return
    _end(running, old)


def _end(running: _Running, pods: Sequence[Pod]) -> None:
    if running.lingers:
        running.pods = [replace(p, is_terminating=True) if p in pods else p for p in running.pods]
    else:
        running.pods = [pod for pod in running.pods if pod not in pods]
