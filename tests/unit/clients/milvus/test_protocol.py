"""Importing pymilvus leaves no traces: no handler, no .env file read, no environment changed."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from milvus_embedding.clients.milvus.protocol import load, protocol

SCRIPT = """
import os, sys
before = dict(os.environ)
import milvus_embedding.clients.milvus.adapter
assert "pymilvus" not in sys.modules, "imported too early"
from milvus_embedding.clients.milvus.protocol import protocol
protocol()
assert "pymilvus" in sys.modules
assert dict(os.environ) == before, "the environment has changed"
"""


def test_nothing_is_imported_before_it_is_used_and_no_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MILVUS_URI=http://somewhere\n")
    source = Path(sys.modules[protocol.__module__].__file__ or "").parents[3]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


async def test_its_logger_writes_nowhere_by_itself() -> None:
    assert await load() is protocol()
    logger = logging.getLogger("pymilvus")
    assert (logger.handlers, logger.propagate) == ([], True)
    assert not logging.getLogger("pymilvus.decorators").isEnabledFor(logging.ERROR)


def test_the_names_that_are_relied_on_exist() -> None:
    pb = protocol()
    assert pb.type_names[5] == "INT64"
    assert pb.type_numbers["FLOAT_VECTOR"] == 101
    assert pb.common.IndexState.Finished == 3
    assert pb.schema.FunctionType.Value("TextEmbedding") == 2
