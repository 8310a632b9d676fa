"""Who may not in, who may not do it, and who is not there: told apart on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymilvus import MilvusClient

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import (
    AuthenticationFailed,
    DatabaseNotFound,
    MilvusError,
    PermissionDenied,
    Unreachable,
)
from milvus_embedding.clients.milvus.target import TlsFiles
from tests.milvus235.conftest import SERVER_NAME, Authority, Connect
from tests.milvus235.server import ROOT, RealMilvus
from tests.unit.clients.milvus.schemas import PLAIN


@pytest.fixture
def reader(administrator: MilvusClient) -> Iterator[tuple[str, str]]:
    """A user who may look at collections and nothing else; name and password."""
    administrator.create_user("reader", "reader-password")
    administrator.create_role("reading")
    for privilege in ("DescribeCollection", "ShowCollections"):
        administrator.grant_privilege("reading", "Global", privilege, "*")
    administrator.grant_role("reader", "reading")
    yield "reader", "reader-password"
    administrator.revoke_role("reader", "reading")
    administrator.drop_user("reader")
    for privilege in ("DescribeCollection", "ShowCollections"):
        administrator.revoke_privilege("reading", "Global", privilege, "*")
    administrator.drop_role("reading")


async def refusal(client: PymilvusClient) -> MilvusError:
    with pytest.raises(MilvusError) as caught:
        await client.list_databases()
    return caught.value


@pytest.mark.parametrize(
    ("user", "password"),
    [(ROOT, "wrong-password"), ("nobody", "wrong-password"), ("", "")],
    ids=["a wrong password", "an unknown user", "no password at all"],
)
async def test_who_is_not_known_is_not_let_in(connect: Connect, real: RealMilvus, user: str, password: str) -> None:
    error = await refusal(connect(real.uri, user=user, password=password))
    assert type(error) is AuthenticationFailed
    assert "wrong-password" not in str(error)


async def test_a_rotated_password_ends_the_old_one_and_the_new_one_serves(
    connect: Connect, real: RealMilvus, administrator: MilvusClient
) -> None:
    administrator.create_user("rotating", "first-password")
    try:
        before = connect(real.uri, user="rotating", password="first-password")
        await before.server_version()
        administrator.update_password("rotating", "first-password", "second-password")
        with pytest.raises(AuthenticationFailed):
            await before.server_version()
        await connect(real.uri, user="rotating", password="second-password").server_version()
    finally:
        administrator.drop_user("rotating")


async def test_a_missing_privilege_is_named_and_nothing_happens(
    connect: Connect, real: RealMilvus, milvus: PymilvusClient, reader: tuple[str, str]
) -> None:
    user, password = reader
    client = connect(real.uri, user=user, password=password)
    assert await client.describe("default", "private") is None
    with pytest.raises(PermissionDenied, match="CreateCollection"):
        await client.create_collection("default", "private", PLAIN)
    await milvus.create_collection("default", "private", PLAIN)
    with pytest.raises(PermissionDenied, match="DropCollection"):
        await client.drop_collection("default", "private")
    assert await milvus.describe("default", "private") is not None
    await milvus.drop_collection("default", "private")


async def test_a_missing_database_is_told_also_to_who_may_only_look(
    connect: Connect, real: RealMilvus, reader: tuple[str, str]
) -> None:
    user, password = reader
    client = connect(real.uri, user=user, password=password)
    with pytest.raises(DatabaseNotFound):
        await client.describe("nowhere", "docs")


async def test_a_server_that_is_gone_is_unreachable(connect: Connect, tmp_path: Path) -> None:
    with RealMilvus(tmp_path) as server:
        client = connect(server.uri)
        await client.server_version()
        server.stop()
        # The first call may still be the one on which the old connection breaks.
        broken, refused = await refusal(client), await refusal(client)
    assert type(broken) is type(refused) is Unreachable
    assert "connection" in str(broken)
    assert "connection refused" in str(refused)


async def test_the_authority_of_the_server_is_trusted_when_it_is_given(
    connect: Connect, real_tls: RealMilvus, authority: Authority
) -> None:
    tls = TlsFiles(ca=authority.certificate, server_name=SERVER_NAME)
    assert "default" in await connect(real_tls.uri, tls=tls).list_databases()


async def test_the_authorities_of_the_process_are_trusted_when_none_is_given(
    connect: Connect, real_tls: RealMilvus, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.certificate)
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    tls = TlsFiles(server_name=SERVER_NAME)
    assert "default" in await connect(real_tls.uri, tls=tls).list_databases()


async def test_a_client_certificate_is_taken(connect: Connect, real_mutual: RealMilvus, authority: Authority) -> None:
    key, certificate = authority.issue("operator.test")
    tls = TlsFiles(ca=authority.certificate, certificate=certificate, key=key, server_name=SERVER_NAME)
    assert "default" in await connect(real_mutual.uri, tls=tls).list_databases()


async def test_a_wrong_password_over_tls_is_still_a_wrong_password(
    connect: Connect, real_tls: RealMilvus, authority: Authority
) -> None:
    tls = TlsFiles(ca=authority.certificate, server_name=SERVER_NAME)
    assert type(await refusal(connect(real_tls.uri, password="wrong", tls=tls))) is AuthenticationFailed


@pytest.mark.parametrize("wrong", ["the roots of the system", "another authority", "another name"])
async def test_a_server_that_cannot_be_trusted_is_unreachable_and_the_reason_is_tls(
    connect: Connect, real_tls: RealMilvus, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    tls = {
        "the roots of the system": TlsFiles(server_name=SERVER_NAME),
        "another authority": TlsFiles(
            ca=Authority(type(authority.authority)(), tmp_path).certificate, server_name=SERVER_NAME
        ),
        "another name": TlsFiles(ca=authority.certificate, server_name="other.test"),
    }[wrong]
    error = await refusal(connect(real_tls.uri, tls=tls))
    assert type(error) is Unreachable
    assert "TLS handshake failed" in str(error)


async def test_no_client_certificate_where_one_is_asked_for_is_unreachable(
    connect: Connect, real_mutual: RealMilvus, authority: Authority
) -> None:
    tls = TlsFiles(ca=authority.certificate, server_name=SERVER_NAME)
    assert type(await refusal(connect(real_mutual.uri, tls=tls))) is Unreachable


async def test_plain_text_to_a_tls_port_and_tls_to_a_plain_one_are_unreachable(
    connect: Connect, real: RealMilvus, real_tls: RealMilvus, authority: Authority
) -> None:
    assert type(await refusal(connect(real_tls.uri.replace("https", "http")))) is Unreachable
    tls = TlsFiles(ca=authority.certificate, server_name=SERVER_NAME)
    error = await refusal(connect(real.uri.replace("http", "https"), tls=tls))
    assert type(error) is Unreachable
    assert "TLS handshake failed" in str(error)
