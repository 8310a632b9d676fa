"""Leader election by a Lease, with client-go's rules on a clock that is given.

Expiry is judged by the local monotonic time since the record last changed, never by the times written in it. A leader
that could not renew for `renew_deadline` is none any more, before anybody else can become one. This module only tells;
ending the process is run.py's task.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from milvus_embedding.clients.kube.port import Forbidden, Kube, KubeError, LeaseRecord, NotFound, micro_time
from milvus_embedding.clients.kube.secrets import Conflict

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Seconds: `retry < renew_deadline < lease`."""

    lease: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


@dataclass(frozen=True, slots=True)
class _Seen:
    record: LeaseRecord
    since: float


class Elector:
    """One candidate. `elected` is set once; `lost` is set when leadership ended other than by `release`."""

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        name: str,
        identity: str,
        durations: Durations,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._durations = durations
        self._clock = clock
        self._now = now
        self._seen: _Seen | None = None
        self._renewed: float | None = None
        self._complaint = ""
        self.elected = asyncio.Event()
        self.lost = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process may act now."""
        return self.remaining > 0 and not self.lost.is_set()

    @property
    def remaining(self) -> float:
        """For how many seconds nobody else can take over, at least; 0 without the lease."""
        if self._renewed is None:
            return 0.0
        return max(0.0, self._renewed + self._durations.lease - self._clock())

    @property
    def renew_age(self) -> float | None:
        """Seconds since the last renewal; None if this process never led."""
        return None if self._renewed is None else self._clock() - self._renewed

    @property
    def holder(self) -> str:
        """Who holds the Lease as last seen; "" if unknown."""
        return self._seen.record.holder if self._seen else ""

    async def run(self) -> None:
        """Acquires, then renews; returns when the leadership is lost."""
        while not self.lost.is_set():
            await self.step()
            await asyncio.sleep(self._pause())

    async def step(self) -> None:
        """One try to acquire or renew. Never raises but for cancellation."""
        started = self._clock()
        try:
            async with asyncio.timeout(self._patience(started)):
                held = await self._try()
        except (KubeError, Conflict, TimeoutError) as error:
            self._complain(error)
            held = False
        if held:
            # Counted from before the request: the server may have taken it that early.
            self._renewed = started
            self._complaint = ""
            if not self.elected.is_set():
                _log.info("elected", extra={"lease": f"{self._namespace}/{self._name}", "identity": self._identity})
                self.elected.set()
        elif self._renewed is not None and self._ended():
            _log.error("leadership lost: not renewed for %.1f s", self._clock() - self._renewed)
            self.lost.set()

    async def release(self) -> None:
        """Lets the next one take over at once. Only after nothing of this process acts any more."""
        if self._renewed is None or self._seen is None or self._seen.record.holder != self._identity:
            return
        self._renewed = None
        record = replace(self._seen.record, holder="", duration_seconds=1, renew_time=micro_time(self._now()))
        try:
            async with asyncio.timeout(self._durations.retry):
                await self._kube.update_lease(self._namespace, self._name, record)
        except (KubeError, Conflict, TimeoutError) as error:
            _log.warning("the Lease was not released, it expires by itself: %s", error)

    async def _try(self) -> bool:
        try:
            record = await self._kube.read_lease(self._namespace, self._name)
        except NotFound:
            self._see(await self._kube.create_lease(self._namespace, self._name, self._claim(None)))
            return True
        self._see(record)
        if record.holder not in ("", self._identity) and not self._expired():
            return False
        self._see(await self._kube.update_lease(self._namespace, self._name, self._claim(record)))
        return True

    def _claim(self, before: LeaseRecord | None) -> LeaseRecord:
        now = micro_time(self._now())
        mine = before is not None and before.holder == self._identity
        return LeaseRecord(
            holder=self._identity,
            duration_seconds=max(1, round(self._durations.lease)),
            acquire_time=before.acquire_time if before is not None and mine else now,
            renew_time=now,
            transitions=0 if before is None else before.transitions + (not mine),
            resource_version="" if before is None else before.resource_version,
        )

    def _see(self, record: LeaseRecord) -> None:
        if self._seen is None or self._seen.record != record:
            self._seen = _Seen(record, self._clock())

    def _expired(self) -> bool:
        seen = self._seen
        return seen is not None and self._clock() - seen.since > seen.record.duration_seconds

    def _ended(self) -> bool:
        """Somebody else holds the Lease, or it was not renewed in time."""
        taken = self._seen is not None and self._seen.record.holder not in ("", self._identity)
        age = self.renew_age
        return taken or (age is not None and age >= self._durations.renew_deadline)

    def _pause(self) -> float:
        """Until the next try; a leader looks at the latest when its deadline passes."""
        age = self.renew_age
        left = self._durations.retry if age is None else self._durations.renew_deadline - age
        return min(self._durations.retry, max(0.05, left))

    def _patience(self, started: float) -> float:
        """How long a try may take: a leader must know in time that it is none any more."""
        if self._renewed is None:
            return self._durations.renew_deadline
        left = self._renewed + self._durations.renew_deadline - started
        return max(0.1, min(left, self._durations.renew_deadline / 2))

    def _complain(self, error: BaseException) -> None:
        text = str(error) or "no answer in time"
        if isinstance(error, Forbidden):
            text += "; the operator's Role has to allow get, create and update of leases there"
        if text != self._complaint and not isinstance(error, Conflict):
            self._complaint = text
            _log.warning("the Lease %s/%s cannot be had: %s", self._namespace, self._name, text)
