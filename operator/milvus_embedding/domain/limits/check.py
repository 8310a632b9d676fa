"""All limits of one collection."""

from collections.abc import Iterable
from typing import Final

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.domain.limits.breach import Breach, Grade
from milvus_embedding.domain.limits.fields import field_breaches
from milvus_embedding.domain.limits.indexes import index_breaches
from milvus_embedding.domain.limits.options import option_breaches
from milvus_embedding.domain.versions import Version

_TOLD: Final = 5
_EVERYWHERE: Final = (2, 6, 0)
"""Embedding functions need it anyway."""


def breaches(spec: CollectionSpec, *, version: Version | None = None) -> tuple[Breach, ...]:
    """In the order of the spec. `version` is the server's, None if it is not known."""
    return (*field_breaches(spec, version), *index_breaches(spec), *option_breaches(spec))


def ordinary(found: Iterable[Breach]) -> tuple[Breach, ...]:
    """Without those that are true of nearly every server that is in use."""
    return tuple(b for b in found if b.since is None or b.since > _EVERYWHERE)


def sentences(found: Iterable[Breach], grade: Grade) -> str:
    """Those of one grade as one text for a condition, the first few of them; empty if there is none."""
    texts = [str(breach) for breach in found if breach.grade is grade]
    more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return "; ".join(texts[:_TOLD]) + more
