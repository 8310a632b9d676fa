"""Knows which keys embed, and asks DashScope as rarely as that allows.

One request per key at a time, answers remembered by a fingerprint that is random per process. A rejected key is asked
again every 3 s, and after five minutes every minute; an answer that says nothing about the key every 30 s, and after
five minutes every five. An endpoint that did not answer is not asked for other keys at once: without egress a thousand
of them would wait for as many time-outs.
"""

import asyncio
import dataclasses
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import KeyProbe, ProbeResult, Verdict

PROBE_MODEL: Final = "text-embedding-v3"
REJECTED_AGAIN: Final = 3.0
REJECTED_LONG_AGAIN: Final = 60.0
LONG: Final = 300.0
UNCERTAIN_AGAIN: Final = 30.0
UNCERTAIN_LONG_AGAIN: Final = 300.0
SILENT_SECONDS: Final = 20.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    fingerprint: bytes
    result: ProbeResult | None = None
    at: datetime | None = None
    asked: float = 0.0
    since: float = 0.0
    """When the present verdict was given first."""
    running: asyncio.Task[None] | None = dataclasses.field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a key's present value. `at` is when DashScope said so; `again_after` in seconds from now."""

    result: ProbeResult
    at: datetime
    again_after: float


class KeyProbes:
    """`wake` is called with the credential's key when an answer came that nobody waited for."""

    def __init__(
        self,
        probe: KeyProbe,
        *,
        wake: Callable[[Key], None],
        clock: Callable[[], float],
        today: Callable[[], datetime],
        patience: float = 1.0,
        concurrency: int = 8,
    ) -> None:
        self._probe = probe
        self._wake = wake
        self._clock = clock
        self._today = today
        self._patience = patience
        self._slots = asyncio.Semaphore(concurrency)
        self._salt = secrets.token_bytes(16)
        self._entries: dict[Key, _Entry] = {}
        self._silent: dict[str, float] = {}

    def knows(self, credential: Key, value: str, url: str) -> bool:
        """Whether there is an answer for this value."""
        entry = self._entries.get(credential)
        return entry is not None and entry.fingerprint == self._fingerprint(value, url) and entry.result is not None

    def trust(self, credential: Key, value: str, url: str, *, at: datetime) -> None:
        """Takes an acceptance that the rendered Secret remembers, so that a restart asks nothing."""
        age = max(0.0, (self._today() - at).total_seconds())
        self._entries[credential] = _Entry(
            self._fingerprint(value, url), ProbeResult(Verdict.ACCEPTED, 200), at, self._clock() - age
        )

    async def ask(
        self, credential: Key, value: str, url: str, *, interval: float, wake: tuple[Key, ...] = ()
    ) -> Answer | None:
        """The answer for this value, asking if there is none or it is older than allowed; None while it is under way.

        interval: how long an acceptance stands, in seconds. wake: keys to wake besides the credential.
        """
        fingerprint = self._fingerprint(value, url)
        entry = self._entries.get(credential)
        if entry is None or entry.fingerprint != fingerprint:
            if entry is not None and entry.running is not None:
                entry.running.cancel()
            entry = self._entries[credential] = _Entry(fingerprint)
        if entry.running is None and self._due_in(entry, interval) <= 0:
            entry.running = asyncio.create_task(self._run(entry, credential, value, url, wake))
        if entry.running is not None and entry.result is None:
            await asyncio.wait({entry.running}, timeout=self._patience)
        if entry.result is None or entry.at is None:
            return None
        return Answer(entry.result, entry.at, max(1.0, self._due_in(entry, interval)))

    def forget(self, credential: Key) -> None:
        entry = self._entries.pop(credential, None)
        if entry is not None and entry.running is not None:
            entry.running.cancel()

    async def _run(self, entry: _Entry, credential: Key, value: str, url: str, wake: tuple[Key, ...]) -> None:
        try:
            async with self._slots:
                result = await self._question(value, url)
            before, now = entry.result, self._clock()
            if before is None or before.verdict is not result.verdict:
                entry.since = now
            entry.result, entry.at, entry.asked = result, self._today(), now
            if before is None or before != result:
                for key in (credential, *wake):
                    self._wake(key)
        finally:
            entry.running = None

    async def _question(self, value: str, url: str) -> ProbeResult:
        asked = self._silent.get(url)
        if asked is not None and self._clock() - asked < SILENT_SECONDS:
            return ProbeResult(Verdict.UNREACHABLE)
        try:
            result = await self._probe.probe(url=url, key=value, model=PROBE_MODEL)
        except Exception as error:
            # Its text may quote the key.
            _log.error("a probe failed unexpectedly (%s)", type(error).__name__)
            result = ProbeResult(Verdict.UNREACHABLE)
        self._silent.pop(url, None)
        if result.verdict is Verdict.UNREACHABLE:
            self._silent[url] = self._clock()
        return result

    def _due_in(self, entry: _Entry, interval: float) -> float:
        if entry.result is None:
            return 0.0
        return entry.asked + self._stands(entry, interval) - self._clock()

    def _stands(self, entry: _Entry, interval: float) -> float:
        long = entry.asked - entry.since >= LONG
        match entry.result.verdict if entry.result else None:
            case Verdict.ACCEPTED:
                return interval
            case Verdict.REJECTED:
                return REJECTED_LONG_AGAIN if long else REJECTED_AGAIN
            case _:
                return UNCERTAIN_LONG_AGAIN if long else UNCERTAIN_AGAIN

    def _fingerprint(self, value: str, url: str) -> bytes:
        return hmac.digest(self._salt, f"{url}\n{value}".encode(), hashlib.sha256)
