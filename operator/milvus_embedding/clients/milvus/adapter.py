"""The port over Milvus' own protocol: one RPC per method (two where the answer would else be ambiguous).

Not over pymilvus' MilvusClient: of a broken connection that sends CreateCollection again by itself (each time paying
the provider), hides whether anything was sent, needs a channel per database and TLS files on disk, and logs every
"not found" as an error. The messages, the service and the names of types are pymilvus'. The methods are in reads.py,
changes.py and alterations.py.
"""

import math
import time
from collections.abc import Callable

from milvus_embedding.clients.milvus.alterations import Alterations
from milvus_embedding.clients.milvus.changes import Changes
from milvus_embedding.clients.milvus.channel import Clock
from milvus_embedding.clients.milvus.connection import Connection
from milvus_embedding.clients.milvus.port import Milvus
from milvus_embedding.clients.milvus.reads import Reads
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.clients.observer import UNOBSERVED, CallObserver
from milvus_embedding.domain.scrub import Scrubber


class PymilvusClient(Reads, Changes, Alterations, Milvus):
    """One server as one user; connects at the first call. For one event loop."""

    def __init__(
        self,
        target: Target,
        *,
        scrubber: Scrubber,
        monotonic: Clock = time.monotonic,
        workers: int = 8,
        read_only: bool = False,
        observer: CallObserver = UNOBSERVED,
        lease_remaining: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`workers` calls at most are under way at once. Calls that change something raise ReadOnly if `read_only`,
        NotLeading when nothing remains of the lease (in seconds).
        """
        connection = Connection(
            target,
            scrubber=scrubber,
            monotonic=monotonic,
            workers=workers,
            observer=observer,
            lease_remaining=lease_remaining,
        )
        super().__init__(target, connection, read_only=read_only)

    @property
    def broken(self) -> bool:
        """Whether the server did not answer when it was asked last."""
        return self._connection.broken

    async def retire(self) -> None:
        """Refuses new calls and closes when those under way have ended."""
        await self._connection.drain()

    async def close(self) -> None:
        await self._connection.close()
