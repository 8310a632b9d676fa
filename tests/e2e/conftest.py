"""One real API server for the whole session, with our kinds and the operator's permissions on it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane import Binaries, ControlPlane, prepare
from tests.e2e.lab import Lab, OperatorProcess
from tests.e2e.secrecy import leaking_files
from tests.e2e.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_MEASURED = pytest.StashKey[dict[str, float]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to wait for the programs to be built; the others share what it made."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(1800))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Durations that the tests measured. They are told, and only generous bounds are asserted."""
    measured = config.stash.get(_MEASURED, {})
    if measured:
        terminalreporter.section("measured, in seconds")
    for what, seconds in measured.items():
        terminalreporter.write_line(f"{seconds:6.2f}  {what}")


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> dict[str, float]:
    """What took how long, by a sentence; shown at the end of the run."""
    return request.config.stash.setdefault(_MEASURED, {})


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return prepare()


@pytest.fixture(scope="session")
def control_plane(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with the four kinds, audited. For everybody: restart or burden one of your own."""
    directory = tmp_path_factory.mktemp("control-plane")
    with ControlPlane.start(binaries=binaries, directory=directory, audit=True) as running:
        install(running)
        yield running


@pytest.fixture(scope="session")
def lab(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(control_plane, tmp_path_factory.mktemp("lab")) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(lab: Lab) -> Iterator[OperatorProcess]:
    """The operator under its own ServiceAccount, one at a time: module after module."""
    with lab.operator() as process:
        process.wait_ready()
        yield process


@pytest.fixture
def stage(lab: Lab, operator: OperatorProcess) -> Iterator[Stage]:
    """A Milvus in a namespace of its own, under the operator of this module, which must outlive the test."""
    pid = operator.pid
    with Stage(lab) as opened:
        yield opened
    assert operator.exit_code() is None, f"the operator ended; see {operator.log}"
    assert operator.pid == pid


@pytest.fixture
def own_lab(binaries: Binaries, tmp_path: Path) -> Iterator[Lab]:
    """An API server for one test alone, which may be stopped, restarted or stripped of its kinds."""
    with own_api_server(binaries, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_lab(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The same for the tests of one module, each of which leaves it as it was."""
    with own_api_server(binaries, tmp_path_factory.mktemp("own")) as opened:
        yield opened


@contextlib.contextmanager
def own_api_server(binaries: Binaries, directory: Path) -> Iterator[Lab]:
    with ControlPlane.start(binaries=binaries, directory=directory / "control-plane", audit=True) as running:
        install(running)
        with Lab(running, directory / "lab") as opened:
            yield opened
            assert leaking_files(opened) == {}


def install(plane: ControlPlane) -> None:
    """The four kinds and the operator's permissions."""
    plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds"))
    plane.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "operator.yaml"))
