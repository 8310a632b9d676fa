"""The Milvus of one run: a process of its own with empty data and a configuration that the run writes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

API_KEY = "bench-key-of-the-stand-in"
CONFIG_FILE = "user.yaml"
_END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Counters:
    """RPCs so far, by name, and how many of them change something."""

    calls: Mapping[str, int]
    changing: int

    def since(self, earlier: Counters) -> Counters:
        calls = {rpc: number - earlier.calls.get(rpc, 0) for rpc, number in self.calls.items()}
        return Counters({rpc: number for rpc, number in calls.items() if number}, self.changing - earlier.changing)


class Site:
    """Use it in a with statement. `config` is the folder that Milvus reads its configuration from, live."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "configs"
        self._data = directory / "data"
        self._process: subprocess.Popen[str] | None = None
        self.uri = ""
        self.url = ""

    def __enter__(self) -> Self:
        self.config.mkdir(parents=True)
        # A file that is missing at the start of Milvus is never looked for again.
        (self.config / CONFIG_FILE).write_text("{}\n", encoding="utf-8")
        command = [sys.executable, "-m", "tests.bench.milvus_process", str(self._data), str(self.config), API_KEY]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        addresses = self._read()
        self.uri, self.url = addresses["uri"], addresses["url"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        try:
            self._process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def counters(self) -> Counters:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._read()
        return Counters(answer["calls"], answer["changing"])

    def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the embedded Milvus has ended; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer
