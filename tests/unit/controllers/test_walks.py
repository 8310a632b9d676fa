"""Random walks: whatever users, hands in Milvus, troubles and time do in whatever order, the rules of walk.py hold.

A walk that fails prints its moves; `play` repeats it. They are not shrunk: that takes minutes.
"""

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.controllers.moves import MOVES, play
from tests.unit.controllers.walk import Walk

TROUBLES = [name for name in MOVES if " at " in name or name.startswith("before")]
OTHERS = [name for name in MOVES if name not in {*TROUBLES, "made good"}]
SOME_MOVES = st.lists(
    st.one_of(
        st.sampled_from(OTHERS),
        st.sampled_from(OTHERS),
        st.sampled_from(TROUBLES).map(lambda name: f"{name}; round"),
        st.sampled_from(["round", "docs: approved"]),
    ),
    min_size=5,
    max_size=20,
)
BEGINNING = ("docs: applied", "news: applied", "adoption allowed", "settled")


@pytest.mark.parametrize("version", ["v2.6.0", "v2.6.9", "v3.0.0"])
@settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(moves=SOME_MOVES)
def test_it_comes_to_rest_tells_the_truth_harms_nobody_and_can_be_made_good(version: str, moves: list[str]) -> None:
    listed = [move for both in moves for move in both.split("; ")]
    asyncio.run(_walked(version, [*BEGINNING, *listed, "settled", "made good"]))


async def _walked(version: str, moves: list[str]) -> None:
    walk = Walk(version)
    try:
        await play(walk, moves)
    finally:
        walk.close()
