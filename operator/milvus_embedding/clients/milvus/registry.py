"""One client per MilvusConnection, replaced when its target changes.

A replaced client ends the calls that it has under way and takes no new ones; who still holds it is told Unreachable and
asks here again. Nothing is connected here: clients connect at their first call.
"""

import asyncio
import math
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.channel import Clock
from milvus_embedding.clients.milvus.port import Milvus
from milvus_embedding.clients.milvus.protocol import load
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.clients.observer import UNOBSERVED, CallObserver
from milvus_embedding.domain.scrub import Scrubber

K = TypeVar("K", bound=Hashable)


class MilvusRegistry(Generic[K]):
    """Keyed by whatever identifies a connection. For one event loop."""

    def __init__(
        self,
        *,
        scrubber: Scrubber,
        monotonic: Clock = time.monotonic,
        workers: int = 8,
        read_only: bool = False,
        observer: CallObserver = UNOBSERVED,
        lease_remaining: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`workers` calls at most are under way per connection. The clients change nothing if `read_only`, and only
        while something remains of the lease (in seconds).
        """
        self._scrubber = scrubber
        self._monotonic = monotonic
        self._workers = workers
        self._read_only = read_only
        self._observer = observer
        self._lease_remaining = lease_remaining
        self._clients: dict[K, PymilvusClient] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    @staticmethod
    async def prepare() -> None:
        """Imports what takes a second to import, so that the first object does not wait for it."""
        await load()

    async def get(self, key: K, target: Target) -> Milvus:
        """The client of `key` for exactly this target; the same one as long as the target is equal."""
        client = self._clients.get(key)
        if client is not None and client.target == target:
            return client
        self._scrubber.learn(target.token, target.password, target.credentials)
        self._clients[key] = PymilvusClient(
            target,
            scrubber=self._scrubber,
            monotonic=self._monotonic,
            workers=self._workers,
            read_only=self._read_only,
            observer=self._observer,
            lease_remaining=self._lease_remaining,
        )
        if client is not None:
            self._retire(client)
        return self._clients[key]

    def breakers(self) -> tuple[int, int]:
        """How many clients have their breaker closed, and how many open. Any thread."""
        broken = [client.broken for client in list(self._clients.values())]
        return broken.count(False), broken.count(True)

    async def forget(self, key: K) -> None:
        """The connection is gone; its client is closed when its calls have ended."""
        if client := self._clients.pop(key, None):
            self._retire(client)

    async def close(self) -> None:
        """Closes all clients at once, calls under way included."""
        clients, self._clients = list(self._clients.values()), {}
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*(client.close() for client in clients), *self._retiring, return_exceptions=True)

    def _retire(self, client: PymilvusClient) -> None:
        task = asyncio.create_task(client.retire())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
