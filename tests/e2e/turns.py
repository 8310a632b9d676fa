"""Something that looks after a namespace again and again, in a thread of its own, as controllers do."""

from __future__ import annotations

import abc
import http.client
import threading
from typing import Self

from tests.e2e.api import Refused

_INTERVAL = 0.1


class Turns(abc.ABC):
    """Use it in a with statement."""

    def __init__(self, name: str) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @abc.abstractmethod
    def sync(self) -> None:
        """Looks once."""

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            try:
                self.sync()
            except (Refused, OSError, http.client.HTTPException):
                # The API server is down, or an object went or changed meanwhile: the next turn sees.
                continue
