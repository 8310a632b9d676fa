"""The folder of a Milvus outside of Kubernetes."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvus_embedding.files.directory import ConfigDirectory, environment_file, write_private

FILE = {"embedding.yaml": b"credential: {}\n", "state.json": b"{}"}
VARIABLES = {"MILVUSAI_DASHSCOPE_API_KEY": b"sk-1", "MILVUS_DASHSCOPE_API_KEY": b"sk-1", "state.json": b"{}"}


@pytest.mark.parametrize("data", [FILE, VARIABLES], ids=["a rendered file is read back", "variables are read back"])
def test_what_is_written_is_what_the_next_run_finds(tmp_path: Path, data: dict[str, bytes]) -> None:
    folder = ConfigDirectory(tmp_path / "new" / "config")
    assert folder.load() is None
    folder.write(data)
    assert folder.load() == data


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1).map(str.strip).filter(bool)


@given(key=PRINTABLE)
def test_any_key_is_read_back(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    folder = ConfigDirectory(tmp_path_factory.mktemp("config"))
    variables = dict.fromkeys(VARIABLES, key.encode())
    folder.write(variables)
    assert folder.load() == variables


@given(keys=st.lists(PRINTABLE, min_size=1, max_size=40))
@settings(max_examples=10)
def test_a_shell_reads_any_key_as_it_is(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    variables = {f"KEY_{number}": key for number, key in enumerate(keys)}
    file = tmp_path_factory.mktemp("config") / "embedding.env"
    file.write_text(environment_file(variables))
    script = 'set -a; . "$0"; exec env -0'
    ended = subprocess.run(["/bin/sh", "-c", script, file], env={}, capture_output=True, check=True, text=True)
    found = dict(line.split("=", 1) for line in ended.stdout.split("\0") if line)
    assert {name: found.get(name) for name in variables} == variables


def test_a_key_that_needs_no_quotes_has_none() -> None:
    """`docker run --env-file` would take them for a part of it."""
    assert (
        environment_file({"A": "sk-0123456789abcdefABCDEF", "B": "a_b.c"}) == "A=sk-0123456789abcdefABCDEF\nB=a_b.c\n"
    )


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    ConfigDirectory(tmp_path / "config").write(FILE)
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "config").iterdir()} == {0o600}


def test_another_delivery_leaves_nothing_of_the_former_one(tmp_path: Path) -> None:
    folder = ConfigDirectory(tmp_path)
    folder.write(FILE)
    folder.write(VARIABLES)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["embedding.env", "state.json"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "embedding.yaml").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_private(tmp_path / "embedding.yaml", "new")
    assert [file.name for file in tmp_path.iterdir()] == ["embedding.yaml"]
