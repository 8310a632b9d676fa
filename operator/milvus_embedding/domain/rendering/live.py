"""Two steps where Milvus re-reads the file while it runs: it takes labels and the provider's section one after the
other, and in between a default could name a label that is not there. Pure.
"""

from dataclasses import dataclass
from datetime import datetime

from milvus_embedding.domain.rendering.documents import Document, Documents
from milvus_embedding.domain.rendering.rotation import STEP


@dataclass(frozen=True, slots=True)
class Step:
    """What the next content may have. `kept`: labels that may not go yet. `until`: when the next step is due."""

    default: str
    kept: frozenset[str] = frozenset()
    until: datetime | None = None


def step(documents: Documents, default: str, now: datetime) -> Step:
    """default: the label that shall be the provider's, "" for none. Nothing is taken in steps that is the first."""
    if not documents:
        return Step(default)
    last = documents[-1]
    ready = _since(documents, default) + STEP if default in last.digests else now + STEP
    if default and default != last.default and (ready > now):
        return Step(last.default, _kept(last.default), ready)
    recent = [(d.default, d.replaced) for d in documents if d.default not in ("", default) and _was_recent(d, now)]
    ends = [(replaced or now) + STEP for _, replaced in recent]
    return Step(default, frozenset(label for label, _ in recent), min(ends, default=None))


def _kept(default: str) -> frozenset[str]:
    return frozenset({default} if default else ())


def _since(documents: Documents, label: str) -> datetime:
    """Since when the label has been there without a break."""
    since = documents[-1].written
    for document in reversed(documents):
        if label not in document.digests:
            break
        since = document.written
    return since


def _was_recent(document: Document, now: datetime) -> bool:
    return document.replaced is None or now - document.replaced < STEP
