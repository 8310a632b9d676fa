"""What a collection still lacks right after its creation, one external call each.

A newborn is completed without a plan: nothing of it is anybody's yet, so there is nothing to decide, to approve or to
remember, and what a look would find is known. What stood before, whole or not, goes through planning/.
"""

from dataclasses import dataclass

from milvus_embedding.domain.compare import index_of
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.schema import Index, LoadState, Observation


@dataclass(frozen=True, slots=True)
class CreatePartition:
    partition: str


@dataclass(frozen=True, slots=True)
class CreateIndex:
    index: Index


@dataclass(frozen=True, slots=True)
class Load:
    replicas: int
    resource_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateAlias:
    alias: str


Act = CreatePartition | CreateIndex | Load | CreateAlias


def missing(want: Desired, have: Observation) -> tuple[Act, ...]:
    """The acts for an existing collection of ours, in the order in which they have to happen."""
    partitions = [CreatePartition(p) for p in want.partitions if p not in have.partitions]
    indexes = [CreateIndex(i) for i in want.indexes if index_of(i, have.indexes) is None]
    load = [Load(want.replicas, want.resource_groups)] if want.loaded and have.load is LoadState.NOT_LOADED else []
    aliases = [CreateAlias(a) for a in want.aliases if a not in have.aliases]
    return (*partitions, *indexes, *load, *aliases)


def builds_index(have: Observation) -> bool:
    """Loading needs finished indexes."""
    return any(not index.finished for index in have.indexes)


def is_unsettled(have: Observation) -> bool:
    """Whether Milvus is still at it: indexes under construction, or a load under way."""
    return builds_index(have) or have.load is LoadState.LOADING
