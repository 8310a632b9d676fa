"""Whatever keeps a pass from following the spec: the collection that exists is looked at all the same."""

from collections.abc import Callable

import pytest

from milvus_embedding.clients.milvus.port import OutcomeUnknown
from milvus_embedding.domain.schema import LoadState
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.changes import approve, made
from tests.unit.controllers.manifests import DOCS, ali, collection, connection
from tests.unit.controllers.owners import observed, the_manuals

LIMITED = {"properties": {"collection.ttl.seconds": "soon"}}
"""What domain/limits calls invalid, and a Milvus had taken before there were limits."""

RESYNC = 700.0

BLOCKS: dict[str, tuple[dict[str, object], str]] = {
    "a function that is not there": ({"functions": [ali({"functionRef": {"name": "nope"}})]}, "FunctionNotFound"),
    "a property of the operator's": ({"properties": {"embedding.milvus.io/x": "y"}}, "InvalidSpec"),
}

LOOKS: dict[str, tuple[Callable[[Bench], object], tuple[str, str]]] = {
    "it serves": (lambda bench: None, ("True", "Available")),
    "it was dropped": (lambda bench: bench.milvus.drop("docs"), ("False", "Lost")),
    "it was released": (
        lambda bench: setattr(bench.milvus.collection("docs"), "load", LoadState.NOT_LOADED),
        ("False", "Drifted"),
    ),
    "another one has its name": (lambda bench: _another(bench), ("False", "Lost")),
}


def _another(bench: Bench) -> None:
    bench.milvus.drop("docs")
    bench.milvus.add_collection("docs", the_manuals())


async def ready(bench: Bench, **spec: object) -> None:
    bench.quickstart(**spec)
    await bench.settle_ready(DOCS)
    await observed(bench)
    bench.milvus.calls.clear()


async def resynced(bench: Bench) -> None:
    bench.clock.advance(RESYNC)
    await observed(bench)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("what", LOOKS)
async def test_available_tells_what_is_so_while_something_blocks(bench: Bench, what: str, block: str) -> None:
    (spec, reason), (happens, available) = BLOCKS[block], LOOKS[what]
    await ready(bench)
    bench.apply(collection(**spec))

    happens(bench)
    await resynced(bench)

    assert bench.condition(DOCS) == ("False", reason)
    assert bench.condition(DOCS, "Available") == available
    assert bench.milvus.changing == []


async def test_a_grant_withdrawn_leaves_available_as_it_was_seen_last_and_looks_at_nothing(bench: Bench) -> None:
    await ready(bench)
    bench.apply(connection(allowedNamespaces={"from": "Same"}))
    await resynced(bench)
    assert bench.condition(DOCS) == ("False", "NotAllowed")
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert bench.milvus.calls == [call for call in bench.milvus.calls if call.name != "docs"]

    bench.apply(connection())
    await observed(bench)

    assert bench.condition(DOCS, "Available") == ("True", "Available")


async def _taken_before_limits(bench: Bench) -> None:
    """An upgrade: the collection has what the new version would refuse."""
    await ready(bench)
    stored = bench.milvus.collection("docs")
    properties = {**stored.schema.properties, **LIMITED["properties"]}
    stored.schema = stored.schema.__class__(
        **{name: getattr(stored.schema, name) for name in stored.schema.__dataclass_fields__ if name != "properties"},
        properties=properties,
    )
    bench.apply(collection(**LIMITED))
    await observed(bench)


async def test_a_limit_that_a_collection_exceeds_already_is_told_and_stops_nothing(bench: Bench) -> None:
    await _taken_before_limits(bench)
    assert bench.condition(DOCS) == ("True", "Ready")
    assert "spec.properties[collection.ttl.seconds] is 'soon'" in bench.message(DOCS)

    bench.milvus.collection("docs").load = LoadState.NOT_LOADED
    await resynced(bench)
    assert made(bench) == ["load"]
    assert bench.condition(DOCS) == ("True", "Ready")

    bench.milvus.drop("docs")
    await resynced(bench)
    assert bench.condition(DOCS) == ("False", "Lost")
    assert bench.condition(DOCS, "Available") == ("False", "Lost")


async def test_a_change_that_a_limit_is_against_is_not_made_and_all_else_is(bench: Bench) -> None:
    await ready(bench)

    bench.apply(collection(**LIMITED, partitions=["news"]))
    await observed(bench)

    assert bench.condition(DOCS) == ("False", "InvalidSpec")
    assert "spec.properties[collection.ttl.seconds] is 'soon'" in bench.message(DOCS)
    assert bench.condition(DOCS, "Available") == ("True", "Available")
    assert made(bench) == ["create_partition"]


async def test_a_change_without_an_answer_leaves_available_as_it_was(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(partitions=["news"]))
    bench.milvus.fail_before("create_partition", OutcomeUnknown("no answer within 13 s"))

    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "OutcomeUnknown")
    assert bench.condition(DOCS, "Available") == ("True", "Available")


async def test_an_approved_rebuild_is_never_called_approved(bench: Bench) -> None:
    await ready(bench)
    bench.apply(collection(shards=2))
    await observed(bench)

    approve(bench)
    await observed(bench)

    assert bench.condition(DOCS, "PlanApproved") == ("False", "RebuildNeeded")
    assert "this version does not make" in bench.message(DOCS, "PlanApproved")
    assert bench.milvus.changing == []


@pytest.mark.parametrize("database", ["default", "elsewhere"])
async def test_nothing_is_made_of_a_spec_that_a_limit_is_against(bench: Bench, database: str) -> None:
    bench.quickstart(**LIMITED, database=database, createDatabase=True)

    await observed(bench)

    assert bench.condition(DOCS) == ("False", "InvalidSpec")
    assert bench.milvus.changing == []
