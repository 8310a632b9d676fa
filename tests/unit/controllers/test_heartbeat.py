"""The heartbeat outlives what it does not expect."""

import asyncio

from milvus_embedding.controllers.heartbeat import Heartbeat
from tests.fakes.milvus import FakeMilvus
from tests.unit.controllers.manifests import CONNECTION


class OddMilvus(FakeMilvus):
    """Fails once in a way that no port allows."""

    odd = False

    async def server_version(self) -> str:
        if self.odd:
            self.odd = False
            raise RuntimeError("odd")
        return await super().server_version()


async def test_an_unexpected_error_does_not_end_the_watch() -> None:
    woken = asyncio.Event()
    heartbeat = Heartbeat(wake=lambda key: woken.set(), healthy_seconds=0, down_seconds=0)
    milvus = OddMilvus()
    await heartbeat.health(CONNECTION, milvus)
    milvus.odd = True
    milvus.unreachable = True

    await asyncio.wait_for(woken.wait(), 5)

    assert not milvus.odd
    assert (await heartbeat.health(CONNECTION, milvus)).version is None
    heartbeat.close()
