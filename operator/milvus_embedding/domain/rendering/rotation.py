"""How far the present value of a label has come: into the Secret, into all pods, through a proof, and when the values
before it are in no pod any more.

Pure, and forgets nothing that was seen once: what a pass cannot see stays as it was.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from milvus_embedding.api.connection import RolloutStrategy, Verify
from milvus_embedding.api.credential import RotationStatus
from milvus_embedding.domain.delivery.running import Running
from milvus_embedding.domain.rendering.documents import Document, Documents, agree, possible

WRITE_HORIZON: Final = timedelta(seconds=100)
"""As long a call that was begun with a former key may go on after its pod has gone."""


STEP: Final = timedelta(seconds=120)
"""As long Milvus may take to re-read a file: the kubelet changes it within a minute or two, Milvus looks every 5 s."""

_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """`generation` counts the values of the label, the present one was rendered first at `changed`. `delivered` and
    `effective` are the last generations that were seen in all serving pods, and to embed there.

    cleared_at: since when no pod at all has an older value. revocable: values replaced before this are in no use.
    refused: digest of a value that is not to be taken again. returned: the present value is, or may be, one that was
    replaced before, so that no time tells which ones are in no use.
    """

    generation: int = 1
    changed: datetime | None = None
    delivered: int | None = None
    delivered_at: datetime | None = None
    cleared_at: datetime | None = None
    revocable: datetime | None = None
    effective: int | None = None
    effective_at: datetime | None = None
    refused: str | None = None
    returned: bool = False

    @property
    def is_delivered(self) -> bool:
        return self.delivered == self.generation

    @property
    def is_effective(self) -> bool:
        return self.effective == self.generation

    @property
    def revocable_at(self) -> datetime | None:
        """When the former values will be safe to revoke, None if they are or nobody can tell."""
        if (
            self.generation == 1
            or self.returned
            or self.cleared_at is None
            or self.changed is None
            or self.revocable == self.changed
        ):
            return None
        return self.cleared_at + WRITE_HORIZON


FIRST: Final = Rotation()
"""Of a value about which nothing is known yet."""


def first(now: datetime) -> Rotation:
    """Of a label that is rendered from now on."""
    return Rotation(changed=now)


def changed(before: Rotation, now: datetime, *, refused: str | None, returned: bool = False) -> Rotation:
    """Another value of the label is rendered from now on. returned: it is one that was replaced before."""
    after = dataclasses.replace(
        before, generation=before.generation + 1, changed=now, cleared_at=None, refused=refused, returned=False
    )
    return back(after) if returned else after


def back(rotation: Rotation) -> Rotation:
    """The present value is one that was replaced before: what was said of those in no use may be of this one."""
    return dataclasses.replace(rotation, revocable=None, returned=True)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen in one pass: of each pod the contents of which it has one, None where that is not known."""

    is_mounted: bool
    serving: tuple[tuple[Document, ...] | None, ...]
    present: tuple[tuple[Document, ...] | None, ...]

    @classmethod
    def of(cls, running: Running, documents: Documents, settle: timedelta) -> "Sight":
        return cls(
            is_mounted=running.is_mounted,
            serving=tuple(possible(pod, documents, settle) for pod in running.serving),
            present=tuple(possible(pod, documents, settle) for pod in running.present),
        )

    def is_undelivered(self, label: str, digest: str) -> bool:
        """Whether a serving pod may have another value; with no pod there is none."""
        return not self.is_mounted or not _all_have(self.serving, label, digest)

    def is_cleared(self, label: str, digest: str) -> bool:
        return self.is_mounted and _all_have(self.present, label, digest)


def _all_have(pods: Iterable[tuple[Document, ...] | None], label: str, digest: str) -> bool:
    return all(contents is not None and agree(contents, label, digest) for contents in pods)


def seen(before: Rotation, label: str, digest: str, sight: Sight, now: datetime, *, is_proven: bool = True) -> Rotation:
    """After a look at the pods. is_proven: the present value embeds; until then the former one may be needed again."""
    after = before
    if not sight.is_mounted:
        return dataclasses.replace(after, delivered=None, delivered_at=None, cleared_at=None)
    if not before.is_delivered and sight.serving and not sight.is_undelivered(label, digest):
        after = dataclasses.replace(after, delivered=before.generation, delivered_at=now)
    if before.generation > 1 and before.revocable != before.changed and not before.returned:
        cleared = sight.is_cleared(label, digest)
        after = dataclasses.replace(after, cleared_at=(before.cleared_at or now) if cleared else None)
        due = after.revocable_at
        if is_proven and due is not None and now >= due:
            after = dataclasses.replace(after, revocable=before.changed)
    return after


def proven(before: Rotation, at: datetime) -> Rotation:
    """The present value has embedded in Milvus."""
    if before.effective == before.generation:
        return before
    return dataclasses.replace(before, effective=before.generation, effective_at=at)


def telling_from(rotation: Rotation, strategy: RolloutStrategy) -> datetime | None:
    """From when on what Milvus does with the label tells something about its present value; None: not known yet.

    Of a label that had no value before it does at once; else Milvus may have the former one. Where nobody sees which
    one it has, what embeds is taken for the present one as long as no value before it was ever proven.
    """
    if rotation.generation == 1:
        return rotation.changed or _ALWAYS
    match strategy:
        case RolloutStrategy.RESTART:
            return rotation.delivered_at or _ALWAYS if rotation.is_delivered else None
        case RolloutStrategy.LIVE:
            return rotation.changed + STEP if rotation.changed is not None else None
        case RolloutStrategy.NONE:
            return (rotation.changed or _ALWAYS) if rotation.effective is None else None


def status(rotation: Rotation, strategy: RolloutStrategy, verify: Verify) -> RotationStatus:
    """As users see it. Where nobody can see what pods have, nothing is said about it. Without a Canary what is
    delivered counts as effective.
    """
    is_seen = strategy is RolloutStrategy.RESTART
    delivered = rotation.delivered if is_seen else None
    by_canary = verify is Verify.CANARY
    return RotationStatus(
        generation=rotation.generation,
        delivered_generation=delivered,
        effective_generation=rotation.effective if by_canary else delivered,
        effective_time=rotation.effective_at if by_canary else rotation.delivered_at if is_seen else None,
        safe_to_revoke_before=rotation.revocable if is_seen else None,
    )


def restored(told: RotationStatus, *, is_same: bool, now: datetime) -> Rotation:
    """From the status, when the Secret was lost. is_same: its content is what it was; else any value may be new, or an
    old one.
    """
    generation = told.generation or 1
    return Rotation(
        generation=generation if is_same else generation + 1,
        changed=now,
        delivered=told.delivered_generation,
        delivered_at=told.effective_time if told.delivered_generation else None,
        revocable=told.safe_to_revoke_before if is_same else None,
        returned=not is_same,
        effective=told.effective_generation,
        effective_at=told.effective_time,
    )
