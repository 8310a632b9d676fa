"""What the API declares and this version does not do: refused by name, while every default passes."""

import pytest

from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import (
    CONNECTION,
    DEV,
    DOCS,
    FUNCTION,
    collection,
    connection,
    credential,
    function,
)

COLLECTIONS: dict[str, dict[str, object]] = {
    "spec.changePolicy.rebuild Automatic": {"changePolicy": {"rebuild": "Automatic"}},
    "spec.migration": {"migration": {"writers": "Live"}},
}
DEFAULTS = {
    "connection": connection(
        paused=False,
        allowedAdoption={"from": "Same"},
        embedding={
            "delivery": "File",
            "verify": "None",
            "allowedNamespaces": {"from": "Same"},
            "rollout": {"approval": "Automatic", "debounceSeconds": 30, "minIntervalSeconds": 300, "settleSeconds": 15},
            "dashscope": {"credentialRef": {"name": "apikey-dev"}},
        },
    ),
    "credential": credential(probe={"enabled": True, "intervalSeconds": 86400}, quota={"requestsPerMinute": 0}),
    "function": function(grant={"from": "Same"}, allowUnlisted=False),
    "collection": collection(
        createDatabase=False,
        database="default",
        deletionPolicy="Retain",
        adoptionPolicy="IfMatching",
        driftPolicy="Enforce",
        changePolicy={"inPlace": "Automatic", "disruptive": "Manual", "destructive": "Never", "rebuild": "Manual"},
        migration={
            "verification": {"sampleRows": 1000, "minOverlapPercent": 60},
            "writers": "Pause",
            "onBadRow": "Stop",
            "soakSeconds": 86400,
            "oldGeneration": "Retain",
        },
        load={"enabled": True, "replicas": 1},
    ),
}


@pytest.mark.parametrize("asked", COLLECTIONS)
async def test_a_collection_names_what_is_not_supported(bench: Bench, asked: str) -> None:
    bench.quickstart(**COLLECTIONS[asked])

    await bench.reconcile(DOCS)

    assert bench.condition(DOCS) == ("False", "NotSupportedYet")
    assert asked in bench.message(DOCS)
    assert bench.condition(DOCS, "FunctionsResolved") == ("absent", "")
    assert bench.milvus.calls == []


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ({"quota": {"group": "account-1"}}, "spec.quota"),
        ({"quota": {"requestsPerMinute": 60}}, "spec.quota"),
        ({"quota": {"tokensPerMinute": 60}}, "spec.quota"),
    ],
)
async def test_a_credential_names_what_is_not_supported(bench: Bench, spec: dict[str, object], asked: str) -> None:
    bench.quickstart()
    bench.apply(credential(**spec))

    await bench.settle(DEV, CONNECTION)

    assert bench.condition(DEV) == ("False", "NotSupportedYet")
    assert asked in bench.message(DEV)
    assert "apikey_dev" not in bench.rendered_keys()


async def test_every_field_is_named_at_once(bench: Bench) -> None:
    bench.quickstart(changePolicy={"rebuild": "Automatic"}, migration={"writers": "Live"})

    await bench.reconcile(DOCS)

    assert {"spec.changePolicy.rebuild Automatic", "spec.migration"} <= {
        asked.split(" (")[0].split(": ")[-1] for asked in bench.message(DOCS).split("; ")
    }


async def test_defaults_written_out_are_no_wish(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(*DEFAULTS.values())

    await bench.settle()

    assert [bench.condition(key) for key in (CONNECTION, DEV, FUNCTION, DOCS)] == [("True", "Ready")] * 4
