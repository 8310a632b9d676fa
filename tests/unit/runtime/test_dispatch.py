"""Workers per lane: on demand, up to the limit, and gone when idle."""

import asyncio

from milvus_embedding.runtime.dispatch import Dispatcher


class Work:
    """Work that waits until the test lets it end."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.most = 0
        self.now = 0
        self.gate = asyncio.Event()

    async def __call__(self, key: str) -> None:
        self.started.append(key)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
        finally:
            self.now -= 1


def dispatcher(work: Work, limit: int = 2) -> Dispatcher[str]:
    return Dispatcher(work=work, limit=lambda lane: limit, clock=asyncio.get_running_loop().time)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_nothing_runs_before_the_start() -> None:
    work = Work()
    d = dispatcher(work)
    d.queue.add("x", "a")
    await settle()
    assert work.started == []
    work.gate.set()
    d.start()
    await settle()
    assert work.started == ["x"]


async def test_a_lane_has_no_more_workers_than_its_limit_and_all_its_work_is_done() -> None:
    work = Work()
    d = dispatcher(work)
    d.start()
    for number in range(7):
        d.queue.add(f"k{number}", "a")
    await settle()
    assert len(work.started) == 2
    work.gate.set()
    await settle()
    assert sorted(work.started) == [f"k{number}" for number in range(7)]
    assert work.most == 2


async def test_a_lane_that_hangs_does_not_hold_up_another() -> None:
    work = Work()
    d = dispatcher(work, limit=1)
    d.start()
    for number in range(3):
        d.queue.add(f"dead{number}", "dead")
    d.queue.add("x", "alive")
    await settle()
    assert work.started == ["dead0", "x"]
    work.gate.set()
    assert await d.stop(1)


async def test_an_idle_lane_has_no_workers() -> None:
    work = Work()
    work.gate.set()
    d = dispatcher(work)
    d.start()
    d.queue.add("x", "a")
    await settle()
    assert d._workers == {}
    assert d.running() == ()


async def test_what_is_due_later_runs_by_itself() -> None:
    started: list[str] = []
    both = asyncio.Event()

    async def work(key: str) -> None:
        started.append(key)
        if len(started) == 2:
            both.set()

    d = Dispatcher(work=work, limit=lambda lane: 1, clock=asyncio.get_running_loop().time)
    d.start()
    d.queue.add_after("later", "a", 0.02)
    d.queue.add_after("sooner", "a", 0.001)
    async with asyncio.timeout(10):
        await both.wait()
    assert started == ["sooner", "later"]


async def test_stopping_lets_work_end_and_takes_no_more() -> None:
    work = Work()
    d = dispatcher(work, limit=1)
    d.start()
    d.queue.add("x", "a")
    d.queue.add("y", "a")
    await settle()
    asyncio.get_running_loop().call_later(0.01, work.gate.set)
    assert await d.stop(10)
    assert work.started == ["x"]


async def test_work_that_does_not_end_in_time_is_cancelled_and_told() -> None:
    work = Work()
    d = dispatcher(work)
    d.start()
    d.queue.add("x", "a")
    await settle()
    assert not await d.stop(0)
    assert work.now == 0


async def test_a_bug_in_the_work_does_not_end_the_lane() -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        if key == "bad":
            raise ValueError("a bug")
        done.append(key)

    d = Dispatcher(work=work, limit=lambda lane: 1, clock=asyncio.get_running_loop().time)
    d.start()
    d.queue.add("bad", "a")
    d.queue.add("good", "a")
    await settle()
    assert done == ["good"]
