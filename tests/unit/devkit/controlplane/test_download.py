"""The official archive is used only if it is exactly what the index promises."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane import download as download_module
from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, Binary, Platform
from milvus_embedding.devkit.controlplane.download import (
    ARCHIVE_PREFIX,
    INDEX_URL,
    download,
    fetch,
    find_release,
    unpack,
    verify_checksum,
)
from milvus_embedding.devkit.controlplane.errors import WayFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LINUX = Platform("linux", "amd64")
NAME = "envtest-v1.37.0-linux-amd64.tar.gz"
URL = f"{ARCHIVE_PREFIX}envtest-v1.37.0/{NAME}"


def index(*, version: str = "1.37.0", url: str = URL, sha512: str = "ab") -> str:
    return (
        f"releases:\n  v{version}:\n    envtest-v{version}-linux-amd64.tar.gz: {{hash: {sha512}, selfLink: '{url}'}}\n"
    )


def archive(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


FULL = archive({f"controller-tools/envtest/{binary}": binary.encode() for binary in DEFAULT_SET})


class FakeInternet:
    """Serves texts by URL."""

    def __init__(self, pages: Mapping[str, bytes]) -> None:
        self._pages = pages

    def __call__(self, url: str, target: Path, *, seconds: float) -> None:
        if url not in self._pages:
            raise WayFailed(f"{url}: not found")
        target.write_bytes(self._pages[url])


def test_a_checked_archive_gives_the_default_set(tmp_path: Path) -> None:
    digest = hashlib.sha512(FULL).hexdigest()
    internet = FakeInternet({INDEX_URL: index(sha512=digest.upper()).encode(), URL: FULL})

    found = download(tmp_path, platform=LINUX, fetcher=internet)

    assert {binary: path.read_bytes() for binary, path in found.items()} == {b: b.encode() for b in DEFAULT_SET}


def test_an_archive_with_another_checksum_is_not_unpacked(tmp_path: Path) -> None:
    internet = FakeInternet({INDEX_URL: index(sha512="ab" * 64).encode(), URL: FULL})

    with pytest.raises(WayFailed, match=r"the index says abababababab…: it is not used"):
        download(tmp_path, platform=LINUX, fetcher=internet)

    assert not (tmp_path / "etcd").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(index(version="1.36.0"), f"does not list {NAME}", id="another version is not taken instead"),
        pytest.param("[]", f"does not list {NAME}", id="an index of another shape lists nothing"),
        pytest.param("releases: {v1.37.0: text}", f"does not list {NAME}", id="a release that is not a map is ignored"),
        pytest.param("a: [", "not valid YAML", id="an index that is no YAML is said to be none"),
        pytest.param(
            index(url="https://example.com/x.tar.gz"), "unexpected address", id="an archive elsewhere is not fetched"
        ),
    ],
)
def test_an_index_that_does_not_help_is_the_next_way_s_turn(text: str, reason: str) -> None:
    with pytest.raises(WayFailed, match=reason):
        find_release(text, platform=LINUX)


def test_a_right_checksum_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(FULL)

    verify_checksum(path, sha512=hashlib.sha512(FULL).hexdigest())


def test_paths_inside_the_archive_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive({"../../outside/etcd": b"etcd", "/etc/passwd": b"x"}))
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)

    found = unpack(path, inside)

    assert found == {Binary.ETCD: inside / "etcd"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "archive"]


def test_a_damaged_archive_is_the_next_way_s_turn(tmp_path: Path) -> None:
    path = tmp_path / "envtest.tar.gz"
    path.write_bytes(FULL[: len(FULL) // 2])

    with pytest.raises(WayFailed, match="cannot be unpacked"):
        unpack(path, tmp_path)


class Page(BaseHTTPRequestHandler):
    """Answers with its own path, and 404 for /absent."""

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/absent" else 200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence."""


@contextmanager
def loopback_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestFetch:
    @pytest.fixture(autouse=True)
    def _no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("no_proxy", "*")

    def test_writes_what_is_there(self, tmp_path: Path) -> None:
        with loopback_server() as url:
            fetch(f"{url}/page", tmp_path / "page", seconds=10)

        assert (tmp_path / "page").read_text() == "/page"

    def test_names_the_address_and_the_error(self, tmp_path: Path) -> None:
        with loopback_server() as url, pytest.raises(WayFailed, match=r"/absent: HTTP Error 404"):
            fetch(f"{url}/absent", tmp_path / "page", seconds=10)

    def test_refuses_what_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download_module, "MAXIMUM_BYTES", 3)

        with loopback_server() as url, pytest.raises(WayFailed, match="larger than 3 bytes"):
            fetch(f"{url}/page", tmp_path / "page", seconds=10)

    def test_gives_up_where_nothing_answers(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            with pytest.raises(WayFailed):
                fetch(url, tmp_path / "page", seconds=0.2)
