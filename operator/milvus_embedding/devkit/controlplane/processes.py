"""Programs as child processes: run to the end with signs of life, or kept running until stopped by id.

Every program leads a process group of its own, so ending it ends what it started, and a Ctrl-C reaches only us: we end
the children in order. Nothing here looks for processes by name.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from milvus_embedding.devkit.controlplane import reaper
from milvus_embedding.devkit.controlplane.errors import ControlPlaneFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TICK_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
"""How long a program may take to end by itself before it is killed."""
TAIL_BYTES: Final = 4096


@dataclass(frozen=True)
class Outcome:
    """How a program ended; `output` is the end of what it printed, both streams together."""

    returncode: int
    output: str


class Runner(Protocol):
    """Runs a program to its end."""

    def __call__(
        self, command: Sequence[str], *, directory: Path, environment: Mapping[str, str], tick: Callable[[float], None]
    ) -> Outcome:
        """Run it; `tick` gets the elapsed seconds every now and then."""
        ...


def run(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str], tick: Callable[[float], None]
) -> Outcome:
    """The `Runner` that runs programs for real; whatever interrupts it, nothing of the program is left running."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reaper.watch(process.pid)
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=TICK_SECONDS)
                    break
                tick(time.monotonic() - begun)
        finally:
            end_group(process)
        output.seek(max(0, os.fstat(output.fileno()).st_size - TAIL_BYTES))
        return Outcome(process.returncode, output.read().decode(errors="replace"))


def end_group(process: subprocess.Popen[bytes], *, patience: float = STOP_SECONDS) -> None:
    """Ask the process to end, wait, then kill whatever is left of its group. Does nothing to one that has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reaper.release(process.pid)


class ManagedProcess:
    """A program that runs until stopped, with its output in a log file."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the program.

        Args:
            name: what errors call it.
            command: the program and its arguments.
            log: file that its output is appended to.
            environment: all of its environment; default is ours.
        """
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        reaper.watch(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Wait until it ends, at most so long: its exit status, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=seconds)
        return None

    def stop(self) -> None:
        """End it and what it started; calling this again does nothing."""
        end_group(self._process)

    def log_tail(self) -> str:
        """The last lines of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return log.read().decode(errors="replace")

    def require_running(self) -> None:
        """Nothing while it runs.

        Raises:
            ControlPlaneFailed: it has ended.
        """
        status = self._process.poll()
        if status is not None:
            raise ControlPlaneFailed(f"{self.name} ended with {status}", log=self.log_tail())
