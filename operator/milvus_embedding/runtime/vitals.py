"""What /healthz and /readyz are decided on: the phase of start, the event loop, the workers, the lease, the watches."""

import asyncio
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milvus_embedding.api.references import Key
    from milvus_embedding.runtime.dispatch import Running

_BEAT: Final = 0.5
_LONGEST_LAG: Final = 10.0
_STUCK_SECONDS: Final = 120.0


class Phase(StrEnum):
    """How far the start is. A standby is ready: it waits for its turn."""

    CONNECTING = "connecting to the API server"
    WAITING_FOR_KINDS = "waiting for CustomResourceDefinitions"
    CHECKING_PERMISSIONS = "waiting for permissions"
    STANDBY = "standby"
    PRIMING = "reading all objects"
    RUNNING = "running"
    STOPPING = "stopping"


class Vitals:
    """Signs of life. Checks are called from another thread, all else from the event loop."""

    def __init__(self, *, clock: Callable[[], float], reconcile_timeout: float, lease_duration: float) -> None:
        self._clock = clock
        self._reconcile_timeout = reconcile_timeout
        self._lease_duration = lease_duration
        self._beat = clock()
        self.phase = Phase.CONNECTING
        self.fatal = ""
        self.running: Callable[[], Iterable[Running[Key]]] = tuple
        self.renew_age: Callable[[], float | None] = lambda: None
        self.watches: Callable[[], str] = str

    async def beat(self) -> None:
        """Shows that the event loop runs, until cancelled."""
        while True:
            self._beat = self._clock()
            await asyncio.sleep(_BEAT)

    @property
    def lag(self) -> float:
        """For how many seconds the event loop did not run, beyond what is normal."""
        return max(0.0, self._clock() - self._beat - _BEAT)

    def alive(self) -> str:
        """Why the process should be restarted; "" if it should not."""
        if self.fatal:
            return self.fatal
        if self.lag > _LONGEST_LAG:
            return f"the event loop did not run for {self.lag:.0f} s"
        age = self.renew_age()
        if age is not None and age > self._lease_duration and self.phase is not Phase.STOPPING:
            return f"the lease was not renewed for {age:.0f} s"
        return self._stuck()

    def ready(self) -> str:
        """Why the process is not ready; "" if it is."""
        if self.phase not in (Phase.STANDBY, Phase.RUNNING):
            return str(self.phase)
        return self.watches() if self.phase is Phase.RUNNING else ""

    def _stuck(self) -> str:
        longest = self._reconcile_timeout + _STUCK_SECONDS
        stuck = sorted(str(run.key) for run in self.running() if self._clock() - run.since > longest)
        return f"reconciles are stuck: {', '.join(stuck[:5])}" if stuck else ""
