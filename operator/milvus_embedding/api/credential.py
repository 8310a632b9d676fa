"""EmbeddingCredential: an API key of an embedding provider. The key itself never appears in these types."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from milvus_embedding.api.conditions import CommonStatus
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.model import Model, StatusModel
from milvus_embedding.api.references import Grant, ObjectRef


class Provider(StrEnum):
    DASHSCOPE = "dashscope"


class SecretKeyRef(Model):
    """A key of a Secret of the same namespace."""

    name: str
    key: str = "apikey"


class ExternalSpec(Model):
    """Says that milvus.yaml has the label already; there is nothing to configure."""


class ProbeSpec(Model):
    enabled: bool = True
    interval_seconds: int = 86400


class QuotaSpec(Model):
    """Limits of the account per model and minute; 0 is unknown. Keys of one account share a group."""

    group: str | None = None
    requests_per_minute: int = 0
    tokens_per_minute: int = 0


class CredentialSpec(Model):
    """Exactly one of api_key_secret_ref and external is set; external has a label."""

    connection_ref: ObjectRef
    provider: Provider = Provider.DASHSCOPE
    label: str | None = None
    api_key_secret_ref: SecretKeyRef | None = None
    external: ExternalSpec | None = None
    allowed_namespaces: Grant = Grant()
    probe: ProbeSpec = ProbeSpec()
    quota: QuotaSpec = QuotaSpec()


class RotationStatus(StatusModel):
    """generation counts the values of the key. delivered_generation is the one that all pods of Milvus have, where that
    can be seen; effective_generation the one that is known to embed there. Keys that the Secret held before
    safe_to_revoke_before are in no pod any more.
    """

    generation: int | None = None
    delivered_generation: int | None = None
    effective_generation: int | None = None
    effective_time: datetime | None = None
    safe_to_revoke_before: datetime | None = None


class CredentialStatus(CommonStatus):
    label: str | None = None
    used_by: int | None = None
    rotation: RotationStatus = RotationStatus()


class EmbeddingCredential(Resource):
    KIND: ClassVar[str] = "EmbeddingCredential"
    PLURAL: ClassVar[str] = "embeddingcredentials"

    spec: CredentialSpec
    status: CredentialStatus = CredentialStatus()
