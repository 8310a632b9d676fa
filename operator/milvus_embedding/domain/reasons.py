"""The closed list of reasons: one taxonomy for control flow, conditions, Events and metrics.

A reason belongs to exactly one class. The class decides which of Reconciling and Stalled is present, and who acts:
*waiting* ends by itself, *yours* needs a change by a user, *fine* needs nothing. docs/troubleshooting.md has a
section for each (a test holds the two lists together).
"""

from enum import StrEnum


class ReasonClass(StrEnum):
    """Who has to act."""

    FINE = "fine"
    WAITING = "waiting"
    YOURS = "yours"


class Reason(StrEnum):
    """Why a condition has its status. The value is what users see."""

    kind: ReasonClass

    def __new__(cls, value: str, kind: ReasonClass) -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.kind = kind
        return member

    # fine
    READY = "Ready", ReasonClass.FINE
    REACHABLE = "Reachable", ReasonClass.FINE
    RENDERED = "Rendered", ReasonClass.FINE
    SECRET_FOUND = "SecretFound", ReasonClass.FINE
    KEY_ACCEPTED = "KeyAccepted", ReasonClass.FINE
    EXTERNAL = "External", ReasonClass.FINE
    PROBE_DISABLED = "ProbeDisabled", ReasonClass.FINE
    PROVIDER_UNREACHABLE = "ProviderUnreachable", ReasonClass.FINE
    PROVIDER_REFUSED = "ProviderRefused", ReasonClass.FINE
    DELIVERY_UNKNOWN = "DeliveryUnknown", ReasonClass.FINE
    RESOLVED = "Resolved", ReasonClass.FINE
    IN_SYNC = "InSync", ReasonClass.FINE
    LOADED = "Loaded", ReasonClass.FINE
    NOT_REQUESTED = "NotRequested", ReasonClass.FINE
    LABELS_RETAINED = "LabelsRetained", ReasonClass.FINE
    NO_LABELS_RETAINED = "NoLabelsRetained", ReasonClass.FINE
    NO_DRIFT = "NoDrift", ReasonClass.FINE
    AVAILABLE = "Available", ReasonClass.FINE
    PAUSED = "Paused", ReasonClass.FINE
    DRIFT_IGNORED = "DriftIgnored", ReasonClass.FINE
    APPROVED = "Approved", ReasonClass.FINE
    DELIVERED = "Delivered", ReasonClass.FINE
    EFFECTIVE = "Effective", ReasonClass.FINE
    OBSERVED = "Observed", ReasonClass.FINE
    HANDED_OVER = "HandedOver", ReasonClass.FINE

    # waiting
    CONNECTION_NOT_FOUND = "ConnectionNotFound", ReasonClass.WAITING
    CREDENTIAL_NOT_FOUND = "CredentialNotFound", ReasonClass.WAITING
    FUNCTION_NOT_FOUND = "FunctionNotFound", ReasonClass.WAITING
    CREDENTIAL_NOT_READY = "CredentialNotReady", ReasonClass.WAITING
    SECRET_NOT_FOUND = "SecretNotFound", ReasonClass.WAITING
    SECRET_KEY_MISSING = "SecretKeyMissing", ReasonClass.WAITING
    SECRET_FORBIDDEN = "SecretForbidden", ReasonClass.WAITING
    SECRET_UNREADABLE = "SecretUnreadable", ReasonClass.WAITING
    UNREACHABLE = "Unreachable", ReasonClass.WAITING
    DATABASE_NOT_FOUND = "DatabaseNotFound", ReasonClass.WAITING
    DELETION_BLOCKED = "DeletionBlocked", ReasonClass.WAITING
    FINALIZER_FORBIDDEN = "FinalizerForbidden", ReasonClass.WAITING
    NOT_DELIVERED = "NotDelivered", ReasonClass.WAITING
    CREDENTIAL_NOT_DELIVERED = "CredentialNotDelivered", ReasonClass.WAITING
    PROBING = "Probing", ReasonClass.WAITING
    CREATE_OUTCOME_UNKNOWN = "CreateOutcomeUnknown", ReasonClass.WAITING
    OUTCOME_UNKNOWN = "OutcomeUnknown", ReasonClass.WAITING
    INDEX_BUILDING = "IndexBuilding", ReasonClass.WAITING
    LOADING = "Loading", ReasonClass.WAITING
    CHANGING = "Changing", ReasonClass.WAITING
    PROVIDER_ERROR = "ProviderError", ReasonClass.WAITING
    RATE_LIMITED = "RateLimited", ReasonClass.WAITING
    MILVUS_ERROR = "MilvusError", ReasonClass.WAITING
    INTERNAL_ERROR = "InternalError", ReasonClass.WAITING
    RENDER_FAILED = "RenderFailed", ReasonClass.WAITING
    MILVUS_NOT_FOUND = "MilvusNotFound", ReasonClass.WAITING
    MILVUS_NOT_READY = "MilvusNotReady", ReasonClass.WAITING
    TARGET_NOT_FOUND = "TargetNotFound", ReasonClass.WAITING
    TARGET_FORBIDDEN = "TargetForbidden", ReasonClass.WAITING
    TARGET_UNHEALTHY = "TargetUnhealthy", ReasonClass.WAITING
    ROLLOUT_PENDING = "RolloutPending", ReasonClass.WAITING
    ROLLOUT_BUSY = "RolloutBusy", ReasonClass.WAITING
    ROLLOUT_IN_PROGRESS = "RolloutInProgress", ReasonClass.WAITING
    ROLL_STORM = "RollStorm", ReasonClass.WAITING
    PROVING = "Proving", ReasonClass.WAITING
    COLLECTION_NOT_FOUND = "CollectionNotFound", ReasonClass.WAITING

    # yours
    DELETION_HELD = "DeletionHeld", ReasonClass.YOURS
    READ_ONLY = "ReadOnly", ReasonClass.YOURS
    KEY_EMPTY = "KeyEmpty", ReasonClass.YOURS
    KEY_INVALID = "KeyInvalid", ReasonClass.YOURS
    KEY_REJECTED = "KeyRejected", ReasonClass.YOURS
    NOT_ALLOWED = "NotAllowed", ReasonClass.YOURS
    NOT_SUPPORTED_YET = "NotSupportedYet", ReasonClass.YOURS
    LABEL_NOT_ALLOWED = "LabelNotAllowed", ReasonClass.YOURS
    LABEL_CONFLICT = "LabelConflict", ReasonClass.YOURS
    RELEASED = "Released", ReasonClass.YOURS
    CREDENTIAL_OF_OTHER_CONNECTION = "CredentialOfOtherConnection", ReasonClass.YOURS
    EMBEDDING_NOT_CONFIGURED = "EmbeddingNotConfigured", ReasonClass.YOURS
    LABEL_IN_ENVIRONMENT = "LabelInEnvironment", ReasonClass.YOURS
    LABELS_IN_USE = "LabelsInUse", ReasonClass.YOURS
    CONFIG_INCOMPLETE = "ConfigIncomplete", ReasonClass.YOURS
    CONFIG_TOO_LARGE = "ConfigTooLarge", ReasonClass.YOURS
    SECRET_NOT_OURS = "SecretNotOurs", ReasonClass.YOURS
    URL_SUSPECT = "UrlSuspect", ReasonClass.YOURS
    ENDPOINT_NOT_ALLOWED = "EndpointNotAllowed", ReasonClass.YOURS
    AUTHENTICATION_FAILED = "AuthenticationFailed", ReasonClass.YOURS
    PERMISSION_DENIED = "PermissionDenied", ReasonClass.YOURS
    UNSUPPORTED_SERVER = "UnsupportedServer", ReasonClass.YOURS
    DIMENSION_MISMATCH = "DimensionMismatch", ReasonClass.YOURS
    MODEL_NOT_FOUND = "ModelNotFound", ReasonClass.YOURS
    INVALID_SPEC = "InvalidSpec", ReasonClass.YOURS
    OWNED_BY_OTHER = "OwnedByOther", ReasonClass.YOURS
    NAME_TAKEN = "NameTaken", ReasonClass.YOURS
    NOT_MATCHING = "NotMatching", ReasonClass.YOURS
    ALIAS_TAKEN = "AliasTaken", ReasonClass.YOURS
    NAME_IS_ALIAS = "NameIsAlias", ReasonClass.YOURS
    DRIFTED = "Drifted", ReasonClass.YOURS
    DRIFT_CONTESTED = "DriftContested", ReasonClass.YOURS
    CHANGE_NOT_ALLOWED = "ChangeNotAllowed", ReasonClass.YOURS
    REBUILD_NEEDED = "RebuildNeeded", ReasonClass.YOURS
    LOST = "Lost", ReasonClass.YOURS
    SERVER_REPLACED = "ServerReplaced", ReasonClass.YOURS
    HANDED_BACK = "HandedBack", ReasonClass.YOURS
    NOT_MOUNTED = "NotMounted", ReasonClass.YOURS
    TARGET_CONFLICT = "TargetConflict", ReasonClass.YOURS
    TARGET_PAUSED = "TargetPaused", ReasonClass.YOURS
    AWAITING_APPROVAL = "AwaitingApproval", ReasonClass.YOURS
    WOULD_INTERRUPT = "WouldInterrupt", ReasonClass.YOURS
    ROLLOUT_TIMED_OUT = "RolloutTimedOut", ReasonClass.YOURS
    WOULD_BREAK = "WouldBreak", ReasonClass.YOURS
    ENVIRONMENT_SHADOWED = "EnvironmentShadowed", ReasonClass.YOURS
    LABEL_SHADOWED = "LabelShadowed", ReasonClass.YOURS
    ROLLED_BACK_KEY = "RolledBackKey", ReasonClass.YOURS
    NOT_EFFECTIVE = "NotEffective", ReasonClass.YOURS
    REJECTED_BY_MILVUS = "RejectedByMilvus", ReasonClass.YOURS
