"""Gathers a collection with everything around it. Calls that do not need each other run at the same time."""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping

from milvus_embedding.clients.milvus.port import Milvus, PermissionDenied, Rejected, Unimplemented
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.observed import AliasTarget, Observed
from milvus_embedding.domain.schema import Description, LoadState


async def observe(milvus: Milvus, database: str, name: str) -> Observed | None:
    """None if there is neither a collection nor an alias of that name. Raises MilvusError."""
    described = await milvus.describe(database, name)
    if described is None:
        return None
    indexes, partitions, load = await asyncio.gather(
        milvus.list_indexes(database, described.name),
        milvus.list_partitions(database, described.name),
        milvus.load_state(database, described.name),
    )
    return Observed(
        description=described,
        indexes=tuple(indexes),
        partitions=tuple(partitions),
        aliases=tuple(described.aliases),
        load=load,
    )


async def look_around(
    milvus: Milvus, want: Desired, have: Observed, *, is_ours: Callable[[Description], bool]
) -> Observed:
    """Adds what only a plan needs: replicas, partitions out of memory, where missing aliases point to. Raises
    MilvusError.
    """
    if have.load is LoadState.LOADED:
        groups, (load, released), targets = await asyncio.gather(
            _replicas(milvus, want, have), _in_memory(milvus, want, have), _targets(milvus, want, have, is_ours)
        )
    else:
        groups, load, released = None, have.load, frozenset[str]()
        targets = await _targets(milvus, want, have, is_ours)
    return dataclasses.replace(
        have,
        load=load,
        released=released,
        replicas=len(groups) if groups else None,
        resource_groups=tuple(sorted(set(groups))) if groups else None,
        alias_targets=targets,
    )


async def is_absent(milvus: Milvus, database: str, name: str) -> bool:
    """One look that proves absence as far as one look can: the database is there, and the name is not in it."""
    if database not in await milvus.list_databases():
        return False
    return name not in await milvus.list_collections(database)


async def _replicas(milvus: Milvus, want: Desired, have: Observed) -> tuple[str, ...] | None:
    """The resource group of each replica; None if this user or this server may not tell."""
    try:
        return tuple(await milvus.list_replicas(want.database, have.name))
    except (PermissionDenied, Unimplemented, Rejected):
        return None


async def _in_memory(milvus: Milvus, want: Desired, have: Observed) -> tuple[LoadState, frozenset[str]]:
    """Milvus calls a collection loaded while some of its partitions are not."""
    names = have.partitions
    if len(names) < 2:
        return have.load, frozenset()
    whole = await milvus.load_state(want.database, have.name, partitions=names)
    if whole is not LoadState.NOT_LOADED:
        return whole, frozenset()
    states = await asyncio.gather(*(milvus.load_state(want.database, have.name, partitions=[name]) for name in names))
    out = (name for name, state in zip(names, states, strict=True) if state is LoadState.NOT_LOADED)
    return have.load, frozenset(out)


async def _targets(
    milvus: Milvus, want: Desired, have: Observed, is_ours: Callable[[Description], bool]
) -> Mapping[str, AliasTarget]:
    found: dict[str, AliasTarget] = {}
    for alias in sorted(set(want.aliases) - set(have.aliases) - {have.name}):
        target = await milvus.alias_target(want.database, alias)
        if target in (None, have.name):
            continue
        described = await milvus.describe(want.database, str(target))
        found[alias] = AliasTarget(str(target), described is not None and is_ours(described))
    return found
