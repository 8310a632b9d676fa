"""TLS and mutual TLS, with certificates made for the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from milvus_embedding.clients.milvus.port import Unreachable
from milvus_embedding.clients.milvus.target import Target, TlsFiles
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.devkit.milvus import TlsFiles as ServerFiles
from tests.unit.clients.milvus.conftest import ConnectTo


class Authority:
    """A certificate authority in memory."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    @property
    def certificate(self) -> bytes:
        return self._authority.cert_pem.bytes()

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """Key and certificate for a DNS name."""
        issued = self._authority.issue_cert(name)
        return issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(
    tmp_path: Path, config_dir: Path, authority: Authority, request: pytest.FixtureRequest
) -> Iterator[EmbeddedMilvus]:
    key, certificate = authority.issue("milvus.test")
    mutual = getattr(request, "param", False)
    files = ServerFiles(key=key, certificate=certificate, ca=authority.certificate if mutual else None)
    with EmbeddedMilvus(tmp_path / "data", config_dir, tls=files) as server:
        yield server


async def test_a_private_authority_and_a_server_name(
    connect: ConnectTo, server: EmbeddedMilvus, authority: Authority
) -> None:
    tls = TlsFiles(ca=authority.certificate, server_name="milvus.test")
    assert await connect(Target(uri=server.uri, tls=tls)).list_databases() == ("default",)


@pytest.mark.parametrize("server", [True], indirect=True, ids=["the server asks for a certificate"])
async def test_a_client_certificate(connect: ConnectTo, server: EmbeddedMilvus, authority: Authority) -> None:
    key, certificate = authority.issue("client.test")
    tls = TlsFiles(ca=authority.certificate, certificate=certificate, key=key, server_name="milvus.test")
    assert await connect(Target(uri=server.uri, tls=tls)).list_databases() == ("default",)
    without = TlsFiles(ca=authority.certificate, server_name="milvus.test")
    with pytest.raises(Unreachable):
        await connect(Target(uri=server.uri, tls=without)).list_databases()


async def test_a_server_of_another_authority_is_not_trusted(connect: ConnectTo, server: EmbeddedMilvus) -> None:
    with pytest.raises(Unreachable, match="TLS handshake failed"):
        await connect(Target(uri=server.uri, timeout_seconds=10)).list_databases()


async def test_a_server_of_another_name_is_not_trusted(
    connect: ConnectTo, server: EmbeddedMilvus, authority: Authority
) -> None:
    with pytest.raises(Unreachable, match="TLS handshake failed"):
        await connect(Target(uri=server.uri, tls=TlsFiles(ca=authority.certificate))).list_databases()
