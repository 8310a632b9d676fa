"""A manager with everything around it, on an API server in memory and a clock that the test moves."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Note, Outcome, World
from milvus_embedding.domain.conditions import Draft, false, true, with_summary
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.manager import Manager, Pace
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.queue import WorkQueue
from milvus_embedding.runtime.recorder import Subject
from milvus_embedding.runtime.store import CONTROL_LANE, Store
from tests.fakes.kube import FakeKube

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KIND = EmbeddingFunction.KIND
KEY = Key(KIND, "ns", "f")
SPEC = {"dashscope": {"model": "text-embedding-v3"}}
SECRET = "sk-0123456789abcdef"

Decide = Callable[[EmbeddingFunction, World], Awaitable[Outcome]]


class Scripted:
    """A controller that does what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.decide: Decide = ready
        self.reconciled = 0
        self.forgotten: list[Key] = []

    async def reconcile(self, resource: EmbeddingFunction, world: World) -> Outcome:
        self.reconciled += 1
        return await self.decide(resource, world)

    async def forget(self, key: Key) -> None:
        self.forgotten.append(key)


class Sink:
    def __init__(self) -> None:
        self.notes: list[Note] = []

    def record(self, subject: Subject, note: Note) -> None:
        self.notes.append(note)


class Bench:
    """A manager with everything around it; `run` works until nothing is queued for now."""

    def __init__(self, *, timeout: float = 60.0) -> None:
        self.now = 0.0
        self.kube = FakeKube()
        self.controller = Scripted()
        self.sink = Sink()
        self.scrubber = Scrubber()
        self.scrubber.learn(SECRET)
        self.queue: WorkQueue[Key] = WorkQueue(clock=lambda: self.now, random=lambda: 0.5)
        self.store = Store(queue=self.queue, lane=lambda resource: "lane", signal=signal, upstream=lambda resource: ())
        self.manager = Manager(
            store=self.store,
            kube=self.kube,
            controllers={KIND: self.controller, MilvusConnection.KIND: self.controller},
            events=self.sink,
            metrics=Metrics(),
            scrubber=self.scrubber,
            pace=Pace(timeout=timeout),
            now=lambda: NOW,
            random=lambda: 0.5,
        )

    def apply(self, name: str = "f", spec: object = SPEC, kind: str = KIND, **metadata: object) -> None:
        assert isinstance(spec, dict)
        self.store.observe(kind, self.kube.put(kind, name, spec, metadata=metadata))

    async def run(self, limit: int = 50) -> None:
        for _ in range(limit):
            self.queue.advance()
            key = self.queue.take("lane") or self.queue.take(CONTROL_LANE)
            if key is None:
                return
            await self.manager.work(key)
            self.queue.done(key)
        raise AssertionError("the queue does not become empty")

    def condition(self, type_: str = "Ready", name: str = "f") -> dict[str, object]:
        conditions = self.kube.objects[Key(KIND, "ns", name)]["status"]["conditions"]
        found: dict[str, object] = next((c for c in conditions if c["type"] == type_), {})
        return found


def signal(resource: Resource) -> object:
    return resource.metadata.generation


async def ready(resource: EmbeddingFunction, world: World) -> Outcome:
    return Outcome(status=Draft(resource.metadata.generation, (true("Ready", Reason.READY, "fine"),)))


async def waiting(resource: EmbeddingFunction, world: World) -> Outcome:
    conditions = with_summary([false("Ready", Reason.SECRET_NOT_FOUND, "no Secret")])
    return Outcome(status=Draft(resource.metadata.generation, conditions), backoff=True)
