"""From a connection to a client: addresses, users, certificates, and whether anybody is there."""

import asyncio

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import PermissionDenied, Unreachable
from milvus_embedding.controllers.heartbeat import Health, Heartbeat, ask
from tests.fakes.milvus import FakeMilvus
from tests.fakes.world import StoredSecret
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS, connection

TLS = {
    "caRef": {"kind": "ConfigMap", "name": "ca", "key": "root.pem"},
    "clientCertificateSecretRef": {"name": "client"},
    "serverName": "milvus.internal",
}


async def test_certificates_come_from_secrets_and_config_maps(bench: Bench) -> None:
    bench.world.config_maps["milvus", "ca"] = StoredSecret({"root.pem": b"CA"}, {}, 1)
    bench.world.put_secret("milvus", "client", {"tls.crt": "CERTIFICATE", "tls.key": "PRIVATE-KEY"})
    bench.apply(connection(embedding=None, uri="https://milvus:19530", tls=TLS))

    await bench.reconcile(CONNECTION)

    tls = bench.clients.targets[CONNECTION].tls
    assert tls is not None
    assert (tls.ca, tls.certificate, tls.key, tls.server_name) == (
        b"CA",
        b"CERTIFICATE",
        b"PRIVATE-KEY",
        "milvus.internal",
    )


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
async def test_half_a_client_certificate_is_none(bench: Bench, missing: str) -> None:
    data = {"tls.crt": "CERTIFICATE", "tls.key": "PRIVATE-KEY"}
    del data[missing]
    bench.world.config_maps["milvus", "ca"] = StoredSecret({"root.pem": b"CA"}, {}, 1)
    bench.world.put_secret("milvus", "client", data)
    bench.apply(connection(embedding=None, uri="https://milvus:19530", tls=TLS))

    await bench.reconcile(CONNECTION)

    assert bench.condition(CONNECTION, "Reachable") == ("False", "SecretKeyMissing")
    assert missing in bench.message(CONNECTION)


async def test_a_new_password_is_used_at_the_connections_next_pass(bench: Bench) -> None:
    bench.secret("auth", username="root", password="first-0123456789")
    bench.apply(connection(embedding=None, authSecretRef={"name": "auth"}))
    await bench.reconcile(CONNECTION)

    bench.secret("auth", username="root", password="second-0123456789")
    await bench.reconcile(CONNECTION)

    assert bench.clients.targets[CONNECTION].password == "second-0123456789"


async def test_a_collection_reads_no_secret_once_its_connection_did(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.world.reads.clear()

    await bench.reconcile(DOCS)

    assert bench.world.reads == []


async def test_a_password_in_an_error_of_milvus_is_masked(bench: Bench) -> None:
    bench.secret("auth", username="root", password="hunter2-0123456789")
    bench.apply(connection(embedding=None, authSecretRef={"name": "auth"}))
    await bench.reconcile(CONNECTION)

    assert "hunter2" not in bench.scrubber.quote("login root:hunter2-0123456789 failed")


@pytest.mark.parametrize(
    ("error", "version"),
    [
        pytest.param(None, "v2.6.9", id="a server that answers"),
        pytest.param(PermissionDenied("no"), "", id="a server that grants nothing is there all the same"),
        pytest.param(Unreachable("no"), None, id="no server"),
    ],
)
async def test_one_question_to_the_server(error: Unreachable | PermissionDenied | None, version: str | None) -> None:
    milvus = FakeMilvus()
    if error is not None:
        milvus.fail_before("server_version", error)

    assert await ask(milvus) == Health(version, error)


class Wakes:
    """Collects keys, and tells when the first has come."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.first = asyncio.Event()

    def __call__(self, key: Key) -> None:
        self.keys.append(key)
        self.first.set()


@pytest.mark.parametrize("comes_back", [False, True], ids=["it goes away", "it comes back"])
async def test_a_change_of_health_wakes_the_connection(*, comes_back: bool) -> None:
    milvus, wakes = FakeMilvus(), Wakes()
    milvus.unreachable = comes_back
    heartbeat = Heartbeat(wake=wakes, healthy_seconds=0, down_seconds=0)
    await heartbeat.health(CONNECTION, milvus)

    milvus.unreachable = not comes_back
    await wakes.first.wait()

    assert (await heartbeat.health(CONNECTION, milvus)).version == ("v2.6.9" if comes_back else None)
    heartbeat.forget(CONNECTION)


async def test_the_same_health_wakes_nobody_and_is_not_asked_again_by_reconciles() -> None:
    milvus, wakes = FakeMilvus(), Wakes()
    heartbeat = Heartbeat(wake=wakes)

    for _ in range(10):
        await heartbeat.health(CONNECTION, milvus)

    assert milvus.count("server_version") == 1
    assert wakes.keys == []
    heartbeat.forget(CONNECTION)


async def test_another_client_is_asked_at_once() -> None:
    old, new = FakeMilvus(), FakeMilvus(version="v3.0.0")
    heartbeat = Heartbeat(wake=Wakes())
    await heartbeat.health(CONNECTION, old)

    assert (await heartbeat.health(CONNECTION, new)).version == "v3.0.0"
    heartbeat.forget(CONNECTION)
