"""`render(previous, sources, uses)`: what the Secret shall hold, given what it holds.

A source that cannot be read keeps its last good value; a key that the provider refused (401) is not taken; a label
without a living credential stays while anything may name it. Nothing here knows why a source could not be read.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from milvus_embedding.domain.rendering.state import LabelMemory, Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A credential that holds `label`. `value` None: it cannot be had now. `proven_at`: when the value last embedded
    (RFC 3339), None if nobody knows; `proven_url`: at which endpoint. `refused`: the provider answered 401.
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
    previous: Memory, sources: Iterable[Source], *, uses: Mapping[str, int] | None, released: Collection[str], now: str
) -> Rendered:
    """Pure. `uses`: label -> collections in Milvus that name it, None if that is not known (then all are in use).

    released: labels to drop although in use. now: RFC 3339.
    """
    living = {source.label: source for source in sources if source.label not in released}
    memory: dict[str, LabelMemory] = {}
    for label, source in living.items():
        if (entry := _remember(previous.get(label), source, now)) is not None:
            memory[label] = entry
    retained = [
        label
        for label in previous
        if label not in living and label not in released and (uses is None or uses.get(label, 0) > 0)
    ]
    memory.update({label: previous[label] for label in retained})
    keys = {label: entry.value for label, entry in sorted(memory.items()) if entry.value}
    return Rendered(
        memory=memory, keys=keys, missing=tuple(sorted(set(living) - set(keys))), retained=tuple(sorted(retained))
    )


def _remember(before: LabelMemory | None, source: Source, now: str) -> LabelMemory | None:
    entry = before if before is not None and before.owner == source.owner else None
    if source.value is None or source.refused:
        return _without_refused(entry, source)
    since = entry.since if entry else now
    if source.proven_at is not None:
        return LabelMemory(
            owner=source.owner,
            since=since,
            proven=source.value,
            proven_at=source.proven_at,
            proven_url=source.proven_url,
        )
    if entry is None:
        return LabelMemory(owner=source.owner, since=since, candidate=source.value)
    candidate = None if source.value == entry.proven else source.value
    return dataclasses.replace(entry, candidate=candidate)


def _without_refused(entry: LabelMemory | None, source: Source) -> LabelMemory | None:
    """A candidate that the provider has refused by now gives way to the proven value, if there is one."""
    if entry is None or not source.refused or entry.candidate != source.value or entry.proven is None:
        return entry
    return dataclasses.replace(entry, candidate=None)
