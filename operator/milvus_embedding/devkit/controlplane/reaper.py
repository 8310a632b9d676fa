"""Nothing outlives us: a small watcher process that ends the process groups which a killed Python could not end itself.

atexit hooks do not run when a test run is killed, and a kube-apiserver left behind holds its port and 300 MB. The
watcher reads process ids from a pipe; when the pipe closes because we are gone, it ends the groups still listed.
It is not how processes are normally stopped: `processes` does that and takes them off the list.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_lock: Final = threading.Lock()
_watchers: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""By the id of the process that started it, so that a forked child gets its own and never closes its parent's."""


def watch(pid: int) -> None:
    """End the process group `pid` should this process go away without ending it."""
    _tell(f"+{pid}\n")


def release(pid: int) -> None:
    """The process group `pid` has ended; its number may soon be another's."""
    _tell(f"-{pid}\n")


def _tell(line: str) -> None:
    with _lock:
        watcher = _watchers.get(os.getpid())
        if watcher is None or watcher.poll() is not None:
            watcher = _start()
        if watcher.stdin is not None:
            with suppress(BrokenPipeError):
                watcher.stdin.write(line.encode())
                watcher.stdin.flush()


def _start() -> subprocess.Popen[bytes]:
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _watchers[os.getpid()] = watcher
    atexit.register(_finish, os.getpid())
    return watcher


def _finish(owner: int) -> None:
    """At interpreter exit: the closing pipe makes the watcher end what is still listed, and we wait for it."""
    watcher = _watchers.pop(owner, None) if owner == os.getpid() else None
    if watcher is not None:
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            watcher.communicate(timeout=30)


def survive(lines: Iterable[str], *, grace: threading.Event, seconds: float) -> None:
    """The watcher's life: keep the list until the input ends, then end the groups, politely first."""
    listed: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line.startswith("+"):
            listed.add(pid)
        else:
            listed.discard(pid)
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        for pid in listed:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, wanted)
        waited = 0.0
        while wanted is signal.SIGTERM and waited < seconds and any(map(_alive, listed)):
            grace.wait(0.1)
            waited += 0.1


def _alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    survive(sys.stdin, grace=threading.Event(), seconds=5)
