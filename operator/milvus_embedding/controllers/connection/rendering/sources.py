"""Reads the keys of a connection's credentials, and has each new value asked about before it is taken."""

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection.rendering.composition import provider_url
from milvus_embedding.controllers.eligibility import owner_of
from milvus_embedding.controllers.keys import read_key
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.rendering import state
from milvus_embedding.domain.rendering.render import Source
from milvus_embedding.domain.scrub import Scrubber


@dataclass(frozen=True, slots=True)
class Found:
    """`value` is what the user's Secret has, also if it is not to be taken (yet). `result`: what DashScope said of it,
    None if that is not known; `is_asked`: it is under way. `again_after`: seconds until it may be readable.
    """

    source: Source
    value: str | None = dataclasses.field(default=None, repr=False)
    result: ProbeResult | None = None
    is_asked: bool = False
    again_after: float | None = None


class Sources:
    """`wake`s and memories of answers are those of KeyProbes."""

    def __init__(self, probes: KeyProbes, scrubber: Scrubber) -> None:
        self._probes = probes
        self._scrubber = scrubber

    async def gather(
        self,
        credentials: Mapping[str, EmbeddingCredential],
        memory: state.Memory,
        connection: MilvusConnection,
        world: World,
    ) -> Mapping[str, Found]:
        """What was found, by label. A source that cannot be had has no value."""
        found = await asyncio.gather(
            *(self._source(label, c, memory, connection, world) for label, c in credentials.items())
        )
        return dict(zip(credentials, found, strict=True))

    async def _source(
        self,
        label: str,
        credential: EmbeddingCredential,
        memory: state.Memory,
        connection: MilvusConnection,
        world: World,
    ) -> Found:
        owner = owner_of(credential)
        try:
            value = await read_key(credential, world, self._scrubber)
        except Blocked as blocked:
            return Found(Source(label=label, owner=owner), again_after=blocked.retry_after)
        if not credential.spec.probe.enabled:
            return Found(Source(label=label, owner=owner, value=value, declared=True), value)
        before, url = memory.get(label), provider_url(connection)
        if not self._probes.knows(credential.key, value, url) and is_proof(before, value, url):
            at = before.proven_at if before else None
            return Found(_proven(label, owner, value, at, url), value, ProbeResult(Verdict.ACCEPTED, 200))
        interval = credential.spec.probe.interval_seconds
        answer = await self._probes.ask(credential.key, value, url, interval=interval, wake=(connection.key,))
        if answer is None:
            kept = value if before and before.value == value else None
            return Found(Source(label=label, owner=owner, value=kept), value, is_asked=True)
        if answer.result.verdict is Verdict.ACCEPTED:
            return Found(_proven(label, owner, value, timestamp(answer.at), url), value, answer.result)
        refused = answer.result.verdict is Verdict.REJECTED
        return Found(Source(label=label, owner=owner, value=value, refused=refused), value, answer.result)


def is_proof(entry: state.LabelMemory | None, value: str, url: str) -> bool:
    """Whether the rendered Secret remembers that this value has embedded at this endpoint."""
    return entry is not None and entry.proven == value and (entry.proven_url or "") == url


def _proven(label: str, owner: str, value: str, at: str | None, url: str) -> Source:
    return Source(label=label, owner=owner, value=value, proven_at=at, proven_url=url or None)
