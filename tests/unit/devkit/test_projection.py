"""Secrets as files: live directories swapped as a whole, subPath copies that wait for a restart."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from milvus_embedding.devkit.milvus.config import MilvusYaml
from milvus_embedding.devkit.projection import MountFailedError, Projection, Watch, watch_secret


class Secret:
    """A Secret that tests change; reading it can fail."""

    def __init__(self, data: Mapping[str, bytes] | None) -> None:
        self.data = data
        self.error: Exception | None = None
        self.read = threading.Semaphore(0)

    def __call__(self) -> Mapping[str, bytes] | None:
        self.read.release()
        if self.error is not None:
            raise self.error
        return self.data


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith("..")}


def test_a_directory_mount_follows_the_secret_at_a_refresh(tmp_path: Path) -> None:
    secret = Secret({"a": b"1", "b": b"2"})
    projection = Projection(secret, tmp_path, "directory")
    assert projection.refresh()
    assert files(tmp_path) == {"a": "1", "b": "2"}
    secret.data = {"a": b"3"}
    assert projection.refresh()
    assert files(tmp_path) == {"a": "3"}
    assert not projection.refresh()


def test_a_swap_leaves_one_generation_behind_links(tmp_path: Path) -> None:
    secret = Secret({"a": b"1"})
    projection = Projection(secret, tmp_path, "directory")
    for number in range(3):
        secret.data = {"a": str(number).encode()}
        projection.refresh()
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "..data").is_symlink()
    assert len([path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink()]) == 1


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(None, id="the Secret is deleted"),
        pytest.param({"other": b"x"}, id="a key that the volume names is"),
    ],
)
def test_a_directory_mount_keeps_its_files_when(tmp_path: Path, gone: Mapping[str, bytes] | None) -> None:
    secret = Secret({"embedding.yaml": b"old"})
    projection = Projection(secret, tmp_path, "directory", items={"embedding.yaml": "user.yaml"})
    projection.on_restart()
    secret.data = gone
    assert not projection.refresh()
    assert files(tmp_path) == {"user.yaml": "old"}
    with pytest.raises(MountFailedError):
        projection.on_restart()


def test_a_sub_path_changes_only_at_a_restart(tmp_path: Path) -> None:
    secret = Secret({"embedding.yaml": b"old"})
    projection = Projection(secret, tmp_path, "subPath", items={"embedding.yaml": "_test.yaml"})
    (tmp_path / "milvus.yaml").write_text("kept")
    projection.on_restart()
    secret.data = {"embedding.yaml": b"new"}
    assert not projection.refresh()
    assert files(tmp_path) == {"_test.yaml": "old", "milvus.yaml": "kept"}
    projection.on_restart()
    assert files(tmp_path) == {"_test.yaml": "new", "milvus.yaml": "kept"}


def test_a_key_missing_under_a_sub_path_becomes_an_empty_directory_until_the_next_restart(tmp_path: Path) -> None:
    secret = Secret({})
    projection = Projection(secret, tmp_path, "subPath", items={"embedding.yaml": "_test.yaml"})
    projection.on_restart()
    assert list((tmp_path / "_test.yaml").iterdir()) == []
    secret.data = {"embedding.yaml": b"there"}
    projection.on_restart()
    assert files(tmp_path) == {"_test.yaml": "there"}


def test_a_pod_without_its_secret_does_not_start(tmp_path: Path) -> None:
    for mode in ("subPath", "directory"):
        with pytest.raises(MountFailedError, match="Secret of the volume was not found"):
            Projection(Secret(None), tmp_path, mode).on_restart()


def test_milvus_reads_a_live_mount_without_a_restart(tmp_path: Path) -> None:
    secret = Secret({"embedding.yaml": b"credential: {dev: {apikey: old}}"})
    projection = Projection(secret, tmp_path, "directory", items={"embedding.yaml": "user.yaml"})
    projection.on_restart()
    config = MilvusYaml(tmp_path)
    assert config.credential("dev") == "old"
    secret.data = {"embedding.yaml": b"credential: {dev: {apikey: new}}"}
    projection.refresh()
    assert config.credential("dev") == "new"


def test_a_watch_follows_the_secret_and_survives_a_source_that_fails(tmp_path: Path) -> None:
    secret = Secret({"a": b"1"})
    with watch_secret(secret, tmp_path, interval=60) as watch:
        turn(secret, watch, count=2)
        assert files(tmp_path) == {"a": "1"}
        secret.error = ConnectionError("down")
        turn(secret, watch, count=2)
        secret.error, secret.data = None, {"a": b"2"}
        turn(secret, watch, count=2)
        assert files(tmp_path) == {"a": "2"}
        assert watch.failures >= 1


def turn(secret: Secret, watch: Watch, *, count: int) -> None:
    """Waits for `count` more reads; the one before the last is then over for sure."""
    for _ in range(count):
        watch.poke()
        assert secret.read.acquire(timeout=10)
