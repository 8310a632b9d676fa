"""Reads Deployments, pods and Milvus resources as far as delivery looks at them, and words the writes to them.

Values of environment variables are never kept: a template may hold keys in clear text. Of foreign reasons only single
words are taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from milvus_embedding.api.annotations import CONFIG_HASH
from milvus_embedding.clients.kube.bodies import bodies, inside, integer, mapping, moment, text, texts, token
from milvus_embedding.clients.kube.port import MILVUSES, Body
from milvus_embedding.domain.delivery.workload import (
    Component,
    Container,
    MilvusResource,
    Mount,
    Pod,
    Progress,
    Template,
    Variable,
    VariableSource,
    Volume,
    Workload,
)

FIELD_MANAGER: Final = "milvus-embedding-operator"
"""Under which name the API server keeps what is ours on the objects of others."""

_COMPONENT_LABELS: Final = ("app.kubernetes.io/component", "component")
_PAUSE: Final = "milvus.io/pause-reconcile"
_CONFIG_VARIABLE: Final = "MILVUSCONF"
_DEFAULT_CONFIG_DIR: Final = "/milvus/configs"
_DEFAULT_SHARE: Final = "25%"
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9.:\[\]-]{1,300}")
_ORDINARY_WAITS: Final = ("ContainerCreating", "PodInitializing")
_RESTARTED: Final = "CrashLoopBackOff"


def workload(body: Body) -> Workload:
    """A Deployment."""
    metadata, spec = mapping(body.get("metadata")), mapping(body.get("spec"))
    labels = texts(metadata.get("labels"))
    replicas = integer(spec.get("replicas")) if "replicas" in spec else 1
    return Workload(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        component=_component(labels) or _component(texts(inside(spec, "template", "metadata").get("labels"))),
        labels=labels,
        milvus=_owner(metadata),
        selector=_selector(mapping(spec.get("selector"))),
        template=_template(mapping(spec.get("template"))),
        replicas=replicas,
        interrupts=_interrupts(mapping(spec.get("strategy")), replicas),
        is_paused=spec.get("paused") is True,
        progress=_progress(integer(metadata.get("generation")), mapping(body.get("status"))),
    )


def pod(body: Body) -> Pod:
    """A pod. Raises ValueError if it has no creation time."""
    metadata, status = mapping(body.get("metadata")), mapping(body.get("status"))
    is_ready = _condition(status, "Ready").get("status") == "True"
    return Pod(
        name=text(metadata.get("name")),
        created=moment(metadata.get("creationTimestamp")),
        started=_last_start(status),
        config_hash=_hash(metadata.get("annotations")),
        is_terminating=bool(metadata.get("deletionTimestamp")),
        has_ended=status.get("phase") in ("Succeeded", "Failed"),
        is_ready=is_ready,
        trouble="" if is_ready else _trouble(status),
    )


def milvus(body: Body) -> MilvusResource:
    """A Milvus resource; of its components those that embed in its mode."""
    metadata, spec, status = (mapping(body.get(part)) for part in ("metadata", "spec", "status"))
    is_cluster = spec.get("mode") == "cluster"
    components = (Component.PROXY, Component.DATA_NODE) if is_cluster else (Component.STANDALONE,)
    annotated = {c: _hash(inside(spec, "components", c.in_milvus_resource).get("podAnnotations")) for c in components}
    endpoint = text(status.get("endpoint"))
    return MilvusResource(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        endpoint=endpoint if _ENDPOINT.fullmatch(endpoint) else "",
        health=token(status.get("status")),
        components=components,
        config_hashes={component: hash_ for component, hash_ in annotated.items() if hash_ is not None},
        paused=tuple(_paused(mapping(metadata.get("annotations")), spec, components)),
    )


def annotation_patch(target: Workload, config_hash: str) -> Body:
    """A merge patch that only the Deployment takes that was read, in the version that was read."""
    return {
        "metadata": {"uid": target.uid, "resourceVersion": target.resource_version},
        "spec": {"template": {"metadata": {"annotations": {CONFIG_HASH: config_hash}}}},
    }


def milvus_configuration(target: MilvusResource, config_hashes: Mapping[Component, str]) -> Body:
    """All that we want to own of a Milvus resource, for server-side apply to the version that was read."""
    components = {
        component.in_milvus_resource: {"podAnnotations": {CONFIG_HASH: hash_}}
        for component, hash_ in config_hashes.items()
    }
    return {
        "apiVersion": f"{MILVUSES.group}/{MILVUSES.version}",
        "kind": MILVUSES.kind,
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            # Without the uid one that is gone would be made anew, as far as the operator may create it.
            "uid": target.uid,
            "resourceVersion": target.resource_version,
        },
        **({"spec": {"components": components}} if components else {}),
    }


def _component(labels: Mapping[str, str]) -> Component | None:
    """Milvus' chart and milvus-operator name the label differently; other values are components that do not embed."""
    values = {member.value: member for member in Component}
    return next((values[labels[name]] for name in _COMPONENT_LABELS if labels.get(name) in values), None)


