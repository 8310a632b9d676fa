"""Finds the workloads that a connection rolls, and what is against rolling them: told as a condition, with the fix.

Reads only. A workload counts if it is of a component that embeds and mounts our Secret; others are strangers, whatever
a selector says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from milvus_embedding.api.connection import Delivery, MilvusConnection, RolloutStrategy
from milvus_embedding.clients.kube.port import Forbidden, NotFound
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.conditions import Assertion, false, unknown
from milvus_embedding.domain.delivery.mounts import Absent, Broken, Mounted, check
from milvus_embedding.domain.delivery.rollout import CONDITION, Part
from milvus_embedding.domain.delivery.running import Running
from milvus_embedding.domain.delivery.snippets import Target, Way, snippet
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import document

INSTANCE = "app.kubernetes.io/instance"
AGAIN_SECONDS = 10.0
HEALTHY = "Healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """`running` None: nothing can be seen. `against`: why nothing of it may be rolled at all. `hold`: not at present.

    `aside`: what matches and does not mount the Secret, without which the rest works, in words.
    """

    workloads: tuple[Workload, ...] = ()
    parts: tuple[Part, ...] = ()
    milvus: MilvusResource | None = None
    running: Running | None = None
    against: Assertion | None = None
    hold: Assertion | None = None
    aside: str = ""
    file_names: Mapping[str, str] = field(default_factory=dict)
    """Of the rendered file in the pods of each workload, by its name."""


async def read_milvus(connection: MilvusConnection, world: World) -> MilvusResource | None:
    """The Milvus resource of milvusRef, None without one. Raises Blocked or KubeError."""
    ref = connection.spec.milvus_ref
    if ref is None:
        return None
    try:
        return await world.read_milvus(connection.namespace, ref.name)
    except NotFound:
        raise Blocked(
            Reason.MILVUS_NOT_FOUND,
            f"spec.milvusRef: there is no Milvus {ref.name} (milvus.io/v1beta1) in this namespace; create it, or set "
            "spec.uri instead",
            retry_after=AGAIN_SECONDS,
        ) from None
    except Forbidden:
        raise Blocked(
            Reason.TARGET_FORBIDDEN,
            f"spec.milvusRef: the operator may not get Milvus {ref.name}; give its ServiceAccount get and patch on "
            "milvuses.milvus.io",
            retry_after=AGAIN_SECONDS,
        ) from None


def uri_of(connection: MilvusConnection, milvus: MilvusResource | None) -> str:
    """The address of Milvus. Raises Blocked while the Milvus resource does not tell one."""
    if milvus is None:
        return connection.spec.uri or ""
    if not milvus.endpoint or milvus.endpoint.startswith(":"):
        raise Blocked(
            Reason.MILVUS_NOT_READY,
            f"spec.milvusRef: Milvus {milvus.name} has no usable status.endpoint yet"
            + (f" (status {milvus.health})" if milvus.health else "")
            + "; if it never gets one (NodePort, or a load balancer with a host name), set spec.uri instead",
            retry_after=AGAIN_SECONDS,
        )
    return f"{'https' if connection.spec.tls is not None else 'http'}://{milvus.endpoint}"


async def find(connection: MilvusConnection, milvus: MilvusResource | None, world: World) -> Targets | None:
    """None if this connection rolls nothing and has nothing to look at. Raises KubeError but Forbidden."""
    embedding = connection.spec.embedding
    if embedding is None or connection.spec.effective_strategy is RolloutStrategy.NONE:
        return None
    if connection.spec.milvus_ref is None and embedding.rollout.workloads is None:
        return None
    try:
        found = await _listed(connection, milvus, world)
        return await _judged(connection, milvus, found, world)
    except NotFound:
        text = "there is no cluster here whose workloads could be seen or rolled"
        return Targets(milvus=milvus, against=unknown(CONDITION, Reason.DELIVERY_UNKNOWN, text))
    except Forbidden:
        text = "the operator may not list deployments and pods here; give its ServiceAccount list on them, and patch"
        return Targets(milvus=milvus, against=false(CONDITION, Reason.TARGET_FORBIDDEN, text))


async def _listed(connection: MilvusConnection, milvus: MilvusResource | None, world: World) -> Sequence[Workload]:
    if connection.spec.milvus_ref is not None:
        if milvus is None:
            return ()
        found = await world.list_workloads(connection.namespace, f"{INSTANCE}={milvus.name}")
        return _awake([w for w in found if w.milvus == milvus.name and w.component in milvus.components])
    rollout = connection.spec.embedding.rollout if connection.spec.embedding else None
    selector = rollout.workloads.selector if rollout and rollout.workloads else None
    if selector is None:
        return ()
    found = await world.list_workloads(connection.namespace, selector.as_query)
    return [w for w in found if w.component is not None]


def _awake(found: Sequence[Workload]) -> Sequence[Workload]:
    """Without the standby Deployments of milvus-operator's rolling mode with two: they keep a former template."""
    busy = {w.component for w in found if w.replicas > 0}
    return [w for w in found if w.replicas > 0 or w.progress.replicas > 0 or w.component not in busy]


