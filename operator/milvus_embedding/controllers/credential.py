"""The credential's pass: whose label, is there a key, does it embed, and is it rendered."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import LabelState, MilvusConnection, Verify
from milvus_embedding.api.credential import EmbeddingCredential, RotationStatus
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.controllers.base import Outcome, SecretFound, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection.proving.canary import Canary
from milvus_embedding.controllers.connection.proving.proofs import Proof, effective
from milvus_embedding.controllers.connection.rendering.composition import provider_url
from milvus_embedding.controllers.connection.rendering.delivery import rotation_status
from milvus_embedding.controllers.connection.rendering.sources import is_proof
from milvus_embedding.controllers.eligibility import (
    candidates,
    connection_of,
    is_environment,
    label_of,
    owner_of,
    sees_delivery,
    shows_all_labels,
    winners,
)
from milvus_embedding.controllers.keys import read_key
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.conditions import Assertion, Draft, Truth, false, parse_time, true, unknown, with_summary
from milvus_embedding.domain.labels import fold
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import state
from milvus_embedding.domain.scrub import Scrubber

RENDERED_WITHIN_SECONDS = 1.0
NO_ROTATION = RotationStatus()


@dataclass(frozen=True, slots=True)
class _Findings:
    conditions: tuple[Assertion, ...]
    rotation: RotationStatus = NO_ROTATION
    retry_after: float | None = None


class _Memory:
    """What the rendered Secret remembers; nothing if it cannot be read. Read once in a pass, and only if needed."""

    def __init__(self, connection: MilvusConnection, world: World) -> None:
        self.connection = connection
        self._world = world
        self._labels: state.Memory | None = None

    async def labels(self) -> state.Memory:
        if self._labels is None:
            self._labels = {}
            if self.connection.secret_name is None:
                return self._labels
            match await self._world.read_secret(self.connection.namespace, self.connection.secret_name):
                case SecretFound(data):
                    with contextlib.suppress(state.UnreadableState):
                        self._labels = state.load(data.get(state.KEY)).labels
        return self._labels


class CredentialController:
    """Implements controllers.base.Controller."""

    def __init__(self, *, probes: KeyProbes, scrubber: Scrubber, canary: Canary) -> None:
        self._probes = probes
        self._scrubber = scrubber
        self._canary = canary
        self._expected: set[Key] = set()

    async def reconcile(self, resource: EmbeddingCredential, world: World) -> Outcome:
        if resource.is_deleted:
            return Outcome(status=None)
        label: str | None = None
        try:
            connection = connection_of(resource, world)
            label = label_of(resource, connection)
            memory = _Memory(connection, world)
            holders = await _holders(memory)
            _refuse_conflict(resource, connection, label, world, holders)
            rendered = holders.get(label) == owner_of(resource) and await _is_rendered(memory, label)
            findings = await self._examine(resource, memory, label, world, rendered=rendered)
        except Blocked as blocked:
            ready = false("Ready", blocked.reason, blocked.message)
            findings = _Findings((ready,), resource.status.rotation, blocked.retry_after)
        used_by = world.used_by(resource.key)
        draft = Draft(
            resource.metadata.generation,
            with_summary(findings.conditions),
            {"label": label, "usedBy": used_by, "rotation": findings.rotation.to_yaml() or None},
        )
        if self._is_expected_soon(resource, draft):
            return Outcome(status=None, requeue_after=RENDERED_WITHIN_SECONDS)
        namespace, name = resource.spec.connection_ref.resolve(resource.namespace)
        wake = (Key(MilvusConnection.KIND, namespace, name),) if used_by != (resource.status.used_by or 0) else ()
        return Outcome(status=draft, requeue_after=findings.retry_after, wake=wake)

    async def forget(self, key: Key) -> None:
        self._probes.forget(key)
        self._expected.discard(key)

    def _is_expected_soon(self, credential: EmbeddingCredential, draft: Draft) -> bool:
        """A new credential has woken its connection, which renders it in a moment: not worth a status of its own."""
        ready = draft.conditions[0]
        new = credential.status.observed_generation < 0 and credential.key not in self._expected
        if not new or ready.reason is not Reason.NOT_DELIVERED:
            self._expected.discard(credential.key)
            return False
        self._expected.add(credential.key)
        return True

    async def _examine(
        self,
        credential: EmbeddingCredential,
        memory: _Memory,
        label: str,
        world: World,
        *,
        rendered: bool,
    ) -> _Findings:
        connection = memory.connection
        if credential.spec.external is not None:
            return _Findings(_external(label))
        rotation = await _rotation(credential, memory, label) if rendered else NO_ROTATION
        delivered = _delivered(credential, connection, label, rotation if rendered else None)
        try:
            value = await read_key(credential, world, self._scrubber)
        except Blocked as blocked:
            found = false("SecretFound", blocked.reason, blocked.message)
            kept = " (Milvus keeps the last good key)" if rendered else ""
            ready = false("Ready", blocked.reason, blocked.message + kept)
            return _Findings((ready, found, delivered), rotation, blocked.retry_after)
        valid, retry_after = await self._valid(credential, memory, value, label)
        found = true("SecretFound", Reason.SECRET_FOUND)
        newest = self._canary.newest(connection.key, label, reader=credential.key)
        told = credential.namespace == connection.namespace
        proven = await _effective(newest, memory, label, value, rotation, is_told_all=told) if rendered else ()
        ready = _ready(valid, delivered, *proven)
        return _Findings((ready, found, valid, delivered, *proven), rotation, retry_after)

    async def _valid(
        self, credential: EmbeddingCredential, memory: _Memory, value: str, label: str
    ) -> tuple[Assertion, float | None]:
        connection, probe = memory.connection, credential.spec.probe
        url = provider_url(connection)
        if not probe.enabled:
            return unknown("KeyValid", Reason.PROBE_DISABLED, "spec.probe.enabled is false"), None
        if not self._probes.knows(credential.key, value, url):
            await self._recall(credential, memory, value, label)
        interval = float(probe.interval_seconds)
        answer = await self._probes.ask(credential.key, value, url, interval=interval, wake=(connection.key,))
        if answer is None:
            return unknown("KeyValid", Reason.PROBING, "asking DashScope"), None
        return _verdict(answer.result), answer.again_after

    async def _recall(self, credential: EmbeddingCredential, memory: _Memory, value: str, label: str) -> None:
        """After a restart: the rendered Secret remembers which value embedded, and when."""
        entry, url = (await memory.labels()).get(label), provider_url(memory.connection)
        if entry is not None and entry.owner == owner_of(credential) and is_proof(entry, value, url):
            at = parse_time(entry.proven_at)
            if at is not None:
                self._probes.trust(credential.key, value, url, at=at)


async def _holders(memory: _Memory) -> dict[str, str]:
    """Label -> owner of what is rendered, from the connection's status if that shows all."""
    connection = memory.connection
    if not shows_all_labels(connection):
        return {label: entry.owner for label, entry in (await memory.labels()).items()}
    return {
        entry.label: f"{entry.credential.namespace}/{entry.credential.name}"
        for entry in connection.status.labels
        if entry.credential is not None and entry.state is not LabelState.RELEASED
    }


