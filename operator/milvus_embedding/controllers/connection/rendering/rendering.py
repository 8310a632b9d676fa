"""Renders: gathers the sources, has the domain decide, and brings the Secret that Milvus reads to it, by one write.

Works without Milvus: the Secret has to be there before the pods that mount it. A source that cannot be had keeps its
last good value and is told on its own object; what is wrong with the whole is told here.
"""

from collections.abc import Mapping
from datetime import timedelta

from milvus_embedding.api.connection import MilvusConnection, RolloutStrategy
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.connection.proving.proofs import Proof
from milvus_embedding.controllers.connection.rendering import secret
from milvus_embedding.controllers.connection.rendering.composition import Basis, Marks, provider_url
from milvus_embedding.controllers.connection.rendering.delivery import Delivery, delivered
from milvus_embedding.controllers.connection.rendering.gathered import (
    Gathered,
    composed_of,
    not_again,
    released,
    with_proofs,
)
from milvus_embedding.controllers.connection.rendering.provider_change import ProviderChange, Wish
from milvus_embedding.controllers.connection.rendering.sources import Sources
from milvus_embedding.controllers.connection.usage import LabelUsage
from milvus_embedding.controllers.eligibility import candidates, default_label, is_environment, owner_of, winners
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.delivery.running import Running
from milvus_embedding.domain.rendering import document, state
from milvus_embedding.domain.scrub import Scrubber

__all__ = ["Delivery", "Rendering"]

NO_PROOFS: Mapping[str, Proof] = {}


class Rendering:
    """`owner_id` keys the hash, so that it says nothing about the keys and is the same after a restore."""

    def __init__(self, *, probes: KeyProbes, usage: LabelUsage, scrubber: Scrubber, owner_id: str) -> None:
        self._sources = Sources(probes, scrubber)
        self._provider_change = ProviderChange(probes, usage)
        self._usage = usage
        self._scrubber = scrubber
        self._owner_id = owner_id

    async def deliver(
        self,
        connection: MilvusConnection,
        world: World,
        running: Running | None = None,
        proofs: Mapping[str, Proof] = NO_PROOFS,
    ) -> Delivery:
        """Brings the Secret to what it has to be. Raises Blocked; the Secret is then as it was.

        running: None if the pods cannot be seen. proofs: label -> the newest answer of the Canary.
        """
        secret.refuse_long_name(connection)
        present = await secret.read(connection, world)
        former = secret.remembered(present, connection.secret_name or "")
        for entry in former.labels.values():
            self._scrubber.learn(*(v for v in (entry.proven, entry.candidate) if v))
        if is_environment(connection) and present is not None and document.FILE_KEY in present.data:
            await self._usage.refuse_to_lose_labels(connection, world, former.labels)
        basis = Basis(
            connection=connection,
            marks=Marks(self._owner_id, f"{connection.namespace}/{connection.name}"),
            documents=former.documents,
            found=present.data if present is not None else None,
            running=running if connection.spec.effective_strategy is RolloutStrategy.RESTART else None,
            settle=timedelta(
                seconds=connection.spec.embedding.rollout.settle_seconds if connection.spec.embedding else 0
            ),
            # As the Secret remembers times, so that what is told now is what is told after it was read again.
            now=world.now.replace(microsecond=0),
        )
        gathered = await self._gather(basis, with_proofs(former.labels, proofs, basis), world)
        composed, refused, again = composed_of(basis, gathered)
        await secret.write(connection, world, present, composed)
        return delivered(basis, gathered, composed, refused, again)

    async def _gather(self, basis: Basis, memory: state.Memory, world: World) -> Gathered:
        connection = basis.connection
        holders = {label: entry.owner for label, entry in memory.items()}
        wanting = candidates(connection, world)
        living = winners(wanting, holders)
        rendered = {label: credential for label, credential in living.items() if credential.spec.external is None}
        found = {
            label: not_again(found, memory.get(label), basis.marks)
            for label, found in (await self._sources.gather(rendered, memory, connection, world)).items()
        }
        # What lives comes before what is remembered: a credential created anew may have another label.
        owners = [(label, owner_of(c)) for label, c in living.items()] + [
            (label, owner) for label, owner in holders.items() if label not in released(connection)
        ]
        wish = Wish(
            provider=document.Provider(
                default_label=default_label(connection, owners), url=provider_url(connection) or None
            ),
            found=found,
            external=living.keys() - rendered.keys(),
            released=released(connection),
        )
        last = basis.documents[-1] if basis.documents else None
        return Gathered(
            memory=memory,
            wanting=wanting,
            living=living,
            delivered=rendered,
            found=found,
            uses=await self._usage.of_orphans(connection, world, memory, rendered),
            change=await self._provider_change.judge(connection, world, last, memory, wish),
        )