async def _judged(
    connection: MilvusConnection, milvus: MilvusResource | None, found: Sequence[Workload], world: World
) -> Targets:
    if not found:
        return Targets(milvus=milvus, running=Running(is_mounted=False), against=_none_found(connection, milvus))
    mounting = {w.name: _check(connection, w, milvus) for w in found}
    mounted = [w for w in found if isinstance(mounting[w.name], Mounted)]
    if milvus is None and (owned := next((w for w in mounted or found if w.milvus), None)) is not None:
        text = (
            f"Deployment {owned.name} belongs to Milvus {owned.milvus} of milvus-operator, which undoes changes of "
            f"others: set spec.milvusRef: {{name: {owned.milvus}}} instead of uri and workloads"
        )
        return Targets(against=false(CONDITION, Reason.INVALID_SPEC, text), running=Running(is_mounted=False))
    not_mounted = _mount_problem(connection, milvus, found, mounting)
    pods = {w.name: await world.list_pods(w.namespace, w.selector) for w in found}
    parts = _parts_of_milvus(milvus, mounted, pods) if milvus is not None else _parts(mounted, pods)
    return Targets(
        workloads=tuple(mounted),
        parts=parts,
        milvus=milvus,
        running=Running(
            is_mounted=not_mounted is None,
            annotated=frozenset(part.hash for part in parts if part.hash),
            # A workload that lost the mount may still have pods with keys of ours.
            pods=tuple(p for w in found for p in pods[w.name] if w in mounted or p.config_hash is not None),
        ),
        against=not_mounted or _conflict(connection, mounted, world),
        hold=_hold(connection, milvus),
        aside=_aside(found, mounting),
        file_names={name: m.file_name for name, m in mounting.items() if isinstance(m, Mounted)},
    )


def _check(
    connection: MilvusConnection, workload: Workload, milvus: MilvusResource | None
) -> Mounted | Absent | Broken:
    embedding = connection.spec.embedding
    environment = embedding is not None and embedding.delivery is Delivery.ENVIRONMENT
    return check(
        workload.template,
        secret=connection.secret_name or "",
        file_key=document.FILE_KEY,
        environment=document.VARIABLES if environment else None,
        live=connection.spec.effective_strategy is RolloutStrategy.LIVE,
        milvus_resource=milvus is not None,
    )


def _mount_problem(
    connection: MilvusConnection,
    milvus: MilvusResource | None,
    found: Sequence[Workload],
    mounting: Mapping[str, Mounted | Absent | Broken],
) -> Assertion | None:
    """A mount that would break Milvus, or none where embedding is done, is against rolling anything.

    Of several proxies that match, those that do not mount our Secret are strangers: they must not be told to.
    """
    broken = next(((w, m) for w in found if isinstance(m := mounting[w.name], Broken)), None)
    absent = [w for w in found if isinstance(mounting[w.name], Absent)]
    serving = [w for w in found if w.component is not Component.DATA_NODE] or list(found)
    if broken is None and any(w not in absent for w in serving):
        return None
    if broken is not None:
        why = f"Deployment {broken[0].name}: {broken[1].sentence}. As it should be:"
    else:
        why = f"Deployment {serving[0].name} gets nothing of Secret {connection.secret_name}; add:"
    text = snippet(
        Target.MILVUS if milvus is not None else Target.HELM,
        secret=connection.secret_name or "",
        components=sorted({w.component for w in found if w.component is not None}),
        way=_way(connection),
    )
    return false(CONDITION, Reason.NOT_MOUNTED, f"{why}\n{text}")


def _aside(found: Sequence[Workload], mounting: Mapping[str, Mounted | Absent | Broken]) -> str:
    names = [w.name for w in found if isinstance(mounting[w.name], Absent)]
    if not names:
        return ""
    bulk = any(w.component is Component.DATA_NODE for w in found if w.name in names)
    effect = " (without it, bulk import in a data node has no key)" if bulk else ""
    return f"; {', '.join(names[:4])} does not mount the Secret and is left alone{effect}"


def _way(connection: MilvusConnection) -> Way:
    if connection.spec.embedding is not None and connection.spec.embedding.delivery is Delivery.ENVIRONMENT:
        return Way.ENVIRONMENT
    return Way.LIVE if connection.spec.effective_strategy is RolloutStrategy.LIVE else Way.FILE


def _none_found(connection: MilvusConnection, milvus: MilvusResource | None) -> Assertion:
    if milvus is not None:
        text = f"Milvus {milvus.name} has no Deployments of {', '.join(c.value for c in milvus.components)} yet"
    else:
        text = (
            "spec.embedding.rollout.workloads.selector matches no Deployment of this namespace with a label component "
            "(or app.kubernetes.io/component) of proxy, datanode or standalone; correct it"
        )
    return false(CONDITION, Reason.TARGET_NOT_FOUND, text)


