"""The official envtest archive: the quickest way where the internet can be reached, and quick to give up where not.

The archive is believed only if its SHA-512 is the one in the published index, and only the exact Kubernetes version is
taken.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

import yaml

from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, KUBERNETES_VERSION, Binary, Platform
from milvus_embedding.devkit.controlplane.errors import WayFailed, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX_URL: Final = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
ARCHIVE_PREFIX: Final = "https://github.com/kubernetes-sigs/controller-tools/releases/download/"
INDEX_SECONDS: Final = 4.0
ARCHIVE_SECONDS: Final = 300.0
MAXIMUM_BYTES: Final = 512 * 1024 * 1024

_CHUNK: Final = 1024 * 1024


class Fetcher(Protocol):
    """Gets a file from the internet."""

    def __call__(self, url: str, target: Path, *, seconds: float) -> None:
        """Write what is at the URL to `target`; WayFailed when that does not work out within `seconds`."""
        ...


def fetch(url: str, target: Path, *, seconds: float) -> None:
    """The `Fetcher` that uses the network."""
    attempt = _Attempt(url, target, seconds)
    # A thread, because nothing else bounds the time that a dead name server takes.
    threading.Thread(target=attempt.run, name="envtest-download", daemon=True).start()
    if not attempt.ended.wait(seconds):
        attempt.abandoned.set()
        raise WayFailed(f"no complete answer from {url} within {seconds:g} s")
    if attempt.problem:
        raise WayFailed(f"{url}: {attempt.problem}")


class _Attempt:
    """One download, and how it went."""

    def __init__(self, url: str, target: Path, seconds: float) -> None:
        self._url = url
        self._target = target
        self._seconds = seconds
        self.ended = threading.Event()
        self.abandoned = threading.Event()
        self.problem = ""

    def run(self) -> None:
        try:
            self._copy()
        except (OSError, ValueError) as error:
            self.problem = quote(str(error)) or type(error).__name__
        finally:
            self.ended.set()

    def _copy(self) -> None:
        received = 0
        with (
            urllib.request.urlopen(self._url, timeout=self._seconds) as answer,  # noqa: S310 - both URLs begin with https
            self._target.open("wb") as target,
        ):
            while (chunk := answer.read(_CHUNK)) and not self.abandoned.is_set():
                received += len(chunk)
                if received > MAXIMUM_BYTES:
                    raise ValueError(f"larger than {MAXIMUM_BYTES} bytes")
                target.write(chunk)


@dataclass(frozen=True)
class Release:
    """An archive as the index lists it."""

    url: str
    sha512: str


def find_release(index: str, *, platform: Platform, version: str = KUBERNETES_VERSION) -> Release:
    """The archive of this version for this platform.

    Raises:
        WayFailed: the index cannot be read, or does not list it.
    """
    name = f"envtest-v{version}-{platform}.tar.gz"
    try:
        document: object = yaml.safe_load(index)
    except yaml.YAMLError as error:
        raise WayFailed("the index of releases is not valid YAML") from error
    entry = _member(_member(_member(document, "releases"), f"v{version}"), name)
    url, sha512 = _member(entry, "selfLink"), _member(entry, "hash")
    if not isinstance(url, str) or not isinstance(sha512, str):
        raise WayFailed(f"the index of releases does not list {name}")
    if not url.startswith(ARCHIVE_PREFIX):
        raise WayFailed(f"the index of releases names an unexpected address for {name}")
    return Release(url, sha512.lower())


def _member(document: object, key: str) -> object:
    return document.get(key) if isinstance(document, dict) else None


def verify_checksum(archive: Path, *, sha512: str) -> None:
    """Nothing if the file is the published one.

    Raises:
        WayFailed: it is not.
    """
    with archive.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha512").hexdigest()
    if actual != sha512:
        raise WayFailed(f"{archive.name} has SHA-512 {actual[:12]}…, the index says {sha512[:12]}…: it is not used")


def unpack(archive: Path, directory: Path) -> Mapping[Binary, Path]:
    """Take the default set out of the archive; everything else in it, and every path in it, is ignored."""
    found: dict[Binary, Path] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                stream = tar.extractfile(member) if member.isfile() and name in DEFAULT_SET else None
                if stream is not None:
                    path = directory / name
                    with stream, path.open("wb") as target:
                        shutil.copyfileobj(stream, target)
                    path.chmod(0o755)
                    found[Binary(name)] = path
    except (tarfile.TarError, EOFError, OSError) as error:
        raise WayFailed(f"{archive.name} cannot be unpacked: {quote(str(error))}") from error
    return found


def download(directory: Path, *, platform: Platform, fetcher: Fetcher = fetch) -> Mapping[Binary, Path]:
    """Fetch, check and unpack the archive into a temporary folder of the caller's.

    Raises:
        WayFailed: any of it did not work.
    """
    index = directory / "index.yaml"
    fetcher(INDEX_URL, index, seconds=INDEX_SECONDS)
    release = find_release(index.read_text(encoding="utf-8", errors="replace"), platform=platform)
    archive = directory / "envtest.tar.gz"
    fetcher(release.url, archive, seconds=ARCHIVE_SECONDS)
    verify_checksum(archive, sha512=release.sha512)
    return unpack(archive, directory)
