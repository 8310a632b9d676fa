"""The workloads that run Milvus, as far as delivery looks at them.

Plain data, read from Deployments, pods and Milvus resources elsewhere. Nothing here decides anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Component(StrEnum):
    """The components of Milvus that compute embeddings. Values are those of the workloads' component labels."""

    PROXY = "proxy"
    DATA_NODE = "datanode"
    STANDALONE = "standalone"

    @property
    def in_milvus_resource(self) -> str:
        """Its key below `spec.components` of a Milvus resource."""
        return "dataNode" if self is Component.DATA_NODE else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volumeMount; `sub_path` is empty for a whole volume."""

    volume: str
    path: str
    sub_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An environment variable: either a literal (its value is not kept if it may be a key) or a reference."""

    name: str
    is_literal: bool = False
    secret: str = ""
    key: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableSource:
    """An `envFrom` entry of a Secret."""

    secret: str
    prefix: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """`config_dir` is where Milvus looks for configuration: $MILVUSCONF, <workingDir>/configs, or /milvus/configs."""

    name: str
    mounts: tuple[Mount, ...] = ()
    variables: tuple[Variable, ...] = ()
    sources: tuple[VariableSource, ...] = ()
    config_dir: str = "/milvus/configs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume of one Secret or ConfigMap (also as part of a projected one; others are left out).

    items: key -> path, None if all keys are there under their own names.
    """

    name: str
    secret: str = ""
    config_map: str = ""
    items: Mapping[str, str] | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A pod template. `config_hash` is our annotation."""

    config_hash: str | None = None
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a Deployment's status says. `failure`: reason of a condition that says it fails ("ProgressDeadlineExceeded",
    a quota: "FailedCreate"), else "".
    """

    is_observed: bool = True
    replicas: int = 0
    updated: int = 0
    available: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One Deployment. `component` None: not one that computes embeddings. `milvus`: name of the owning Milvus resource.

    interrupts: rolling it takes all its pods away for a while. selector: of its pods, as text.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    component: Component | None
    labels: Mapping[str, str] = field(default_factory=dict)
    milvus: str = ""
    selector: str = ""
    template: Template = field(default_factory=Template)
    replicas: int = 1
    interrupts: bool = False
    is_paused: bool = False
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod of a workload. `has_ended`: Succeeded or Failed, it serves no more. `trouble`: why a container waits.

    created: when the API server took it; it reads the Secret after that. started: when a container of it was started
    last, which reads the Secret again; None if that is not known.
    """

    name: str
    created: datetime
    started: datetime | None = None
    config_hash: str | None = None
    is_terminating: bool = False
    has_ended: bool = False
    is_ready: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MilvusResource:
    """A Milvus of milvus-operator. `config_hashes`: component -> our annotation below spec.components.

    health: its status.status, "" before there is one. paused: what holds the operator or a component, by its path.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    endpoint: str = ""
    health: str = ""
    components: tuple[Component, ...] = (Component.STANDALONE,)
    config_hashes: Mapping[Component, str] = field(default_factory=dict)
    paused: tuple[str, ...] = ()
