"""Rolls the workloads of a connection: what was seen and remembered goes to the state machine, and its one act is done.

The machine decides (domain/delivery/rollout.py); here is only what it is given, the act, and what the status keeps.
"""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from milvus_embedding.api.annotations import APPROVED_ROLLOUT, RECONCILE_REQUESTED_AT
from milvus_embedding.api.connection import Approval, MilvusConnection, RolloutPhase, RolloutSpec, RolloutStrategy
from milvus_embedding.clients.kube.port import Forbidden, KubeError, NotFound, Refused
from milvus_embedding.controllers.base import Conflict, Note, Stale, World
from milvus_embedding.controllers.connection.rendering.rendering import Delivery
from milvus_embedding.controllers.connection.rolling.targets import AGAIN_SECONDS, Targets
from milvus_embedding.domain.conditions import Assertion, Truth, false, parse_time, timestamp, unknown
from milvus_embedding.domain.delivery.rollout import CONDITION, LOOK_SECONDS, Part, Policy, Progress, Seen, decide
from milvus_embedding.domain.reasons import Reason

SOON_SECONDS = 0.5
STALE_SECONDS = 2.0
READS_A_SECOND = 50

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """What came of it: the condition ConfigDelivered, the status' config and rollout, and when to look again."""

    condition: Assertion
    config: Mapping[str, object]
    rollout: Mapping[str, object] | None
    retry_after: float | None = None
    notes: tuple[Note, ...] = ()


async def roll(
    connection: MilvusConnection, delivery: Delivery, targets: Targets | None, hold: Assertion | None, world: World
) -> Rolled:
    """At most one act. hold: why nothing may be rolled now, for a reason of the rendered configuration. No raising."""
    if targets is None or connection.spec.effective_strategy is not RolloutStrategy.RESTART:
        return _unseen(connection, delivery, targets)
    if targets.against is not None or not targets.parts:
        return _blocked(connection, delivery, targets)
    progress = progress_of(connection)
    seen = Seen(
        target=delivery.hash,
        changed=delivery.written,
        parts=targets.parts,
        is_delivered=_is_delivered(delivery, targets),
        hold=targets.hold or hold,
    )
    decision = decide(seen, progress, policy_of(connection), world.now)
    condition = _with_strays(decision.condition, delivery)
    # A pass reads the Secret of every credential: with a thousand of them it is not made every two seconds.
    retry = max(decision.wait, len(delivery.living) / READS_A_SECOND if decision.wait else 0.0)
    if condition.status is Truth.TRUE and targets.aside:
        condition = dataclasses.replace(condition, message=condition.message + targets.aside)
    after = decision.progress
    if decision.roll is not None:
        against, again = await _act(decision.roll, delivery.hash, connection, targets, world)
        condition, retry = against or condition, again or retry
        after = progress if again is not None else after
    return Rolled(
        condition=condition,
        config=_config(connection, delivery, condition, world.now),
        rollout=_status(after),
        retry_after=retry,
        notes=_notes(progress, after, condition),
    )


def policy_of(connection: MilvusConnection) -> Policy:
    """What spec and annotations say about rolling."""
    spec = connection.spec.embedding.rollout if connection.spec.embedding else RolloutSpec()
    annotations = connection.metadata.annotations
    approved = {spec.approved_hash, annotations.get(APPROVED_ROLLOUT)}
    return Policy(
        needs_approval=spec.approval is Approval.MANUAL,
        approved=frozenset(hash_ for hash_ in approved if hash_),
        debounce=timedelta(seconds=spec.debounce_seconds),
        min_interval=timedelta(seconds=spec.min_interval_seconds),
        settle=timedelta(seconds=spec.settle_seconds),
        timeout=timedelta(seconds=spec.timeout_seconds),
        allow_outage=spec.allow_outage,
        retry_at=parse_time(annotations.get(RECONCILE_REQUESTED_AT), zone=UTC),
    )


def progress_of(connection: MilvusConnection) -> Progress:
    """What the status remembers."""
    status = connection.status.rollout
    return Progress(
        phase=status.phase or RolloutPhase.IDLE,
        hash=status.hash,
        since=status.start_time,
        failed=status.failed_hash,
        rolled=status.rolled_hash,
        recent=status.recent,
    )


async def _act(
    part: Part, hash_: str, connection: MilvusConnection, targets: Targets, world: World
) -> tuple[Assertion | None, float | None]:
    """Gives one part the hash. Comes back with what is against it, and when to try again if it is not done."""
    try:
        await world.confirm(connection)
        if targets.milvus is not None:
            kept = dict(targets.milvus.config_hashes)
            await world.apply_milvus(targets.milvus, {**kept, part.component: hash_})
        else:
            for workload in targets.workloads:
                if f"Deployment {workload.name}" == part.name:
                    await world.annotate_workload(workload, hash_)
    except Stale:
        return None, STALE_SECONDS
    except (Conflict, NotFound):
        return None, SOON_SECONDS
    except Forbidden:
        what = "milvuses.milvus.io" if targets.milvus is not None else "deployments"
        text = f"the operator may not patch {what} in this namespace; give its ServiceAccount patch on {what}"
        return false(CONDITION, Reason.TARGET_FORBIDDEN, text), AGAIN_SECONDS
    except Refused as error:
        return false(CONDITION, Reason.ROLLOUT_BUSY, f"{part.name} cannot be rolled: {error}"), AGAIN_SECONDS
    except KubeError as error:
        # Whether it happened shows at the next look.
        _log.info("rolling %s: %s", part.name, error)
        return None, STALE_SECONDS
    return None, None


