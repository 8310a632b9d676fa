"""Counters and faults for every RPC: a test counts what was called, and decides what goes wrong or has to wait.

Faults are taken in the order they were ordered, one per call. They act around the handler and never inside it, so the
server's own state stays true: a call either happened or it did not. What happens late happens by the server's clock and
just before the next call is answered: only a call could tell the difference.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import grpc

from milvus_embedding.devkit.dashscope.gate import Gate

_CHANGES_KEPT: Final = 10_000
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
    late_seconds: float | None = None


class Faults:
    """Orders for the calls to come, by name of the RPC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, deque[Fault]] = {}
        self._gates: list[Gate] = []
        self._embedding_gates: list[Gate] = []
        self._late: list[tuple[float, Callable[[], None]]] = []
        self.stale_seconds = 0.0

    def fail(self, rpc: str, *, code: int = 65535, reason: str = "injected", times: int = 1) -> None:
        """The next `times` calls do nothing and answer with this code of Milvus."""
        self._order(rpc, Fault(code=code, reason=reason), times)

    def break_connection(
        self,
        rpc: str,
        *,
        grpc_code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        after: bool = False,
        times: int = 1,
    ) -> None:
        """The next `times` calls end with this gRPC code, before they do anything or `after` they did it."""
        self._order(rpc, Fault(grpc_code=grpc_code, reason="injected", after=after), times)

    def time_out_after_success(self, rpc: str, *, times: int = 1) -> None:
        """The next `times` calls take effect, and the client sees DEADLINE_EXCEEDED."""
        self._order(rpc, Fault(grpc_code=grpc.StatusCode.DEADLINE_EXCEEDED, reason="injected", after=True), times)

    def succeed_late(self, rpc: str, *, seconds: float, times: int = 1) -> None:
        """The client of the next `times` calls sees DEADLINE_EXCEEDED at once; `seconds` of the server's clock later
        they take effect, if they can then. A restart before that loses them.
        """
        self._order(rpc, Fault(late_seconds=seconds), times)

    def stale_describe(self, *, seconds: float = 5.0) -> None:
        """From now on, for so long after each change of a collection by anybody, DescribeCollection answers what it
        would have answered before that change. Absence is never remembered: a new collection is seen at once.
        """
        self.stale_seconds = seconds

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
            self._late.clear()
            self.stale_seconds = 0.0
            gates = [*self._gates, *self._embedding_gates]
            self._gates, self._embedding_gates = [], []
        for gate in gates:
            gate.release()

    def take(self, rpc: str) -> Fault | None:
        """The order for this call, if there is one."""
        with self._lock:
            orders = self._orders.get(rpc)
            return orders.popleft() if orders else None

    def put_off(self, due: float, call: Callable[[], None]) -> None:
        """For the dispatcher: `call` is to run when the clock shows `due`."""
        with self._lock:
            self._late.append((due, call))

    def run_due(self, now: float) -> None:
        """For the dispatcher: runs what is due, in the order in which it was put off."""
        with self._lock:
            due = [call for moment, call in self._late if moment <= now]
            self._late = [(moment, call) for moment, call in self._late if moment > now]
        for call in due:
            call()

    def _order(self, rpc: str, fault: Fault, times: int) -> None:
        with self._lock:
            self._orders.setdefault(rpc, deque()).extend([fault] * times)


class Change(NamedTuple):
    """A call that changes something, as it arrived: its time (seconds, monotonic) and the caller's address."""

    at: float
    rpc: str
    peer: str


class Calls:
    """How often each RPC was called, faults included, and the last of those that change something, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: deque[Change] = deque(maxlen=_CHANGES_KEPT)
        self.by_rpc: Counter[str] = Counter()

    def add(self, rpc: str, peer: str) -> None:
        with self._lock:
            self.by_rpc[rpc] += 1
            if rpc in CHANGING:
                self._changes.append(Change(time.monotonic(), rpc, peer))

    def changes(self) -> tuple[Change, ...]:
        with self._lock:
            return tuple(self._changes)

    def changing(self) -> int:
        """Calls that change something, rows included."""
        with self._lock:
            return sum(number for rpc, number in self.by_rpc.items() if rpc in CHANGING)
