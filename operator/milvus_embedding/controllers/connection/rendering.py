"""Writes the Secret that Milvus reads: gathers the sources, renders, compares, writes once.

Works without Milvus: the Secret has to be there before the pods that mount it. A source that cannot be had keeps its
last good value and is told on its own object; what is wrong with the whole is told here.
"""

import asyncio
import dataclasses
from collections.abc import Collection, Iterable, Mapping
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
from milvus_embedding.controllers.connection.usage import BY_DEFAULT, LabelUsage
from milvus_embedding.controllers.eligibility import candidates, default_label, is_environment, owner_of, winners
from milvus_embedding.controllers.keys import read_key
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import document, state
from milvus_embedding.domain.rendering.render import Rendered, Source, render
from milvus_embedding.domain.scrub import Scrubber

SIZE_LIMIT = 900 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was rendered. `missing` are labels in use without any value, `refused` those for which there is no room."""

    secret_name: str
    hash: str
    memory: state.Memory = dataclasses.field(repr=False)
    retained: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    uses: Mapping[str, int]


class Rendering:
    """`owner_id` keys the hash, so that it says nothing about the keys and is the same after a restore."""

    def __init__(self, *, probes: KeyProbes, usage: LabelUsage, scrubber: Scrubber, owner_id: str) -> None:
        self._probes = probes
        self._usage = usage
        self._scrubber = scrubber
        self._owner_id = owner_id

    async def deliver(self, connection: MilvusConnection, world: World) -> Delivery:
        """Brings the Secret to what it has to be. Raises Blocked; the Secret is then as it was."""
        present = await self._present(connection, world)
        memory = self._remembered(present)
        holders = {label: entry.owner for label, entry in memory.items()}
        living = winners(candidates(connection, world), holders)
        delivered = {label: credential for label, credential in living.items() if credential.spec.external is None}
        sources = await asyncio.gather(
            *(self._source(label, c, memory, connection, world) for label, c in delivered.items())
        )
        uses = await self._uses(connection, world, memory, delivered)
        owners = [(label, owner_of(credential)) for label, credential in living.items()]

        def compose(refused: Collection[str]) -> _Composed:
            admitted = [source for source in sources if source.label not in refused]
            rendered = render(memory, admitted, uses=uses, released=_released(connection), now=timestamp(world.now))
            return _composed(connection, rendered, owners)

        composed, refused = compose(()), tuple[str, ...]()
        if composed.size > SIZE_LIMIT:
            refused = _without_room(composed, delivered, memory)
            composed = compose(refused)
        rendered, provider = composed.rendered, composed.provider
        await self._write(connection, world, present, composed)
        return Delivery(
            secret_name=connection.secret_name or "",
            hash=document.config_hash(
                composed.keys, provider, owner_id=self._owner_id, connection=f"{connection.namespace}/{connection.name}"
            ),
            memory=rendered.memory,
            retained=rendered.retained,
            missing=_missing(connection, rendered, provider),
            refused=refused,
            uses=uses or {},
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

    def _remembered(self, present: SecretFound | None) -> dict[str, state.LabelMemory]:
        try:
            memory = state.load(present.data.get(state.KEY) if present else None)
        except state.UnreadableState as error:
            raise Blocked(Reason.RENDER_FAILED, f"{error}; delete that key of the Secret to start anew") from None
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
    ) -> Source:
        owner = owner_of(credential)
        try:
            value = await read_key(credential, world, self._scrubber)
        except Blocked:
            return Source(label=label, owner=owner)
        before = memory.get(label)
        if not credential.spec.probe.enabled:
            proven_at = before.proven_at if before and before.proven == value else None
            return Source(label=label, owner=owner, value=value, proven_at=proven_at)
        answer = await self._verdict(credential, value, connection, before)
        if answer is None:
            return Source(label=label, owner=owner, value=value if before and before.value == value else None)
        verdict, at = answer
        return Source(
            label=label,
            owner=owner,
            value=value,
            proven_at=at if verdict is Verdict.ACCEPTED else None,
            refused=verdict is Verdict.REJECTED,
        )

    async def _verdict(
        self,
        credential: EmbeddingCredential,
        value: str,
        connection: MilvusConnection,
        before: state.LabelMemory | None,
    ) -> tuple[Verdict, str] | None:
        url = provider_url(connection)
        if not self._probes.knows(credential.key, value, url) and before is not None and before.proven == value:
            return Verdict.ACCEPTED, before.proven_at or ""
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
        declared = {label: world.used_by(_credential_key(owner)) for label, owner in orphans.items()}
        counted = await self._usage.count(connection, world)
        if counted is None:
            return None
        default = default_label(connection, orphans.items())
        unnamed = {default: counted.get(BY_DEFAULT, 0)} if default is not None else {}
        return {label: max(declared[label], counted.get(label, 0) + unnamed.get(label, 0)) for label in orphans}

    async def _write(
        self, connection: MilvusConnection, world: World, present: SecretFound | None, composed: "_Composed"
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


def provider_url(connection: MilvusConnection) -> str:
    """The endpoint that keys of this connection are used at; "" is DashScope's default."""
    return (connection.spec.embedding.dashscope.url if connection.spec.embedding else None) or ""


