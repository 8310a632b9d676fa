"""Three servers at most for the whole session, each started when the first test asks for it (about 3 s)."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from pymilvus import MilvusClient

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.target import Target, TlsFiles
from milvus_embedding.domain.scrub import Scrubber
from tests.milvus235.server import ROOT, ROOT_PASSWORD, RealMilvus, Tls
from tests.unit.controllers.bench import Bench, over_servers

SERVER_NAME = "milvus.test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to wait for the server to be fetched and unpacked."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and the folder for what it issues."""

    authority: trustme.CA
    directory: Path

    @property
    def certificate(self) -> bytes:
        return self.authority.cert_pem.bytes()

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """Key and certificate."""
        issued = self.authority.issue_cert(name)
        return issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()

    def server_files(self, *, mutual: bool) -> Tls:
        key, certificate = self.issue(SERVER_NAME)
        files = {"key": key, "certificate": certificate, "ca": self.certificate}
        for name, content in files.items():
            (self.directory / f"{name}.pem").write_bytes(content)
        return Tls(
            key=self.directory / "key.pem",
            certificate=self.directory / "certificate.pem",
            client_ca=self.directory / "ca.pem" if mutual else None,
        )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(trustme.CA(), tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMilvus]:
    """With passwords, in plain text."""
    with RealMilvus(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture(scope="session")
def real_tls(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[RealMilvus]:
    with RealMilvus(tmp_path_factory.mktemp("milvus-tls"), tls=authority.server_files(mutual=False)) as server:
        yield server


@pytest.fixture(scope="session")
def real_mutual(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[RealMilvus]:
    """It asks clients for a certificate."""
    with RealMilvus(tmp_path_factory.mktemp("milvus-mtls"), tls=authority.server_files(mutual=True)) as server:
        yield server


Connect = Callable[..., PymilvusClient]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients of a server, as root unless told otherwise; all are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(
            uri: str, *, user: str = ROOT, password: str = ROOT_PASSWORD, tls: TlsFiles | None = None
        ) -> PymilvusClient:
            target = Target(uri=uri, user=user, password=password, tls=tls, timeout_seconds=20)
            client = PymilvusClient(target, scrubber=Scrubber())
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
def milvus(real: RealMilvus, connect: Connect) -> PymilvusClient:
    return connect(real.uri)


@pytest.fixture
def administrator(real: RealMilvus) -> Iterator[MilvusClient]:
    client = MilvusClient(uri=real.uri, token=f"{ROOT}:{ROOT_PASSWORD}", dedicated=True, timeout=20)
    yield client
    client.close()


@pytest.fixture
async def cleaned(milvus: PymilvusClient, administrator: MilvusClient) -> AsyncIterator[None]:
    """Each test finds and leaves an empty server."""
    yield
    for database in await milvus.list_databases():
        for name in await milvus.list_collections(database):
            for alias in await milvus.list_aliases(database, name):
                # Those that go with a dropped collection block their name for some milliseconds more.
                await milvus.drop_alias(database, alias)
            await milvus.drop_collection(database, name)
        if database != "default":
            administrator.drop_database(database)


@pytest.fixture
async def bench(cleaned: None) -> AsyncIterator[Bench]:
    """The controllers over a world in memory, with real clients of real servers."""
    async with over_servers() as bench:
        yield bench