def _owner(metadata: Mapping[str, object]) -> str:
    for owner in bodies(metadata.get("ownerReferences")):
        group = text(owner.get("apiVersion")).partition("/")[0]
        if (group, owner.get("kind")) == (MILVUSES.group, MILVUSES.kind):
            return text(owner.get("name"))
    return ""


def _selector(selector: Mapping[str, object]) -> str:
    """A LabelSelector as the API server takes it in a query."""
    terms = [f"{name}={value}" for name, value in sorted(texts(selector.get("matchLabels")).items())]
    return ",".join([*terms, *map(_expression, bodies(selector.get("matchExpressions")))])


def _expression(expression: Body) -> str:
    key, operator = text(expression.get("key")), expression.get("operator")
    listed = expression.get("values")
    values = ",".join(map(str, listed)) if isinstance(listed, list) else ""
    forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
    return forms.get(str(operator), key)


def _template(template: Mapping[str, object]) -> Template:
    spec = mapping(template.get("spec"))
    return Template(
        config_hash=_hash(inside(template, "metadata").get("annotations")),
        containers=tuple(map(_container, bodies(spec.get("containers")))),
        volumes=tuple(found for volume in bodies(spec.get("volumes")) for found in _volumes(volume)),
    )


def _hash(annotations: object) -> str | None:
    return texts(annotations).get(CONFIG_HASH)


def _container(container: Body) -> Container:
    variables = bodies(container.get("env"))
    return Container(
        name=text(container.get("name")),
        mounts=tuple(map(_mount, bodies(container.get("volumeMounts")))),
        variables=tuple(map(_variable, variables)),
        sources=tuple(
            VariableSource(
                secret=text(ref.get("name")), prefix=text(source.get("prefix")), optional=ref.get("optional") is True
            )
            for source in bodies(container.get("envFrom"))
            if (ref := mapping(source.get("secretRef")))
        ),
        config_dir=_config_dir(variables, text(container.get("workingDir"))),
    )


def _mount(mount: Body) -> Mount:
    return Mount(
        volume=text(mount.get("name")),
        path=text(mount.get("mountPath")),
        sub_path=text(mount.get("subPath")) or text(mount.get("subPathExpr")),
    )


def _variable(variable: Body) -> Variable:
    ref = inside(variable, "valueFrom", "secretKeyRef")
    return Variable(
        name=text(variable.get("name")),
        is_literal="valueFrom" not in variable,
        secret=text(ref.get("name")),
        key=text(ref.get("key")),
        optional=ref.get("optional") is True,
    )


def _config_dir(variables: Sequence[Body], working_dir: str) -> str:
    """As Milvus looks for its files. Of literal values this one is read, and it is no key."""
    named = [text(variable.get("value")) for variable in variables if variable.get("name") == _CONFIG_VARIABLE]
    if named and named[-1]:
        return named[-1].rstrip("/") or "/"
    return f"{working_dir.rstrip('/')}/configs" if working_dir else _DEFAULT_CONFIG_DIR


