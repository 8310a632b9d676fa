"""Who is woken by what, through the whole loop."""

from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Outcome, World
from tests.unit.runtime.bench import KEY, KIND, Bench, ready


async def test_a_secret_that_appears_wakes_who_read_it_even_while_it_is_reading() -> None:
    bench = Bench()
    secret = Key("Secret", "ns", "s")

    async def reads(resource: EmbeddingFunction, world: World) -> Outcome:
        await world.read_secret("ns", "s")
        if bench.controller.reconciled == 1:
            bench.store.secret_seen(secret, 7)
        return await ready(resource, world)

    bench.controller.decide = reads
    bench.apply()
    await bench.run()
    assert bench.controller.reconciled == 2
    bench.store.secret_seen(secret, 7)
    await bench.run()
    assert bench.controller.reconciled == 2
    bench.store.secret_gone(secret)
    await bench.run()
    assert bench.controller.reconciled == 3


async def test_readers_are_woken_by_what_they_may_rely_on_only() -> None:
    bench = Bench()

    async def reads(resource: EmbeddingFunction, world: World) -> Outcome:
        if resource.name == "reader":
            world.get(EmbeddingFunction, "ns", "f")
        return await ready(resource, world)

    bench.controller.decide = reads
    bench.apply("reader")
    await bench.run()
    bench.apply()
    await bench.run()
    assert bench.controller.reconciled == 3, "the appearance wakes the reader"
    bench.apply(annotations={"a": "b"})
    await bench.run()
    assert bench.controller.reconciled == 4, "an annotation is the object's own matter"
    bench.store.vanish(KEY)
    await bench.run()
    assert bench.controller.reconciled == 5, "the disappearance wakes the reader"


async def test_an_outcome_can_wake_others_that_exist() -> None:
    bench = Bench()
    other = Key(KIND, "ns", "other")

    async def wakes(resource: EmbeddingFunction, world: World) -> Outcome:
        outcome = await ready(resource, world)
        first = resource.name == "f" and bench.controller.reconciled < 5
        return Outcome(status=outcome.status, wake=(other, Key(KIND, "ns", "absent"))) if first else outcome

    bench.apply("other")
    await bench.run()
    bench.controller.decide = wakes
    bench.apply()
    await bench.run()
    assert bench.controller.reconciled == 3
    assert bench.controller.forgotten == []
