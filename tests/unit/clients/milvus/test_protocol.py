"""Milvus' generated code is loaded alone: without pymilvus, what that imports, and what that does at import."""

import os
import subprocess
import sys
from pathlib import Path

from pymilvus import DataType
from pymilvus.grpc_gen import milvus_pb2

from milvus_embedding.clients.milvus.protocol import load, protocol

SCRIPT = """
import logging, os, sys
before = dict(os.environ)
import milvus_embedding.clients.milvus.adapter
from milvus_embedding.clients.milvus.protocol import protocol
assert "milvus_embedding_grpc_gen" not in sys.modules, "loaded too early"
protocol().milvus.DescribeCollectionRequest(collection_name="docs")
assert not {"pymilvus", "pandas", "numpy"} & set(sys.modules), "more was imported than the generated code"
assert dict(os.environ) == before, "the environment has changed"
assert "pymilvus" not in logging.Logger.manager.loggerDict
"""


def test_neither_pymilvus_nor_what_it_brings_is_imported(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MILVUS_URI=http://somewhere\n")
    source = Path(sys.modules[protocol.__module__].__file__ or "").parents[3]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


async def test_it_may_be_used_beside_pymilvus() -> None:
    pb = await load()
    assert pb is protocol()
    ours = pb.milvus.DescribeCollectionRequest(collection_name="docs")
    assert milvus_pb2.DescribeCollectionRequest.FromString(ours.SerializeToString()).collection_name == "docs"
    assert pb.milvus.DescribeCollectionRequest is milvus_pb2.DescribeCollectionRequest


def test_types_have_the_names_that_pymilvus_gives_them() -> None:
    names = protocol().type_names
    theirs = {int(member.value): str(member.name).lstrip("_") for member in DataType}
    shared = names.keys() & theirs.keys()
    assert {number: names[number] for number in shared} == {number: theirs[number] for number in shared}
    assert len(shared) >= 20


def test_the_names_that_are_relied_on_exist() -> None:
    pb = protocol()
    assert pb.type_names[5] == "INT64"
    assert pb.type_numbers["FLOAT_VECTOR"] == 101
    assert pb.common.IndexState.Finished == 3
    assert pb.schema.FunctionType.Value("TextEmbedding") == 2
