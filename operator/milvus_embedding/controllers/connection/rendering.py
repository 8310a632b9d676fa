"""Writes the Secret that Milvus reads: gathers the sources, renders, compares, writes once.

Works without Milvus: the Secret has to be there before the pods that mount it. A source that cannot be had keeps its
last good value and is told on its own object; what is wrong with the whole is told here.
"""

import asyncio
import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from milvus_embedding.api.annotations import CONNECTION_LABEL
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import Verdict
from milvus_embedding.controllers.base import (
    SecretFailed,
    SecretForbidden,
    SecretFound,
    SecretMissing,
    SecretWrite,
    World,
    WriteRefused,
)
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection.composition import (
    Composed,
    compose,
    missing_labels,
    provider_url,
    without_room,
)
from milvus_embedding.controllers.connection.usage import BY_DEFAULT, LabelUsage, Look
from milvus_embedding.controllers.eligibility import candidates, default_label, is_environment, owner_of, winners
from milvus_embedding.controllers.keys import read_key
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import document, state
from milvus_embedding.domain.rendering.render import Source, render
from milvus_embedding.domain.scrub import Scrubber

LABELS_AGAIN_SECONDS = 60.0
LONGEST_NAME = 63
"""Of a connection that delivers: its Secret bears the name as the value of a label."""

