"""`createDatabase`: a missing database is made before the collection, once, and never in the place of a lost one."""

from milvus_embedding.clients.milvus.port import OutcomeUnknown, PermissionDenied, Rejected
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS

TEAM: dict[str, object] = {"database": "team", "createDatabase": True}


async def test_a_missing_database_is_made(bench: Bench) -> None:
    bench.quickstart(**TEAM)

    await bench.settle_ready(DOCS)

    assert list(bench.milvus.databases["team"].collections) == ["docs"]
    assert bench.milvus.count("create_database") == 1


async def test_without_the_field_it_is_a_reason(bench: Bench) -> None:
    bench.quickstart(database="team")
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")
    assert bench.milvus.count("create_database") == 0


async def test_one_that_is_there_is_taken_as_it_is(bench: Bench) -> None:
    bench.quickstart(database="default", createDatabase=True)
    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_database") == 0


async def test_an_unknown_outcome_is_read_back(bench: Bench) -> None:
    bench.quickstart(**TEAM)
    bench.milvus.fail_after("create_database", OutcomeUnknown("no answer in time"))

    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_database") == 1


async def test_who_may_not_list_databases_may_still_create_one(bench: Bench) -> None:
    bench.quickstart(**TEAM)
    bench.milvus.fail_before("list_databases", *[PermissionDenied("no")] * 50)

    await bench.settle_ready(DOCS)

    assert bench.milvus.count("create_database") == 1


async def test_milvus_refuses_it(bench: Bench) -> None:
    bench.quickstart(**TEAM)
    bench.milvus.fail_before("create_database", *[Rejected("too many databases", 801)] * 500)
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "RejectedByMilvus")
    assert "creating database team" in bench.message(DOCS)


async def test_a_database_that_was_dropped_with_the_collection_is_not_made_anew(bench: Bench) -> None:
    bench.quickstart(**TEAM)
    await bench.settle_ready(DOCS)
    del bench.milvus.databases["team"]

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")
    assert bench.milvus.count("create_database") == 1
