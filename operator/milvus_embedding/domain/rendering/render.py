"""`render(previous, sources, uses)`: what the Secret shall hold, given what it holds.

A source that cannot be read keeps its last good value; a key that the provider refused (401) is not taken; a label
without a living credential stays while anything may name it. Nothing here knows why a source could not be read.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.rendering import rotation
from milvus_embedding.domain.rendering.state import LabelMemory, Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A credential that holds `label`. `value` None: it cannot be had now. `proven_at`: when the value last embedded
    (RFC 3339), None if nobody knows; `proven_url`: at which endpoint. `refused`: it is known not to be taken.
    """

    label: str
    owner: str
    value: str | None = dataclasses.field(default=None, repr=False)
    proven_at: str | None = None
    proven_url: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`keys`: label -> the value to render. `missing`: labels of living credentials that have no value at all."""

    memory: Memory
    keys: Mapping[str, str] = dataclasses.field(repr=False)
    missing: tuple[str, ...]
    retained: tuple[str, ...]


def render(
    previous: Memory,
    sources: Iterable[Source],
    *,
    uses: Mapping[str, int] | None,
    released: Collection[str],
    now: datetime,
    kept: Collection[str] = (),
) -> Rendered:
    """Pure. `uses`: label -> collections in Milvus that name it, None if that is not known (then all are in use).

    released: labels to drop although in use. kept: labels not to drop although out of use.
    """
    living = {source.label: source for source in sources if source.label not in released}
    memory: dict[str, LabelMemory] = {}
    for label, source in living.items():
        if (entry := _remember(previous.get(label), source, now)) is not None:
            memory[label] = entry
    retained = [
        label
        for label in previous
        if label not in living and label not in released and (uses is None or uses.get(label, 0) > 0 or label in kept)
    ]
    memory.update({label: previous[label] for label in retained})
    keys = {label: entry.value for label, entry in sorted(memory.items()) if entry.value}
    return Rendered(
        memory=memory, keys=keys, missing=tuple(sorted(set(living) - set(keys))), retained=tuple(sorted(retained))
    )


def _remember(before: LabelMemory | None, source: Source, now: datetime) -> LabelMemory | None:
    entry = before if before is not None and before.owner == source.owner else None
    if source.value is None or source.refused:
        return _without_refused(entry, source, now)
    if entry is None:
        return _with_value(LabelMemory(owner=source.owner, since=timestamp(now), rotation=rotation.first(now)), source)
    after = _with_value(entry, source)
    if after.value == entry.value:
        return after
    return dataclasses.replace(after, rotation=rotation.changed(after.rotation, now, refused=None))


def _with_value(entry: LabelMemory, source: Source) -> LabelMemory:
    if source.proven_at is not None:
        return dataclasses.replace(
            entry, proven=source.value, proven_at=source.proven_at, proven_url=source.proven_url, candidate=None
        )
    return dataclasses.replace(entry, candidate=None if source.value == entry.proven else source.value)


def _without_refused(entry: LabelMemory | None, source: Source, now: datetime) -> LabelMemory | None:
    """A candidate that the provider has refused by now gives way to the proven value, if there is one."""
    if entry is None or not source.refused or entry.candidate != source.value or entry.proven is None:
        return entry
    turned = rotation.changed(entry.rotation, now, refused=entry.rotation.refused)
    return dataclasses.replace(entry, candidate=None, rotation=turned)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of using a value through Milvus: it embedded, or the provider answered 401."""

    digest: str
    embeds: bool
    at: datetime


def judged(
    previous: Memory, judgements: Mapping[str, Judgement], digests: Mapping[str, str], url: str | None, now: datetime
) -> Memory:
    """With what was found out about rendered values; judgements about other values say nothing any more.

    digests: label -> digest of the rendered value. A value that is bad gives way to the proven one if that is another.
    """
    memory = dict(previous)
    for label, judgement in judgements.items():
        if label in memory and digests.get(label) == judgement.digest:
            memory[label] = _judged(memory[label], judgement, url, now)
    return memory


def _judged(entry: LabelMemory, judgement: Judgement, url: str | None, now: datetime) -> LabelMemory:
    if judgement.embeds:
        after = dataclasses.replace(entry, rotation=rotation.proven(entry.rotation, judgement.at))
        if entry.candidate is None:
            return after
        at = timestamp(judgement.at)
        return dataclasses.replace(after, proven=entry.candidate, proven_at=at, proven_url=url, candidate=None)
    if entry.candidate is None or entry.proven is None:
        return entry
    turned = rotation.changed(entry.rotation, now, refused=judgement.digest)
    return dataclasses.replace(entry, candidate=None, rotation=turned)
