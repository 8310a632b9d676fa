"""Child processes end when they should, with everything they started. The programs here are real but tiny."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from milvus_embedding.devkit.controlplane import processes, reaper
from milvus_embedding.devkit.controlplane.errors import QUOTE_LIMIT, ControlPlaneFailed, KubectlFailed, quote
from milvus_embedding.devkit.controlplane.processes import ManagedProcess, end_group, run

SHELL = "/bin/sh"
ALLOWED_SECONDS = 20.0


def wait_until_gone(pid: int) -> bool:
    """Poll until no process has the id."""
    pause = threading.Event()
    for _ in range(int(ALLOWED_SECONDS / 0.05)):
        if not exists(pid):
            return True
        pause.wait(0.05)
    return False


def exists(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not waited for does not count."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_line(path: Path) -> str:
    """Poll until the file has a line; the line without its end."""
    pause = threading.Event()
    for _ in range(int(ALLOWED_SECONDS / 0.05)):
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text.strip()
        pause.wait(0.05)
    raise AssertionError(f"{path} stayed empty")


def silent(_elapsed: float) -> None:
    """No progress is asked for."""


class TestRun:
    def test_gives_the_status_and_both_streams(self, tmp_path: Path) -> None:
        outcome = run([SHELL, "-c", "echo out; echo err >&2; exit 3"], directory=tmp_path, environment={}, tick=silent)

        assert outcome.returncode == 3
        assert outcome.output == "out\nerr\n"

    def test_keeps_only_the_end_of_a_long_output(self, tmp_path: Path) -> None:
        script = f"print('x' * {processes.TAIL_BYTES} + 'the end')"

        outcome = run([sys.executable, "-c", script], directory=tmp_path, environment={}, tick=silent)

        assert len(outcome.output) == processes.TAIL_BYTES
        assert outcome.output.endswith("the end\n")

    def test_shows_signs_of_life_while_it_waits(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(processes, "TICK_SECONDS", 0.01)
        ticks: list[float] = []
        go_on = tmp_path / "go-on"

        def tick(elapsed: float) -> None:
            ticks.append(elapsed)
            if len(ticks) == 2:
                go_on.touch()

        run([SHELL, "-c", "until [ -e go-on ]; do :; done"], directory=tmp_path, environment={}, tick=tick)

        assert len(ticks) >= 2
        assert ticks == sorted(ticks)

    def test_interrupted_leaves_nothing_running(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(processes, "TICK_SECONDS", 0.01)
        started = tmp_path / "pid"

        def interrupt(_elapsed: float) -> None:
            if started.exists() and started.read_text().endswith("\n"):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(
                [SHELL, "-c", "sleep 600 & echo $! > pid; wait"],
                directory=tmp_path,
                environment={"PATH": os.environ["PATH"]},
                tick=interrupt,
            )

        assert wait_until_gone(int(started.read_text()))


class TestManagedProcess:
    def test_stop_ends_the_program_and_what_it_started(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        process = ManagedProcess("nap", [SHELL, "-c", "sleep 600 & echo $!; wait"], log=log)
        child = int(wait_for_line(log))

        process.stop()
        process.stop()

        assert not process.running
        assert wait_until_gone(child)

    def test_wait_tells_whether_it_still_runs(self, tmp_path: Path) -> None:
        process = ManagedProcess("nap", ["sleep", "600"], log=tmp_path / "log")
        try:
            assert process.wait(0.01) is None
        finally:
            process.stop()

        assert process.wait(0.01) == -signal.SIGTERM

    def test_an_early_end_is_an_error_with_the_end_of_the_log(self, tmp_path: Path) -> None:
        process = ManagedProcess("etcd", [SHELL, "-c", "echo no such flag; exit 2"], log=tmp_path / "log")
        process.wait(ALLOWED_SECONDS)

        with pytest.raises(ControlPlaneFailed, match="etcd ended with 2: no such flag"):
            process.require_running()
        process.stop()

    def test_one_that_runs_is_no_error(self, tmp_path: Path) -> None:
        process = ManagedProcess("nap", ["sleep", "600"], log=tmp_path / "log", environment=os.environ)
        try:
            process.require_running()
        finally:
            process.stop()


def test_a_program_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with subprocess.Popen(
        [SHELL, "-c", f"trap '' TERM; echo ready > {ready}; while :; do sleep 600; done"], start_new_session=True
    ) as stubborn:
        wait_for_line(ready)
        end_group(stubborn, patience=0.1)

    assert stubborn.returncode == -signal.SIGKILL


def test_nothing_outlives_a_python_that_was_killed(tmp_path: Path) -> None:
    source = Path(processes.__file__).parents[3]
    script = (
        "import os, signal, pathlib\n"
        "from milvus_embedding.devkit.controlplane.processes import ManagedProcess\n"
        f"nap = ManagedProcess('nap', ['sleep', '600'], log=pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "print(nap.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    killed = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    assert wait_until_gone(int(killed.stdout))


def test_the_watcher_leaves_alone_what_has_been_released() -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as nap:
        reaper.survive(iter([f"+{nap.pid}\n", f"-{nap.pid}\n"]), grace=threading.Event(), seconds=0)
        survived = nap.poll() is None
        end_group(nap)

    assert survived


class TestQuotes:
    def test_are_short_and_on_one_line(self) -> None:
        quoted = quote("first\nline " * 100)

        assert len(quoted) == QUOTE_LIMIT
        assert quoted.startswith("…")
        assert "\n" not in quoted

    def test_carry_no_user_info(self) -> None:
        assert quote("GET https://user:secret@host/path failed") == "GET https://host/path failed"

    def test_of_kubectl_leave_its_arguments_out(self) -> None:
        assert str(KubectlFailed(verb="create", returncode=1, stderr="no")) == "kubectl create ended with 1: no"
