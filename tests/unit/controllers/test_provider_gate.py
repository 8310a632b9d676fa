"""One bad key, many collections: the provider is asked at the breaker's pace, and all wake when it is good again."""

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import ProviderCause, ProviderFailed, RateLimited
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.domain.reasons import Reason
from tests.fakes.world import Clock
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS, collection

A, B = (DOCS._replace(name=name) for name in "ab")
BAD = Blocked(Reason.KEY_REJECTED, "401", retry_after=4, shared=True)
NOT_THERE = Blocked(Reason.CREDENTIAL_NOT_DELIVERED, "not there", retry_after=4, shared=True)


def fails(gate: ProviderGate, key: Key, cause: Blocked) -> float | None:
    """One try that fails; the seconds until the next."""
    gate.enter("circuit", key)
    return gate.failed("circuit", key, cause).retry_after


def waits(gate: ProviderGate, key: Key) -> float | None:
    with pytest.raises(Blocked) as caught:
        gate.enter("circuit", key)
    return caught.value.retry_after


def test_while_it_is_open_one_tries_at_a_time() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    assert fails(gate, A, BAD) == 4

    assert waits(gate, B) == 4
    clock.advance(3)
    assert waits(gate, B) == 1
    clock.advance(1)
    gate.enter("circuit", B)
    assert waits(gate, A) == 4


def test_others_are_told_the_cause() -> None:
    gate = ProviderGate(Clock())
    fails(gate, A, BAD)

    with pytest.raises(Blocked, match="401") as caught:
        gate.enter("circuit", B)
    assert caught.value.reason is Reason.KEY_REJECTED


def test_after_five_minutes_it_is_asked_once_a_minute() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    fails(gate, A, BAD)
    clock.advance(300)

    assert fails(gate, A, BAD) == 60


def test_a_key_on_its_way_is_looked_for_every_second_for_two_minutes() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    assert fails(gate, A, NOT_THERE) == 1
    clock.advance(119)
    assert fails(gate, A, NOT_THERE) == 1
    clock.advance(4)
    assert fails(gate, A, NOT_THERE) == 4


def test_another_cause_starts_the_count_anew() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    fails(gate, A, BAD)
    clock.advance(301)

    assert fails(gate, A, NOT_THERE) == 1


def test_the_first_success_wakes_all_that_wait_but_itself() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    fails(gate, A, BAD)
    waits(gate, B)
    clock.advance(4)
    gate.enter("circuit", A)

    assert gate.succeeded("circuit", A) == (B,)
    gate.enter("circuit", B)


def test_who_is_gone_is_not_woken() -> None:
    gate = ProviderGate(Clock())
    fails(gate, A, BAD)
    waits(gate, B)
    gate.forget(B)

    assert gate.succeeded("circuit", A) == ()


def test_other_keys_and_models_are_not_concerned() -> None:
    gate = ProviderGate(Clock())
    fails(gate, A, BAD)

    gate.enter("another circuit", B)


def test_a_cause_of_its_own_opens_nothing() -> None:
    gate = ProviderGate(Clock())
    own = Blocked(Reason.DIMENSION_MISMATCH, "768", retry_after=4)

    assert gate.failed("circuit", A, own) is own
    gate.enter("circuit", B)


async def test_a_thousand_collections_on_a_bad_key_cost_one_call_in_four_seconds(bench: Bench) -> None:
    bench.quickstart()
    many = [DOCS._replace(name=f"docs-{number}") for number in range(1000)]
    bench.apply(*(collection(key) for key in many))
    await bench.reconcile(CONNECTION)
    rejected = ProviderFailed("401", ProviderCause.KEY_REJECTED)
    bench.milvus.fail_before("create_collection", *[rejected] * 100)

    for _ in range(5):
        for key in many:
            await bench.reconcile(key)
        bench.clock.advance(4)

    assert bench.milvus.count("create_collection") == 5
    assert {bench.condition(key) for key in many} == {("False", "KeyRejected")}


