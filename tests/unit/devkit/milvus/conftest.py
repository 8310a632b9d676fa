"""One stand-in and one embedded Milvus per test; a client that speaks to it as users do."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymilvus import MilvusClient

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.devkit.milvus.builders import DEV_KEY, PROD_KEY, Workspace


@pytest.fixture
def stand_in() -> Iterator[DashScopeStandIn]:
    with DashScopeStandIn({DEV_KEY, PROD_KEY}) as server:
        yield server


@pytest.fixture
def workspace(tmp_path: Path, stand_in: DashScopeStandIn) -> Workspace:
    folders = Workspace(tmp_path / "data", tmp_path / "config", stand_in.url)
    folders.config.mkdir()
    folders.write({"apikey_dev": DEV_KEY, "apikey_prod": PROD_KEY}, default="apikey_dev")
    return folders


@pytest.fixture
def milvus(workspace: Workspace) -> Iterator[EmbeddedMilvus]:
    with EmbeddedMilvus(workspace.data, workspace.config, retry_backoff_seconds=0) as server:
        yield server


@pytest.fixture
def connect(milvus: EmbeddedMilvus) -> Iterator[Callable[..., MilvusClient]]:
    # pymilvus logs every refused call with a traceback.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    clients: list[MilvusClient] = []

    def make(**arguments: object) -> MilvusClient:
        options = {"grpc.use_local_subchannel_pool": 1}
        client = MilvusClient(uri=milvus.uri, dedicated=True, timeout=20, grpc_options=options, **arguments)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., MilvusClient]) -> MilvusClient:
    return connect()
