"""Object metadata, and what the four kinds have in common."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final, Self

from pydantic import ValidationError

from milvus_embedding.api.model import EMPTY_MAP, FrozenMap, InvalidObjectError, Model, describe_validation_error
from milvus_embedding.api.references import Key

GROUP: Final = "embedding.milvus.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Metadata(Model):
    """The part of metav1.ObjectMeta that the operator reads. In manifests only name is certain."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    annotations: FrozenMap[str] = EMPTY_MAP
    labels: FrozenMap[str] = EMPTY_MAP


def seniority(created: datetime | None, name: str) -> tuple[bool, str, str]:
    """Sorts the older first. Manifests have no creation time: they come after what exists, in the order of names."""
    return (created is None, created.astimezone(UTC).isoformat() if created else "", name)


class Resource(Model):
    """One object of one of the kinds."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]

    metadata: Metadata

    @classmethod
    def parse(cls, body: Mapping[str, object]) -> Self:
        """Parse an admitted object.

        Raises:
            InvalidObjectError: a field has a type that its schema would have refused; the object has to be corrected.
        """
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            raise InvalidObjectError(f"{cls.KIND} cannot be read: {describe_validation_error(error)}") from None

    @property
    def key(self) -> Key:
        return Key(self.KIND, self.metadata.namespace, self.metadata.name)

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def seniority(self) -> tuple[bool, str, str]:
        """Among those of one kind the older one is less."""
        return seniority(self.metadata.creation_timestamp, f"{self.namespace}/{self.name}")

    @property
    def is_deleted(self) -> bool:
        """True once deletion was asked for, while a finalizer holds the object."""
        return self.metadata.deletion_timestamp is not None
