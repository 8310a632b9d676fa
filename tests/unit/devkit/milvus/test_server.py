"""The server around the rules: counters, faults, holds, users, pins of Milvus Lite, and the process."""

import importlib.metadata
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus, PortTakenError
from milvus_embedding.devkit.milvus.engine import PINNED_VERSION, PRIVATE_NAMES
from tests.unit.devkit.milvus.builders import Workspace, create_docs, index_dense

Connect = Callable[..., MilvusClient]


def test_milvus_lite_is_the_version_whose_inside_we_know(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    assert importlib.metadata.version("milvus-lite") == PINNED_VERSION
    create_docs(client)
    engine = milvus._engine
    assert engine is not None
    for subject in (engine, engine.get_collection("docs")):
        names = next(names for kind, names in PRIVATE_NAMES.items() if isinstance(subject, kind))
        assert [name for name in names if not hasattr(subject, name)] == []


def test_calls_are_counted_and_changing_ones_apart(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    create_docs(client)
    before = milvus.changing_calls
    client.describe_collection("docs")
    client.list_collections()
    assert milvus.changing_calls == before
    index_dense(client)
    assert milvus.changing_calls == before + 1
    assert milvus.calls["CreateCollection"] == 1


def test_an_injected_error_did_nothing(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    milvus.faults.fail("CreateCollection", code=65535, reason="no memory")
    with pytest.raises(MilvusException, match="no memory"):
        create_docs(client)
    assert not client.has_collection("docs")
    create_docs(client)


def test_an_error_in_describe_is_a_response_of_its_type(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    milvus.faults.fail("DescribeCollection", code=8, reason="rate limit", times=1)
    with pytest.raises(MilvusException) as error:
        client.describe_collection("docs", retry_on_rate_limit=False)
    assert error.value.code == 8


def test_a_time_out_may_have_succeeded(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    milvus.faults.time_out_after_success("CreateCollection")
    with pytest.raises(grpc.RpcError) as error:
        create_docs(client)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert client.has_collection("docs")


def test_a_broken_connection_did_nothing(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    milvus.faults.break_connection("CreateCollection", grpc_code=grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(grpc.RpcError):
        create_docs(client)
    assert not client.has_collection("docs")


def test_a_held_call_whose_client_gave_up_still_happens(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    gate = milvus.faults.hold("CreateCollection")
    with pytest.raises(grpc.RpcError):
        create_docs(client, timeout=1)
    assert not client.has_collection("docs")
    gate.release()
    create_docs(client)
    assert client.has_collection("docs")


def test_a_held_embedding_call_lands_where_the_alias_points_when_it_is_released(
    milvus: EmbeddedMilvus, client: MilvusClient
) -> None:
    create_docs(client, "old", loaded=True)
    create_docs(client, "new", loaded=True)
    client.create_alias("old", "live")
    with milvus.faults.hold_embedding() as gate:
        writer = threading.Thread(target=client.insert, args=("live", [{"id": 1, "document": "late"}]))
        writer.start()
        assert gate.wait_for_arrivals(1)
        client.alter_alias("new", "live")
    writer.join()
    assert [len(client.query(name, filter="id > 0")) for name in ("old", "new")] == [0, 1]


def test_stopping_releases_what_is_held(milvus: EmbeddedMilvus, client: MilvusClient) -> None:
    gate = milvus.faults.hold("ShowCollections")
    caught: list[BaseException] = []

    def call() -> None:
        try:
            client.list_collections(timeout=5)
        except (MilvusException, grpc.RpcError) as error:
            caught.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert gate.wait_for_arrivals(1)
    milvus.stop()
    caller.join()
    assert not milvus.running


def test_many_threads_create_one_name_once(client: MilvusClient) -> None:
    threads = [threading.Thread(target=create_docs, args=(client,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.list_collections() == ["docs"]


def test_users_are_asked_for_their_password(workspace: Workspace) -> None:
    users = {"root": "Milvus"}
    with EmbeddedMilvus(workspace.data, workspace.config, users=users) as milvus:
        client = MilvusClient(uri=milvus.uri, token="root:Milvus", dedicated=True)
        assert client.list_collections() == []
        users["root"] = "rotated"
        with pytest.raises(Exception, match="auth check failure"):
            client.list_collections()
        client.close()
        with pytest.raises(MilvusException):
            MilvusClient(uri=milvus.uri, token="root:Milvus", dedicated=True)


def test_a_taken_port_is_said_so(milvus: EmbeddedMilvus, workspace: Workspace, tmp_path: Path) -> None:
    other = EmbeddedMilvus(tmp_path / "other", workspace.config, port=milvus.port)
    with pytest.raises(PortTakenError, match=f"port {milvus.port} on 127.0.0.1 is in use"):
        other.start()


def test_rows_of_a_plain_milvus_lite_folder_are_found(tmp_path: Path, workspace: Workspace) -> None:
    with EmbeddedMilvus(workspace.data, workspace.config, retry_backoff_seconds=0) as milvus:
        client = MilvusClient(uri=milvus.uri, dedicated=True)
        create_docs(client, loaded=True)
        client.insert("docs", [{"id": 1, "document": "hello"}])
        client.close()
        (workspace.data / "collections" / "docs" / "embedded.json").unlink()
        milvus.restart()
        client = MilvusClient(uri=milvus.uri, dedicated=True)
        assert client.describe_collection("docs")["collection_id"] > 0
        client.close()


def test_it_runs_as_a_process_until_terminated(workspace: Workspace, stand_in: DashScopeStandIn) -> None:
    command = [sys.executable, "-m", "milvus_embedding.devkit.milvus", "--port", "0"]
    command += ["--data", str(workspace.data), "--config-dir", str(workspace.config)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        uri = process.stdout.readline().removeprefix("listening on ").strip()
        client = MilvusClient(uri=uri, dedicated=True)
        create_docs(client)
        client.close()
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert len(stand_in.calls) == 1
