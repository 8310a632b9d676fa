"""The kubelet's part: the keys of a Secret as files of a pod, the way a mount gets them there.

A `directory` mount is live: files are links into a folder that is swapped as a whole, so a reader sees the old set or
the new one. A `subPath` mount is a copy from the start of the container: it changes only when the pod restarts, and a
key that is missing then becomes an empty directory. Where the Secret comes from is the source's business.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Source = Callable[[], Mapping[str, bytes] | None]
Mode = Literal["subPath", "directory"]
_DATA_LINK = "..data"


class MountFailedError(Exception):
    """The pod cannot start: its Secret, or a key that its volume names, is not there."""


class Projection:
    """One volume of one pod.

    `source` gives the Secret's data, None if there is no Secret. `items` maps keys to file names and restricts the
    volume to them; without it every key is a file of its own name.
    """

    def __init__(self, source: Source, target_dir: Path, mode: Mode, *, items: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._target = target_dir
        self._mode = mode
        self._items = dict(items) if items is not None else None
        self._lock = threading.Lock()
        self._current: dict[str, bytes] | None = None

    def refresh(self) -> bool:
        """Looks at the Secret now; True if files changed. Never changes anything for `subPath`, nor if the Secret or a
        key of `items` is gone: the kubelet then keeps the files it has.
        """
        if self._mode == "subPath":
            return False
        with self._lock:
            files = self._files()
            if files is None or files == self._current or (self._items is not None and len(files) < len(self._items)):
                return False
            self._swap(files)
            self._current = files
            return True

    def on_restart(self) -> None:
        """The pod starts anew. Raises MountFailedError where the kubelet would keep it waiting."""
        with self._lock:
            files = self._files()
            if files is None:
                raise MountFailedError("the Secret of the volume was not found; create it and start the pod again")
            if self._mode == "subPath":
                self._copy(files)
                return
            missing = sorted(set((self._items or {}).values()) - files.keys())
            if missing:
                raise MountFailedError(f"the Secret has no key for {missing}; add it and start the pod again")
            self._swap(files)
            self._current = files

    def _files(self) -> dict[str, bytes] | None:
        data = self._source()
        if data is None:
            return None
        if self._items is None:
            return dict(data)
        return {name: data[key] for key, name in self._items.items() if key in data}

    def _copy(self, files: Mapping[str, bytes]) -> None:
        self._target.mkdir(parents=True, exist_ok=True)
        names = files.keys() if self._items is None else self._items.values()
        for name in names:
            path = self._target / name
            if path.is_dir():
                path.rmdir()
            if name in files:
                _write(path, files[name])
            else:
                path.unlink(missing_ok=True)
                path.mkdir()

    def _swap(self, files: Mapping[str, bytes]) -> None:
        """Writes a new folder beside the old one, and moves the link `..data` from the old to the new."""
        self._target.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="..", dir=self._target))
        for name, content in files.items():
            _write(folder / name, content)
        link = self._target / _DATA_LINK
        previous = link.resolve() if link.is_symlink() else None
        fresh = self._target / "..data_tmp"
        fresh.symlink_to(folder.name)
        os.replace(fresh, link)
        for name in files:
            if not (self._target / name).is_symlink():
                (self._target / name).symlink_to(f"{_DATA_LINK}/{name}")
        for path in self._target.iterdir():
            if path.is_symlink() and path.name != _DATA_LINK and path.name not in files:
                path.unlink()
        if previous is not None:
            shutil.rmtree(previous)


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


class Watch:
    """Refreshes a projection every `interval` seconds in a thread of its own, as the kubelet's sync loop does.

    A source that fails is asked again at the next turn; `failures` counts such turns. `poke` asks at once.
    """

    def __init__(self, projection: Projection, *, interval: float = 1.0) -> None:
        self._projection = projection
        self._interval = interval
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projection", daemon=True)
        self.failures = 0

    def poke(self) -> None:
        self._wake.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._projection.refresh()
            except Exception:
                # The source is a callback to an API server that may be down for a while; the next turn asks again.
                self.failures += 1
            if self._stopped.is_set():
                return
            self._wake.wait(self._interval)


def watch_secret(
    source: Source,
    target_dir: Path,
    *,
    items: Mapping[str, str] | None = None,
    interval: float = 1.0,
) -> Watch:
    """A live directory mount that follows the source while the `with` block runs."""
    return Watch(Projection(source, target_dir, "directory", items=items), interval=interval)
