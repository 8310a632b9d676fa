"""The connection's pass: see what runs, render (needs no Milvus), roll, ask whether Milvus answers, and report it."""

from dataclasses import dataclass

from milvus_embedding.api.connection import CaKind, MilvusConnection, RolloutStrategy, Verify
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import KubeError
from milvus_embedding.clients.milvus.port import AuthenticationFailed, MilvusError, PermissionDenied
from milvus_embedding.controllers.base import Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection import report
from milvus_embedding.controllers.connection.proving.canary import Canary
from milvus_embedding.controllers.connection.rendering.composition import provider_url
from milvus_embedding.controllers.connection.rendering.rendering import Delivery, Rendering
from milvus_embedding.controllers.connection.report import Config, Reach
from milvus_embedding.controllers.connection.rolling.rollout import Rolled, roll
from milvus_embedding.controllers.connection.rolling.shadowing import Shadowing
from milvus_embedding.controllers.connection.rolling.targets import Targets, find, read_milvus, uri_of
from milvus_embedding.controllers.connection.usage import LabelUsage
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.heartbeat import Health, Heartbeat
from milvus_embedding.controllers.paused import while_paused
from milvus_embedding.controllers.replaced import replaced
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.domain.conditions import Assertion, Draft, Truth, false, true, unknown, with_summary
from milvus_embedding.domain.delivery.rollout import CONDITION
from milvus_embedding.domain.delivery.workload import MilvusResource
from milvus_embedding.domain.reasons import Reason

RETAINED_LOOK_SECONDS = 60.0
UNWATCHED_AGAIN_SECONDS = 10.0
UNSEEN_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Home:
    """The Milvus resource of milvusRef. `lost`: there is none to be had; `unseen`: it cannot be read just now."""

    milvus: MilvusResource | None = None
    lost: Blocked | None = None
    unseen: KubeError | None = None


