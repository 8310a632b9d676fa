"""Which programs make a control plane, in which versions, and what it takes to build each.

Only the catalogue: where the programs come from is in `assets`, `download` and `build`.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from milvus_embedding.devkit.controlplane.errors import ControlPlaneUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KUBERNETES_VERSION: Final = "1.37.0"
ETCD_VERSION: Final = "3.7.3"
HELM_VERSION: Final = "4.3.1"
KWOK_VERSION: Final = "0.8.0"

_OPERATING_SYSTEMS: Final = {"Linux": "linux", "Darwin": "darwin"}
_ARCHITECTURES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Binary(StrEnum):
    """A program that can be asked for."""

    KUBE_APISERVER = "kube-apiserver"
    ETCD = "etcd"
    KUBECTL = "kubectl"
    KUBE_CONTROLLER_MANAGER = "kube-controller-manager"
    KUBE_SCHEDULER = "kube-scheduler"
    HELM = "helm"
    KWOK = "kwok"


DEFAULT_SET: Final = (Binary.KUBE_APISERVER, Binary.ETCD, Binary.KUBECTL)
TOOLS: Final = frozenset({Binary.HELM, Binary.KWOK})
"""Programs whose version does not have to fit the API server's."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one program is built. The seconds were measured on 2 cores, downloads included."""

    module: str
    """Folder under `modules/` with the go.mod and go.sum that pin everything."""
    version: str
    package: str
    cold_seconds: int
    """With nothing compiled yet."""
    warm_seconds: int
    """After another program of the same module."""
    linker_flags: str = "-s -w"
    version_arguments: tuple[str, ...] = ("--version",)
    """Arguments that make the program print its version and end: proof that it runs here."""

    @property
    def folder(self) -> str:
        """The cache folder's name, so that two versions never mix."""
        return f"{self.module}-{self.version}"


def _kubernetes(command: str, *, cold: int, warm: int, version_arguments: tuple[str, ...] = ("--version",)) -> Recipe:
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamp = "k8s.io/component-base/version"
    return Recipe(
        module="kubernetes",
        version=KUBERNETES_VERSION,
        package=f"k8s.io/kubernetes/cmd/{command}",
        cold_seconds=cold,
        warm_seconds=warm,
        linker_flags=(
            f"-s -w -X {stamp}.gitVersion=v{KUBERNETES_VERSION} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
        ),
        version_arguments=version_arguments,
    )


RECIPES: Final[Mapping[Binary, Recipe]] = {
    Binary.ETCD: Recipe(
        module="etcd",
        version=ETCD_VERSION,
        package="go.etcd.io/etcd/server/v3",
        cold_seconds=45,
        warm_seconds=45,
    ),
    Binary.KUBE_APISERVER: _kubernetes("kube-apiserver", cold=275, warm=180),
    Binary.KUBECTL: _kubernetes("kubectl", cold=120, warm=20, version_arguments=("version", "--client")),
    Binary.KUBE_CONTROLLER_MANAGER: _kubernetes("kube-controller-manager", cold=300, warm=90),
    Binary.KUBE_SCHEDULER: _kubernetes("kube-scheduler", cold=240, warm=20),
    Binary.HELM: Recipe(
        module="helm",
        version=HELM_VERSION,
        package="helm.sh/helm/v4/cmd/helm",
        cold_seconds=120,
        warm_seconds=120,
        linker_flags=f"-s -w -X helm.sh/helm/v4/internal/version.version=v{HELM_VERSION}",
        version_arguments=("version",),
    ),
    Binary.KWOK: Recipe(
        module="kwok",
        version=KWOK_VERSION,
        package="sigs.k8s.io/kwok/cmd/kwok",
        cold_seconds=100,
        warm_seconds=100,
        linker_flags=f"-s -w -X sigs.k8s.io/kwok/pkg/consts.Version=v{KWOK_VERSION}",
    ),
}
"""In build order: what others can reuse comes first."""


@dataclass(frozen=True)
class Platform:
    """An operating system and a processor, named as Go names them."""

    system: str
    architecture: str

    @classmethod
    def current(cls) -> Platform:
        """This machine's.

        Raises:
            ControlPlaneUnavailable: there is no control plane for this kind of machine.
        """
        system = _OPERATING_SYSTEMS.get(platform.system())
        architecture = _ARCHITECTURES.get(platform.machine())
        if system is None or architecture is None:
            raise ControlPlaneUnavailable(
                f"a control plane cannot run on {platform.system()} {platform.machine()}: use Linux or macOS "
                "on amd64 or arm64"
            )
        return cls(system, architecture)

    def __str__(self) -> str:
        return f"{self.system}-{self.architecture}"


@dataclass(frozen=True)
class Binaries:
    """Programs that were found or made, by name."""

    paths: Mapping[Binary, Path]

    def path(self, binary: Binary) -> Path:
        """Where the program is.

        Raises:
            ControlPlaneUnavailable: it was not asked for when the binaries were prepared.
        """
        try:
            return self.paths[binary]
        except KeyError:
            raise ControlPlaneUnavailable(
                f"{binary} was not prepared: add it to the binaries asked for (prepare(binaries=[…, {str(binary)!r}]))"
            ) from None
