"""Runs the command line as a process would, but in this one; logging is put back after each test."""

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from milvus_embedding.cli.main import main
from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.cli.process import KEYS, QUICKSTART, Command, Ended


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["milvus-embedding", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(autouse=True)
def _logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GRPC_VERBOSITY", "ERROR")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in list(root.manager.loggerDict)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(root.manager.loggerDict):
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


@pytest.fixture
def quickstart() -> Path:
    return QUICKSTART


@pytest.fixture
def dashscope() -> Iterator[DashScopeStandIn]:
    with DashScopeStandIn(KEYS) as stand_in:
        yield stand_in


@pytest.fixture
def manifests(quickstart: Path, tmp_path: Path, dashscope: DashScopeStandIn) -> Path:
    """The quickstart in one file, with the address of the stand-in."""
    documents = [d for f in sorted(quickstart.glob("*.yaml")) for d in yaml.safe_load_all(f.read_text())]
    for document in documents:
        if document["kind"] == "MilvusConnection":
            document["spec"]["embedding"]["dashscope"]["url"] = dashscope.url
    file = tmp_path / "quickstart.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return file


@pytest.fixture
def config(command: Command, manifests: Path, tmp_path: Path) -> Path:
    """A folder that Milvus can start with."""
    folder = tmp_path / "config"
    folder.mkdir()
    command("render", "-f", manifests, "--show-secrets", "--to", folder / "user.yaml")
    return folder


@pytest.fixture
def milvus(config: Path, tmp_path: Path) -> Iterator[EmbeddedMilvus]:
    with EmbeddedMilvus(tmp_path / "data", config, retry_backoff_seconds=0.01) as running:
        yield running
