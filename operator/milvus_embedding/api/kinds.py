"""The closed set of kinds of this API."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.metadata import Resource

KINDS: Final[Mapping[str, type[Resource]]] = MappingProxyType(
    {kind.KIND: kind for kind in (MilvusConnection, EmbeddingCredential, EmbeddingFunction, MilvusCollection)}
)
"""The kinds by name, in the order in which one depends on another."""
