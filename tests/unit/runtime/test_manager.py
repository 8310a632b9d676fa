"""One reconcile from cache to status, against an API server in memory."""

import asyncio

import pytest

from milvus_embedding.api.annotations import FINALIZER
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import Unavailable
from milvus_embedding.controllers.base import Conflict, Note, Outcome, World
from milvus_embedding.domain.conditions import Draft, Truth, false, true, with_summary
from milvus_embedding.domain.reasons import Reason
from tests.unit.runtime.bench import KEY, KIND, SECRET, Bench, ready, waiting


async def test_a_new_object_costs_one_status_write_and_one_event() -> None:
    bench = Bench()
    bench.apply()
    await bench.run()
    assert bench.kube.status_writes() == ["EmbeddingFunction ns/f"]
    assert bench.condition()["status"] == "True"
    assert bench.sink.notes == [Note("Ready", "fine")]


async def test_the_echo_of_the_status_write_costs_nothing() -> None:
    bench = Bench()
    bench.apply()
    await bench.run()
    bench.store.observe(KIND, bench.kube.objects[KEY])
    await bench.run()
    assert bench.controller.reconciled == 1


async def test_an_echo_that_comes_before_the_answer_costs_nothing_either() -> None:
    bench = Bench()
    bench.apply()
    patch = bench.kube.patch_status

    async def echo_first(*args: object) -> object:
        body = await patch(*args)  # type: ignore[arg-type]
        bench.store.observe(KIND, body)
        return body

    bench.kube.patch_status = echo_first  # type: ignore[method-assign,assignment]
    await bench.run()
    assert bench.controller.reconciled == 1


async def test_a_resync_that_finds_nothing_new_writes_nothing() -> None:
    bench = Bench()
    bench.apply()
    await bench.run()
    bench.now += 700
    await bench.run()
    assert bench.controller.reconciled == 2
    assert len(bench.kube.status_writes()) == 1
    assert len(bench.sink.notes) == 1


async def test_the_resync_comes_after_its_time() -> None:
    bench = Bench()
    bench.apply()
    await bench.run()
    assert bench.queue.advance() == pytest.approx(600)


async def test_a_changed_spec_is_reconciled_and_ready_that_stays_makes_no_event() -> None:
    bench = Bench()
    bench.apply()
    await bench.run()
    bench.apply(spec={"dashscope": {"model": "text-embedding-v2"}})
    await bench.run()
    assert bench.kube.objects[KEY]["status"]["observedGeneration"] == 2
    assert len(bench.sink.notes) == 1


async def test_a_quiet_outcome_is_written_and_makes_no_event_of_ready() -> None:
    bench = Bench()

    async def lost(resource: EmbeddingFunction, world: World) -> Outcome:
        conditions = (false("Ready", Reason.LOST, "gone, as all others are"),)
        return Outcome(status=Draft(1, conditions), notes=(Note("Odd", "told all the same"),), quiet=True)

    bench.controller.decide = lost
    bench.apply()
    await bench.run()

    assert bench.condition()["reason"] == "Lost"
    assert bench.sink.notes == [Note("Odd", "told all the same")]


async def test_a_change_during_the_write_is_not_lost_and_not_overwritten() -> None:
    bench = Bench()
    bench.apply()
    changed = False

    def change_once(key: Key) -> None:
        nonlocal changed
        if not changed:
            changed = True
            bench.kube.put(KIND, "f", {"dashscope": {"model": "text-embedding-v2"}})

    bench.kube.before_status = change_once
    await bench.run()
    assert bench.controller.reconciled == 2
    assert bench.kube.objects[KEY]["status"]["observedGeneration"] == 2
    assert len(bench.kube.status_writes()) == 2


async def test_endless_conflicts_do_not_become_a_tight_loop() -> None:
    bench = Bench()
    bench.apply()

    async def conflict(resource: EmbeddingFunction, world: World) -> Outcome:
        raise Conflict("changed meanwhile")

    bench.controller.decide = conflict
    await bench.run()
    assert bench.controller.reconciled == 6
    assert bench.queue.scheduled == 1


