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
    `declared`: its user answers for it, and nobody is to be asked.
    """

    label: str
    owner: str
    value: str | None = dataclasses.field(default=None, repr=False)
    proven_at: str | None = None
    proven_url: str | None = None
    refused: bool = False
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`keys`: label -> the value to render. `missing`: labels of living credentials that have no value at all. `lost`:
    labels that had one, and that collections name, or may. `unproven`: labels whose value nobody answers for yet.
    """

    memory: Memory
    keys: Mapping[str, str] = dataclasses.field(repr=False)
    missing: tuple[str, ...]
    retained: tuple[str, ...]
    lost: tuple[str, ...] = ()
    unproven: frozenset[str] = frozenset()


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

    released: labels to drop although in use. kept: labels not to drop although out of use. Of a living credential's
    label `uses` matters only if it had a value that was lost.
    """

    def stays(label: str) -> bool:
        return uses is None or uses.get(label, 0) > 0 or label in kept

    living = {source.label: source for source in sources if source.label not in released}
    memory: dict[str, LabelMemory] = {}
    for label, source in living.items():
        entry = _remember(previous.get(label), source, now)
        if entry is not None and (entry.value or stays(label)):
            memory[label] = entry
    retained = [label for label in previous if label not in living and label not in released and stays(label)]
    memory.update({label: previous[label] for label in retained})
    keys = {label: entry.value for label, entry in sorted(memory.items()) if entry.value}
    return Rendered(
        memory=memory,
        keys=keys,
        missing=tuple(sorted(set(living) - set(keys))),
        retained=tuple(sorted(retained)),
        lost=tuple(sorted(set(memory) - set(keys))),
        unproven=frozenset(
            label for label, entry in memory.items() if entry.candidate and not _is_declared(living.get(label), entry)
        ),
    )


def _is_declared(source: Source | None, entry: LabelMemory) -> bool:
    return source is not None and source.declared and source.value == entry.value


def _remember(before: LabelMemory | None, source: Source, now: datetime) -> LabelMemory | None:
    entry = before if before is not None and before.owner == source.owner else None
    if source.value is None or source.refused:
        return _without_refused(entry, source, now)
    if entry is None:
        return _with_value(LabelMemory(owner=source.owner, since=timestamp(now), rotation=rotation.first(now)), source)
    after = _with_value(entry, source)
    if after.value == entry.value:
        return forgiven(after)
    is_back = entry.candidate is not None and after.value == entry.proven
    return dataclasses.replace(after, rotation=rotation.changed(after.rotation, now, refused=None, returned=is_back))


def forgiven(entry: LabelMemory) -> LabelMemory:
    """Its source has another value than the one that was refused."""
    return dataclasses.replace(entry, rotation=dataclasses.replace(entry.rotation, refused=None))


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
    turned = rotation.changed(entry.rotation, now, refused=entry.rotation.refused, returned=True)
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
    turned = rotation.changed(entry.rotation, now, refused=judgement.digest, returned=True)
    return dataclasses.replace(entry, candidate=None, rotation=turned)
