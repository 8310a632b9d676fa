"""What could be seen of the workloads that run Milvus in one pass."""

from collections.abc import Iterator
from dataclasses import dataclass

from milvus_embedding.domain.delivery.workload import Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """`annotated`: the hashes on the workloads themselves, which new pods will bear. `pods`: of all of them.

    is_mounted: False if no workload has the Secret, so that no pod can have anything of it.
    """

    is_mounted: bool = True
    annotated: frozenset[str] = frozenset()
    pods: tuple[Pod, ...] = ()

    @property
    def serving(self) -> Iterator[Pod]:
        """Pods that take requests, or will: neither Terminating nor ended."""
        return (pod for pod in self.pods if not pod.is_terminating and not pod.has_ended)

    @property
    def present(self) -> Iterator[Pod]:
        """All that may still use a key: Terminating ones too."""
        return (pod for pod in self.pods if not pod.has_ended)