async def test_a_key_that_is_good_again_wakes_those_that_waited(bench: Bench) -> None:
    bench.quickstart()
    other = DOCS._replace(name="other")
    bench.apply(collection(other))
    await bench.reconcile(CONNECTION)
    bench.milvus.fail_before("create_collection", ProviderFailed("401", ProviderCause.KEY_REJECTED))
    await bench.reconcile(DOCS)
    await bench.reconcile(other)
    bench.clock.advance(4)

    assert (await bench.reconcile(DOCS)).wake == (other,)


async def test_they_are_woken_also_if_the_rest_of_the_pass_fails(bench: Bench) -> None:
    bench.quickstart()
    other = DOCS._replace(name="other")
    bench.apply(collection(other))
    await bench.reconcile(CONNECTION)
    bench.milvus.fail_before("create_collection", ProviderFailed("401", ProviderCause.KEY_REJECTED))
    await bench.reconcile(DOCS)
    await bench.reconcile(other)
    bench.clock.advance(4)
    bench.milvus.fail_before("load", RateLimited("slow"))

    outcome = await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "RateLimited")
    assert other in outcome.wake


async def test_milvus_own_rate_limit_is_no_fault_of_the_provider(bench: Bench) -> None:
    bench.quickstart()
    other = DOCS._replace(name="other")
    bench.apply(collection(other))
    await bench.reconcile(CONNECTION)
    bench.milvus.fail_before("create_collection", RateLimited("slow"))

    await bench.reconcile(DOCS)
    await bench.reconcile(other)

    assert bench.condition(other) == ("True", "Ready")


async def test_a_new_key_is_another_circuit(bench: Bench) -> None:
    bench.quickstart()
    await bench.reconcile(CONNECTION)
    bench.milvus.fail_before("create_collection", ProviderFailed("401", ProviderCause.KEY_REJECTED))
    await bench.reconcile(DOCS)
    bench.key_probe.results["sk-new-0123456789"] = next(iter(bench.key_probe.results.values()))

    bench.secret("apikey-dev", apikey="sk-new-0123456789")
    await bench.reconcile(CONNECTION)
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("True", "Ready")


def told(gate: ProviderGate, key: Key) -> str:
    with pytest.raises(Blocked) as caught:
        gate.enter("circuit", key)
    return caught.value.message


def test_others_are_not_told_whose_collection_met_it() -> None:
    gate = ProviderGate(Clock())
    fails(gate, A, Blocked(Reason.KEY_REJECTED, "creating secret_project: 401", shared=True, told_to_others="401"))

    assert told(gate, B) == "401"
    assert told(gate, A) == "creating secret_project: 401"


def test_whoever_tries_next_nobody_is_told_anything_new() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    fails(gate, A, Blocked(Reason.KEY_REJECTED, "of a", shared=True, told_to_others="401"))
    before = told(gate, A)
    clock.advance(4)
    fails(gate, B, Blocked(Reason.KEY_REJECTED, "of b", shared=True, told_to_others="401"))

    assert (told(gate, A), told(gate, B)) == (before, "of b")


def test_another_cause_replaces_what_was_met_before() -> None:
    clock = Clock()
    gate = ProviderGate(clock)
    fails(gate, A, BAD)
    clock.advance(4)
    fails(gate, B, NOT_THERE)

    assert told(gate, A) == "not there"


def test_circuits_that_nobody_waits_for_are_not_kept() -> None:
    gate = ProviderGate(Clock())
    for rotation in range(100):
        gate.failed(("circuit", rotation), A, BAD)
    assert len(gate._open) == 1

    gate.forget(A)

    assert (gate._open, gate._circuits) == ({}, {})


async def test_collections_that_wait_for_one_bad_key_write_no_statuses(bench: Bench) -> None:
    bench.quickstart()
    many = [DOCS._replace(name=f"docs-{number}") for number in range(5)]
    bench.apply(*(collection(key) for key in many))
    await bench.settle(*[key for key in bench.world.bodies if key.kind != "MilvusCollection"])
    bad = [ProviderFailed("The check of function ali failed: 401.", ProviderCause.KEY_REJECTED)] * 200
    bench.milvus.fail_before("create_collection", *bad)
    for key in many * 2:
        await bench.reconcile(key)

    writes = 0
    for _ in range(20):
        bench.clock.advance(4)
        for key in reversed(many):
            await bench.reconcile(key)
            writes += bench.changed

    assert writes <= len(many)
