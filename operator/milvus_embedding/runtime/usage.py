"""Which collections use a function or a credential, from specs alone: declared use, not what Milvus has."""

from collections.abc import Iterable

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key, ObjectRef


class UsageIndex:
    """Kept up to date with each version of a collection or function; other kinds are ignored."""

    def __init__(self) -> None:
        self._uses: dict[Key, frozenset[Key]] = {}
        self._users: dict[Key, set[Key]] = {}

    def put(self, resource: Resource) -> frozenset[Key]:
        """Takes an object; returns the functions and credentials whose number of users may have changed."""
        return self._replace(resource.key, frozenset(_uses(resource)))

    def remove(self, key: Key) -> frozenset[Key]:
        """The object is gone; returns as `put`."""
        return self._replace(key, frozenset())

    def used_by(self, key: Key) -> int:
        """How many collections use it, directly or through a function."""
        return len(self._collections(key))

    def _collections(self, key: Key) -> set[Key]:
        users = self._users.get(key, set())
        collections = {user for user in users if user.kind == MilvusCollection.KIND}
        for function in users - collections:
            collections |= self._users.get(function, set())
        return collections

    def _replace(self, user: Key, after: frozenset[Key]) -> frozenset[Key]:
        before = self._uses.get(user, frozenset())
        for key in before - after:
            self._users[key].discard(user)
            if not self._users[key]:
                del self._users[key]
        for key in after - before:
            self._users.setdefault(key, set()).add(user)
        if after:
            self._uses[user] = after
        else:
            self._uses.pop(user, None)
        changed = before ^ after
        behind = (self._uses.get(key, frozenset()) for key in changed)
        return changed.union(*behind)


def _uses(resource: Resource) -> Iterable[Key]:
    if isinstance(resource, EmbeddingFunction):
        yield from _credential(resource.spec.dashscope.credential_ref, resource.namespace)
    elif isinstance(resource, MilvusCollection):
        for function in resource.spec.functions:
            embedding = function.text_embedding
            if embedding is not None and embedding.function_ref is not None:
                yield Key(EmbeddingFunction.KIND, *embedding.function_ref.resolve(resource.namespace))
            if embedding is not None and embedding.dashscope is not None:
                yield from _credential(embedding.dashscope.credential_ref, resource.namespace)


def _credential(ref: ObjectRef | None, namespace: str) -> Iterable[Key]:
    if ref is not None:
        yield Key(EmbeddingCredential.KIND, *ref.resolve(namespace))
