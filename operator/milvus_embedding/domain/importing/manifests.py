"""All manifests of one import: a connection if none is given, credentials, functions and collections, each with what a
reader has to know about it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import ConnectionSpec, MilvusConnection
from milvus_embedding.api.credential import CredentialSpec, EmbeddingCredential, ExternalSpec
from milvus_embedding.api.function import DashscopeModelSpec, EmbeddingFunction, FunctionSpec
from milvus_embedding.api.metadata import API_VERSION
from milvus_embedding.api.model import Model
from milvus_embedding.api.references import Grant, GrantFrom, LocalRef, ObjectRef
from milvus_embedding.domain.importing.collections import ImportedCollection
from milvus_embedding.domain.importing.functions import Embedding
from milvus_embedding.domain.importing.names import object_name

_GENERATED: Final = re.compile(r"k[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object. `body` None: there is none, and `remarks` say why. `title`: what it is about, for the file's name."""

    kind: str
    title: str
    body: dict[str, JsonValue] | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the objects go. `connection` is (namespace, name); `uri` empty: the connection exists already, and is not
    written. `auth`, `tls`: Milvus was asked as a user, or over TLS.
    """

    connection: tuple[str, str]
    namespace: str
    uri: str = ""
    auth: bool = False
    tls: bool = False

    @property
    def connection_ref(self) -> ObjectRef:
        return self._ref(self.connection[1])

    @property
    def is_shared(self) -> bool:
        return self.connection[0] != self.namespace

    def _ref(self, name: str) -> ObjectRef:
        return ObjectRef(name=name, namespace=self.connection[0] if self.is_shared else None)

    def credential_ref(self, label: str) -> ObjectRef:
        return self._ref(object_name(label))


@dataclass(slots=True)
class _Names:
    taken: set[str] = field(default_factory=set)

    def give(self, wanted: str, fallback: str) -> str:
        name = object_name(wanted if object_name(wanted) not in self.taken else fallback, self.taken)
        self.taken.add(name)
        return name


def manifests(collections: Sequence[ImportedCollection], site: Site) -> tuple[Manifest, ...]:
    """In the order in which they depend on each other, then by name."""
    ordered = sorted(collections, key=lambda c: (c.database != "default", c.database, c.name))
    embeddings = sorted({e for c in ordered if c.spec is not None for e in c.embeddings.values()})
    labels = sorted({e.label for e in embeddings if e.label})
    names = _Names()
    return (
        *([_connection(site)] if site.uri else []),
        *(_credential(label, site) for label in labels),
        *(_function(embedding, site) for embedding in embeddings),
        *(_collection(collection, site, names) for collection in ordered),
    )


def _connection(site: Site) -> Manifest:
    others = Grant(from_=GrantFrom.NAMES, names=(site.namespace,)) if site.is_shared else Grant()
    spec = ConnectionSpec(
        uri=site.uri,
        auth_secret_ref=LocalRef(name=f"{site.connection[1]}-auth") if site.auth else None,
        allowed_namespaces=others,
        allowed_adoption=others,
    )
    return _manifest(MilvusConnection.KIND, site.connection, spec, tuple(_of_connection(site)))


def _of_connection(site: Site) -> Iterator[str]:
    if site.auth:
        yield f"Secret {site.connection[1]}-auth needs the keys username and password, or token"
    if site.tls:
        yield "if an authority of your own signed Milvus' certificate, name it in spec.tls.caRef"
    yield "API keys are left where they are; to have them delivered from Secrets, add spec.embedding"


def _credential(label: str, site: Site) -> Manifest:
    grant = Grant(from_=GrantFrom.NAMES, names=(site.namespace,)) if site.is_shared else Grant()
    spec = CredentialSpec(
        connection_ref=ObjectRef(name=site.connection[1]),
        label=label,
        external=ExternalSpec(),
        allowed_namespaces=grant,
    )
    remarks = ["the key of this label stays in milvus.yaml; to deliver it, write apiKeySecretRef in place of external"]
    if _GENERATED.fullmatch(label):
        remarks.append("the label was generated for an EmbeddingCredential: if that one exists, refer to it instead")
    return _manifest(EmbeddingCredential.KIND, (site.connection[0], object_name(label)), spec, tuple(remarks))


def _function(embedding: Embedding, site: Site) -> Manifest:
    model = DashscopeModelSpec(
        model=embedding.model,
        dim=embedding.declared_dim,
        credential_ref=site.credential_ref(embedding.label) if embedding.label else None,
        allow_unlisted=not embedding.is_listed,
    )
    remarks = () if embedding.label else ("without a credential it spends the provider's default key in milvus.yaml",)
    return _manifest(EmbeddingFunction.KIND, (site.namespace, embedding.name), FunctionSpec(dashscope=model), remarks)


def _collection(collection: ImportedCollection, site: Site, names: _Names) -> Manifest:
    name = names.give(collection.name, f"{collection.database}-{collection.name}")
    if collection.spec is None:
        title = f"{collection.database}.{collection.name}"
        return Manifest(kind=MilvusCollection.KIND, title=title, body=None, remarks=collection.remarks)
    implied = name.replace("-", "_") == collection.name
    spec = collection.spec.model_copy(update={"collection_name": None}) if implied else collection.spec
    return _manifest(MilvusCollection.KIND, (site.namespace, name), spec, collection.remarks)


def _manifest(kind: str, place: tuple[str, str], spec: Model, remarks: tuple[str, ...]) -> Manifest:
    namespace, name = place
    body: dict[str, JsonValue] = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec.to_yaml(),
    }
    return Manifest(kind=kind, title=name, body=body, remarks=remarks)
