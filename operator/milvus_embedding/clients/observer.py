"""Who is told of every call to Milvus and DashScope: how it ended and how long it took, never what was said in it.

The adapters know this much of metrics and traces, and no more.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

OK: Final = "ok"
UNFINISHED: Final = "Unfinished"
"""The caller went away before the call ended."""


class Service(StrEnum):
    """Whom the operator calls besides the API server."""

    MILVUS = "milvus"
    DASHSCOPE = "dashscope"


@dataclass(slots=True)
class Observed:
    """A call under way. Whoever makes it sets `result`: a name of a closed set, never text from outside."""

    result: str = UNFINISHED


class CallObserver(Protocol):
    """Called from the event loop."""

    def call(self, service: Service, method: str) -> AbstractContextManager[Observed]:
        """Around one call. `method` is of a closed set."""

    def refused(self, service: Service, method: str) -> None:
        """A call was not sent, as a breaker is open."""


class _Unobserved(CallObserver):
    @contextmanager
    def call(self, service: Service, method: str) -> Iterator[Observed]:
        yield Observed()

    def refused(self, service: Service, method: str) -> None:
        """Nobody wants to know."""


UNOBSERVED: Final[CallObserver] = _Unobserved()
