"""What the Canary holds in memory for one connection: what is to be proven, what is known, and what is due when.

Calls nobody. Times are of the monotonic clock, in seconds.
"""

import asyncio
import contextlib
import dataclasses
from dataclasses import dataclass

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.controllers.connection.proving.proofs import Proof, Verdict


@dataclass(slots=True)
class Trial:
    """One value of one label that is to be proven. Times are of the monotonic clock, in seconds."""

    digest: str
    due: float
    cause: str = ""
    since: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A creation that may still happen until `until`; `former_id` is what had the name before."""

    label: str
    trial: Trial
    former_id: str | None
    until: float


@dataclass(slots=True)
class Desk:
    """What is held for one connection. `held`: nothing is begun. `litter`: a collection of ours may stand there, as at
    first: the proof that a killed process got may have been written before the collection was dropped.
    """

    connection: MilvusConnection
    basis: tuple[object, ...]
    trials: dict[str, Trial] = dataclasses.field(default_factory=dict)
    answers: dict[str, Proof] = dataclasses.field(default_factory=dict)
    held: bool = False
    litter: bool = True
    unsettled: Unsettled | None = None
    next_look: float = 0.0
    pause: float = 0.0
    paused_until: float = 0.0
    changed: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def due(self) -> float | None:
        """When the next step is to be taken, None if there is none."""
        if self.held:
            return None
        if self.unsettled is not None:
            return max(self.next_look, self.paused_until)
        times = [trial.due for trial in self.trials.values()] + ([0.0] if self.litter else [])
        return max(min(times), self.paused_until) if times else None

    def first(self) -> tuple[str, Trial] | None:
        return min(self.trials.items(), key=lambda item: (item[1].due, item[0]), default=None)

    def is_proven(self, label: str, digest: str) -> bool:
        answer = self.answers.get(label)
        return answer is not None and answer.digest == digest and answer.verdict is Verdict.PROVEN

    def trial(self, label: str, digest: str, now: float) -> Trial:
        """The present one if it is about this value, else a new one."""
        known = self.trials.get(label)
        return known if known is not None and known.digest == digest else Trial(digest, now)

    def newest(self, label: str) -> Proof | None:
        """The newest answer, unless another value is being proven by now."""
        answer, trial = self.answers.get(label), self.trials.get(label)
        return None if answer is None or (trial is not None and trial.digest != answer.digest) else answer

    async def wait(self, seconds: float) -> None:
        """That long at most: what is wanted may change meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        self.changed.clear()


def basis_of(connection: MilvusConnection) -> tuple[object, ...]:
    """What a proof holds for besides the value."""
    spec, embedding = connection.spec, connection.spec.embedding
    provider = (embedding.delivery, embedding.dashscope.url) if embedding is not None else ()
    return connection.metadata.uid, spec.uri, spec.milvus_ref, provider