def _volumes(volume: Body) -> Iterator[Volume]:
    """One per Secret or ConfigMap in it."""
    name = text(volume.get("name"))
    projected = bodies(inside(volume, "projected").get("sources"))
    for source in (volume, *projected):
        secret, config_map = mapping(source.get("secret")), mapping(source.get("configMap"))
        if not secret and not config_map:
            continue
        made = secret or config_map
        yield Volume(
            name=name,
            # A volume says secretName, a source of a projected one says name.
            secret=text(secret.get("secretName")) or text(secret.get("name")),
            config_map=text(config_map.get("name")),
            items=_items(made.get("items")),
            optional=made.get("optional") is True,
        )


def _items(items: object) -> Mapping[str, str] | None:
    listed = bodies(items)
    return {text(item.get("key")): text(item.get("path")) for item in listed} if listed else None


def _interrupts(strategy: Mapping[str, object], replicas: int) -> bool:
    """Whether a roll takes all pods away, by the arithmetic of the Deployment controller."""
    if strategy.get("type") == "Recreate":
        return True
    rolling = mapping(strategy.get("rollingUpdate"))
    unavailable = _share(rolling.get("maxUnavailable", _DEFAULT_SHARE), replicas, round_up=False)
    surge = _share(rolling.get("maxSurge", _DEFAULT_SHARE), replicas, round_up=True)
    if unavailable == 0 and surge == 0:
        unavailable = 1
    return replicas >= 1 and unavailable >= replicas


def _share(value: object, of: int, *, round_up: bool) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}%", value):
        product = int(value[:-1]) * of
        return -(-product // 100) if round_up else product // 100
    return integer(value)


def _progress(generation: int, status: Mapping[str, object]) -> Progress:
    failing = _condition(status, "ReplicaFailure")
    stalled = _condition(status, "Progressing")
    failure = token(failing.get("reason")) if failing.get("status") == "True" else ""
    if not failure and stalled.get("status") == "False":
        failure = token(stalled.get("reason"))
    return Progress(
        is_observed=integer(status.get("observedGeneration")) >= generation,
        replicas=integer(status.get("replicas")),
        updated=integer(status.get("updatedReplicas")),
        available=integer(status.get("availableReplicas")),
        failure=failure,
    )


def _condition(status: Mapping[str, object], type_: str) -> Body:
    return next((found for found in bodies(status.get("conditions")) if found.get("type") == type_), {})


def _last_start(status: Mapping[str, object]) -> datetime | None:
    """When a container was started last; what it mounts may be newer than what the pod began with."""
    states = (mapping(container.get("state")) for container in bodies(status.get("containerStatuses")))
    told = (inside(state, phase).get("startedAt") for state in states for phase in ("running", "terminated"))
    return max((moment(start) for start in told if start), default=None)


def _trouble(status: Mapping[str, object]) -> str:
    """Why a pod is not ready, as far as one word tells it: a failure rather than an ordinary wait."""
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return token(scheduled.get("reason"))
    containers = [*bodies(status.get("initContainerStatuses")), *bodies(status.get("containerStatuses"))]
    reasons = [reason for container in containers if (reason := _reason(container))]
    return min(reasons, key=lambda reason: reason in _ORDINARY_WAITS, default="")


def _reason(container: Mapping[str, object]) -> str:
    """One word for a container that ends again and again, whichever of its states is seen just now."""
    state = mapping(container.get("state"))
    waiting = token(inside(state, "waiting").get("reason"))
    if waiting:
        return waiting
    if integer(container.get("restartCount")) and container.get("ready") is not True:
        return _RESTARTED
    ended = mapping(state.get("terminated"))
    return token(ended.get("reason")) if ended and integer(ended.get("exitCode")) != 0 else ""


def _paused(
    annotations: Mapping[str, object], spec: Mapping[str, object], components: Sequence[Component]
) -> Iterator[str]:
    if annotations.get(_PAUSE) == "true":
        yield f"metadata.annotations[{_PAUSE}]"
    if inside(spec, "components").get("paused") is True:
        yield "spec.components.paused"
    for component in components:
        name = component.in_milvus_resource
        if inside(spec, "components", name).get("paused") is True:
            yield f"spec.components.{name}.paused"
