"""Looks at the collections of a Milvus, one after the other. Nothing is changed."""

import fnmatch
from collections.abc import Sequence
from dataclasses import replace

from milvus_embedding.api.references import ObjectRef
from milvus_embedding.clients.milvus.port import Milvus, MilvusError, PermissionDenied, Unimplemented
from milvus_embedding.controllers.collection.observe import look_around, observe
from milvus_embedding.domain.canary import NAME_PREFIX
from milvus_embedding.domain.desired import InvalidSpec
from milvus_embedding.domain.importing.collections import ImportedCollection, imported_collection, wanted
from milvus_embedding.domain.planning.observed import Observed

_DEFAULT = "default"


async def gathered(
    milvus: Milvus, *, databases: Sequence[str], patterns: Sequence[str], connection: ObjectRef
) -> tuple[ImportedCollection, ...]:
    """`databases` and `patterns` (shell globs of names) empty: all. Raises MilvusError."""
    found = []
    for database in databases or await _all(milvus):
        for name in sorted(await milvus.list_collections(database)):
            chosen = not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
            if chosen and not name.startswith(NAME_PREFIX):
                have = await observe(milvus, database, name)
                if have is not None:
                    found.append(await _imported(milvus, have, database, connection))
    return tuple(found)


async def _all(milvus: Milvus) -> Sequence[str]:
    """Who may not list databases works in the default one."""
    try:
        return sorted(await milvus.list_databases())
    except (PermissionDenied, Unimplemented):
        return (_DEFAULT,)


async def _imported(milvus: Milvus, have: Observed, database: str, connection: ObjectRef) -> ImportedCollection:
    """Twice: what is around a collection can be looked at by what it is declared as."""
    first = imported_collection(have, database=database, connection=connection)
    if first.spec is None:
        return first
    try:
        want = wanted(first.spec, have.name, first.embeddings)
        around = await look_around(milvus, replace(want, aliases=()), have, is_ours=lambda described: True)
    except (InvalidSpec, MilvusError):
        return first
    return imported_collection(around, database=database, connection=connection)
