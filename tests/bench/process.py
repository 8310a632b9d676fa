"""What Linux tells of a running process. Elsewhere there is nothing to read, and the numbers are left out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MIB_IN_KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the process started, resident memory now and at its highest, in MiB."""

    cpu: float
    rss: float
    peak: float


def usage(pid: int) -> Usage | None:
    """None without /proc."""
    folder = Path("/proc") / str(pid)
    try:
        # The second field is the program's name in parentheses, which may contain spaces.
        fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in (folder / "status").read_text(encoding="utf-8").splitlines())
    except OSError:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), _mib(status["VmRSS"]), _mib(status["VmHWM"]))


def _mib(text: str) -> float:
    return int(text.split()[0]) / _MIB_IN_KIB
