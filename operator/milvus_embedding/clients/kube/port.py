"""What the operator needs of Kubernetes, as a Protocol of plain values.

Nothing here knows a client library, retries or caches. Every method is one request with a deadline (`pages`: one per
page). Texts of errors are scrubbed, short and never quote a body.

    KubeError
    ├── NotFound        404
    ├── Forbidden       403: permission is missing
    ├── Unauthorized    401: the credentials are refused
    ├── Expired         410: a continued list is too old
    ├── Unavailable     429, 5xx, no connection, no answer in time: ask again later
    ├── NotLeading      the lease is over, or too short for the write: nothing was sent
    └── Refused         any other answer: asking again changes nothing

A write on an older state than the present one raises `Conflict` of the controllers' contract.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Protocol

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import GROUP, VERSION
from milvus_embedding.clients.kube.secrets import SecretRead, SecretWrite
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Pod, Workload

Body = Mapping[str, object]
"""An object as JSON."""


class KubeError(Exception):
    """Base. `str()` is clean and short; `status` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFound(KubeError):
    """The object, or its kind, is not there."""


class Forbidden(KubeError):
    """The operator lacks a permission."""


class Unauthorized(KubeError):
    """The API server does not accept the operator's credentials."""


class Expired(KubeError):
    """The continuation of a list is too old; list again."""


class Unavailable(KubeError):
    """No answer, or not now. The outcome of a write is unknown."""


class NotLeading(KubeError):
    """Another process may act by now; nothing was sent."""


class Refused(KubeError):
    """The API server does not take this request."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One kind as its address has it; `group` is empty for the core API."""

    group: str
    version: str
    plural: str
    kind: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path below the server's address."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        parts = [part for part in (self.plural, name, subresource) if part]
        return f"{root}{scope}/{'/'.join(parts)}"


SECRETS: Final = ResourceType("", "v1", "secrets", "Secret")
CONFIG_MAPS: Final = ResourceType("", "v1", "configmaps", "ConfigMap")
LEASES: Final = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS: Final = ResourceType("", "v1", "events", "Event")
NAMESPACES: Final = ResourceType("", "v1", "namespaces", "Namespace")
PODS: Final = ResourceType("", "v1", "pods", "Pod")
DEPLOYMENTS: Final = ResourceType("apps", "v1", "deployments", "Deployment")
MILVUSES: Final = ResourceType("milvus.io", "v1beta1", "milvuses", "Milvus")
OUR_TYPES: Final[Mapping[str, ResourceType]] = MappingProxyType(
    {name: ResourceType(GROUP, VERSION, kind.PLURAL, name) for name, kind in KINDS.items()}
)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; `resource_version` is that of the whole list."""

    items: Sequence[Body]
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """A Lease. Times are RFC 3339 text with microseconds, compared but never computed with."""

    holder: str
    duration_seconds: int
    acquire_time: str
    renew_time: str
    transitions: int = 0
    resource_version: str = ""


def micro_time(moment: datetime) -> str:
    """RFC 3339 with microseconds, as Leases and Events have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Access:
    """One verb on one kind in one namespace (None: in all)."""

    verb: str
    type: ResourceType
    namespace: str | None
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As kubectl takes it: plural and group, then the subresource."""
        group = f".{self.type.group}" if self.type.group else ""
        return f"{self.type.plural}{group}/{self.subresource}".rstrip("/")


class Kube(Protocol):
    """The API server. All methods raise KubeError besides what they say."""

    def pages(
        self, type_: ResourceType, namespace: str | None, *, metadata_only: bool = False, selector: str = ""
    ) -> AsyncIterator[Page]:
        """Lists in pages of at most 500; None lists all namespaces. At least one page, even if it is empty."""

    async def get(self, type_: ResourceType, namespace: str | None, name: str) -> Body:
        """One object, fresh."""

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        """Applies a merge patch to the status subresource and returns the object. Raises Conflict."""

    async def patch_finalizers(self, type_: ResourceType, namespace: str, name: str, patch: Body) -> Body:
        """Applies a merge patch to an object, of whose metadata it has resourceVersion, uid and finalizers, and no
        more. Returns the object, as it was last if that ended it. Raises Conflict.
        """

    async def read_secret(self, namespace: str, name: str) -> SecretRead:
        """Never raises KubeError: what went wrong is the answer."""

    async def read_config_map(self, namespace: str, name: str) -> SecretRead:
        """As `read_secret`; text and binary data as bytes."""

    async def write_secret(self, secret: SecretWrite) -> str:
        """Creates it, or replaces its data and adds its labels; other metadata stays. Returns the resourceVersion.

        Raises:
            Conflict: it is not (any more) as it was read.
            WriteRefused: the API server does not take it.
            Unavailable: the outcome is unknown.
        """

    async def list_workloads(self, namespace: str, selector: str) -> Sequence[Workload]:
        """The Deployments that a label selector (as text) matches, sorted by name."""

    async def list_pods(self, namespace: str, selector: str) -> Sequence[Pod]:
        """The pods that a label selector (as text) matches, sorted by name."""

    async def annotate_workload(self, workload: Workload, config_hash: str) -> None:
        """Sets our annotation on the pod template, which rolls it. Raises Conflict if it is not as it was read."""

    async def read_milvus(self, namespace: str, name: str) -> MilvusResource:
        """Raises NotFound, also if the cluster has no such kind."""

    async def apply_milvus(self, milvus: MilvusResource, config_hashes: Mapping[Component, str]) -> None:
        """Server-side apply of our annotations: all that we own, the others go. Raises Conflict if it is not as it was
        read, Refused if another field manager owns one of them.
        """

    async def read_lease(self, namespace: str, name: str) -> LeaseRecord:
        """Raises NotFound."""

    async def create_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        """Raises Conflict if it exists."""

    async def update_lease(self, namespace: str, name: str, lease: LeaseRecord) -> LeaseRecord:
        """Replaces the Lease of that resource version. Raises Conflict."""

    async def is_allowed(self, access: Access) -> bool:
        """Whether the API server would allow that to the operator."""

    async def served(self, group: str, version: str) -> frozenset[str]:
        """The plural names of the resources of a group version; empty if there is no such group version."""

    async def create_event(self, namespace: str, event: Body) -> str:
        """Creates a core/v1 Event and returns its name."""

    async def patch_event(self, namespace: str, name: str, patch: Body) -> None:
        """Applies a merge patch to an Event."""

    async def kube_system_uid(self) -> str:
        """Identifies the cluster."""


class ApiServer(Kube, Protocol):
    """A real one, which can be asked more than manifests that stand in for it."""

    async def count(self, type_: ResourceType, namespace: str | None, *, selector: str = "") -> int | None:
        """How many objects there are, by a list of one; None if the server does not tell. Not exact by contract."""
