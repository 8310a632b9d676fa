"""A cluster with a node for pods to run on: kwok plays the kubelet by the stages of kwok-stages.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from milvus_embedding.devkit.controlplane import Binary

if TYPE_CHECKING:
    from milvus_embedding.devkit.controlplane import Binaries, ControlPlane

STAGES = Path(__file__).with_name("kwok-stages.yaml")
BINARIES = (*Binary,)
"""All of them."""
# Nobody renews the node's status: nothing here is about nodes that go.
CONTROLLER_MANAGER_FLAGS = ("--node-monitor-grace-period=24h",)
NODE = """\
apiVersion: v1
kind: Node
metadata: {name: lab}
"""


def start(plane: ControlPlane, binaries: Binaries) -> None:
    """One node and its kubelet; pods then start and end as their annotations say."""
    plane.kubectl("apply", "-f", "-", input=NODE)
    arguments = (f"--kubeconfig={plane.kubeconfig}", f"--config={STAGES}", "--manage-all-nodes=true")
    plane.start_process("kwok", [str(binaries.path(Binary.KWOK)), *arguments])
    plane.kubectl("wait", "--for=condition=Ready", "node/lab", "--timeout=60s")
