"""Checks the image as far as that goes without a container engine: the Dockerfile's own installation steps, run twice
from what .dockerignore lets through, and what came of them.

`python tools/image_check.py` prints a table and exits 1 if a line of it is wrong. It needs the package index, no root.
With `--platform linux/arm64` (repeatable) it also looks whether the index has a built wheel of every package for it.
"""

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.dev import LABELS, QUICKSTART_KEYS, milvus_yaml
from milvus_embedding.devkit.milvus import EmbeddedMilvus

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MIB = 240
PYTHON_OF_THE_IMAGE = "311"
_WHEEL_TAGS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
# From the image: modules of development, what installs packages, and what pymilvus would import if we imported it.
_ABSENT = ("milvus_embedding.devkit", "milvus_lite", "pytest", "pip", "setuptools", "hatchling", "numpy", "pandas")
_COMMANDS = (("--help",), ("run", "--help"), ("validate", "--help"), ("--version",))

Finding = tuple[str, str, bool]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--platform", action="append", default=[], choices=sorted(_WHEEL_TAGS))
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="image-check-") as folder:
        findings = [*check(Path(folder)), *(wheels(platform, Path(folder)) for platform in given.platform)]
    for name, found, fine in findings:
        print(f"{'ok  ' if fine else 'FAIL'}  {name:<34} {found}")
    return 0 if all(fine for _, _, fine in findings) else 1


def check(folder: Path) -> Iterator[Finding]:
    """Name, what was found, and whether that is right."""
    context, root = folder / "context", folder / "venv"
    copy_context(context)
    digests = []
    for _ in range(2):
        shutil.rmtree(root, ignore_errors=True)
        build(context, root)
        digests.append(digest(root))
    yield "two builds", digests[0][:16] if digests[0] == digests[1] else "differ", digests[0] == digests[1]
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink()) / 2**20
    yield "size beside Python", f"{size:.0f} MiB (at most {LIMIT_MIB})", size <= LIMIT_MIB
    for name in _ABSENT:
        present = run(root, "-c", f"import importlib.util as u; exit(u.find_spec({name!r}) is not None)").returncode
        yield f"without {name}", "present" if present else "absent", not present
    _read_only(root)
    for command in _COMMANDS:
        ended = run(root, str(root / "bin" / "milvus-embedding"), *command)
        yield f"milvus-embedding {' '.join(command)}", f"exit {ended.returncode}", ended.returncode == 0
    yield from examples(root)
    yield quickstart(root, folder)
    yield "nothing was written there", "", digest(root) == digests[0]


def examples(root: Path) -> Iterator[Finding]:
    """The commands that need most of what is installed: the CEL rules, the renderer, every import of the operator."""
    program = str(root / "bin" / "milvus-embedding")
    ended = run(root, program, "validate", "-f", str(ROOT / "examples" / "quickstart"))
    yield "validate examples/quickstart", f"exit {ended.returncode}", ended.returncode == 0
    ended = run(root, program, "render", "-f", str(ROOT / "examples" / "quickstart"))
    yield "render examples/quickstart", f"exit {ended.returncode}", ended.returncode == 0
    parts = "import milvus_embedding.wiring, milvus_embedding.runtime.run, milvus_embedding.files.session"
    protocol = "from milvus_embedding.clients.milvus.protocol import protocol; protocol()"
    ended = run(root, "-W", "error::ImportWarning", "-c", f"{parts}; {protocol}")
    yield "every part of the operator loads", f"exit {ended.returncode}", ended.returncode == 0
    ended = run(root, program, "run", "--kubeconfig", str(root / "none"))
    yield "run without a cluster says so", ended.stderr.strip()[-60:], ended.returncode == 1


def quickstart(root: Path, folder: Path) -> Finding:
    """The quickstart applied by the image's program, over gRPC and HTTP, to a Milvus and a DashScope of the devkit."""
    config = folder / "config"
    config.mkdir()
    with DashScopeStandIn(QUICKSTART_KEYS) as dashscope:
        keys = dict(zip(LABELS, QUICKSTART_KEYS, strict=True))
        (config / "user.yaml").write_text(milvus_yaml(keys, url=dashscope.url))
        with EmbeddedMilvus(folder / "data", config) as milvus:
            places = ("--milvus", milvus.uri, "--dashscope", dashscope.url)
            program = str(root / "bin" / "milvus-embedding")
            ended = run(root, program, "apply", "-f", str(ROOT / "examples" / "quickstart"), *places)
    return "apply examples/quickstart", f"exit {ended.returncode} {ended.stderr[-200:]}".strip(), not ended.returncode


def copy_context(target: Path) -> None:
    """What `docker build` would be sent: the exceptions of .dockerignore (!…), less what its later lines take back."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line and not line.startswith("#")]
    excluded = [line for line in lines if not line.startswith("!") and line != "*"]

    def ignored(folder: str, names: list[str]) -> set[str]:
        paths = {name: str((Path(folder) / name).relative_to(ROOT)) for name in names}
        return {
            name
            for name, path in paths.items()
            if any(fnmatch.fnmatch(f"/{path}", f"*/{pattern.removeprefix('**/')}") for pattern in excluded)
        }

    for name in (line[1:] for line in lines if line.startswith("!")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, target / name)


def build(context: Path, root: Path) -> None:
    """The Dockerfile's two steps."""
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": ""}
    for step in ("dependencies", "program"):
        subprocess.run(["sh", "tools/image_root.sh", step, str(root)], cwd=context, env=environment, check=True)


def digest(root: Path) -> str:
    """Of names, kinds and contents of everything below."""
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        total.update(f"{path.relative_to(root)}\0{path.is_symlink()}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def run(root: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """With the environment of the image."""
    environment = {"PATH": f"{root}/bin:/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [str(root / "bin" / "python"), *command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def wheels(platform: str, folder: Path) -> Finding:
    """Whether every package of the image has a wheel for this platform, by the hashes of the lock."""
    machine = _WHEEL_TAGS[platform]
    # The C libraries up to that of the base image (Debian 12 has 2.36).
    tags = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(17, 37)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "--requirement", str(ROOT / "requirements" / "image.txt")]
    command += [*tags, f"--platform=manylinux2014_{machine}", "--implementation=cp"]
    command += [f"--python-version={PYTHON_OF_THE_IMAGE}", f"--dest={folder / machine}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = len(list((folder / machine).glob("*.whl"))) if ended.returncode == 0 else ended.stderr.strip()[-200:]
    return f"wheels for {platform}", f"{found}", ended.returncode == 0


def _read_only(root: Path) -> None:
    """As under readOnlyRootFilesystem; root itself would not be stopped by it, so the digest is compared, too."""
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


if __name__ == "__main__":
    sys.exit(main())
