"""Lists the four kinds through the API server. What may not be listed is told, and the rest is shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.model import InvalidObjectError
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import OUR_TYPES, Forbidden, Kube, NotFound


class ListingError(Exception):
    """Nothing can be shown; the text is for users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Objects sorted by namespace and name. `namespace` None: of the whole cluster. `unseen`: sentences about kinds
    that may not be listed, and objects that cannot be read.
    """

    namespace: str | None
    connections: tuple[MilvusConnection, ...]
    credentials: tuple[EmbeddingCredential, ...]
    functions: tuple[EmbeddingFunction, ...]
    collections: tuple[MilvusCollection, ...]
    unseen: tuple[str, ...] = ()

    def all(self) -> tuple[Resource, ...]:
        return (*self.connections, *self.credentials, *self.functions, *self.collections)


async def listed(kube: Kube, namespace: str | None) -> Listing:
    """Raises ListingError or KubeError."""
    found: dict[str, list[Resource]] = {}
    unseen: list[str] = []
    for kind in KINDS:
        try:
            found[kind] = await _of(kube, kind, namespace, unseen)
        except Forbidden:
            unseen.append(_forbidden(kind, namespace))
        except NotFound:
            text = "this cluster does not serve embedding.milvus.io/v1alpha1: install the CRDs, or name another context"
            raise ListingError(text) from None
    if not found:
        raise ListingError(unseen[0])
    return Listing(
        namespace=namespace,
        connections=tuple(r for r in found.get(MilvusConnection.KIND, ()) if isinstance(r, MilvusConnection)),
        credentials=tuple(r for r in found.get(EmbeddingCredential.KIND, ()) if isinstance(r, EmbeddingCredential)),
        functions=tuple(r for r in found.get(EmbeddingFunction.KIND, ()) if isinstance(r, EmbeddingFunction)),
        collections=tuple(r for r in found.get(MilvusCollection.KIND, ()) if isinstance(r, MilvusCollection)),
        unseen=tuple(unseen),
    )


async def _of(kube: Kube, kind: str, namespace: str | None, unseen: list[str]) -> list[Resource]:
    bodies = [body async for page in kube.pages(OUR_TYPES[kind], namespace) for body in page.items]
    resources = []
    for body in bodies:
        try:
            resources.append(KINDS[kind].parse(body))
        except InvalidObjectError as error:
            unseen.append(f"{_key(kind, body)} cannot be read: {error}")
    return sorted(resources, key=lambda r: (r.namespace, r.name))


def _key(kind: str, body: Mapping[str, object]) -> Key:
    metadata = body.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    return Key(kind, str(told.get("namespace", "")), str(told.get("name", "")))


def _forbidden(kind: str, namespace: str | None) -> str:
    where = f"in namespace {namespace}" if namespace is not None else "in all namespaces (name one with -n)"
    plural = OUR_TYPES[kind].plural
    return f"you may not list {plural} {where}: ask for the verb list on {plural}.embedding.milvus.io"
