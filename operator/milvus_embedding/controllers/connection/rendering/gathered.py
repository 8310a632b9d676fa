"""From what a pass has gathered to what the Secret shall hold. Pure: nothing is asked and nothing is written here."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from milvus_embedding.api.connection import MilvusConnection, RolloutStrategy
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.controllers.connection.proving.proofs import Proof, Verdict
from milvus_embedding.controllers.connection.rendering import secret
from milvus_embedding.controllers.connection.rendering.composition import (
    Basis,
    Composed,
    Marks,
    compose,
    provider_url,
    without_room,
)
from milvus_embedding.controllers.connection.rendering.provider_change import Change
from milvus_embedding.controllers.connection.rendering.sources import Found
from milvus_embedding.domain.rendering import document, live, rotation, state
from milvus_embedding.domain.rendering.render import Judgement, Rendered, judged, render


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a pass knows before it renders. `uses` None: not known."""

    memory: state.Memory = dataclasses.field(repr=False)
    wanting: Mapping[str, tuple[str, EmbeddingCredential]]
    living: Mapping[str, EmbeddingCredential]
    delivered: Mapping[str, EmbeddingCredential]
    found: Mapping[str, Found]
    uses: Mapping[str, int] | None
    change: Change


def with_proofs(memory: state.Memory, proofs: Mapping[str, Proof], basis: Basis) -> state.Memory:
    strategy = basis.connection.spec.effective_strategy
    judgements = {
        label: Judgement(proof.digest, proof.verdict is Verdict.PROVEN, proof.at)
        for label, proof in proofs.items()
        if label in memory and _is_telling(proof, memory[label], strategy, basis.now)
    }
    digests = {label: basis.marks.of_value(memory[label].value or "") for label in judgements}
    url = provider_url(basis.connection) or None
    return judged(memory, judgements, digests, url, basis.now)


def _is_telling(proof: Proof, entry: state.LabelMemory, strategy: RolloutStrategy, now: datetime) -> bool:
    """Where nobody sees the pods, a refusal may be of the former value: nothing is taken back for it."""
    since = rotation.telling_from(entry.rotation, strategy)
    if proof.verdict is Verdict.UNKNOWN or since is None or now < since:
        return False
    return proof.verdict is Verdict.PROVEN or strategy is RolloutStrategy.RESTART


def not_again(found: Found, entry: state.LabelMemory | None, marks: Marks) -> Found:
    """A value that was refused through Milvus counts as refused until it is another one."""
    refused = entry.rotation.refused if entry is not None else None
    if refused is None or found.value is None or marks.of_value(found.value) != refused:
        return found
    return dataclasses.replace(found, source=dataclasses.replace(found.source, value=found.value, refused=True))


def composed_of(basis: Basis, gathered: Gathered) -> tuple[Composed, tuple[str, ...], datetime | None]:
    """And the labels for which there is no room, and when the next of two steps is due."""
    provider, kept, due = _step(basis, gathered)

    def admitting(refused: Collection[str], on: Basis) -> Composed:
        rendered = _rendered(on, gathered, kept, refused)
        return compose(on, rendered, _without_dropped(provider, rendered, gathered))

    composed = admitting((), basis)
    while composed.size > secret.SIZE_LIMIT and len(basis.documents) > 1:
        # History goes before keys do: of what is forgotten, nothing is told.
        basis = dataclasses.replace(basis, documents=basis.documents[1:])
        composed = admitting((), basis)
    if composed.size <= secret.SIZE_LIMIT:
        return composed, (), due
    refused = without_room(composed, gathered.delivered, gathered.memory, limit=secret.SIZE_LIMIT)
    return admitting(refused, basis), refused, due


def _step(basis: Basis, gathered: Gathered) -> tuple[document.Provider, frozenset[str], datetime | None]:
    """What is rendered as the provider's section, the labels that it keeps, and when there is a further step."""
    wanted = gathered.change.provider
    kept = frozenset({wanted.default_label} if gathered.change.against is not None and wanted.default_label else ())
    if basis.connection.spec.effective_strategy is not RolloutStrategy.LIVE:
        return wanted, kept, None
    step = live.step(basis.documents, wanted.default_label or "", basis.now)
    return dataclasses.replace(wanted, default_label=step.default or None), kept | step.kept, step.until


def _without_dropped(provider: document.Provider, rendered: Rendered, gathered: Gathered) -> document.Provider:
    """A label that goes is nobody's default any more."""
    label = provider.default_label
    is_there = label in rendered.memory or label in gathered.living
    return provider if is_there else dataclasses.replace(provider, default_label=None)


def _rendered(basis: Basis, gathered: Gathered, kept: Collection[str], refused: Collection[str]) -> Rendered:
    sources = [found.source for label, found in gathered.found.items() if label not in refused]
    if gathered.change.keeps_values:
        sources = [
            dataclasses.replace(source, value=None, proven_at=None, refused=False)
            for source in sources
            if source.label in gathered.memory
        ]
    return render(
        gathered.memory,
        sources,
        uses=gathered.uses,
        released=released(basis.connection),
        now=basis.now,
        kept=kept,
    )


def released(connection: MilvusConnection) -> tuple[str, ...]:
    """Labels that are to be dropped although in use."""
    return tuple(connection.spec.embedding.release_labels) if connection.spec.embedding else ()
