"""Events: written, counted when they repeat, limited per object, and never in the way."""

from datetime import UTC, datetime

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Note
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.recorder import BURST, Recorder, Subject
from tests.fakes.kube import FakeKube

SUBJECT = Subject(Key("MilvusCollection", "ns", "docs"), "uid")


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.kube = FakeKube()
        self.recorder = Recorder(
            self.kube,
            metrics=Metrics(),
            instance="pod",
            clock=lambda: self.now,
            now=lambda: datetime.fromtimestamp(1_800_000_000 + self.now, UTC),
        )

    async def record(self, *notes: Note, subject: Subject = SUBJECT) -> None:
        for note in notes:
            self.recorder.record(subject, note)
        await self.recorder.flush()


async def test_an_event_names_its_object_and_tells_its_type() -> None:
    bench = Bench()
    await bench.record(Note("Ready", "fine"), Note("Lost", "gone", warning=True))
    first, second = bench.kube.events.values()
    assert first["involvedObject"] == {
        "apiVersion": "embedding.milvus.io/v1alpha1",
        "kind": "MilvusCollection",
        "namespace": "ns",
        "name": "docs",
        "uid": "uid",
    }
    assert [(e["type"], e["reason"], e["message"]) for e in (first, second)] == [
        ("Normal", "Ready", "fine"),
        ("Warning", "Lost", "gone"),
    ]


async def test_a_repeated_event_is_counted() -> None:
    bench = Bench()
    await bench.record(Note("Ready", "fine"))
    bench.now = 60
    await bench.record(Note("Ready", "fine"))
    (event,) = bench.kube.events.values()
    assert (event["count"], event["firstTimestamp"] < event["lastTimestamp"]) == (2, True)


async def test_the_same_event_much_later_is_another_one() -> None:
    bench = Bench()
    await bench.record(Note("Ready", "fine"))
    bench.now = 3600
    await bench.record(Note("Ready", "fine"))
    assert len(bench.kube.events) == 2


async def test_one_object_cannot_flood_and_does_not_limit_another() -> None:
    bench = Bench()
    await bench.record(*(Note("Odd", f"{n}") for n in range(100)))
    assert len(bench.kube.events) == BURST
    await bench.record(Note("Ready", "fine"), subject=Subject(Key("MilvusCollection", "ns", "other"), "uid2"))
    assert len(bench.kube.events) == BURST + 1
    bench.now = 300
    await bench.record(Note("Odd", "later"), Note("Odd", "later still"))
    assert len(bench.kube.events) == BURST + 2


async def test_events_that_cannot_be_written_are_dropped_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.kube.forbid("create_event")
    await bench.record(Note("A", "a"), Note("B", "b"))
    assert len(caplog.records) == 1


async def test_a_name_as_long_as_names_get_still_fits() -> None:
    bench = Bench()
    await bench.record(Note("Ready", "fine"), subject=Subject(Key("MilvusCollection", "ns", "x" * 253), "uid"))
    (name,) = bench.kube.events
    assert len(name) <= 253
