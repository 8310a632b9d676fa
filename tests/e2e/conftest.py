"""One real API server for the whole session, with our kinds and the operator's permissions on it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milvus_embedding.devkit.controlplane import Binaries, ControlPlane, prepare
from tests.e2e import audit, chart, kwok
from tests.e2e.ahead import Ahead
from tests.e2e.delivery import Delivery
from tests.e2e.hearing import serves
from tests.e2e.lab import Lab, OperatorProcess, eventually
from tests.e2e.secrecy import leaking_files
from tests.e2e.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    with operator.keeps_running(), Stage(lab) as opened:
        yield opened


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


@pytest.fixture(scope="session")
def fleet_binaries() -> Binaries:
    """Everything that can be asked for: Kubernetes' own controllers, kwok and Helm too."""
    return prepare(binaries=kwok.BINARIES)


@pytest.fixture(scope="session")
def fleet_lab(fleet_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster in which Deployments roll, namespaces go, and pods run on a node that kwok plays."""
    directory = tmp_path_factory.mktemp("fleet")
    # The others ask so often that nobody could read along.
    policy = directory / "audit-policy.yaml"
    policy.write_text(audit.OF_THE_OPERATOR)
    with ControlPlane.start(
        binaries=fleet_binaries,
        directory=directory / "control-plane",
        audit=True,
        apiserver_flags=(f"--audit-policy-file={policy}",),
        controller_manager=True,
        controller_manager_flags=kwok.CONTROLLER_MANAGER_FLAGS,
        scheduler=True,
    ) as running:
        install(running)
        milvus_crd = str(Path(__file__).with_name("milvus-crd.yaml"))
        running.kubectl("apply", "--server-side", "-f", milvus_crd)
        running.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", milvus_crd)
        kwok.start(running, fleet_binaries)
        with Lab(running, directory / "lab") as opened:
            eventually("the kinds are served", lambda: serves(opened))
            yield opened
            assert leaking_files(opened) == {}


@pytest.fixture(scope="module")
def fleet_operator(fleet_lab: Lab) -> Iterator[OperatorProcess]:
    """The operator on that cluster, one at a time."""
    with fleet_lab.operator() as process:
        process.wait_ready()
        yield process


@pytest.fixture
def delivery(fleet_lab: Lab, fleet_operator: OperatorProcess) -> Iterator[Delivery]:
    """A namespace with a Milvus whose configuration is what its pods were started with; no pods yet."""
    with fleet_operator.keeps_running(), Delivery(fleet_lab) as opened:
        yield opened


@pytest.fixture(scope="module")
def bring_up() -> Callable[[Delivery], None]:
    """What is on the stages that tests ask for as `running`; for modules to replace."""
    return Delivery.bring_up_pods


@pytest.fixture(scope="module")
def ahead(
    request: pytest.FixtureRequest,
    fleet_lab: Lab,
    fleet_operator: OperatorProcess,
    bring_up: Callable[[Delivery], None],
) -> Iterator[Ahead]:
    """The stages of the tests of this module that ask for `running`."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    number = sum(test.module is request.module and "running" in test.fixturenames for test in tests)
    with Ahead(fleet_lab, number, bring_up) as opened:
        yield opened


@pytest.fixture
def running(ahead: Ahead, fleet_operator: OperatorProcess) -> Iterator[Delivery]:
    """As `delivery`, and `bring_up` is done: with everything from the connection to the collection, Ready."""
    with fleet_operator.keeps_running(), ahead.take() as opened:
        yield opened


@contextlib.contextmanager
def own_api_server(binaries: Binaries, directory: Path) -> Iterator[Lab]:
    with ControlPlane.start(binaries=binaries, directory=directory / "control-plane", audit=True) as running:
        install(running)
        with Lab(running, directory / "lab") as opened:
            yield opened
            assert leaking_files(opened) == {}


def install(plane: ControlPlane) -> None:
    """What the chart makes of its default values: the four kinds, the operator's permissions, what holds it to them."""
    plane.kubectl("create", "namespace", chart.NAMESPACE)
    bodies = chart.without_pods(chart.defaults())
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    plane.kubectl("apply", "--server-side", "-f", "-", input=text)
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds"))
