"""MilvusCollection: what Milvus answers -> conditions, the time of the next try, and what Available says meanwhile."""

from collections.abc import Callable

import pytest

from milvus_embedding.clients.milvus.port import (
    AuthenticationFailed,
    ConnectionLost,
    DatabaseNotFound,
    MilvusError,
    OutcomeUnknown,
    PermissionDenied,
    ProviderCause,
    ProviderFailed,
    RateLimited,
    Rejected,
    Unimplemented,
    Unreachable,
)
from milvus_embedding.domain.schema import LoadState
from tests.fakes.milvus import FakeMilvus
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import CONNECTION, DOCS, collection, connection

Situation = Callable[[Bench], None]

ERRORS: dict[str, tuple[MilvusError, str, float | None]] = {
    "the server is gone": (Unreachable("connection refused"), "Unreachable", 2),
    "the connection broke": (ConnectionLost("cut off"), "Unreachable", 2),
    "no answer in time": (OutcomeUnknown("deadline"), "OutcomeUnknown", 2),
    "the login is refused": (AuthenticationFailed("no"), "AuthenticationFailed", 4),
    "a privilege is missing": (PermissionDenied("no"), "PermissionDenied", 4),
    "the database is not there": (DatabaseNotFound("no"), "DatabaseNotFound", 4),
    "Milvus limits the rate": (RateLimited("slow"), "RateLimited", 2),
    "the call is not known": (Unimplemented("no"), "UnsupportedServer", None),
    "the request is refused": (Rejected("no", 1100), "RejectedByMilvus", 4),
    "something else": (MilvusError("odd"), "MilvusError", 4),
}
PROVIDER_ERRORS: dict[str, tuple[ProviderCause, str, float]] = {
    "Milvus lacks the key": (ProviderCause.KEY_NOT_FOUND, "CredentialNotDelivered", 1),
    "the provider answers 401": (ProviderCause.KEY_REJECTED, "KeyRejected", 4),
    "the dimension differs": (ProviderCause.DIMENSION, "DimensionMismatch", 4),
    "the provider answers 429": (ProviderCause.RATE_LIMITED, "RateLimited", 4),
    "the provider refuses the model": (ProviderCause.MODEL, "ModelNotFound", 4),
    "the provider is disabled": (ProviderCause.DISABLED, "ProviderError", 4),
    "anything else": (ProviderCause.OTHER, "ProviderError", 4),
}


@pytest.mark.parametrize("sentence", ERRORS)
@pytest.mark.parametrize("method", ["describe", "create_collection", "create_index", "load", "list_indexes"])
async def test_an_error_becomes_a_reason_and_the_next_pass_heals_it(bench: Bench, method: str, sentence: str) -> None:
    error, reason, seconds = ERRORS[sentence]
    bench.quickstart()
    await bench.reconcile(CONNECTION)
    bench.milvus.fail_before(method, error)

    outcome = await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", reason)
    assert bench.condition(DOCS, "FunctionsResolved") == ("True", "Resolved")
    assert outcome.requeue_after == seconds
    assert outcome.backoff == (seconds is not None)
    assert (CONNECTION in outcome.wake) == (reason in ("Unreachable", "OutcomeUnknown", "AuthenticationFailed"))
    await bench.settle_ready(DOCS)


@pytest.mark.parametrize("sentence", PROVIDER_ERRORS)
async def test_a_failed_live_check_becomes_a_reason(bench: Bench, sentence: str) -> None:
    cause, reason, seconds = PROVIDER_ERRORS[sentence]
    bench.quickstart()
    await bench.reconcile(CONNECTION)
    bench.milvus.fail_before("create_collection", ProviderFailed("as Milvus says", cause))

    outcome = await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", reason)
    assert outcome.requeue_after == seconds
    await bench.settle_ready(DOCS)
    assert bench.milvus.count("create_collection") == 2


async def test_what_a_pass_cannot_see_it_does_not_assert(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    before = bench.world.status(DOCS)

    bench.milvus.fail_before("describe", Unreachable("connection refused"))
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS, "Available") == ("Unknown", "Unreachable")
    assert bench.condition(DOCS, "SchemaInSync") == ("True", "InSync")
    after = bench.world.status(DOCS)
    assert (after["collection"], after["functions"]) == (before["collection"], before["functions"])


async def test_a_refusal_takes_nothing_back_from_what_is_available(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()

    bench.milvus.fail_before("describe", PermissionDenied("no"))
    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "PermissionDenied")
    assert bench.condition(DOCS, "Available") == ("True", "Available")


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unreachable("connection refused"), "Unreachable"), (AuthenticationFailed("no"), "AuthenticationFailed")],
)
async def test_while_its_connection_is_down_a_collection_asks_nothing(
    bench: Bench, error: MilvusError, reason: str
) -> None:
    bench.quickstart()
    bench.milvus.fail_before("server_version", error)
    await bench.reconcile(CONNECTION)
    bench.milvus.calls.clear()

    outcome = await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", reason)
    assert bench.milvus.calls == []
    assert outcome.requeue_after is None


