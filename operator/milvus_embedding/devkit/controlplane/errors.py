"""What can go wrong with the control plane.

ControlPlaneError
├── ControlPlaneUnavailable   no binaries: every way was tried, each with its own reason
├── WayFailed                 one way cannot serve; the next one is tried
├── ControlPlaneFailed        a process did not start, or ended early
└── KubectlFailed             kubectl ended with an error
"""

from __future__ import annotations

import re
from typing import Final

QUOTE_LIMIT: Final = 200
"""Characters of another program's output that an error may quote."""

_USER_INFO: Final = re.compile(r"(?<=//)[^/@\s]+@")


def quote(text: str) -> str:
    """The end of a program's output, on one line, at most `QUOTE_LIMIT` characters long, URLs without user info."""
    flat = " ".join(_USER_INFO.sub("", text).split())
    return flat if len(flat) <= QUOTE_LIMIT else "…" + flat[-(QUOTE_LIMIT - 1) :]


class ControlPlaneError(Exception):
    """Base of all errors of this package."""


class WayFailed(ControlPlaneError):
    """This way cannot provide the binaries here; the reason is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ControlPlaneUnavailable(ControlPlaneError):
    """The binaries cannot be had on this machine; the reason lists each way that was tried, and the fix."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ControlPlaneFailed(ControlPlaneError):
    """A process of the control plane did not become ready, or ended; `log` is the end of its output."""

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(f"{message}: {quote(log)}" if log else message)
        self.log = log


class KubectlFailed(ControlPlaneError):
    """kubectl ended with an error; all it said is in `stderr`. Its arguments are left out: they may hold secrets."""

    def __init__(self, *, verb: str, returncode: int, stderr: str) -> None:
        super().__init__(f"kubectl {verb} ended with {returncode}: {quote(stderr)}")
        self.returncode = returncode
        self.stderr = stderr
