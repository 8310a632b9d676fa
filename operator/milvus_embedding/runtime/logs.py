"""Log lines: JSON or for people, each without known secrets, tracebacks included.

A scrubbing formatter, not a filter on one logger: whatever a library logs passes it too.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

from milvus_embedding.domain.scrub import Scrubber

_LONGEST: Final = 8000
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_RETRYING: Final = ("kopf._cogs.clients.api", "kopf._cogs.clients.watching")
_RETRY_SECONDS: Final = 30.0
_QUIET: Final = {
    "kopf": logging.WARNING,
    "kopf.objects": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    # Says once more, and less clearly, what we say of a missing kubeconfig.
    "kubernetes": logging.ERROR,
    "pymilvus": logging.CRITICAL,
}


class Occasional(logging.Filter):
    """Lets one record through in `seconds`, as a warning at most.

    While the API server is away kopf logs an error per watch and retry: hundreds a minute that all say the same, of
    which none is an error of the operator.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._last = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        if self._clock() - self._last < self._seconds:
            return False
        self._last = self._clock()
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


class ScrubbingFormatter(logging.Formatter):
    """Formats a record and masks what the scrubber knows; a line is at most 8,000 characters."""

    def __init__(self, scrubber: Scrubber, *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self.converter = time.gmtime
        self.default_time_format = "%Y-%m-%dT%H:%M:%S"
        self.default_msec_format = "%s.%03dZ"
        self._scrubber = scrubber
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        return self._json(record) if self._as_json else self._scrubber.clean(self._console(record))[:_LONGEST]

    def _console(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{k}={v}" for k, v in _extras(record).items())
        text = super().format(record)
        return f"{text} [{extras}]" if extras else text

    def _json(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._scrubber.clean(record.getMessage())[: _LONGEST // 2],
        }
        line |= {k: self._scrubber.clean(v) for k, v in _extras(record).items()}
        if record.exc_info:
            line["exception"] = self._scrubber.clean(self.formatException(record.exc_info))[: _LONGEST // 2]
        return json.dumps(line, ensure_ascii=False)


def configure(*, as_json: bool, level: str, scrubber: Scrubber, stream: TextIO | None = None) -> None:
    """Sends all logging of the process to `stream` (stderr), at `level` and above."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(ScrubbingFormatter(scrubber, as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, root.level))
    occasional = Occasional(_RETRY_SECONDS)
    for name in _RETRYING:
        logging.getLogger(name).filters[:] = [occasional]


def _extras(record: logging.LogRecord) -> dict[str, str]:
    return {k: str(v) for k, v in record.__dict__.items() if k not in _STANDARD and not k.startswith(("_", "k8s_"))}
