"""What users read in conditions when the controllers work against a real server: who is at fault, and what to do."""

from collections.abc import Iterator

import pytest
from pymilvus import MilvusClient

from tests.milvus235.conftest import SERVER_NAME, Authority, Connect
from tests.milvus235.server import ROOT, ROOT_PASSWORD, RealMilvus
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DOCS

RIGHT = {"username": ROOT, "password": ROOT_PASSWORD}
PLAIN_SPEC = {"functions": [], "load": {"enabled": False}}


@pytest.fixture
def nobody(real: RealMilvus) -> Iterator[dict[str, str]]:
    """A user who may do nothing."""
    client = MilvusClient(uri=real.uri, token=f"{ROOT}:{ROOT_PASSWORD}", dedicated=True, timeout=20)
    client.create_user("powerless", "powerless-password")
    yield {"username": "powerless", "password": "powerless-password"}
    client.drop_user("powerless")
    client.close()


async def settled(bench: Bench, server: RealMilvus, login: dict[str, str], **spec: object) -> None:
    """A connection to the server and the manual's collection, as far as they come."""
    bench.world.put_secret("milvus", "milvus-auth", login)
    bench.world.put_secret("milvus", "apikey-dev", {"apikey": manifests.DEV_KEY})
    tls = spec.pop("tls", None)
    bench.apply(
        manifests.connection(uri=server.uri, authSecretRef={"name": "milvus-auth"}, tls=tls, requestTimeoutSeconds=20)
    )
    bench.apply(manifests.credential(), manifests.collection(**spec))
    await bench.settle()


async def test_a_collection_without_functions_becomes_ready(bench: Bench, real: RealMilvus) -> None:
    await settled(bench, real, RIGHT, **PLAIN_SPEC)
    assert bench.condition(CONNECTION, "Reachable")[0] == "True"
    assert bench.condition(DOCS)[0] == "True", bench.message(DOCS)


async def test_functions_are_not_tried_on_a_server_that_loses_them_and_nothing_is_left_behind(
    bench: Bench, real: RealMilvus, connect: Connect
) -> None:
    await settled(bench, real, RIGHT)
    assert bench.condition(DOCS) == ("False", "UnsupportedServer")
    assert "2.3.5" in bench.message(DOCS)
    assert list(await connect(real.uri).list_collections("default")) == []


async def test_a_wrong_password_is_authentication_failed(bench: Bench, real: RealMilvus) -> None:
    await settled(bench, real, {**RIGHT, "password": "wrong-password"}, **PLAIN_SPEC)
    assert bench.condition(CONNECTION, "Reachable") == ("False", "AuthenticationFailed")
    assert "wrong-password" not in repr(bench.told)


async def test_a_rotated_password_is_taken_from_the_secret(bench: Bench, real: RealMilvus) -> None:
    await settled(bench, real, {**RIGHT, "password": "wrong-password"}, **PLAIN_SPEC)
    bench.world.put_secret("milvus", "milvus-auth", RIGHT)
    await bench.settle()
    assert bench.condition(CONNECTION, "Reachable")[0] == "True"
    assert bench.condition(DOCS)[0] == "True", bench.message(DOCS)


async def test_a_missing_privilege_is_permission_denied(bench: Bench, real: RealMilvus, nobody: dict[str, str]) -> None:
    await settled(bench, real, nobody, **PLAIN_SPEC)
    assert bench.condition(CONNECTION, "Reachable")[0] == "True"
    assert bench.condition(DOCS) == ("False", "PermissionDenied")
    assert "privilege" in bench.message(DOCS)


async def test_a_missing_database_is_named_and_not_mistaken_for_a_missing_collection(
    bench: Bench, real: RealMilvus
) -> None:
    await settled(bench, real, RIGHT, **PLAIN_SPEC, database="nowhere")
    assert bench.condition(DOCS) == ("False", "DatabaseNotFound")


async def test_a_server_that_is_down_is_unreachable(bench: Bench, real: RealMilvus, authority: Authority) -> None:
    """By TLS to a port that speaks plain text, too: the message tells them apart."""
    bench.world.put_secret("milvus", "milvus-auth", RIGHT)
    bench.apply(manifests.connection(uri="http://127.0.0.1:1", authSecretRef={"name": "milvus-auth"}))
    await bench.settle(CONNECTION)
    assert bench.condition(CONNECTION, "Reachable") == ("False", "Unreachable")
    assert "connection refused" in bench.message(CONNECTION, "Reachable")
    bench.apply(manifests.connection(uri=real.uri.replace("http", "https"), authSecretRef={"name": "milvus-auth"}))
    await bench.settle(CONNECTION)
    assert bench.condition(CONNECTION, "Reachable") == ("False", "Unreachable")
    assert "TLS handshake failed" in bench.message(CONNECTION, "Reachable")


@pytest.mark.parametrize("ca", ["right", "wrong"])
async def test_an_authority_that_did_not_sign_the_server_is_told_as_tls(
    bench: Bench, real_tls: RealMilvus, authority: Authority, ca: str
) -> None:
    other = type(authority.authority)()
    pem = authority.certificate if ca == "right" else other.cert_pem.bytes()
    bench.world.put_secret("milvus", "ca", {"ca.crt": pem.decode()})
    tls = {"caRef": {"kind": "Secret", "name": "ca", "key": "ca.crt"}, "serverName": SERVER_NAME}
    await settled(bench, real_tls, RIGHT, **PLAIN_SPEC, tls=tls)
    if ca == "right":
        assert bench.condition(DOCS)[0] == "True", bench.message(DOCS)
    else:
        assert bench.condition(CONNECTION, "Reachable") == ("False", "Unreachable")
        assert "TLS handshake failed" in bench.message(CONNECTION, "Reachable")


async def test_a_client_certificate_from_a_secret_opens_a_server_that_asks_for_one(
    bench: Bench, real_mutual: RealMilvus, authority: Authority, connect: Connect
) -> None:
    key, certificate = authority.issue("operator.test")
    bench.world.put_secret("milvus", "ca", {"ca.crt": authority.certificate.decode()})
    bench.world.put_secret("milvus", "client", {"tls.crt": certificate.decode(), "tls.key": key.decode()})
    tls = {"caRef": {"kind": "Secret", "name": "ca", "key": "ca.crt"}, "serverName": SERVER_NAME}
    await settled(bench, real_mutual, RIGHT, **PLAIN_SPEC, tls=tls)
    assert bench.condition(CONNECTION, "Reachable") == ("False", "Unreachable")
    tls["clientCertificateSecretRef"] = {"name": "client"}
    await settled(bench, real_mutual, RIGHT, **PLAIN_SPEC, tls=tls)
    assert bench.condition(DOCS)[0] == "True", bench.message(DOCS)