def _is_delivered(delivery: Delivery, targets: Targets) -> bool:
    if targets.running is None or delivery.undelivered:
        return False
    return all(pod.config_hash == delivery.hash for pod in targets.running.serving)


def _with_strays(condition: Assertion, delivery: Delivery) -> Assertion:
    """Pods that were started while the Secret held something else: no roll would reach them, as they bear the hash."""
    if condition.reason is not Reason.NOT_DELIVERED or not delivery.stray:
        return condition
    text = (
        f"{', '.join(delivery.stray[:4])} was started while the Secret held another configuration, and may have that: "
        "delete the pod, its workload starts a new one"
    )
    return dataclasses.replace(condition, message=text)


def _unseen(connection: MilvusConnection, delivery: Delivery, targets: Targets | None) -> Rolled:
    """Nobody here can see what Milvus runs."""
    strategy = connection.spec.effective_strategy
    if targets is not None and targets.against is not None:
        condition = targets.against
    elif strategy is RolloutStrategy.LIVE:
        logged = (connection.status.server_version or "v2").startswith("v2")
        text = "rollout.strategy is Live: Milvus re-reads the mounted folder, which cannot be seen from here"
        text += "; Milvus 2.6 writes re-read keys to its log in clear" if logged else ""
        condition = unknown(CONDITION, Reason.DELIVERY_UNKNOWN, text)
    elif strategy is RolloutStrategy.NONE:
        text = "rollout.strategy is None: whoever restarts Milvus, or lets it re-read the file, delivers the Secret"
        condition = unknown(CONDITION, Reason.DELIVERY_UNKNOWN, text)
    else:
        text = (
            "rollout.strategy is Restart, and there is nothing to restart: set rollout.workloads.selector or milvusRef"
        )
        condition = unknown(CONDITION, Reason.DELIVERY_UNKNOWN, text)
    retry = LOOK_SECONDS if targets is not None else None
    return Rolled(condition=condition, config=_hashes(delivery), rollout=None, retry_after=retry)


def _blocked(connection: MilvusConnection, delivery: Delivery, targets: Targets) -> Rolled:
    condition = targets.against or false(CONDITION, Reason.TARGET_NOT_FOUND, "no workload of Milvus is there yet")
    kept = connection.status.rollout.to_yaml() or None
    config = _config(connection, delivery, condition, None)
    return Rolled(condition=condition, config=config, rollout=kept, retry_after=AGAIN_SECONDS)


def _config(
    connection: MilvusConnection, delivery: Delivery, condition: Assertion, now: datetime | None
) -> Mapping[str, object]:
    former = connection.status.config
    delivered, at = former.delivered_hash, former.delivered_time
    if condition.status is Truth.TRUE and now is not None and delivered != delivery.hash:
        delivered, at = delivery.hash, now
    fields: dict[str, object] = dict(_hashes(delivery))
    if delivered:
        fields["deliveredHash"] = delivered
    if at is not None:
        fields["deliveredTime"] = timestamp(at)
    return fields


def _hashes(delivery: Delivery) -> Mapping[str, object]:
    if delivery.rendered_hash == delivery.hash:
        return {"hash": delivery.hash}
    return {"hash": delivery.hash, "renderedHash": delivery.rendered_hash}


def _status(progress: Progress) -> Mapping[str, object]:
    fields: dict[str, object] = {"phase": str(progress.phase)}
    if progress.hash:
        fields["hash"] = progress.hash
    if progress.since is not None:
        fields["startTime"] = timestamp(progress.since)
    if progress.failed:
        fields["failedHash"] = progress.failed
    if progress.rolled:
        fields["rolledHash"] = progress.rolled
    if progress.recent:
        fields["recent"] = [timestamp(start) for start in progress.recent]
    return fields


def _notes(before: Progress, after: Progress, condition: Assertion) -> tuple[Note, ...]:
    if before.phase is after.phase and before.hash == after.hash:
        return ()
    if after.phase is RolloutPhase.ROLLING:
        return (Note("RolloutStarted", condition.message),)
    if after.phase is RolloutPhase.TIMED_OUT:
        return (Note("RolloutTimedOut", condition.message, warning=True),)
    if before.phase in (RolloutPhase.ROLLING, RolloutPhase.TIMED_OUT) and condition.status is Truth.TRUE:
        return (Note("RolloutFinished", condition.message),)
    return ()
