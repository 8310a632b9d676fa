"""Leader election by a Lease, with client-go's rules on a clock that is given, and stricter where they leave a gap.

Expiry is judged by the local monotonic time since the record last changed, never by the times written in it. A leader
that could not renew for `renew_deadline` is none any more, before anybody else can become one; one that comes to itself
after `lease` does not even ask. A Lease that was deleted or emptied by hand is waited out as if its holder were alive:
only `release` hands it over at once. Nobody goes by a name alone: a process that has not led yet takes a Lease in its
own name for somebody else's. This module only tells; ending the process is run.py's task.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from milvus_embedding.clients.kube.port import Forbidden, Kube, KubeError, LeaseRecord, NotFound, micro_time
from milvus_embedding.clients.kube.secrets import Conflict

_log = logging.getLogger(__name__)

_RELEASED_SECONDS = 1
"""The duration in a Lease without a holder that was released, and not emptied by somebody else."""


def suspend_aware_clock() -> Callable[[], float]:
    """A monotonic clock, in seconds, that goes on while the machine sleeps; where there is one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boot is None else lambda: time.clock_gettime(boot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Seconds: `retry < renew_deadline < lease`."""

    lease: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """The Lease as it was last, and since when it is so; `absent_since`: since when it is not there at all."""

    record: LeaseRecord
    since: float
    absent_since: float | None = None


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
        self._turn = asyncio.Lock()
        self._ended_by_us = False
        self.elected = asyncio.Event()
        self.lost = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process may act now."""
        return self.remaining > 0

    @property
    def remaining(self) -> float:
        """For how many seconds nobody else can take over, at least; 0 without the lease."""
        if self._renewed is None or self.lost.is_set():
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
        """Acquires, then renews; returns when the leadership is lost or released."""
        try:
            while not self.lost.is_set() and not self._ended_by_us:
                await self.step()
                await asyncio.sleep(self._pause())
        except Exception:
            # Without renewals there is no leader, whatever the bug is.
            _log.exception("leader election failed unexpectedly")
            self.lost.set()

    async def step(self) -> None:
        """One try to acquire or renew. Never raises but for cancellation and bugs."""
        async with self._turn:
            if self._ended_by_us:
                return
            if self._renewed is not None and self.remaining <= 0:
                # Not even asked: others may have led meanwhile, whatever the Lease says now.
                self._lose()
                return
            started = self._clock()
            if await self._holds(started):
                # Counted from before the request: the server may have taken it that early.
                self._renewed = started
                self._complaint = ""
                if not self._is_late():
                    self._elect()
                    return
            if self._renewed is not None and (self._is_taken() or self._is_late()):
                self._lose()

    async def release(self) -> None:
        """Lets the next one take over at once. Only after nothing of this process acts any more."""
        async with self._turn:
            self._ended_by_us = True
            if self._seen is None or not self.leads or self._is_taken() or self._is_late():
                return
            self._renewed = None
            now = micro_time(self._now())
            record = replace(self._seen.record, holder="", duration_seconds=_RELEASED_SECONDS, renew_time=now)
            try:
                async with asyncio.timeout(self._durations.retry):
                    await self._kube.update_lease(self._namespace, self._name, record)
            except (KubeError, Conflict, TimeoutError) as error:
                _log.warning("the Lease was not released, it expires by itself: %s", error)

    async def _holds(self, started: float) -> bool:
        try:
            async with asyncio.timeout(self._patience(started)):
                return await self._try()
        except (KubeError, Conflict, TimeoutError) as error:
            self._complain(error)
            return False

    async def _try(self) -> bool:
        try:
            record = await self._kube.read_lease(self._namespace, self._name)
        except NotFound:
            if not self._may_create():
                return False
            self._see(await self._kube.create_lease(self._namespace, self._name, self._claim(None)))
            return True
        self._see(record)
        if not self._may_take(record):
            return False
        self._see(await self._kube.update_lease(self._namespace, self._name, self._claim(record)))
        return True

    def _may_create(self) -> bool:
        """Who deletes a Lease does not stop its holder, who makes it anew; somebody else waits as if it were there."""
        seen = self._seen
        if seen is None or self._renewed is not None:
            return True
        if seen.absent_since is None:
            seen = self._seen = replace(seen, absent_since=self._clock())
        return self._clock() - (seen.absent_since or 0.0) > self._respite(seen.record)

    def _may_take(self, record: LeaseRecord) -> bool:
        if self._renewed is not None:
            return record.holder == self._identity
        released = not record.holder and record.duration_seconds == _RELEASED_SECONDS
        return released or self._expired()

    def _elect(self) -> None:
        if not self.elected.is_set():
            _log.info("elected", extra={"lease": f"{self._namespace}/{self._name}", "identity": self._identity})
            self.elected.set()

    def _lose(self) -> None:
        age = self.renew_age or 0.0
        taken = f"{self.holder or 'nobody'} holds the Lease now" if self._is_taken() else "not renewed in time"
        _log.error("leadership lost: %s; last renewed %.1f s ago", taken, age)
        self.lost.set()

    def _claim(self, before: LeaseRecord | None) -> LeaseRecord:
        now = micro_time(self._now())
        mine = before is not None and before.holder == self._identity
        return LeaseRecord(
            holder=self._identity,
            # Rounded up: nobody may wait for less time than the holder counts on.
            duration_seconds=math.ceil(self._durations.lease),
            acquire_time=before.acquire_time if before is not None and mine else now,
            renew_time=now,
            transitions=0 if before is None else before.transitions + (not mine),
            resource_version="" if before is None else before.resource_version,
        )

    def _see(self, record: LeaseRecord) -> None:
        if self._seen is None or self._seen.record != record:
            self._seen = _Seen(record, self._clock())
        elif self._seen.absent_since is not None:
            self._seen = replace(self._seen, absent_since=None)

    def _expired(self) -> bool:
        seen = self._seen
        return seen is not None and self._clock() - seen.since > self._respite(seen.record)

    def _respite(self, record: LeaseRecord) -> float:
        """For how long its holder is believed to act. What is written there may have been edited."""
        return max(record.duration_seconds, self._durations.lease)

    def _is_taken(self) -> bool:
        """The Lease was last seen in other hands, or in none."""
        return self._seen is not None and self._seen.record.holder != self._identity

    def _is_late(self) -> bool:
        """A leader that did not renew in time."""
        age = self.renew_age
        return age is not None and age >= self._durations.renew_deadline

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
