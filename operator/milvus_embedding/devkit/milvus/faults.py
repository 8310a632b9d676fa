"""Counters and faults for every RPC: a test counts what was called, and decides what goes wrong or has to wait.

Faults are taken in the order they were ordered, one per call. They act around the handler and never inside it, so the
server's own state stays true: a call either happened or it did not.
"""

import threading
from collections import Counter, deque
from dataclasses import dataclass

import grpc

from milvus_embedding.devkit.dashscope.gate import Gate

CHANGING = frozenset(
    {
        "CreateCollection", "DropCollection", "RenameCollection", "AlterCollection", "AlterCollectionField",
        "AddCollectionField", "AddCollectionFunction", "AlterCollectionFunction", "DropCollectionFunction",
        "TruncateCollection", "AlterCollectionSchema", "LoadCollection", "ReleaseCollection", "LoadPartitions",
        "ReleasePartitions", "CreatePartition", "DropPartition", "CreateAlias", "DropAlias", "AlterAlias",
        "CreateIndex", "AlterIndex", "DropIndex", "CreateDatabase", "DropDatabase", "AlterDatabase",
        "Insert", "Upsert", "Delete",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call. `code` is Milvus' (the response carries it), `grpc_code` ends the call instead."""

    code: int = 0
    reason: str = ""
    grpc_code: grpc.StatusCode | None = None
    after: bool = False
    gate: Gate | None = None


class Faults:
    """Orders for the calls to come, by name of the RPC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, deque[Fault]] = {}
        self._gates: list[Gate] = []
        self._embedding_gates: list[Gate] = []

    def fail(self, rpc: str, *, code: int = 65535, reason: str = "injected", times: int = 1) -> None:
        """The next `times` calls do nothing and answer with this code of Milvus."""
        self._order(rpc, Fault(code=code, reason=reason), times)

    def break_connection(
        self, rpc: str, *, grpc_code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, times: int = 1
    ) -> None:
        """The next `times` calls do nothing and end with this gRPC code."""
        self._order(rpc, Fault(grpc_code=grpc_code, reason="injected"), times)

    def time_out_after_success(self, rpc: str, *, times: int = 1) -> None:
        """The next `times` calls take effect, and the client sees DEADLINE_EXCEEDED."""
        self._order(rpc, Fault(grpc_code=grpc.StatusCode.DEADLINE_EXCEEDED, reason="injected", after=True), times)

    def hold(self, rpc: str, *, times: int = 1, after: bool = False) -> Gate:
        """The next `times` calls wait at the gate, before they do anything or (`after`) before they answer.

        A held call whose client has given up still takes effect when the gate is released.
        """
        gate = Gate()
        with self._lock:
            self._gates.append(gate)
        self._order(rpc, Fault(gate=gate, after=after), times)
        return gate

    def hold_embedding(self) -> Gate:
        """Every embedding call of the server waits in front of the provider until the gate is released."""
        gate = Gate()
        with self._lock:
            self._embedding_gates.append(gate)
        return gate

    def embedding_gates(self) -> tuple[Gate, ...]:
        return tuple(self._embedding_gates)

    def clear(self) -> None:
        """Forgets all orders and lets every held call go on."""
        with self._lock:
            self._orders.clear()
            gates = [*self._gates, *self._embedding_gates]
            self._gates, self._embedding_gates = [], []
        for gate in gates:
            gate.release()

    def take(self, rpc: str) -> Fault | None:
        """The order for this call, if there is one."""
        with self._lock:
            orders = self._orders.get(rpc)
            return orders.popleft() if orders else None

    def _order(self, rpc: str, fault: Fault, times: int) -> None:
        with self._lock:
            self._orders.setdefault(rpc, deque()).extend([fault] * times)


class Calls:
    """How often each RPC was called, faults included."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_rpc: Counter[str] = Counter()

    def add(self, rpc: str) -> None:
        with self._lock:
            self.by_rpc[rpc] += 1

    def changing(self) -> int:
        """Calls that change something, rows included."""
        with self._lock:
            return sum(number for rpc, number in self.by_rpc.items() if rpc in CHANGING)
