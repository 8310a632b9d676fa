"""A bench per test; at its end nothing that was told may hold a secret."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.unit.controllers.bench import Bench

MakeBench = Callable[..., Bench]


@pytest.fixture
async def make_bench(caplog: pytest.LogCaptureFixture) -> AsyncIterator[MakeBench]:
    benches: list[Bench] = []

    def make(**options: object) -> Bench:
        benches.append(Bench(**options))  # type: ignore[arg-type]
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()
        bench.assert_no_secret_in(caplog.text)


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    return make_bench()