def _released(connection: MilvusConnection) -> tuple[str, ...]:
    return tuple(connection.spec.embedding.release_labels) if connection.spec.embedding else ()


@dataclass(frozen=True, slots=True)
class _Composed:
    """The Secret's data, and the keys that Milvus gets by it."""

    rendered: Rendered
    provider: document.Provider
    data: Mapping[str, bytes] = dataclasses.field(repr=False)
    keys: Mapping[str, str] = dataclasses.field(repr=False)

    @property
    def size(self) -> int:
        return sum(map(len, self.data.values()))


def _composed(connection: MilvusConnection, rendered: Rendered, owners: Iterable[tuple[str, str]]) -> _Composed:
    """owners: (label, owner) of the living credentials."""
    # What lives comes before what is remembered: a credential created anew may have another label.
    remembered = ((label, entry.owner) for label, entry in rendered.memory.items())
    provider = document.Provider(
        default_label=default_label(connection, [*owners, *remembered]), url=provider_url(connection) or None
    )
    keys = rendered.keys
    if is_environment(connection):
        default = keys.get(provider.default_label or "")
        keys = dict.fromkeys(document.VARIABLES, default) if default else {}
        data = {name: value.encode() for name, value in keys.items()}
    else:
        data = {document.FILE_KEY: document.to_yaml(document.sections(keys, provider)).encode()}
    return _Composed(rendered, provider, data | {state.KEY: state.dump(rendered.memory)}, keys)


def _without_room(
    composed: _Composed, delivered: Mapping[str, EmbeddingCredential], memory: state.Memory
) -> tuple[str, ...]:
    """The newest of the labels that were not there before, as many as are too many; what is rendered stays."""
    over = composed.size - SIZE_LIMIT
    sizes = {label: _size(label, entry) for label, entry in composed.rendered.memory.items() if label not in memory}
    newcomers = [label for label in sizes if label in delivered]
    refused: list[str] = []
    for label in sorted(newcomers, key=lambda label: _age(delivered[label]), reverse=True):
        if over <= 0:
            break
        refused.append(label)
        over -= sizes[label]
    return tuple(sorted(refused))


def _size(label: str, entry: state.LabelMemory) -> int:
    """Bytes in the document and in the memory beside it."""
    text = document.to_yaml(document.sections({label: entry.value or ""}, document.Provider()))
    return len(text) + len(state.dump({label: entry}))


def _age(credential: EmbeddingCredential) -> tuple[bool, str, str]:
    created = credential.metadata.creation_timestamp
    return (created is None, created.isoformat() if created else "", owner_of(credential))


def _missing(connection: MilvusConnection, rendered: Rendered, provider: document.Provider) -> tuple[str, ...]:
    if not is_environment(connection):
        return rendered.missing
    return tuple(label for label in rendered.missing if label == provider.default_label)


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
