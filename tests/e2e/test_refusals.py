"""Each mistake of examples/invalid: refused by the API server with a sentence, or told in a condition at once."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.lab import PLURALS, Lab, eventually, path_of
from tests.e2e.quickstart import EXAMPLES, Quickstart, documents, keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.lab import Body, OperatorProcess

FILES = sorted((EXAMPLES / "invalid").glob("*.yaml"))
HEADS = {file: file.read_text().split("\n", 1)[0] for file in FILES}
REFUSED = [file for file in FILES if HEADS[file].startswith("# refused: ")]
TOLD = [file for file in FILES if HEADS[file].startswith("# condition: ")]


@pytest.fixture(scope="module")
def platform(lab: Lab, operator: OperatorProcess) -> Iterator[Lab]:
    """What the examples refer to."""
    with Quickstart(lab) as opened:
        given = keys(*FILES)
        opened.site.dashscope.keys.update(given)
        lab.known_secrets.update(given)
        opened.apply()
        opened.wait_ready()
        yield lab


@pytest.fixture(scope="module")
def took() -> Iterator[list[float]]:
    """Seconds from kubectl's return to the condition. The bound of 2 s is on the median: one may meet a busy moment."""
    seconds: list[float] = []
    yield seconds
    assert statistics.median(seconds) < 2.0


def test_each_example_says_what_becomes_of_it() -> None:
    assert len(REFUSED) + len(TOLD) == len(FILES)
    assert len(FILES) >= 20


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_the_api_server_refuses_it_with_a_sentence(platform: Lab, file: Path) -> None:
    answer = platform.plane.kubectl("apply", "-f", str(file), check=False)

    assert answer.returncode != 0
    assert HEADS[file].removeprefix("# refused: ") in answer.stderr


@pytest.mark.parametrize("file", TOLD, ids=lambda file: file.stem)
def test_a_condition_tells_it(platform: Lab, file: Path, took: list[float], measured: dict[str, float]) -> None:
    kind, reason = HEADS[file].removeprefix("# condition: ").split()
    ours = [body for body in documents(file) if body["kind"] in PLURALS]
    concerned = [body for body in ours if body["kind"] == kind]
    try:
        platform.plane.kubectl("apply", "-f", str(file))
        start = time.monotonic()
        eventually(f"{kind} with reason {reason}", lambda: _with_reason(platform, concerned, reason), within=10)
        took.append(time.monotonic() - start)
    finally:
        for body in ours:
            platform.api.delete(path_of(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]))
    measured[f"{reason} after kubectl apply ({file.stem})"] = took[-1]


def _with_reason(lab: Lab, bodies: list[Body], reason: str) -> list[Body]:
    found = [lab.condition(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]) for body in bodies]
    return [condition for condition in found if condition.get("reason") == reason]
