"""Keeps asking each Milvus whether it is there, apart from any reconcile, and wakes the connection when that changes.

One small call per connection every few seconds; while it is down one every two seconds, however many objects wait.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError, PermissionDenied

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """`version` is None while the server does not answer; `error` says why."""

    version: str | None
    error: MilvusError | None = None

    @property
    def signature(self) -> tuple[str | None, str]:
        return self.version, type(self.error).__name__


class Heartbeat:
    """`wake` is called with the connection's key whenever its health is another one than before."""

    def __init__(self, *, wake: Callable[[Key], None], healthy_seconds: float = 5.0, down_seconds: float = 2.0) -> None:
        self._wake = wake
        self._healthy = healthy_seconds
        self._down = down_seconds
        self._watches: dict[Key, tuple[Milvus, asyncio.Task[None]]] = {}
        self._health: dict[Key, Health] = {}

    async def health(self, connection: Key, milvus: Milvus) -> Health:
        """The last known health of this very client; the first time it asks."""
        watched = self._watches.get(connection)
        if watched is None or watched[0] is not milvus:
            self.forget(connection)
            self._health[connection] = await ask(milvus)
            self._watches[connection] = (milvus, asyncio.create_task(self._watch(connection, milvus)))
        return self._health[connection]

    def forget(self, connection: Key) -> None:
        watched = self._watches.pop(connection, None)
        self._health.pop(connection, None)
        if watched is not None:
            watched[1].cancel()

    def close(self) -> None:
        """Ends all watches."""
        for connection in list(self._watches):
            self.forget(connection)

    async def _watch(self, connection: Key, milvus: Milvus) -> None:
        while True:
            up = self._health[connection].version is not None
            await asyncio.sleep(self._healthy if up else self._down)
            try:
                now = await ask(milvus)
            except Exception:
                # Without this the connection would be told what was true when its watch ended, for ever.
                _log.exception("a heartbeat failed unexpectedly", extra={"key": str(connection)})
                continue
            before, self._health[connection] = self._health[connection], now
            if before.signature != now.signature:
                self._wake(connection)


async def ask(milvus: Milvus) -> Health:
    """One question to the server. A server that knows us but grants nothing is there all the same."""
    try:
        return Health(await milvus.server_version())
    except PermissionDenied as error:
        return Health("", error)
    except MilvusError as error:
        return Health(None, error)