SIZE_LIMIT = 900 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was rendered. `missing` are labels in use without any value, `refused` those for which there is no room.

    `wanting`: owner -> label and credential of all that want to be rendered; `living`: label -> who gets it.
    `retry_after`: seconds until a source that could not be read may be.
    """

    secret_name: str
    hash: str
    memory: state.Memory = dataclasses.field(repr=False)
    retained: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    uses: Mapping[str, int]
    wanting: Mapping[str, tuple[str, EmbeddingCredential]]
    living: Mapping[str, EmbeddingCredential]
    retry_after: float | None = None


class Rendering:
    """`owner_id` keys the hash, so that it says nothing about the keys and is the same after a restore."""

    def __init__(self, *, probes: KeyProbes, usage: LabelUsage, scrubber: Scrubber, owner_id: str) -> None:
        self._probes = probes
        self._usage = usage
        self._scrubber = scrubber
        self._owner_id = owner_id

    async def deliver(self, connection: MilvusConnection, world: World) -> Delivery:
        """Brings the Secret to what it has to be. Raises Blocked; the Secret is then as it was."""
        _refuse_long_name(connection)
        present = await self._present(connection, world)
        memory = self._remembered(present, connection.secret_name or "")
        if is_environment(connection) and present is not None and document.FILE_KEY in present.data:
            await self._refuse_to_lose_labels(connection, world, memory)
        holders = {label: entry.owner for label, entry in memory.items()}
        wanting = candidates(connection, world)
        living = winners(wanting, holders)
        delivered = {label: credential for label, credential in living.items() if credential.spec.external is None}
        found = await asyncio.gather(
            *(self._source(label, c, memory, connection, world) for label, c in delivered.items())
        )
        sources = [source for source, _ in found]
        uses = await self._uses(connection, world, memory, delivered)
        owners = [(label, owner_of(credential)) for label, credential in living.items()]

        def admitting(refused: Collection[str]) -> Composed:
            admitted = [source for source in sources if source.label not in refused]
            rendered = render(memory, admitted, uses=uses, released=_released(connection), now=timestamp(world.now))
            return compose(connection, rendered, owners)

        composed, refused = admitting(()), tuple[str, ...]()
        if composed.size > SIZE_LIMIT:
            refused = without_room(composed, delivered, memory, limit=SIZE_LIMIT)
            composed = admitting(refused)
        rendered, provider = composed.rendered, composed.provider
        await self._write(connection, world, present, composed)
        return Delivery(
            secret_name=connection.secret_name or "",
            hash=document.config_hash(
                composed.keys, provider, owner_id=self._owner_id, connection=f"{connection.namespace}/{connection.name}"
            ),
            memory=rendered.memory,
            retained=rendered.retained,
            missing=missing_labels(connection, rendered, provider),
            refused=refused,
            uses=uses or {},
            wanting=wanting,
            living=living,
            retry_after=min((again for _, again in found if again is not None), default=None),
        )

    async def _present(self, connection: MilvusConnection, world: World) -> SecretFound | None:
        name = connection.secret_name or ""
        match await world.read_secret(connection.namespace, name):
            case SecretFound() as secret:
                _refuse_foreign(secret, connection)
                return secret
            case SecretMissing():
                return None
            case SecretForbidden():
                raise Blocked(
                    Reason.RENDER_FAILED,
                    f"the operator may not get Secret {name}; give its ServiceAccount get, create and update on it",
                    retry_after=10,
                )
            case SecretFailed(detail):
                raise Blocked(Reason.RENDER_FAILED, f"Secret {name} cannot be read: {detail}", retry_after=2)

    def _remembered(self, present: SecretFound | None, secret_name: str) -> dict[str, state.LabelMemory]:
        try:
            memory = state.load(present.data.get(state.KEY) if present else None)
        except state.UnreadableState as error:
            raise Blocked(
                Reason.RENDER_FAILED,
                f"{error}; restore it, or delete that key of Secret {secret_name} to start anew: labels whose "
                "credential is gone are then lost",
            ) from None
        for entry in memory.values():
            self._scrubber.learn(*(v for v in (entry.proven, entry.candidate) if v))
        return memory

    async def _source(
        self,
        label: str,
        credential: EmbeddingCredential,
        memory: state.Memory,
        connection: MilvusConnection,
        world: World,
    ) -> tuple[Source, float | None]:
        """And the seconds until it may be readable, if it is not and no event will tell."""
        owner = owner_of(credential)
        try:
            value = await read_key(credential, world, self._scrubber)
        except Blocked as blocked:
            return Source(label=label, owner=owner), blocked.retry_after
        if not credential.spec.probe.enabled:
            return Source(label=label, owner=owner, value=value), None
        before = memory.get(label)
        answer = await self._verdict(credential, value, connection, before)
        if answer is None:
            return Source(label=label, owner=owner, value=value if before and before.value == value else None), None
        verdict, at = answer
        source = Source(
            label=label,
            owner=owner,
            value=value,
            proven_at=at if verdict is Verdict.ACCEPTED else None,
            proven_url=provider_url(connection) or None,
            refused=verdict is Verdict.REJECTED,
        )
        return source, None

    async def _verdict(
        self,
        credential: EmbeddingCredential,
        value: str,
        connection: MilvusConnection,
        before: state.LabelMemory | None,
    ) -> tuple[Verdict, str | None] | None:
        url = provider_url(connection)
        if not self._probes.knows(credential.key, value, url) and is_proof(before, value, url):
            return Verdict.ACCEPTED, before.proven_at if before else None
        interval = credential.spec.probe.interval_seconds
        answer = await self._probes.ask(credential.key, value, url, interval=interval, wake=(connection.key,))
        return (answer.result.verdict, timestamp(answer.at)) if answer else None

    async def _uses(
        self,
        connection: MilvusConnection,
        world: World,
        memory: state.Memory,
        living: Mapping[str, EmbeddingCredential],
    ) -> Mapping[str, int] | None:
        """Collections per label for the labels without a living credential; None while that cannot be known."""
        orphans = {label: entry.owner for label, entry in memory.items() if label not in living}
        if not orphans:
            return {}
        look = await self._usage.look(connection, world)
        uses = _uses_of(orphans, look, connection, world)
        if look is not None and look.remembered and uses is not None and not all(uses.values()):
            uses = _uses_of(orphans, await self._usage.look(connection, world, now=True), connection, world)
        return uses

    async def _refuse_to_lose_labels(self, connection: MilvusConnection, world: World, memory: state.Memory) -> None:
        """Delivery was File until now, and Environment has no labels."""
        look = await self._usage.look(connection, world, now=True)
        uses = _uses_of({label: entry.owner for label, entry in memory.items()}, look, connection, world, named=True)
        used = sorted(label for label in memory if uses is None or uses[label])
        if used:
            raise Blocked(
                Reason.LABELS_IN_USE,
                f"spec.embedding.delivery: collections name {', '.join(used[:8])}, or may; Environment has no labels: "
                "set delivery back to File",
                retry_after=LABELS_AGAIN_SECONDS,
            )

    async def _write(
        self, connection: MilvusConnection, world: World, present: SecretFound | None, composed: Composed
    ) -> None:
        if present is not None and dict(present.data) == dict(composed.data):
            return
        if composed.size > SIZE_LIMIT:
            raise Blocked(
                Reason.CONFIG_TOO_LARGE,
                f"it would have {composed.size // 1024} KiB, with room for {SIZE_LIMIT // 1024}: remove credentials",
            )
        write = SecretWrite(
            namespace=connection.namespace,
            name=connection.secret_name or "",
            labels={**(present.labels if present else {}), CONNECTION_LABEL: connection.name},
            data=composed.data,
            resource_version=present.resource_version if present else None,
        )
        try:
            await world.write_secret(write)
        except WriteRefused as error:
            raise Blocked(
                Reason.RENDER_FAILED, f"Secret {write.name} cannot be written: {error}", retry_after=10
            ) from None


def is_proof(entry: state.LabelMemory | None, value: str, url: str) -> bool:
    """Whether the rendered Secret remembers that this value has embedded at this endpoint."""
    return entry is not None and entry.proven == value and (entry.proven_url or "") == url


def _uses_of(
    orphans: Mapping[str, str], look: Look | None, connection: MilvusConnection, world: World, *, named: bool = False
) -> dict[str, int] | None:
    """orphans: label -> owner. By the specs that name a label or by what Milvus has, whichever is more.

    named: functions that name no label do not count for the default one.
    """
    if look is None:
        return None
    default = None if named else default_label(connection, orphans.items())
    unnamed = {default: look.count(BY_DEFAULT)}
    return {
        label: max(world.used_by(_credential_key(owner)), look.count(label) + unnamed.get(label, 0))
        for label, owner in orphans.items()
    }


def _released(connection: MilvusConnection) -> tuple[str, ...]:
    return tuple(connection.spec.embedding.release_labels) if connection.spec.embedding else ()


def _refuse_long_name(connection: MilvusConnection) -> None:
    if len(connection.name) > LONGEST_NAME:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"metadata.name has {len(connection.name)} characters, and with spec.embedding {LONGEST_NAME} at most are "
            "possible, as the rendered Secret bears it as a label; use a shorter name",
        )


def _refuse_foreign(secret: SecretFound, connection: MilvusConnection) -> None:
    """A Secret is ours if it bears our label and holds nothing that somebody else put there."""
    name, bearer = connection.secret_name, secret.labels.get(CONNECTION_LABEL)
    if bearer != connection.name:
        told = f"belongs to connection {bearer}" if bearer else f"has no label {CONNECTION_LABEL}"
        raise Blocked(
            Reason.SECRET_NOT_OURS,
            f"Secret {name} exists and {told}; it is not touched: set spec.embedding.secretName to another name, "
            f"or give it the label {CONNECTION_LABEL}: {connection.name} if it is meant for this",
        )
    foreign = sorted(set(secret.data) - {document.FILE_KEY, state.KEY, *document.VARIABLES})
    if foreign:
        raise Blocked(
            Reason.SECRET_NOT_OURS,
            f"Secret {name} holds other data ({', '.join(foreign)[:80]}); it is not touched: remove that data",
        )


def _credential_key(owner: str) -> Key:
    namespace, _, name = owner.partition("/")
    return Key(EmbeddingCredential.KIND, namespace, name)
