"""The real Milvus 2.3.5, from the package registry: the newest server that there is in one.

It is 58 MB to fetch and 250 MB unpacked, so it is kept beside the control plane's programs, outside of any checkout,
and never becomes a dependency of the product. Nothing of the package is imported: it is opened as an archive.
"""

import fcntl
import hashlib
import lzma
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milvus_embedding.devkit.controlplane.cache import cache_root

VERSION = "2.3.5"
WHEEL_SHA256 = "69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04"
_FETCH_SECONDS = 900


class NoServer(RuntimeError):
    """The server cannot be had or cannot be run here; the message tells what to do."""


def prepare() -> Path:
    """The folder with `bin`, `config.yaml.template` and `glog.conf`; made at the first call, about 15 s."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise NoServer(
            f"Milvus {VERSION} exists for Linux on x86_64 only; this is {sys.platform} on {platform.machine()}: "
            "run these tests in CI, or in a virtual machine of that kind."
        )
    folder = cache_root(os.environ) / f"milvus-{VERSION}"
    with _only_one(folder):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".milvus-") as draft:
                _unpack(_fetch(Path(draft)), Path(draft) / "done")
                (Path(draft) / "done").rename(folder)
    return folder


def _fetch(directory: Path) -> Path:
    requirement = directory / "requirement.txt"
    requirement.write_text(f"milvus=={VERSION} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--dest", str(directory), "--requirement", str(requirement)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    wheels = list(directory.glob("*.whl"))
    if ended.returncode or not wheels:
        raise NoServer(f"pip cannot fetch milvus=={VERSION}: {ended.stderr.strip()[-300:]}")
    if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != WHEEL_SHA256:
        raise NoServer(f"The archive of milvus=={VERSION} is not the one that is known here; delete pip's cache.")
    return wheels[0]


def _unpack(wheel: Path, target: Path) -> None:
    (target / "bin").mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in ("config.yaml.template", "glog.conf"):
            (target / name).write_bytes(archive.read(f"milvus/data/{name}"))
        for name in archive.namelist():
            if name.startswith("milvus/data/bin/") and name.endswith(".lzma"):
                program = target / "bin" / Path(name).stem
                with archive.open(name) as packed, lzma.open(packed) as source, program.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                program.chmod(0o755)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One run fills the cache, others wait for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