async def test_a_server_that_is_known_to_drop_functions_is_not_asked(make_bench: MakeBench) -> None:
    bench = make_bench(milvus=FakeMilvus(version="v2.5.4", drops_functions=True))
    bench.quickstart()

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "UnsupportedServer")
    assert bench.milvus.changing == []


async def test_a_server_that_drops_functions_silently_is_found_out_by_reading_back(make_bench: MakeBench) -> None:
    bench = make_bench(milvus=FakeMilvus(version="development", drops_functions=True))
    bench.quickstart()

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "UnsupportedServer")
    assert bench.condition(DOCS, "Available")[0] == "False"
    assert bench.milvus.count("create_collection") == 1


async def test_indexes_are_waited_for_before_loading(make_bench: MakeBench) -> None:
    bench = make_bench(milvus=FakeMilvus(builds_at_once=False))
    bench.quickstart()

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "IndexBuilding")
    assert bench.milvus.count("load") == 0

    bench.milvus.finish_builds()
    await bench.settle_ready(DOCS)
    assert [call.method for call in bench.milvus.changing] == ["create_collection", "create_index", "load"]


async def test_loading_is_waited_for(make_bench: MakeBench) -> None:
    bench = make_bench(milvus=FakeMilvus(loads_at_once=False))
    bench.quickstart()

    await bench.settle()
    assert bench.condition(DOCS) == ("False", "Loading")

    bench.milvus.finish_loads()
    await bench.settle_ready(DOCS)
    assert bench.milvus.count("load") == 1


async def test_a_collection_that_is_loading_by_itself_is_not_ready(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.milvus.collection("docs").load = LoadState.LOADING

    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "Loading")
    assert bench.condition(DOCS, "Loaded") != ("True", "Loaded")


async def test_load_off_is_ready_and_not_available(bench: Bench) -> None:
    bench.quickstart(load={"enabled": False})

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Ready")
    assert bench.condition(DOCS, "Available") == ("False", "NotRequested")
    assert bench.condition(DOCS, "Loaded") == ("False", "NotRequested")
    assert bench.milvus.count("load") == 0


async def test_an_alias_of_another_collection_is_not_moved(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(collection(DOCS._replace(name="other"), aliases=["current"]))
    await bench.settle()

    bench.apply(collection(aliases=["current"]))
    await bench.settle()

    assert bench.condition(DOCS) == ("False", "AliasTaken")
    assert bench.milvus.databases["default"].aliases == {"current": "other"}


async def test_partitions_aliases_and_index_names_are_made(bench: Bench) -> None:
    bench.quickstart(
        partitions=["news", "blogs"],
        aliases=["docs_v1"],
        indexes=[{"field": "dense", "name": "by_meaning", "metric": "IP"}, {"field": "document", "type": "INVERTED"}],
    )

    await bench.settle()

    stored = bench.milvus.collection("docs")
    assert bench.condition(DOCS) == ("True", "Ready")
    assert stored.partitions == ["_default", "blogs", "news"]
    assert set(stored.indexes) == {"by_meaning", "document"}
    assert bench.milvus.databases["default"].aliases == {"docs_v1": "docs"}


async def test_a_missing_database_is_told_and_never_made(bench: Bench) -> None:
    bench.quickstart(database="team")

    await bench.settle()

    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")
    assert bench.milvus.changing == []


@pytest.mark.parametrize("paused", ["the collection", "the connection"])
async def test_paused_changes_nothing_and_takes_note_of_the_generation(bench: Bench, paused: str) -> None:
    bench.quickstart()
    await bench.settle()
    before = bench.world.status(DOCS)
    bench.milvus.collection("docs").load = LoadState.NOT_LOADED
    if paused == "the connection":
        bench.apply(connection(paused=True), collection(description="new"))
    else:
        bench.apply(collection(paused=True))
    changing = len(bench.milvus.changing)

    await bench.settle()

    assert bench.condition(DOCS) == ("True", "Paused")
    assert bench.world.status(DOCS)["observedGeneration"] == 2
    assert bench.world.status(DOCS)["collection"] == before["collection"]
    assert len(bench.milvus.changing) == changing


async def test_a_deleted_collection_is_left_alone(bench: Bench) -> None:
    bench.quickstart()
    body = collection()
    bench.apply({**body, "metadata": {**body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})  # type: ignore[dict-item]

    outcome = await bench.reconcile(DOCS)
    await bench.collections.forget(DOCS)

    assert outcome.status is None
    assert bench.milvus.calls == []
