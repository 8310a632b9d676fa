"""The manual's page from manifests to a loaded collection, and then silence."""

from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DEV, DEV_KEY, DOCS, PROD, PROD_KEY


async def test_the_manuals_page_becomes_ready(bench: Bench) -> None:
    bench.quickstart()

    await bench.settle()

    assert [bench.condition(key) for key in (CONNECTION, DEV, PROD, DOCS)] == [("True", "Ready")] * 4
    assert bench.reasons(DOCS) == {
        "Ready": "True Ready",
        "Available": "True Available",
        "FunctionsResolved": "True Resolved",
        "SchemaInSync": "True InSync",
        "IndexesInSync": "True InSync",
        "Loaded": "True Loaded",
        "Drifted": "False NoDrift",
    }
    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY, "apikey_prod": PROD_KEY}
    assert [call.method for call in bench.milvus.changing] == ["create_collection", "create_index", "load"]


async def test_a_pass_that_finds_nothing_new_writes_nothing_anywhere(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    statuses = {key: bench.world.status(key) for key in bench.world.bodies}
    changing, writes = len(bench.milvus.changing), len(bench.world.writes)

    bench.clock.advance(3600)
    await bench.settle()

    assert {key: bench.world.status(key) for key in bench.world.bodies} == statuses
    assert (len(bench.milvus.changing), len(bench.world.writes)) == (changing, writes)


async def test_a_restart_writes_nothing_and_asks_nobody(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    before = (len(bench.key_probe.calls), len(bench.milvus.changing), len(bench.world.writes))

    bench.restart()
    for key in list(bench.world.bodies):
        await bench.reconcile(key)
        assert not bench.changed, key

    assert (len(bench.key_probe.calls), len(bench.milvus.changing), len(bench.world.writes)) == before
