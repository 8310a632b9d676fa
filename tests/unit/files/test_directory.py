"""The folder of a Milvus outside of Kubernetes."""

from pathlib import Path

import pytest

from milvus_embedding.files.directory import ConfigDirectory, write_private

FILE = {"embedding.yaml": b"credential: {}\n", "state.json": b"{}"}
VARIABLES = {"MILVUSAI_DASHSCOPE_API_KEY": b"sk-1", "MILVUS_DASHSCOPE_API_KEY": b"sk-1", "state.json": b"{}"}


@pytest.mark.parametrize("data", [FILE, VARIABLES], ids=["a rendered file is read back", "variables are read back"])
def test_what_is_written_is_what_the_next_run_finds(tmp_path: Path, data: dict[str, bytes]) -> None:
    folder = ConfigDirectory(tmp_path / "new" / "config")
    assert folder.load() is None
    folder.write(data)
    assert folder.load() == data


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
