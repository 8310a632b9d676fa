"""MilvusCollection: one collection in Milvus, the policies of changing it, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from milvus_embedding.api.annotations import PREFIX
from milvus_embedding.api.conditions import CommonStatus
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.model import Model, StatusModel
from milvus_embedding.api.references import ObjectRef
from milvus_embedding.api.schema import (
    DEFAULT_METRICS,
    NO_PARAMS,
    CollectionFunctionSpec,
    FieldSpec,
    IndexSpec,
    LoadSpec,
    Metric,
    Params,
)


class ConsistencyLevel(StrEnum):
    STRONG = "Strong"
    SESSION = "Session"
    BOUNDED = "Bounded"
    EVENTUALLY = "Eventually"


class DeletionPolicy(StrEnum):
    RETAIN = "Retain"
    DELETE_IF_EMPTY = "DeleteIfEmpty"
    DELETE = "Delete"


class AdoptionPolicy(StrEnum):
    IF_MATCHING = "IfMatching"
    OBSERVE = "Observe"
    NEVER = "Never"


class DriftPolicy(StrEnum):
    ENFORCE = "Enforce"
    REPORT = "Report"
    IGNORE = "Ignore"


class ChangeMode(StrEnum):
    AUTOMATIC = "Automatic"
    MANUAL = "Manual"
    NEVER = "Never"


class DestructiveMode(StrEnum):
    """Destructive changes are never automatic."""

    MANUAL = "Manual"
    NEVER = "Never"


class ChangePolicy(Model):
    in_place: ChangeMode = ChangeMode.AUTOMATIC
    disruptive: ChangeMode = ChangeMode.MANUAL
    destructive: DestructiveMode = DestructiveMode.NEVER
    rebuild: ChangeMode = ChangeMode.MANUAL
    approved_plan: str | None = None


class Writers(StrEnum):
    PAUSE = "Pause"
    APPEND_ONLY = "AppendOnly"
    LIVE = "Live"


class OnBadRow(StrEnum):
    STOP = "Stop"
    SKIP = "Skip"


class OldGeneration(StrEnum):
    RETAIN = "Retain"
    DROP = "Drop"


class BudgetSpec(Model):
    """tokens: the most that a migration may spend at the provider."""

    tokens: int


class VerificationSpec(Model):
    sample_rows: int = 1000
    min_overlap_percent: int = 60


class MigrationSpec(Model):
    budget: BudgetSpec | None = None
    verification: VerificationSpec = VerificationSpec()
    writers: Writers = Writers.PAUSE
    on_bad_row: OnBadRow = OnBadRow.STOP
    soak_seconds: int = 86400
    old_generation: OldGeneration = OldGeneration.RETAIN


class CollectionSpec(Model):
    connection_ref: ObjectRef
    database: str = "default"
    create_database: bool = False
    collection_name: str | None = None
    description: str = ""
    fields: tuple[FieldSpec, ...]
    functions: tuple[CollectionFunctionSpec, ...] = ()
    indexes: tuple[IndexSpec, ...] = ()
    properties: Params = NO_PARAMS
    partitions: tuple[str, ...] = ()
    num_partitions: int | None = None
    aliases: tuple[str, ...] = ()
    enable_dynamic_field: bool = False
    shards: int = 1
    consistency_level: ConsistencyLevel = ConsistencyLevel.BOUNDED
    load: LoadSpec = LoadSpec()
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    adoption_policy: AdoptionPolicy = AdoptionPolicy.IF_MATCHING
    drift_policy: DriftPolicy = DriftPolicy.ENFORCE
    change_policy: ChangePolicy = ChangePolicy()
    migration: MigrationSpec = MigrationSpec()
    paused: bool = False

    @property
    def reserved_properties(self) -> tuple[str, ...]:
        """Keys of `properties` that belong to the operator; the API server cannot refuse them, so the reader must."""
        return tuple(sorted(key for key in self.properties if key.startswith(PREFIX)))

    @property
    def effective_indexes(self) -> tuple[IndexSpec, ...]:
        """The indexes as written, then AUTOINDEX for each vector field without one; every vector index has a metric."""
        bm25_outputs = {function.output_field for function in self.functions if function.bm25 is not None}
        metrics = {f.name: Metric.BM25 if f.name in bm25_outputs else DEFAULT_METRICS.get(f.type) for f in self.fields}
        indexed = {index.field for index in self.indexes}
        implied = (IndexSpec(field=f.name) for f in self.fields if f.type.is_vector and f.name not in indexed)
        return tuple(
            index.model_copy(update={"metric": index.metric or metrics.get(index.field)})
            for index in (*self.indexes, *implied)
        )


class CollectionIdentity(StatusModel):
    """The collection in Milvus. id is a string: Milvus' ids exceed what JSON tools hold exactly. generation counts
    those that the object made or took over; one that it only observes has none.
    """

    database: str | None = None
    name: str | None = None
    id: str | None = None
    alias: str | None = None
    generation: int | None = None

    @property
    def owned_id(self) -> str | None:
        """The id of a collection that is, or was, the object's own; None if it only observed it, or had none."""
        return self.id if self.generation is not None else None


class FunctionBinding(StatusModel):
    """One function as read back from Milvus."""

    name: str = ""
    provider: str | None = None
    model: str | None = None
    dim: int | None = None
    label: str | None = None


class DriftEntry(StatusModel):
    path: str = ""
    want: str | None = None
    have: str | None = None


class ChangeClass(StrEnum):
    IN_PLACE = "InPlace"
    DISRUPTIVE = "Disruptive"
    DESTRUCTIVE = "Destructive"
    REBUILD = "Rebuild"


class PlanStep(StatusModel):
    action: str = ""
    path: str = ""
    class_: ChangeClass | None = None
    from_: str | None = None
    to: str | None = None


class PlanEstimate(StatusModel):
    """What the plan costs; price is a decimal number as text, in currency."""

    rows: int | None = None
    tokens: int | None = None
    requests: int | None = None
    seconds: int | None = None
    price: str | None = None
    currency: str | None = None


class PlanStatus(StatusModel):
    hash: str | None = None
    class_: ChangeClass | None = None
    approved: bool | None = None
    steps: tuple[PlanStep, ...] = ()
    estimate: PlanEstimate | None = None


class MigrationStatus(StatusModel):
    """from_ and to are the names of the collections in Milvus."""

    phase: str | None = None
    from_: str | None = None
    to: str | None = None
    rows_done: int | None = None
    rows_total: int | None = None
    tokens: int | None = None
    eta_time: datetime | None = None
    start_time: datetime | None = None


class CollectionStatus(CommonStatus):
    collection: CollectionIdentity = CollectionIdentity()
    functions: tuple[FunctionBinding, ...] = ()
    drift: tuple[DriftEntry, ...] = ()
    plan: PlanStatus | None = None
    migration: MigrationStatus | None = None


class MilvusCollection(Resource):
    KIND: ClassVar[str] = "MilvusCollection"
    PLURAL: ClassVar[str] = "milvuscollections"

    spec: CollectionSpec
    status: CollectionStatus = CollectionStatus()

    @property
    def effective_collection_name(self) -> str:
        """The name in Milvus: as written, else the object's name with - as _."""
        return self.spec.collection_name or self.name.replace("-", "_")
