"""MilvusConnection: one Milvus, and how configuration reaches it."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from milvus_embedding.api.conditions import CommonStatus
from milvus_embedding.api.credential import RotationStatus
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.model import Model, StatusModel
from milvus_embedding.api.references import Grant, LabelSelector, LocalRef, ObjectRef


class CaKind(StrEnum):
    SECRET = "Secret"  # noqa: S105 - a kind, not a secret
    CONFIG_MAP = "ConfigMap"


class CaRef(Model):
    kind: CaKind = CaKind.SECRET
    name: str
    key: str = "ca.crt"


class TlsSpec(Model):
    ca_ref: CaRef | None = None
    client_certificate_secret_ref: LocalRef | None = None
    server_name: str | None = None


class Delivery(StrEnum):
    FILE = "File"
    ENVIRONMENT = "Environment"


class RolloutStrategy(StrEnum):
    RESTART = "Restart"
    LIVE = "Live"
    NONE = "None"


class Approval(StrEnum):
    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Verify(StrEnum):
    NONE = "None"
    CANARY = "Canary"


class DashscopeProviderSpec(Model):
    """The provider's default key and endpoint."""

    credential_ref: LocalRef | None = None
    url: str | None = None


class WorkloadsSpec(Model):
    selector: LabelSelector


class RolloutSpec(Model):
    strategy: RolloutStrategy | None = None
    workloads: WorkloadsSpec | None = None
    approval: Approval = Approval.AUTOMATIC
    approved_hash: str | None = None
    debounce_seconds: int = 30
    min_interval_seconds: int = 300
    settle_seconds: int = 15
    allow_outage: bool = False
    timeout_seconds: int = 1800

    def effective_strategy(self, *, has_milvus_ref: bool) -> RolloutStrategy:
        """Return the strategy as written, else Restart where there is something to restart, else None."""
        if self.strategy is not None:
            return self.strategy
        return RolloutStrategy.RESTART if has_milvus_ref or self.workloads else RolloutStrategy.NONE


class EmbeddingSpec(Model):
    delivery: Delivery = Delivery.FILE
    secret_name: str | None = None
    allowed_namespaces: Grant = Grant()
    release_labels: tuple[str, ...] = ()
    dashscope: DashscopeProviderSpec = DashscopeProviderSpec()
    rollout: RolloutSpec = RolloutSpec()
    verify: Verify = Verify.NONE

    def effective_secret_name(self, connection_name: str) -> str:
        return self.secret_name or f"{connection_name}-embedding-config"


class ConnectionSpec(Model):
    """Exactly one of uri and milvus_ref is set."""

    uri: str | None = None
    milvus_ref: LocalRef | None = None
    auth_secret_ref: LocalRef | None = None
    tls: TlsSpec | None = None
    request_timeout_seconds: int = 60
    allowed_namespaces: Grant = Grant()
    allowed_adoption: Grant = Grant()
    paused: bool = False
    embedding: EmbeddingSpec | None = None

    @property
    def effective_strategy(self) -> RolloutStrategy:
        rollout = self.embedding.rollout if self.embedding else RolloutSpec()
        return rollout.effective_strategy(has_milvus_ref=self.milvus_ref is not None)


class ConfigStatus(StatusModel):
    """hash is what a roll would put on the pods. rendered_hash is that of the Secret's content where it differs: labels
    were removed since, and that alone rolls nothing.
    """

    hash: str | None = None
    rendered_hash: str | None = None
    delivered_hash: str | None = None
    delivered_time: datetime | None = None


class RolloutPhase(StrEnum):
    IDLE = "Idle"
    DEBOUNCING = "Debouncing"
    AWAITING_APPROVAL = "AwaitingApproval"
    ROLLING = "Rolling"
    TIMED_OUT = "TimedOut"


class RolloutStatus(StatusModel):
    """start_time is when the phase (or the workload under way) began, failed_hash what timed out, rolled_hash what was
    rolled last, recent when the last rolls began.
    """

    phase: RolloutPhase | None = None
    hash: str | None = None
    start_time: datetime | None = None
    failed_hash: str | None = None
    rolled_hash: str | None = None
    recent: tuple[datetime, ...] = ()


class LabelState(StrEnum):
    ACTIVE = "Active"
    RETAINED = "Retained"
    RELEASED = "Released"


class LabelStatus(StatusModel):
    """One label of the rendered Secret; collections is the number of collections that name it. rotation is what its
    credential copies.
    """

    label: str = ""
    credential: ObjectRef | None = None
    state: LabelState | None = None
    collections: int | None = None
    since: datetime | None = None
    rotation: RotationStatus = RotationStatus()


class ConnectionStatus(CommonStatus):
    endpoint: str | None = None
    server_version: str | None = None
    secret_name: str | None = None
    config: ConfigStatus = ConfigStatus()
    rollout: RolloutStatus = RolloutStatus()
    labels: tuple[LabelStatus, ...] = ()


class MilvusConnection(Resource):
    KIND: ClassVar[str] = "MilvusConnection"
    PLURAL: ClassVar[str] = "milvusconnections"

    spec: ConnectionSpec
    status: ConnectionStatus = ConnectionStatus()

    @property
    def secret_name(self) -> str | None:
        """The name of the rendered Secret, None if the connection delivers nothing."""
        return self.spec.embedding.effective_secret_name(self.name) if self.spec.embedding else None