async def _is_rendered(memory: _Memory, label: str) -> bool:
    """Not while it is Retained: the connection has not seen the credential then, nor its key."""
    connection = memory.connection
    if any(e.label == label and e.state is LabelState.RETAINED for e in connection.status.labels):
        return False
    return shows_all_labels(connection) or (await memory.labels())[label].value is not None


def _refuse_conflict(
    credential: EmbeddingCredential,
    connection: MilvusConnection,
    label: str,
    world: World,
    holders: Mapping[str, str],
) -> None:
    """Of two labels that Milvus cannot tell apart the one in the rendered Secret keeps it, else the older."""
    winner = winners(candidates(connection, world, like=label), holders).get(label)
    if winner is not None and owner_of(winner) == owner_of(credential):
        return
    raise Blocked(
        Reason.LABEL_CONFLICT,
        f"label {label} reads as {fold(label)} in Milvus, and another credential of this connection has that, "
        "or had it; create this one anew with another label",
    )


def _external(label: str) -> tuple[Assertion, ...]:
    text = f"milvus.yaml is said to have label {label} already; nothing is rendered or asked"
    return (
        true("Ready", Reason.EXTERNAL, text),
        unknown("KeyValid", Reason.EXTERNAL, text),
        unknown("Delivered", Reason.EXTERNAL, text),
    )


