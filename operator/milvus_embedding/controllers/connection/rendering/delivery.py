"""What came of rendering, for the rest of the connection's pass and for its status."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from milvus_embedding.api.connection import MilvusConnection, RolloutStrategy, Verify
from milvus_embedding.api.credential import EmbeddingCredential, RotationStatus
from milvus_embedding.controllers.connection.rendering.composition import Basis, Composed, missing_labels
from milvus_embedding.controllers.connection.rendering.gathered import Gathered
from milvus_embedding.controllers.connection.rendering.provider_change import AGAIN_SECONDS, BROKEN_AGAIN_SECONDS
from milvus_embedding.controllers.connection.rendering.sources import Found
from milvus_embedding.domain.conditions import Assertion
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import rotation, state
from milvus_embedding.domain.rendering.documents import strays, target


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was rendered. `missing` are labels in use without any value, `refused` those for which there is no room.

    `hash` is what pods should bear, `rendered_hash` that of the Secret's content, which was `written` then. digests:
    label -> digest of the value that Milvus gets. undelivered: labels whose value is not in all serving pods (none if
    nothing is seen of them); `stray`: pods that bear the hash and may have something else, which no roll replaces.
    `rejected`: of the undelivered ones those whose value DashScope is known to refuse, so that a roll would do harm.
    `unproven`: label -> digest, as far as delivered and to be proven by Canary; `rolled_back`: labels whose new value
    was refused that way. `against`: why url or default are not what the spec says.
    `wanting`: owner -> label and credential of all that want to be rendered; `living`: label -> who gets it.
    `retry_after`: seconds until something may be otherwise that no event tells.
    """

    secret_name: str
    hash: str
    rendered_hash: str
    written: datetime
    memory: state.Memory = dataclasses.field(repr=False)
    digests: Mapping[str, str]
    rotations: Mapping[str, RotationStatus]
    undelivered: tuple[str, ...]
    stray: tuple[str, ...]
    rejected: tuple[str, ...]
    unproven: Mapping[str, str]
    rolled_back: tuple[str, ...]
    against: Assertion | None
    retained: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    uses: Mapping[str, int]
    wanting: Mapping[str, tuple[str, EmbeddingCredential]]
    living: Mapping[str, EmbeddingCredential]
    retry_after: float | None = None


def delivered(
    basis: Basis, gathered: Gathered, composed: Composed, refused: tuple[str, ...], due: datetime | None
) -> Delivery:
    connection, sight, present = basis.connection, composed.sight, composed.present
    hash_ = _target(basis, composed)
    undelivered = tuple(
        label for label, digest in present.digests.items() if sight is not None and sight.is_undelivered(label, digest)
    )
    pods = basis.running.serving if basis.running is not None else ()
    return Delivery(
        secret_name=connection.secret_name or "",
        hash=hash_,
        rendered_hash=present.hash,
        written=present.written,
        memory=composed.state.labels,
        digests=present.digests,
        rotations=_rotations(connection, composed),
        undelivered=undelivered,
        stray=tuple(strays(composed.state.documents, present, hash_, pods, basis.settle)),
        rejected=tuple(label for label in undelivered if _is_rejected(label, gathered, composed)),
        unproven=_unproven(basis, composed, undelivered),
        rolled_back=tuple(label for label, found in gathered.found.items() if _is_rolled_back(found, composed, basis)),
        against=gathered.change.against,
        retained=composed.rendered.retained,
        missing=missing_labels(connection, composed.rendered, composed.provider),
        refused=refused,
        uses=gathered.uses or {},
        wanting=gathered.wanting,
        living=gathered.living,
        retry_after=_retry_after(basis, gathered, composed, due),
    )


def _target(basis: Basis, composed: Composed) -> str:
    """Where nothing is rolled, what is told is the hash of the content."""
    connection = basis.connection
    if connection.spec.effective_strategy is not RolloutStrategy.RESTART:
        return composed.present.hash
    told = connection.status.config
    return target(composed.state.documents, composed.present, basis.running, told.hash, told.rendered_hash or told.hash)


def _rotations(connection: MilvusConnection, composed: Composed) -> Mapping[str, RotationStatus]:
    return {label: rotation_status(connection, entry) for label, entry in composed.state.labels.items()}


def rotation_status(connection: MilvusConnection, entry: state.LabelMemory) -> RotationStatus:
    """As the status of connection and credential tell it."""
    verify = connection.spec.embedding.verify if connection.spec.embedding else Verify.NONE
    return rotation.status(entry.rotation, connection.spec.effective_strategy, verify)


def _unproven(basis: Basis, composed: Composed, undelivered: Collection[str]) -> Mapping[str, str]:
    return {
        label: digest
        for label, digest in composed.present.digests.items()
        if label not in undelivered and (due := _to_be_proven(basis, composed, label)) is not None and due <= basis.now
    }


def _to_be_proven(basis: Basis, composed: Composed, label: str) -> datetime | None:
    """From when on Milvus may be asked to prove the label's value, None if it need not or cannot."""
    embedding, entry = basis.connection.spec.embedding, composed.state.labels[label]
    if embedding is None or embedding.verify is not Verify.CANARY or entry.rotation.is_effective:
        return None
    return rotation.telling_from(entry.rotation, basis.connection.spec.effective_strategy)


def _is_rejected(label: str, gathered: Gathered, composed: Composed) -> bool:
    """After a restore the Secret may have a key that was revoked since, while the pods have a newer one."""
    found, entry = gathered.found.get(label), composed.state.labels.get(label)
    return found is not None and entry is not None and found.source.refused and found.value == entry.value


def _is_rolled_back(found: Found, composed: Composed, basis: Basis) -> bool:
    entry = composed.state.labels.get(found.source.label)
    if entry is None or entry.rotation.refused is None or found.value is None:
        return False
    return basis.marks.of_value(found.value) == entry.rotation.refused


def _retry_after(basis: Basis, gathered: Gathered, composed: Composed, due: datetime | None) -> float | None:
    """Seconds to the first of what will be otherwise and no event tells."""
    delays = [found.again_after for found in gathered.found.values() if found.again_after is not None]
    moments = [due, *(entry.rotation.revocable_at for entry in composed.state.labels.values())]
    moments += [_to_be_proven(basis, composed, label) for label in composed.present.digests]
    delays += [(moment - basis.now).total_seconds() for moment in moments if moment is not None and moment > basis.now]
    if (against := gathered.change.against) is not None:
        delays.append(AGAIN_SECONDS if against.reason is Reason.PROBING else BROKEN_AGAIN_SECONDS)
    return min(delays, default=None)