async def test_an_object_that_is_gone_at_the_write_is_forgotten() -> None:
    bench = Bench()
    bench.apply()
    bench.kube.before_status = lambda key: bench.kube.objects.pop(key, None)  # type: ignore[assignment]
    await bench.run()
    assert bench.controller.forgotten == [KEY]
    assert bench.store.cache.get(KEY) is None


async def test_a_bug_is_told_without_its_text_and_keeps_what_was_known(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.apply()

    async def with_detail(resource: EmbeddingFunction, world: World) -> Outcome:
        conditions = (true("Ready", Reason.READY), true("Resolved", Reason.RESOLVED))
        return Outcome(status=Draft(1, conditions, {"usedBy": 3}))

    async def broken(resource: EmbeddingFunction, world: World) -> Outcome:
        raise ValueError(f"cannot use {SECRET}")

    bench.controller.decide = with_detail
    await bench.run()
    bench.controller.decide = broken
    bench.now += 700
    await bench.run()
    ready = bench.condition()
    assert (ready["status"], ready["reason"]) == ("False", "InternalError")
    assert SECRET not in str(ready["message"])
    assert bench.condition("Resolved")["status"] == "True"
    assert bench.condition("Reconciling")["status"] == "True"
    assert bench.kube.objects[KEY]["status"]["usedBy"] == 3
    assert bench.queue.scheduled == 1
    assert [note.warning for note in bench.sink.notes] == [False, True]


async def test_a_reconcile_that_takes_too_long_is_ended() -> None:
    bench = Bench(timeout=0.01)
    bench.apply()

    async def endless(resource: EmbeddingFunction, world: World) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    bench.controller.decide = endless
    await bench.run()
    assert bench.condition()["reason"] == "InternalError"


async def test_a_failure_of_the_api_server_is_retried_and_changes_no_status() -> None:
    bench = Bench()
    bench.apply()

    def down(verb: str, what: str) -> None:
        raise Unavailable("no answer in time")

    bench.kube.fail = down
    await bench.run()
    assert bench.queue.advance() == pytest.approx(1)
    bench.kube.fail = lambda verb, what: None
    bench.now += 2
    await bench.run()
    assert bench.condition()["status"] == "True"


async def test_a_status_that_could_not_be_written_leaves_no_echo_to_wait_for() -> None:
    bench = Bench()
    bench.apply()

    def no_status(verb: str, what: str) -> None:
        if verb == "patch_status":
            raise Unavailable("no answer in time")

    bench.kube.fail = no_status
    await bench.run()
    bench.kube.fail = lambda verb, what: None
    bench.apply(annotations={"touched": "1"})
    await bench.run()
    assert bench.condition()["status"] == "True"


async def test_backoff_grows_and_a_success_ends_it() -> None:
    bench = Bench()
    bench.controller.decide = waiting
    bench.apply()
    delays = []
    for _ in range(4):
        await bench.run()
        due = bench.queue.advance()
        assert due is not None
        delays.append(due - bench.now)
        bench.now = due
    assert delays == pytest.approx([1, 2, 4, 8])
    bench.controller.decide = ready
    await bench.run()
    assert bench.queue.fail(KEY) == pytest.approx(1)


async def test_waiting_on_the_way_up_is_told_once_and_warns_nobody() -> None:
    bench = Bench()
    bench.controller.decide = waiting
    bench.apply()
    await bench.run()
    bench.now += 2
    await bench.run()
    bench.controller.decide = ready
    bench.now += 10
    await bench.run()
    assert [(note.reason, note.warning) for note in bench.sink.notes] == [("SecretNotFound", False), ("Ready", False)]


@pytest.mark.parametrize(
    ("was", "reason"),
    [
        pytest.param(None, Reason.NOT_ALLOWED, id="a new object that a user has to put right"),
        pytest.param(Reason.SECRET_NOT_FOUND, Reason.NOT_ALLOWED, id="waiting became something to put right"),
        pytest.param(Reason.READY, Reason.UNREACHABLE, id="what was ready waits"),
        pytest.param(None, Reason.INTERNAL_ERROR, id="a bug"),
    ],
)
async def test_what_somebody_should_look_at_is_a_warning(was: Reason | None, reason: Reason) -> None:
    bench = Bench()

    async def decide(resource: EmbeddingFunction, world: World) -> Outcome:
        present = reasons.pop(0)
        assertion = true if present is Reason.READY else false
        conditions = with_summary([assertion("Ready", present, "so it is")])
        return Outcome(status=Draft(resource.metadata.generation, conditions))

    reasons = [present for present in (was, reason) if present is not None]
    bench.controller.decide = decide
    while reasons:
        bench.apply(annotations={"left": str(len(reasons))})
        await bench.run()
    assert (bench.sink.notes[-1].reason, bench.sink.notes[-1].warning) == (str(reason), True)


async def test_all_text_passes_the_scrubber_whatever_the_controller_did() -> None:
    bench = Bench()

    async def leaks(resource: EmbeddingFunction, world: World) -> Outcome:
        conditions = with_summary([false("Ready", Reason.MILVUS_ERROR, f"said {SECRET}")])
        drift = [{"path": "properties[note]", "want": "absent", "have": SECRET}]
        return Outcome(status=Draft(1, conditions, {"drift": drift}), notes=(Note("Odd", f"said {SECRET}"),))

    bench.controller.decide = leaks
    bench.apply()
    await bench.run()
    assert SECRET not in str(bench.kube.objects[KEY]["status"])
    assert SECRET not in str(bench.sink.notes)


async def test_an_object_that_cannot_be_parsed_is_told_so_and_not_handed_on() -> None:
    bench = Bench()
    bench.apply(spec={"dashscope": {"model": 5}})
    await bench.run()
    assert bench.controller.reconciled == 0
    assert (bench.condition()["status"], bench.condition()["reason"]) == (Truth.FALSE, "InvalidSpec")
    assert bench.condition("Stalled")["status"] == "True"


async def test_an_outcome_without_status_leaves_it_alone() -> None:
    bench = Bench()

    async def silent(resource: EmbeddingFunction, world: World) -> Outcome:
        return Outcome(status=None)

    bench.controller.decide = silent
    bench.apply()
    await bench.run()
    assert bench.kube.status_writes() == []


async def test_a_finalizer_set_in_a_pass_is_known_to_the_next_one_without_a_conflict() -> None:
    """Its status is written on the version that our own write made."""
    bench = Bench()

    async def decide(resource: EmbeddingFunction, world: World) -> Outcome:
        if not resource.metadata.finalizers:
            await world.add_finalizer(resource)
            return Outcome(status=None, requeue_after=0)
        return await ready(resource, world)

    bench.controller.decide = decide
    bench.apply()
    await bench.run()

    assert bench.condition()["status"] == "True"
    assert bench.kube.objects[KEY]["metadata"]["finalizers"] == [FINALIZER]
    assert bench.controller.reconciled == 2
    assert [verb for verb, _ in bench.kube.requests] == ["patch_finalizers", "patch_status"]


async def test_the_last_finalizer_ends_the_object_and_its_event_is_told() -> None:
    bench = Bench()

    async def decide(resource: EmbeddingFunction, world: World) -> Outcome:
        if resource.metadata.finalizers:
            await world.remove_finalizer(resource)
            return Outcome(status=None, notes=(Note("CollectionDropped", "gone"),))
        return Outcome(status=None)

    bench.controller.decide = decide
    bench.apply(finalizers=[FINALIZER], deletionTimestamp="2026-01-01T00:00:00Z")
    await bench.run()

    assert KEY not in bench.kube.objects
    assert [note.reason for note in bench.sink.notes] == ["CollectionDropped"]
