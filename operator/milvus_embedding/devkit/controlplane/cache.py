"""The folder where binaries are kept between runs, by version and platform, outside of any checkout.

A binary appears under its name only when it is complete, so a run that was cut off leaves nothing half-made. Nothing is
ever removed here: the folder is the user's to delete.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milvus_embedding.devkit.controlplane.binaries import KUBERNETES_VERSION, RECIPES, Binary, Platform
from milvus_embedding.devkit.controlplane.progress import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RELEASE_FOLDER: Final = f"envtest-{KUBERNETES_VERSION}"
"""What came from the official archive; its etcd may be of another version than the one we build."""

_LOOK_SECONDS: Final = 1.0
_REPORT_SECONDS: Final = 30


def cache_root(environment: Mapping[str, str]) -> Path:
    """`$MILVUS_EMBEDDING_CACHE`, else `milvus-embedding` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if own := environment.get("MILVUS_EMBEDDING_CACHE"):
        return Path(own).expanduser().absolute()
    # The XDG specification has relative paths ignored.
    shared = environment.get("XDG_CACHE_HOME", "")
    base = Path(shared) if shared.startswith("/") else Path.home() / ".cache"
    return base / "milvus-embedding"


def is_program(path: Path) -> bool:
    """Whether there is a file that we may execute."""
    return path.is_file() and os.access(path, os.X_OK)


class Cache:
    """The binaries of one platform."""

    def __init__(self, root: Path, platform: Platform) -> None:
        self.directory = root / "controlplane" / str(platform)

    def lookup(self, binary: Binary) -> Path | None:
        """The binary's path, if it is there."""
        for folder in (RECIPES[binary].folder, RELEASE_FOLDER):
            path = self.directory / folder / binary
            if is_program(path):
                return path
        return None

    def store(self, binary: Binary, source: Path, *, folder: str) -> Path:
        """Copy a finished program in, in one step as seen from outside; returns its new path."""
        target = self.directory / folder / binary
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{binary}.{os.getpid()}.part")
        try:
            shutil.copyfile(source, draft)
            draft.chmod(0o755)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target

    @contextmanager
    def lock(self, report: Callable[[str], None]) -> Iterator[None]:
        """Only one run fills the cache; the others wait, and say so every 30 s."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / ".lock").open("w") as lock:
            _acquire(lock.fileno(), report)
            yield


def _acquire(descriptor: int, report: Callable[[str], None]) -> None:
    pause = threading.Event()
    waited = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if waited % _REPORT_SECONDS == 0:
                report(f"waiting for another run that is preparing the binaries: {duration_text(waited)}")
            pause.wait(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