def _parts(workloads: Iterable[Workload], pods: dict[str, Sequence[Pod]]) -> tuple[Part, ...]:
    return tuple(
        Part(
            name=f"Deployment {w.name}",
            component=w.component or Component.STANDALONE,
            hash=w.template.config_hash,
            is_complete=_is_complete(w, pods[w.name]),
            is_rolling=_is_rolling(w),
            interrupts=w.interrupts,
            is_paused=w.is_paused,
            trouble=_trouble(w, pods[w.name]),
        )
        for w in workloads
    )


def _parts_of_milvus(
    milvus: MilvusResource, workloads: Sequence[Workload], pods: dict[str, Sequence[Pod]]
) -> tuple[Part, ...]:
    """One part per component: milvus-operator makes what is said of it to all of its Deployments."""
    parts = []
    for component in milvus.components:
        of_it = [w for w in workloads if w.component is component]
        if not of_it:
            continue
        hash_ = milvus.config_hashes.get(component)
        parts.append(
            Part(
                name=f"{component.in_milvus_resource} of Milvus {milvus.name}",
                component=component,
                hash=hash_,
                is_complete=all(w.template.config_hash == hash_ and _is_complete(w, pods[w.name]) for w in of_it),
                is_rolling=any(_is_rolling(w) for w in of_it),
                interrupts=any(w.interrupts for w in of_it),
                is_paused=bool(milvus.paused) or any(w.is_paused for w in of_it),
                trouble=next((told for w in of_it if (told := _trouble(w, pods[w.name]))), ""),
            )
        )
    return tuple(parts)


def _is_complete(workload: Workload, pods: Sequence[Pod]) -> bool:
    seen, wanted = workload.progress, workload.replicas
    settled = seen.is_observed and seen.updated == seen.replicas == seen.available == wanted
    living = (pod for pod in pods if not pod.is_terminating and not pod.has_ended)
    return settled and all(pod.config_hash == workload.template.config_hash for pod in living)


def _is_rolling(workload: Workload) -> bool:
    """Pods of another template are there, or new ones are to come: whether they are ready is another matter."""
    seen = workload.progress
    return not seen.is_observed or seen.updated != workload.replicas or seen.replicas != seen.updated


def _trouble(workload: Workload, pods: Sequence[Pod]) -> str:
    new = [pod for pod in pods if pod.config_hash == workload.template.config_hash and not pod.is_ready]
    told = next((pod.trouble for pod in new if pod.trouble), "")
    return ", ".join(text for text in (told, workload.progress.failure) if text)


def _hold(connection: MilvusConnection, milvus: MilvusResource | None) -> Assertion | None:
    if connection.spec.paused:
        return false(CONDITION, Reason.PAUSED, "spec.paused is true: nothing is rolled until it is removed")
    if milvus is None:
        return None
    if milvus.paused:
        text = f"Milvus {milvus.name} is paused ({', '.join(milvus.paused)}), so a roll would not begin: resume it"
        return false(CONDITION, Reason.TARGET_PAUSED, text)
    if milvus.health != HEALTHY:
        text = f"Milvus {milvus.name} is {milvus.health or 'not started'}; the roll waits until it is {HEALTHY}"
        return false(CONDITION, Reason.TARGET_UNHEALTHY, text)
    return None


def _conflict(connection: MilvusConnection, workloads: Sequence[Workload], world: World) -> Assertion | None:
    """One workload is rolled by one connection: of two that claim it the older."""
    older = [
        c for c in world.list(MilvusConnection) if c.namespace == connection.namespace and _is_older(c, connection)
    ]
    for other in older:
        if _claims_same(other, connection, workloads):
            text = (
                f"MilvusConnection {other.name} rolls the same workloads and is older; this one rolls nothing: let one "
                "connection deliver for one Milvus, or set rollout.strategy: None here"
            )
            return false(CONDITION, Reason.TARGET_CONFLICT, text)
    return None


def _is_older(other: MilvusConnection, than: MilvusConnection) -> bool:
    return other.name != than.name and not other.is_deleted and other.seniority < than.seniority


def _claims_same(other: MilvusConnection, connection: MilvusConnection, workloads: Sequence[Workload]) -> bool:
    if other.spec.embedding is None or other.spec.effective_strategy is not RolloutStrategy.RESTART:
        return False
    if other.spec.milvus_ref is not None:
        return connection.spec.milvus_ref is not None and other.spec.milvus_ref.name == connection.spec.milvus_ref.name
    claimed = other.spec.embedding.rollout.workloads
    if claimed is None:
        return False
    theirs = other.secret_name
    return any(
        claimed.selector.matches(w.labels) and any(volume.secret == theirs for volume in w.template.volumes)
        for w in workloads
    )
