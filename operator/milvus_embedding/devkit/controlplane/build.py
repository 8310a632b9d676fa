"""Build the programs from the Go module proxy, when nobody has them ready-made.

Every module is pinned by a go.mod and a go.sum in `modules/`. Sources and intermediate files live in a temporary folder
that is removed; only the programs are kept. The user's own proxy, checksum and Go settings stay in force.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milvus_embedding.devkit.controlplane import progress
from milvus_embedding.devkit.controlplane.binaries import RECIPES, Binary, Recipe
from milvus_embedding.devkit.controlplane.errors import WayFailed, quote
from milvus_embedding.devkit.controlplane.toolchain import Toolchain, ToolchainFinder, required_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from milvus_embedding.devkit.controlplane.cache import Cache
    from milvus_embedding.devkit.controlplane.processes import Outcome, Runner

_MODULES: Final = files("milvus_embedding.devkit.controlplane") / "modules"
_PREFIX: Final = "milvus-embedding-build-"
_GIB: Final = 1024**3
_KUBERNETES_BYTES: Final = 6 * _GIB
_MODULE_BYTES: Final = 2 * _GIB


def module_text(name: str) -> str:
    """A file of `modules/`, such as `etcd/go.mod`."""
    return (_MODULES / name).read_text(encoding="utf-8")


def required_bytes(wanted: Collection[Binary]) -> int:
    """Room that the temporary folder needs, measured and rounded up."""
    modules = {RECIPES[binary].module for binary in wanted}
    return sum(_KUBERNETES_BYTES if module == "kubernetes" else _MODULE_BYTES for module in modules)


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds into the cache."""

    cache: Cache
    runner: Runner
    environment: Mapping[str, str]
    report: Callable[[str], None]
    cores: int
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free

    def build(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        """Build them all; each is in the cache as soon as it is done, even if a later one fails.

        Raises:
            WayFailed: no Go, no room, no module proxy, or a build that failed.
        """
        estimate = progress.estimates(wanted, cores=self.cores)
        with self._workspace(wanted) as workspace:
            toolchain = self._toolchain(wanted, workspace)
            self.report(f"{progress.plan_line(estimate, cores=self.cores)}, with {toolchain}")
            environment = self._build_environment(toolchain, workspace)
            return {
                binary: self._build_one(binary, seconds, toolchain, workspace=workspace, environment=environment)
                for binary, seconds in estimate.items()
            }

    @contextmanager
    def _workspace(self, wanted: Collection[Binary]) -> Iterator[Path]:
        """A folder for the build, removed after it; if we are killed, by the next build. Call it under the lock."""
        note = self.cache.directory / ".workspace"
        if note.is_file() and (left := Path(note.read_text(encoding="utf-8"))).name.startswith(_PREFIX):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=self._roomy_folder(wanted)) as folder:
            note.write_text(folder, encoding="utf-8")
            yield Path(folder)
        note.unlink()

    def _roomy_folder(self, wanted: Collection[Binary]) -> Path:
        """The system's temporary folder if it has the room, else the cache, which is on a disk."""
        needed = required_bytes(wanted)
        self.cache.directory.mkdir(parents=True, exist_ok=True)
        candidates = (Path(tempfile.gettempdir()), self.cache.directory)
        for candidate in candidates:
            if self.free_bytes(candidate) >= needed:
                return candidate
        room = " and ".join(f"{self.free_bytes(path) / _GIB:.1f} GiB in {path}" for path in candidates)
        raise WayFailed(
            f"the build needs {needed / _GIB:.0f} GiB for a while, there are {room}: free some, or set TMPDIR to a "
            "folder on a larger disk"
        )

    def _toolchain(self, wanted: Collection[Binary], workspace: Path) -> Toolchain:
        finder = ToolchainFinder(
            runner=self.runner,
            environment=self.environment,
            report=self.report,
            requirements=module_text("go-toolchain.txt"),
        )
        modules = {RECIPES[binary].module for binary in wanted}
        required = max(required_version(module_text(f"{module}/go.mod")) for module in modules)
        return finder.find(required=required, workspace=workspace)

    def _build_environment(self, toolchain: Toolchain, workspace: Path) -> Mapping[str, str]:
        """The user's environment, with everything that Go writes inside the workspace and removable."""
        environment = {
            **self.environment,
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOPATH": str(workspace / "gopath"),
            "GOMODCACHE": str(workspace / "gopath" / "pkg" / "mod"),
            "GOCACHE": str(workspace / "gocache"),
            "GOTMPDIR": str(workspace),
        }
        # Flags may also come from Go's own configuration file, which the variable would hide.
        outcome = self.runner(
            [str(toolchain.program), "env", "GOFLAGS"], directory=workspace, environment=environment, tick=_silent
        )
        own = outcome.output.strip() if outcome.returncode == 0 else environment.get("GOFLAGS", "")
        return {**environment, "GOFLAGS": f"{own} -modcacherw".strip()}

    def _build_one(
        self, binary: Binary, estimate: float, toolchain: Toolchain, *, workspace: Path, environment: Mapping[str, str]
    ) -> Path:
        recipe = RECIPES[binary]
        module = _lay_out(recipe, workspace)
        output = workspace / "bin" / binary
        elapsed = 0.0

        def tick(seconds: float) -> None:
            nonlocal elapsed
            elapsed = seconds
            self.report(progress.progress_line(binary, elapsed=seconds, estimate=estimate, cores=self.cores))

        tick(elapsed)
        outcome = self.runner(
            build_command(toolchain.program, recipe, output), directory=module, environment=environment, tick=tick
        )
        _require(outcome, f"building {binary}")
        trial = [str(output), *recipe.version_arguments]
        _require(self.runner(trial, directory=workspace, environment=environment, tick=_silent), f"trying {binary}")
        return self.cache.store(binary, output, folder=recipe.folder)


def build_command(go: Path, recipe: Recipe, output: Path) -> list[str]:
    """The one command that makes a program; the go.sum decides, so the result does not depend on the day."""
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", recipe.linker_flags]
    return [str(go), "build", *flags, "-o", str(output), recipe.package]


def _lay_out(recipe: Recipe, workspace: Path) -> Path:
    """A folder with the module's two files: the package's own may be read-only, or inside an archive."""
    folder = workspace / recipe.module
    folder.mkdir(exist_ok=True)
    for name in ("go.mod", "go.sum"):
        (folder / name).write_text(module_text(f"{recipe.module}/{name}"), encoding="utf-8")
    return folder


def _require(outcome: Outcome, what: str) -> None:
    if outcome.returncode != 0:
        raise WayFailed(f"{what} ended with {outcome.returncode}: {quote(outcome.output)}")


def _silent(_elapsed: float) -> None:
    """For commands that take no time worth a word."""
