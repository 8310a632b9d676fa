"""What the memory lacks and something else still tells: labels in the connection's status, keys in the document.

The Secret may be lost, or its memory alone, or an old one may be restored. A label that is told of and has no key any
more is remembered without one, so that nothing is rolled over pods that still have it. Pure.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from milvus_embedding.api.connection import LabelState, MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.controllers.connection.rendering.gathered import released
from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.rendering import document, state


def recovered(
    memory: state.Memory,
    connection: MilvusConnection,
    wanting: Mapping[str, tuple[str, EmbeddingCredential]],
    *,
    found: Mapping[str, bytes] | None,
    now: datetime,
) -> state.Memory:
    """The memory with what it lacks. wanting: owner -> (label, credential). found: the Secret's data, None if it is
    not there.
    """
    told = tuple(_told(connection))
    if memory and all(entry.value for entry in memory.values()) and all(label in memory for label, _, _ in told):
        return memory
    keys = document.keys_of(found.get(document.FILE_KEY, b"")) if found is not None else {}
    complete = dict(memory)
    for label, owner, since in (*told, *(_claimed(wanting, keys) if not memory else ())):
        if label not in released(connection):
            complete.setdefault(label, state.LabelMemory(owner=owner, since=timestamp(since or now)))
    return {label: _with_key(entry, keys.get(label)) for label, entry in complete.items()}


def _told(connection: MilvusConnection) -> Iterator[tuple[str, str, datetime | None]]:
    """Label, owner and since when, of what the status says is rendered."""
    for entry in connection.status.labels:
        if entry.credential is not None and entry.state is not LabelState.RELEASED:
            yield entry.label, f"{entry.credential.namespace}/{entry.credential.name}", entry.since


def _claimed(
    wanting: Mapping[str, tuple[str, EmbeddingCredential]], labels: Collection[str]
) -> Iterator[tuple[str, str, datetime | None]]:
    """Of labels with a key, and without an owner that anybody told: whose they are if one credential claims them."""
    claims = Counter(label for label, _ in wanting.values())
    for owner, (label, _) in wanting.items():
        if label in labels and claims[label] == 1:
            yield label, owner, None


def _with_key(entry: state.LabelMemory, key: str | None) -> state.LabelMemory:
    """Nobody knows any more whether the key was proven."""
    if entry.value or not key:
        return entry
    return state.LabelMemory(owner=entry.owner, since=entry.since, candidate=key, rotation=entry.rotation)
