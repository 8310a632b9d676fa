"""The connection's pass: render first (that needs no Milvus), then see whether Milvus answers, then report both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from milvus_embedding.api.connection import CaKind, LabelState, MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import NATIVE_ENDPOINT, NATIVE_ENDPOINT_INTL
from milvus_embedding.clients.milvus.port import AuthenticationFailed, MilvusError, PermissionDenied
from milvus_embedding.controllers.base import Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection.composition import provider_url
from milvus_embedding.controllers.connection.rendering import Delivery, Rendering
from milvus_embedding.controllers.connection.usage import LabelUsage
from milvus_embedding.controllers.eligibility import LABELS_SHOWN, owner_of
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.heartbeat import Health, Heartbeat
from milvus_embedding.controllers.paused import while_paused
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.domain.conditions import Assertion, Draft, Truth, false, true, unknown, with_summary
from milvus_embedding.domain.reasons import Reason

RETAINED_LOOK_SECONDS = 60.0
UNWATCHED_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Reach:
    condition: Assertion
    version: str | None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Config:
    """What came of rendering; `delivery` None if it was blocked or there is nothing to render."""

    condition: Assertion | None
    delivery: Delivery | None
    retry_after: float | None = None


class ConnectionController:
    """Implements controllers.base.Controller."""

    def __init__(self, *, gateway: Gateway, heartbeat: Heartbeat, rendering: Rendering, usage: LabelUsage) -> None:
        self._gateway = gateway
        self._heartbeat = heartbeat
        self._rendering = rendering
        self._usage = usage

    async def reconcile(self, resource: MilvusConnection, world: World) -> Outcome:
        try:
            refuse_unsupported(resource)
        except Blocked as blocked:
            ready = false("Ready", blocked.reason, blocked.message)
            return Outcome(status=Draft(resource.metadata.generation, with_summary([ready]), _former(resource)))
        config = await self._render(resource, world)
        reach = await self._reach(resource, world)
        conditions = _conditions(resource, config, reach)
        fields = _fields(resource, world, config, reach)
        draft = Draft(resource.metadata.generation, while_paused(resource, conditions), fields)
        return Outcome(status=draft, requeue_after=_soonest(config, reach), wake=_heirs(config.delivery))

    async def forget(self, key: Key) -> None:
        self._heartbeat.forget(key)
        self._usage.forget(key)
        await self._gateway.drop(key)

    async def _render(self, connection: MilvusConnection, world: World) -> _Config:
        if connection.spec.embedding is None:
            return _Config(None, None)
        try:
            if url := provider_url(connection):
                self._gateway.check(url, "spec.embedding.dashscope.url")
            delivery = await self._rendering.deliver(connection, world)
        except Blocked as blocked:
            return _Config(false("ConfigRendered", blocked.reason, blocked.message), None, blocked.retry_after)
        delays = (RETAINED_LOOK_SECONDS if delivery.retained else None, delivery.retry_after)
        retry = min((delay for delay in delays if delay is not None), default=None)
        return _Config(_rendered(connection, world, delivery), delivery, retry)

    async def _reach(self, connection: MilvusConnection, world: World) -> _Reach:
        try:
            milvus = await self._gateway.refresh(connection, world)
        except Blocked as blocked:
            return _Reach(false("Reachable", blocked.reason, blocked.message), None, blocked.retry_after)
        health = await self._heartbeat.health(connection.key, milvus)
        retry = UNWATCHED_AGAIN_SECONDS if health.version is None and _has_unwatched_ca(connection) else None
        return _Reach(_reachable(connection, health), health.version, retry)


def _reachable(connection: MilvusConnection, health: Health) -> Assertion:
    match health.error:
        case None:
            return true("Reachable", Reason.REACHABLE, f"{connection.spec.uri} answers")
        case PermissionDenied():
            return true("Reachable", Reason.REACHABLE, f"{connection.spec.uri} answers, without telling its version")
        case AuthenticationFailed():
            text = f"{connection.spec.uri} refused the login: {health.error}; correct the Secret of spec.authSecretRef"
            return false("Reachable", Reason.AUTHENTICATION_FAILED, text)
        case MilvusError():
            return false("Reachable", Reason.UNREACHABLE, f"{connection.spec.uri} does not answer: {health.error}")


def _rendered(connection: MilvusConnection, world: World, delivery: Delivery) -> Assertion:
    lacking = [
        label
        for label in delivery.missing
        if label not in delivery.refused and _is_needed(connection, world, delivery.living.get(label))
    ]
    if lacking:
        return false(
            "ConfigRendered",
            Reason.CONFIG_INCOMPLETE,
            f"no key for {', '.join(lacking[:8])}: see its EmbeddingCredential; the other labels are rendered",
        )
    if delivery.refused:
        return false(
            "ConfigRendered",
            Reason.CONFIG_TOO_LARGE,
            f"no room for {', '.join(delivery.refused[:8])} in the Secret: remove credentials; the others are rendered",
        )
    if (text := _default_missing(connection, delivery)) is not None:
        return false("ConfigRendered", Reason.CONFIG_INCOMPLETE, text)
    url = provider_url(connection)
    if "/compatible-mode/" in url:
        native = NATIVE_ENDPOINT_INTL if "dashscope-intl" in url else NATIVE_ENDPOINT
        return true(
            "ConfigRendered",
            Reason.URL_SUSPECT,
            f"spec.embedding.dashscope.url {url} is the OpenAI-compatible address, and Milvus sends the native request "
            f"to it as it stands; {native} is the one that answers it",
        )
    return true("ConfigRendered", Reason.RENDERED, f"Secret {delivery.secret_name} is up to date")


def _is_needed(connection: MilvusConnection, world: World, credential: EmbeddingCredential | None) -> bool:
    """A label without a key is a fault of the whole only if somebody would use it now."""
    if credential is None:
        return False
    return owner_of(credential) == _default_owner(connection) or world.used_by(credential.key) > 0


def _default_owner(connection: MilvusConnection) -> str | None:
    ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
    return f"{connection.namespace}/{ref.name}" if ref is not None else None


def _default_missing(connection: MilvusConnection, delivery: Delivery) -> str | None:
    """A sentence if the default key has no label: its credential is not there, and none is remembered of it."""
    owner = _default_owner(connection)
    if owner is None or any(entry.owner == owner for entry in delivery.memory.values()):
        return None
    if any(owner_of(credential) == owner for credential in delivery.living.values()):
        return None
    name = owner.partition("/")[2]
    if owner in delivery.wanting:
        return (
            f"spec.embedding.dashscope.credentialRef: EmbeddingCredential {name} has no label, see its Ready; "
            "the provider has no default key meanwhile"
        )
    return (
        f"spec.embedding.dashscope.credentialRef: there is no EmbeddingCredential {name} for this connection in "
        "its namespace; create it, or leave credentialRef out"
    )


def _conditions(connection: MilvusConnection, config: _Config, reach: _Reach) -> tuple[Assertion, ...]:
    listed = [reach.condition]
    if config.condition is not None:
        listed.append(config.condition)
        listed.append(_delivered(config))
    if config.delivery is not None:
        listed.append(_retained(config.delivery))
    return with_summary([_ready(reach, config), *listed])


def _ready(reach: _Reach, config: _Config) -> Assertion:
    for condition in (reach.condition, config.condition):
        if condition is not None and condition.status is not Truth.TRUE:
            return false("Ready", condition.reason, condition.message)
    if config.delivery is None:
        return true("Ready", Reason.READY, "Milvus answers")
    return true("Ready", Reason.READY, f"Milvus answers; {len(config.delivery.memory)} label(s) rendered")


def _delivered(config: _Config) -> Assertion:
    if config.delivery is None:
        return false("ConfigDelivered", Reason.NOT_DELIVERED, "nothing is rendered yet, see ConfigRendered")
    text = "rollout.strategy is None: whoever restarts Milvus, or lets it re-read the file, delivers the Secret"
    return unknown("ConfigDelivered", Reason.DELIVERY_UNKNOWN, text)


def _retained(delivery: Delivery) -> Assertion:
    if not delivery.retained:
        return false("LabelsRetained", Reason.NO_LABELS_RETAINED, "every rendered label has its credential")
    text = ", ".join(f"{label} ({delivery.uses.get(label, 'unknown')})" for label in delivery.retained[:16])
    return true(
        "LabelsRetained",
        Reason.LABELS_RETAINED,
        f"labels without a credential that collections may name (number of collections): {text}; "
        "spec.embedding.releaseLabels drops them now",
    )


def _fields(connection: MilvusConnection, world: World, config: _Config, reach: _Reach) -> Mapping[str, object]:
    former = _former(connection)
    fields: dict[str, object] = {
        "endpoint": connection.spec.uri,
        "serverVersion": reach.version or former.get("serverVersion"),
        "secretName": connection.secret_name,
    }
    if config.delivery is None:
        kept = ("config", "labels") if connection.spec.embedding is not None else ()
        return fields | {name: former[name] for name in kept if name in former}
    return fields | {
        "config": {"hash": config.delivery.hash},
        "labels": _labels(connection, world, config.delivery)[:LABELS_SHOWN] or None,
    }


def _labels(connection: MilvusConnection, world: World, delivery: Delivery) -> list[dict[str, object]]:
    shown = []
    for label, entry in sorted(delivery.memory.items()):
        namespace, _, name = entry.owner.partition("/")
        retained = label in delivery.retained
        count = delivery.uses.get(label) if retained else world.used_by(Key("EmbeddingCredential", namespace, name))
        shown.append(_label(label, (namespace, name), LabelState.RETAINED if retained else LabelState.ACTIVE, count))
        shown[-1]["since"] = entry.since
    released = connection.spec.embedding.release_labels if connection.spec.embedding else ()
    for found, credential in delivery.wanting.values():
        if found in released:
            shown.append(_label(found, (credential.namespace, credential.name), LabelState.RELEASED, None))
    return shown


def _label(label: str, owner: tuple[str, str], state: LabelState, collections: int | None) -> dict[str, object]:
    entry: dict[str, object] = {"label": label, "credential": {"namespace": owner[0], "name": owner[1]}}
    entry["state"] = str(state)
    if collections is not None:
        entry["collections"] = collections
    return entry


def _heirs(delivery: Delivery | None) -> tuple[Key, ...]:
    """Credentials that get their label now and do not know it: their rival went without ever having been rendered."""
    if delivery is None:
        return ()
    told = ((c.key, c.status.condition("Ready")) for c in delivery.living.values())
    return tuple(key for key, ready in told if ready is not None and ready.reason == Reason.LABEL_CONFLICT)


def _has_unwatched_ca(connection: MilvusConnection) -> bool:
    """A new certificate in a ConfigMap wakes nobody."""
    ca = connection.spec.tls.ca_ref if connection.spec.tls is not None else None
    return ca is not None and ca.kind is CaKind.CONFIG_MAP


def _former(connection: MilvusConnection) -> dict[str, object]:
    """The fields of the present status, to keep what this pass could not learn."""
    dumped = connection.status.to_yaml()
    return {name: value for name, value in dumped.items() if name not in ("conditions", "observedGeneration") and value}


def _soonest(*parts: _Config | _Reach) -> float | None:
    delays: Sequence[float] = [p.retry_after for p in parts if p.retry_after is not None]
    return min(delays, default=None)
