"""The demo's own promises: what differs from the example, how failures look, what stays behind."""

import signal
import tempfile
import threading
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from milvus_embedding.devkit.controlplane import ControlPlaneUnavailable
from milvus_embedding.devkit.demo import __main__ as demo
from milvus_embedding.devkit.demo import from_files
from milvus_embedding.devkit.demo.narration import DemoFailed, Narrator
from milvus_embedding.devkit.demo.quickstart import Changes, Quickstart

URI = "http://127.0.0.1:1"
URL = "http://127.0.0.1:2/api"


@pytest.fixture(autouse=True)
def _no_signal_handlers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(_made(tmp_path / "workspace")))


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def patches(changes: Changes, directory: Path) -> dict[str, list[dict[str, str]]]:
    Quickstart.find().write_overlay(directory, changes)
    written = yaml.safe_load((directory / "kustomization.yaml").read_text())
    assert (directory / written["resources"][0] / "kustomization.yaml").is_file()
    return {patch["target"]["kind"]: yaml.safe_load(patch["patch"]) for patch in written["patches"]}


def test_the_overlay_replaces_the_two_addresses_and_nothing_else(tmp_path: Path) -> None:
    assert patches(Changes(uri=URI, url=URL), tmp_path / "overlay") == {
        "MilvusConnection": [
            {"op": "add", "path": "/spec/uri", "value": URI},
            {"op": "add", "path": "/spec/embedding/dashscope/url", "value": URL},
        ]
    }


def test_with_the_real_service_the_key_is_replaced_and_the_url_is_not(tmp_path: Path) -> None:
    assert patches(Changes(uri=URI, key="sk-real"), tmp_path / "overlay") == {
        "MilvusConnection": [{"op": "add", "path": "/spec/uri", "value": URI}],
        "Secret": [{"op": "add", "path": "/stringData/apikey", "value": "sk-real"}],
    }
    assert (tmp_path / "overlay").stat().st_mode & 0o777 == 0o700


def test_from_files_the_same_is_changed() -> None:
    quickstart = Quickstart.find()
    manifests = quickstart.changed(Changes(uri=URI, url=URL, key="sk-real"))
    (connection,) = (d.body["spec"] for d in manifests.objects if d.kind == "MilvusConnection")
    assert isinstance(connection, dict)
    assert connection["uri"] == URI
    assert connection["embedding"]["dashscope"] == {"credentialRef": {"name": "apikey-dev"}, "url": URL}
    assert {value for secret in manifests.secrets.values() for value in secret.data.values()} == {b"sk-real"}
    assert "sk-real" not in repr(Changes(uri=URI, key="sk-real"))


def test_a_failure_is_one_sentence_and_keeps_logs_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(narrator: Narrator, workspace: Path, binaries: object, *, hold: bool) -> None:
        (workspace / "control-plane").mkdir()
        (workspace / "control-plane" / "operator.log").write_text("what happened")
        (workspace / "data").mkdir()
        (workspace / "data" / "rows").write_text("sk-real")
        raise DemoFailed("something is wrong")

    monkeypatch.setattr(demo, "_demonstrate", fail)
    ended = CliRunner().invoke(demo.main, ["--cluster", "none"])
    assert ended.exit_code == 1
    assert ended.stderr == f"\ndemo failed: something is wrong (logs: {tmp_path / 'workspace'})\n"
    assert demo.PASSED not in ended.stdout
    left = [path.relative_to(tmp_path / "workspace") for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [Path("control-plane/operator.log")]


def test_the_text_of_an_unexpected_exception_is_in_the_log_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, hold: bool) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(demo, "_demonstrate", fail)
    ended = CliRunner().invoke(demo.main, ["--cluster", "none"])
    assert ended.exit_code == 1
    assert "unexpected RuntimeError" in ended.stderr
    assert "surprise" not in ended.output
    assert "surprise" in (tmp_path / "workspace" / "traceback.log").read_text()


def test_without_a_control_plane_it_says_why_and_goes_on_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ControlPlaneUnavailable("there is no Go")

    seen: list[object] = []
    monkeypatch.setattr(demo, "prepare", refuse)
    monkeypatch.setattr(demo, "_demonstrate", lambda narrator, workspace, binaries, hold: seen.append(binaries))
    ended = CliRunner().invoke(demo.main, [])
    assert ended.exit_code == 0
    assert seen == [None]
    assert "There is no control plane to be had here: there is no Go. What follows" in ended.stdout
    assert ended.stdout.splitlines()[-1] == demo.PASSED


def test_at_the_end_nothing_is_left_unless_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "_demonstrate", lambda narrator, workspace, binaries, hold: None)
    assert CliRunner().invoke(demo.main, ["--cluster", "none"]).exit_code == 0
    assert list(tmp_path.iterdir()) == []
    ended = CliRunner().invoke(demo.main, ["--cluster", "none", "--keep"])
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]
    assert str(tmp_path / "workspace") in ended.stdout
    assert ended.stdout.splitlines()[-1] == demo.PASSED


def test_steps_are_numbered_and_timed() -> None:
    said: list[str] = []
    times = iter([1.0, 3.5])
    narrator = Narrator(said.append, clock=lambda: next(times))
    with narrator.step("Do it"):
        narrator.show("a\nb")
    assert said == ["\n1. Do it", "     a", "     b", "   done in 2.5 s"]


@pytest.mark.parametrize("asked", [True, False])
def test_asked_to_hold_it_shows_what_to_do_and_goes_on_after_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, asked: bool, tmp_path: Path
) -> None:
    waited: list[bool] = []

    def interrupted(*_: object) -> bool:
        waited.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(from_files, "run", lambda scene: scene.hold("kubectl --kubeconfig here"))
    monkeypatch.setattr(threading.Event, "wait", interrupted)
    monkeypatch.setattr(demo, "_changes", lambda *_: (Changes(uri=URI), set()))
    ended = CliRunner().invoke(demo.main, ["--cluster", "none", *(["--hold"] if asked else [])])
    assert ended.exit_code == 0
    assert waited == [True] * asked
    assert ("kubectl --kubeconfig here" in ended.stdout) is asked
    assert ended.stdout.splitlines()[-1] == demo.PASSED
    assert list(tmp_path.iterdir()) == []