def _verdict(result: ProbeResult) -> Assertion:
    code = f" {result.code}" if result.code else ""
    match result.verdict:
        case Verdict.ACCEPTED:
            return true("KeyValid", Reason.KEY_ACCEPTED, "the key embeds")
        case Verdict.REJECTED:
            text = f"DashScope rejects the key ({result.status}{code}); put a valid one into the Secret"
            return false("KeyValid", Reason.KEY_REJECTED, text)
        case Verdict.REFUSED:
            text = f"DashScope answered {result.status}{code}, which says nothing about the key"
            return unknown("KeyValid", Reason.PROVIDER_REFUSED, text)
        case Verdict.UNREACHABLE:
            return unknown("KeyValid", Reason.PROVIDER_UNREACHABLE, "DashScope cannot be asked from here")


async def _rotation(credential: EmbeddingCredential, memory: _Memory, label: str) -> RotationStatus:
    """From the connection's status, or from the Secret's memory where that has no room for all."""
    connection = memory.connection
    shown = next((entry for entry in connection.status.labels if entry.label == label), None)
    if shown is not None:
        return shown.rotation
    entry = (await memory.labels()).get(label)
    return rotation_status(connection, entry) if entry is not None else credential.status.rotation


def _delivered(
    credential: EmbeddingCredential, connection: MilvusConnection, label: str, rotation: RotationStatus | None
) -> Assertion:
    """rotation: None if the key is not rendered."""
    if is_environment(connection):
        ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
        if ref is None or (connection.namespace, ref.name) != (credential.namespace, credential.name):
            text = "delivery is Environment, which carries one key: that of spec.embedding.dashscope.credentialRef"
            return false("Delivered", Reason.LABEL_IN_ENVIRONMENT, text)
    if label in (connection.spec.embedding.release_labels if connection.spec.embedding else ()):
        text = f"label {label} is in releaseLabels of connection {connection.name}: it is not rendered"
        return false("Delivered", Reason.RELEASED, text)
    if rotation is None:
        return false("Delivered", Reason.NOT_DELIVERED, f"connection {connection.name} has not rendered it yet")
    if not sees_delivery(connection):
        return unknown("Delivered", Reason.DELIVERY_UNKNOWN, "rendered; the operator cannot see when Milvus reads it")
    if rotation.generation is not None and rotation.delivered_generation == rotation.generation:
        return true(
            "Delivered", Reason.DELIVERED, f"all pods of Milvus have generation {rotation.generation} of the key"
        )
    return false("Delivered", Reason.NOT_DELIVERED, _on_its_way(connection, rotation))


def _on_its_way(connection: MilvusConnection, rotation: RotationStatus) -> str:
    """Which value is where, and the connection's reason; its message may name what this reader may not know."""
    had = f"generation {rotation.delivered_generation}" if rotation.delivered_generation else "no key of it"
    told = connection.status.condition("ConfigDelivered")
    why = f": {told.reason}, see ConfigDelivered of connection {connection.name}" if told is not None else ""
    return f"generation {rotation.generation or 1} of the key is rendered, and Milvus' pods have {had}{why}"


async def _effective(
    newest: Proof | None,
    memory: _Memory,
    label: str,
    value: str,
    rotation: RotationStatus,
    *,
    is_told_all: bool,
) -> tuple[Assertion, ...]:
    """The condition Effective, if the connection has keys proven."""
    embedding = memory.connection.spec.embedding
    if embedding is None or embedding.verify is not Verify.CANARY:
        return ()
    entry = (await memory.labels()).get(label)
    is_back = entry is not None and entry.rotation.refused is not None and entry.value != value
    is_proven = rotation.generation is not None and rotation.effective_generation == rotation.generation
    return (effective(newest, is_recorded=is_proven, is_rolled_back=is_back, is_told_all=is_told_all),)


def _ready(valid: Assertion, delivered: Assertion, *others: Assertion) -> Assertion:
    if valid.status is Truth.FALSE:
        kept = "" if delivered.status is Truth.FALSE else "; Milvus keeps the last good key"
        return false("Ready", valid.reason, valid.message + kept)
    if valid.reason is Reason.PROBING:
        return false("Ready", valid.reason, valid.message)
    for other in others:
        if other.reason is Reason.ROLLED_BACK_KEY:
            return false("Ready", other.reason, other.message)
    if delivered.status is Truth.FALSE:
        return false("Ready", delivered.reason, delivered.message)
    note = "" if valid.status is Truth.TRUE else f"; {valid.message}"
    told = "rendered" if delivered.status is Truth.UNKNOWN else "in all pods of Milvus"
    return true("Ready", Reason.READY, f"the key is {told}{note}")
