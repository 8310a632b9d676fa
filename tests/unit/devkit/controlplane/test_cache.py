"""Where binaries are kept, and that nobody ever sees half of one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from milvus_embedding.devkit.controlplane import cache as cache_module
from milvus_embedding.devkit.controlplane.binaries import RECIPES, Binary, Platform
from milvus_embedding.devkit.controlplane.cache import RELEASE_FOLDER, Cache, cache_root

LINUX = Platform("linux", "amd64")
ETCD_FOLDER = RECIPES[Binary.ETCD].folder


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"MILVUS_EMBEDDING_CACHE": "/own"}, Path("/own"), id="our own variable names the folder itself"),
        pytest.param(
            {"MILVUS_EMBEDDING_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, Path("/own"), id="our own variable goes first"
        ),
        pytest.param({"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/milvus-embedding"), id="XDG_CACHE_HOME is honoured"),
        pytest.param(
            {"XDG_CACHE_HOME": "relative"},
            Path.home() / ".cache" / "milvus-embedding",
            id="a relative XDG_CACHE_HOME is ignored, as its specification says",
        ),
        pytest.param({}, Path.home() / ".cache" / "milvus-embedding", id="the default is in the home folder"),
    ],
)
def test_the_cache_s_folder(environment: dict[str, str], expected: Path) -> None:
    assert cache_root(environment) == expected


def new_program(folder: Path, text: str = "program") -> Path:
    path = folder / "new"
    path.write_text(text)
    return path


def test_what_was_stored_is_found_and_can_be_executed(tmp_path: Path) -> None:
    cache = Cache(tmp_path, LINUX)

    stored = cache.store(Binary.ETCD, new_program(tmp_path), folder=ETCD_FOLDER)

    assert cache.lookup(Binary.ETCD) == stored
    assert stored.stat().st_mode & 0o777 == 0o755


def test_versions_and_platforms_do_not_mix(tmp_path: Path) -> None:
    stored = Cache(tmp_path, LINUX).store(Binary.ETCD, new_program(tmp_path), folder=ETCD_FOLDER)

    assert stored.relative_to(tmp_path) == Path("controlplane", "linux-amd64", ETCD_FOLDER, "etcd")
    assert RECIPES[Binary.ETCD].version in ETCD_FOLDER
    assert Cache(tmp_path, Platform("darwin", "arm64")).lookup(Binary.ETCD) is None


def test_our_own_build_goes_before_the_archive_s(tmp_path: Path) -> None:
    cache = Cache(tmp_path, LINUX)
    cache.store(Binary.ETCD, new_program(tmp_path), folder=RELEASE_FOLDER)
    assert cache.lookup(Binary.ETCD) == cache.directory / RELEASE_FOLDER / "etcd"

    built = cache.store(Binary.ETCD, new_program(tmp_path), folder=ETCD_FOLDER)

    assert cache.lookup(Binary.ETCD) == built


def test_a_copy_that_fails_leaves_neither_a_program_nor_a_draft(tmp_path: Path) -> None:
    cache = Cache(tmp_path, LINUX)

    with pytest.raises(FileNotFoundError):
        cache.store(Binary.ETCD, tmp_path / "absent", folder=ETCD_FOLDER)

    assert list((cache.directory / ETCD_FOLDER).iterdir()) == []


def test_storing_again_replaces_a_program_that_others_may_be_running(tmp_path: Path) -> None:
    cache = Cache(tmp_path, LINUX)
    stored = cache.store(Binary.ETCD, new_program(tmp_path, "old"), folder=ETCD_FOLDER)
    with stored.open() as running:
        cache.store(Binary.ETCD, new_program(tmp_path, "new"), folder=ETCD_FOLDER)
        assert running.read() == "old"

    assert stored.read_text() == "new"


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_LOOK_SECONDS", 0.01)
    cache = Cache(tmp_path, LINUX)
    told, entered = threading.Event(), threading.Event()
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        told.set()

    def second_run() -> None:
        with cache.lock(report):
            entered.set()

    second = threading.Thread(target=second_run)
    with cache.lock(pytest.fail):
        second.start()
        assert told.wait(10)
        assert not entered.is_set()
    second.join(10)

    assert entered.is_set()
    assert lines == ["waiting for another run that is preparing the binaries: 0 s"]
