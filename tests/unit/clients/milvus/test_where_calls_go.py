"""Calls to Milvus go over TCP to the host of the uri, and never to a link-local address."""

import socket
from pathlib import Path

import pytest

from milvus_embedding.clients.milvus import connection as module
from milvus_embedding.clients.milvus.port import Unreachable
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.clients.milvus.conftest import ConnectTo


async def test_a_host_named_like_a_scheme_of_grpc_is_a_host(
    connect: ConnectTo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("19530")  # what gRPC takes unix:19530 for
        listener.listen()
        listener.setblocking(False)
        with pytest.raises(Unreachable):
            await connect(Target(uri="http://unix:19530", timeout_seconds=5)).list_databases()
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "host",
    ["%31%36%39.254.169.254", "169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "metadata.google.internal"],
)
async def test_a_refused_host_is_not_connected_to(
    connect: ConnectTo, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(module, "open_channel", _fail)
    with pytest.raises(Unreachable):
        await connect(Target(uri=f"http://{host}:80", timeout_seconds=5)).list_databases()


async def test_a_name_that_stands_for_a_refused_address_is_not_connected_to(
    connect: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["192.0.2.1", "169.254.169.254"]

    monkeypatch.setattr(module, "_resolve", resolve)
    monkeypatch.setattr(module, "open_channel", _fail)
    with pytest.raises(Unreachable, match="always refused"):
        await connect(Target(uri="http://rebinding.test:80", timeout_seconds=5)).list_databases()


async def test_localhost_by_name_and_by_address(connect: ConnectTo, embedded: EmbeddedMilvus) -> None:
    for host in ("127.0.0.1", "localhost"):
        uri = embedded.uri.replace("127.0.0.1", host)
        assert await connect(Target(uri=uri)).list_databases() == ("default",)


def _fail(_: Target) -> None:
    raise AssertionError("connected")
