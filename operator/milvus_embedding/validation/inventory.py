"""All objects of one validation, parsed and by key: what references can be looked up in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import METADATA_NAME, Grant, GrantFrom, Key
from milvus_embedding.validation.documents import SourcedDocument

R = TypeVar("R", MilvusConnection, EmbeddingCredential, EmbeddingFunction, MilvusCollection)
AnyResource = MilvusConnection | EmbeddingCredential | EmbeddingFunction | MilvusCollection


@dataclass(frozen=True, slots=True)
class Inventory:
    """The objects of our kinds, where each was declared, and the namespaces whose labels are known."""

    resources: dict[Key, AnyResource] = field(default_factory=dict)
    sources: dict[Key, SourcedDocument] = field(default_factory=dict)
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    broken: set[Key] = field(default_factory=set)
    """Objects that are declared, with problems of their own: nothing is looked up in them."""

    def get(self, kind: type[R], place: tuple[str, str]) -> R | None:
        """Return the object at (namespace, name), None if it is not in the set."""
        found = self.resources.get(Key(kind.KIND, *place))
        return found if isinstance(found, kind) else None

    def all(self, kind: type[R]) -> Sequence[R]:
        """Return the objects of a kind, in the order of the manifests."""
        return [resource for resource in self.resources.values() if isinstance(resource, kind)]

    def allows(self, grant: Grant, namespace: str, own_namespace: str) -> bool | None:
        """Tell whether the grant admits the namespace; None if that depends on labels which no manifest declares."""
        labels = self.namespaces.get(namespace, {})
        allowed = grant.allows(namespace, own_namespace=own_namespace, namespace_labels=labels)
        return None if not allowed and not labels and _asks_for_labels(grant) else allowed

    def note(self, document: SourcedDocument) -> None:
        """Take notice of a Namespace or a Secret; of a Secret, only the names of its keys."""
        if document.kind == "Namespace":
            labels = dict(_strings(document, "metadata", "labels"))
            self.namespaces[document.name] = {**labels, METADATA_NAME: document.name}
        elif document.kind == "Secret":
            keys = [key for part in ("data", "stringData") for key, _ in _strings(document, part)]
            self.secrets[document.namespace, document.name] = frozenset(keys)


def _asks_for_labels(grant: Grant) -> bool:
    """Whether a selector is about more than the namespace's name."""
    if grant.from_ is not GrantFrom.SELECTOR or grant.selector is None:
        return False
    requirements = (requirement.key for requirement in grant.selector.match_expressions)
    return not {*grant.selector.match_labels, *requirements} <= {METADATA_NAME}


def _strings(document: SourcedDocument, *path: str) -> Iterator[tuple[str, str]]:
    value: object = document.body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        yield from ((str(key), str(text)) for key, text in value.items())
