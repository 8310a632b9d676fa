"""A breaker per credential and model: while creating fails for a cause that others share, one object at a time tries.

An open circuit lets one call through every four seconds (every second while a key is on its way to Milvus), whichever
object asks first, and once a minute after five minutes. The first success wakes all that wait.

What one object met names its collection and function, and the others may be of other namespaces: they are told what
holds for all. Each is told the same as long as the cause is the same, so that waiting writes no statuses.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from milvus_embedding.api.references import Key
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.domain.reasons import Reason

LONG = 300.0
LONG_PAUSE = 60.0
PAUSE = 4.0
DELIVERY_WINDOW = 120.0
DELIVERY_PAUSE = 1.0


@dataclass(slots=True)
class _Open:
    since: float
    last_call: float
    cause: Blocked
    waiting: dict[Key, str] = field(default_factory=dict)
    """Who waits, and what it met itself ("": nothing yet)."""

    def pause(self, now: float) -> float:
        age = now - self.since
        if self.cause.reason is Reason.CREDENTIAL_NOT_DELIVERED and age < DELIVERY_WINDOW:
            return DELIVERY_PAUSE
        return PAUSE if age < LONG else LONG_PAUSE

    def message(self, key: Key) -> str:
        return self.waiting.get(key) or self.cause.told_to_others or self.cause.message

    def changed(self, cause: Blocked, now: float) -> None:
        self.since, self.cause = now, cause
        self.waiting = dict.fromkeys(self.waiting, "")


class ProviderGate:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[Hashable, _Open] = {}
        self._circuits: dict[Key, Hashable] = {}

    def enter(self, circuit: Hashable, key: Key) -> None:
        """Raises Blocked with the shared cause if it is not this object's turn."""
        state = self._open.get(circuit)
        if state is None:
            return
        now = self._clock()
        wait = state.last_call + state.pause(now) - now
        self._join(circuit, key)
        if wait > 0:
            raise Blocked(state.cause.reason, state.message(key), retry_after=wait, shared=True)
        state.last_call = now

    def failed(self, circuit: Hashable, key: Key, cause: Blocked) -> Blocked:
        """The cause with the time of the next try. Causes that are this object's own open nothing."""
        if not cause.shared:
            return cause
        now = self._clock()
        state = self._open.get(circuit)
        if state is None:
            state = self._open[circuit] = _Open(now, now, cause)
        elif state.cause.reason is not cause.reason:
            state.changed(cause, now)
        state.last_call = now
        self._join(circuit, key)
        state.waiting[key] = cause.message
        return Blocked(cause.reason, cause.message, retry_after=state.pause(now), shared=True)

    def succeeded(self, circuit: Hashable, key: Key) -> tuple[Key, ...]:
        """The objects that waited for it, to be woken."""
        state = self._open.pop(circuit, None)
        if state is None:
            return ()
        for waiting in state.waiting:
            self._circuits.pop(waiting, None)
        return tuple(sorted(state.waiting.keys() - {key}))

    def standing(self) -> Mapping[Reason, tuple[int, int]]:
        """By cause: how many circuits are open, and how many objects wait for them. Any thread."""
        found: dict[Reason, tuple[int, int]] = {}
        for state in list(self._open.values()):
            circuits, waiting = found.get(state.cause.reason, (0, 0))
            found[state.cause.reason] = circuits + 1, waiting + len(state.waiting)
        return found

    def forget(self, key: Key) -> None:
        """It waits no longer. A circuit that nobody waits for is not kept: each new key makes another."""
        circuit = self._circuits.pop(key, None)
        state = self._open.get(circuit)
        if state is not None:
            state.waiting.pop(key, None)
            if not state.waiting:
                del self._open[circuit]

    def _join(self, circuit: Hashable, key: Key) -> None:
        if self._circuits.get(key) != circuit:
            self.forget(key)
            self._circuits[key] = circuit
        self._open[circuit].waiting.setdefault(key, "")
