"""Which collections use a function or a credential, from specs alone: declared use, not what Milvus has."""

from collections.abc import Iterable

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key, ObjectRef


class UsageIndex:
    """Kept up to date with each version of a collection, function or connection; credentials use nothing."""

    def __init__(self) -> None:
        self._uses: dict[Key, frozenset[Key]] = {}
        self._users: dict[Key, set[Key]] = {}
        self._nameless: set[Key] = set()
        """Collections and functions that name no credential: they spend the default key of their connection."""

    def put(self, resource: Resource) -> frozenset[Key]:
        """Takes an object; returns the functions and credentials whose number of users may have changed."""
        (self._nameless.add if _names_no_credential(resource) else self._nameless.discard)(resource.key)
        return self._replace(resource.key, frozenset(_uses(resource)))

    def remove(self, key: Key) -> frozenset[Key]:
        """The object is gone; returns as `put`."""
        self._nameless.discard(key)
        return self._replace(key, frozenset())

    def used_by(self, key: Key) -> int:
        """How many collections use it: directly, through a function, or as the default key of their connection."""
        return len(self._collections(key))

    def _collections(self, key: Key) -> set[Key]:
        users = self._users.get(key, set())
        collections = {user for user in users if user.kind == MilvusCollection.KIND}
        for user in users - collections:
            behind = self._users.get(user, set())
            is_connection = user.kind == MilvusConnection.KIND
            collections |= {c for c in behind if self._spends_default(c)} if is_connection else behind
        return collections

    def _spends_default(self, collection: Key) -> bool:
        return not self._nameless.isdisjoint({collection, *self._uses.get(collection, ())})

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
        return frozenset(key for key in changed.union(*behind) if key.kind != MilvusConnection.KIND)


def _uses(resource: Resource) -> Iterable[Key]:
    match resource:
        case MilvusConnection(spec=spec):
            ref = spec.embedding.dashscope.credential_ref if spec.embedding else None
            if ref is not None:
                yield Key(EmbeddingCredential.KIND, resource.namespace, ref.name)
        case EmbeddingFunction(spec=spec):
            yield from _credential(spec.dashscope.credential_ref, resource.namespace)
        case MilvusCollection(spec=spec):
            yield Key(MilvusConnection.KIND, *spec.connection_ref.resolve(resource.namespace))
            for embedding in filter(None, (function.text_embedding for function in spec.functions)):
                if embedding.function_ref is not None:
                    yield Key(EmbeddingFunction.KIND, *embedding.function_ref.resolve(resource.namespace))
                if embedding.dashscope is not None:
                    yield from _credential(embedding.dashscope.credential_ref, resource.namespace)


def _names_no_credential(resource: Resource) -> bool:
    match resource:
        case EmbeddingFunction(spec=spec):
            return spec.dashscope.credential_ref is None
        case MilvusCollection(spec=spec):
            declared = (f.text_embedding.dashscope for f in spec.functions if f.text_embedding is not None)
            return any(model is not None and model.credential_ref is None for model in declared)
        case _:
            return False


def _credential(ref: ObjectRef | None, namespace: str) -> Iterable[Key]:
    if ref is not None:
        yield Key(EmbeddingCredential.KIND, *ref.resolve(namespace))
