"""A real Kubernetes control plane for tests and the demo, without Docker: etcd and kube-apiserver as plain processes.

`prepare` finds or makes the binaries, `ControlPlane.start` runs them on loopback with a kubeconfig of their own.
Deliberately not a cluster: there is no node, no network and no container runtime, and the user's kubeconfig is neither
read nor written.
"""

from milvus_embedding.devkit.controlplane.assets import prepare
from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, Binaries, Binary
from milvus_embedding.devkit.controlplane.cluster import ControlPlane
from milvus_embedding.devkit.controlplane.errors import ControlPlaneFailed, ControlPlaneUnavailable, KubectlFailed

__all__ = [
    "DEFAULT_SET",
    "Binaries",
    "Binary",
    "ControlPlane",
    "ControlPlaneFailed",
    "ControlPlaneUnavailable",
    "KubectlFailed",
    "prepare",
]