class ConnectionController:
    """Implements controllers.base.Controller."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        heartbeat: Heartbeat,
        rendering: Rendering,
        usage: LabelUsage,
        canary: Canary,
        shadowing: Shadowing,
    ) -> None:
        self._gateway = gateway
        self._heartbeat = heartbeat
        self._rendering = rendering
        self._usage = usage
        self._canary = canary
        self._shadowing = shadowing

    async def reconcile(self, resource: MilvusConnection, world: World) -> Outcome:
        try:
            refuse_unsupported(resource)
        except Blocked as blocked:
            ready = false("Ready", blocked.reason, blocked.message)
            return Outcome(status=Draft(resource.metadata.generation, with_summary([ready]), report.former(resource)))
        home = await _home(resource, world)
        targets = await _targets(resource, home, world)
        config = await self._render(resource, world, targets)
        rolled = await self._roll(resource, config, targets, world)
        reach = await self._reach(resource, world, home)
        self._prove(resource, config.delivery, reach)
        conditions = report.conditions(resource, config, reach, rolled, replaced=replaced(resource.key, world))
        fields = report.fields(resource, world, config, reach, rolled)
        return Outcome(
            status=Draft(resource.metadata.generation, while_paused(resource, conditions), fields),
            requeue_after=_soonest(config.retry_after, reach.retry_after, rolled.retry_after if rolled else None),
            notes=rolled.notes if rolled else (),
            wake=_heirs(config.delivery),
        )

    async def forget(self, key: Key) -> None:
        self._heartbeat.forget(key)
        self._usage.forget(key)
        self._canary.forget(key)
        self._shadowing.forget(key)
        await self._gateway.drop(key)

    async def _render(self, connection: MilvusConnection, world: World, targets: Targets | None) -> Config:
        if connection.spec.embedding is None:
            return Config(None, None)
        try:
            if url := provider_url(connection):
                self._gateway.check(url, "spec.embedding.dashscope.url")
            delivery = await self._rendering.deliver(
                connection,
                world,
                running=targets.running if targets is not None else None,
                proofs=self._canary.proofs(connection.key),
            )
        except Blocked as blocked:
            return Config(false("ConfigRendered", blocked.reason, blocked.message), None, blocked.retry_after)
        delays = (RETAINED_LOOK_SECONDS if delivery.retained else None, delivery.retry_after)
        return Config(report.rendered(connection, world, delivery), delivery, _soonest(*delays))

    async def _roll(
        self, connection: MilvusConnection, config: Config, targets: Targets | None, world: World
    ) -> Rolled | None:
        """None if there is nothing rendered to be rolled."""
        if config.delivery is None:
            return None
        hold = _hold(config.condition, config.delivery)
        rolled = await roll(connection, config.delivery, targets, hold, world)
        return await self._shadowing.judge(rolled, connection, config.delivery, targets, world)

    async def _reach(self, connection: MilvusConnection, world: World, home: _Home) -> Reach:
        try:
            uri = _address(connection, home)
            client = await self._gateway.refresh(connection, world, uri)
        except Blocked as blocked:
            return Reach(false("Reachable", blocked.reason, blocked.message), "", None, blocked.retry_after)
        health = await self._heartbeat.health(connection.key, client)
        retry = UNWATCHED_AGAIN_SECONDS if health.version is None and _has_unwatched_ca(connection) else None
        return Reach(_reachable(uri, health), uri, health.version, retry)

    def _prove(self, connection: MilvusConnection, delivery: Delivery | None, reach: Reach) -> None:
        """Has the keys proven that have come as far as can be seen, and are not known to embed."""
        embedding = connection.spec.embedding
        asked = embedding is not None and embedding.verify is Verify.CANARY and not connection.spec.paused
        if asked and delivery is not None and reach.condition.status is Truth.TRUE:
            self._canary.want(connection, delivery.unproven)
        else:
            self._canary.hold(connection.key)


def _hold(rendered: Assertion | None, delivery: Delivery) -> Assertion | None:
    """Why what is rendered must not be rolled out as it is."""
    if rendered is not None and rendered.reason is Reason.CONFIG_INCOMPLETE:
        return false(CONDITION, Reason.CONFIG_INCOMPLETE, f"nothing is rolled: {rendered.message}")
    if delivery.rejected:
        text = (
            f"nothing is rolled: DashScope rejects the key of {', '.join(delivery.rejected[:8])}, and pods may have a "
            "newer one; put a valid key into its Secret"
        )
        return false(CONDITION, Reason.KEY_REJECTED, text)
    return None


async def _home(connection: MilvusConnection, world: World) -> _Home:
    """The Milvus resource, or why there is none to be had."""
    try:
        return _Home(await read_milvus(connection, world))
    except Blocked as blocked:
        return _Home(lost=blocked)
    except KubeError as error:
        return _Home(unseen=error)


def _address(connection: MilvusConnection, home: _Home) -> str:
    """Where Milvus is; where it was, while its resource cannot be read. Raises Blocked."""
    if home.lost is not None:
        raise home.lost
    if home.unseen is not None:
        if connection.status.endpoint:
            return connection.status.endpoint
        text = f"spec.milvusRef: the Milvus resource cannot be read: {home.unseen}"
        raise Blocked(Reason.MILVUS_NOT_READY, text, retry_after=UNSEEN_AGAIN_SECONDS)
    return uri_of(connection, home.milvus)


async def _targets(connection: MilvusConnection, home: _Home, world: World) -> Targets | None:
    embedding = connection.spec.embedding
    if home.lost is not None:
        if embedding is None or connection.spec.effective_strategy is RolloutStrategy.NONE:
            return None
        return Targets(against=false(CONDITION, home.lost.reason, home.lost.message))
    try:
        if home.unseen is not None:
            raise home.unseen
        return await find(connection, home.milvus, world)
    except KubeError as error:
        return Targets(against=_as_it_was(connection, error))


def _as_it_was(connection: MilvusConnection, error: KubeError) -> Assertion:
    """One failed request is no news for all that read this condition."""
    told = connection.status.condition(CONDITION)
    reason = next((known for known in Reason if told is not None and known == told.reason), None)
    if told is not None and reason is not None:
        return Assertion(CONDITION, Truth(told.status), reason, told.message)
    return unknown(CONDITION, Reason.DELIVERY_UNKNOWN, f"the workloads cannot be read: {error}")


def _reachable(uri: str, health: Health) -> Assertion:
    match health.error:
        case None:
            return true("Reachable", Reason.REACHABLE, f"{uri} answers")
        case PermissionDenied():
            return true("Reachable", Reason.REACHABLE, f"{uri} answers, without telling its version")
        case AuthenticationFailed():
            text = f"{uri} refused the login: {health.error}; correct the Secret of spec.authSecretRef"
            return false("Reachable", Reason.AUTHENTICATION_FAILED, text)
        case MilvusError():
            return false("Reachable", Reason.UNREACHABLE, f"{uri} does not answer: {health.error}")


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


def _soonest(*delays: float | None) -> float | None:
    known = [delay for delay in delays if delay is not None]
    return min(known, default=None)
