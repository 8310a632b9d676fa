"""What the benchmark's numbers are counted with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.bench.audit import AuditTail
from tests.bench.report import percentile, ratio

if TYPE_CHECKING:
    from pathlib import Path


def _line(user: str, verb: str, resource: str, subresource: str = "") -> str:
    target = {"resource": resource, "subresource": subresource, "name": "docs"}
    return json.dumps({"user": {"username": user}, "verb": verb, "objectRef": target}) + "\n"


def test_only_later_writes_of_that_user_count_and_being_there_costs_nothing(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(_line("us", "patch", "milvuscollections", "status"))
    tail = AuditTail(log, "us")
    with log.open("a") as more:
        more.write(_line("us", "patch", "milvuscollections", "status"))
        more.write(_line("us", "get", "secrets") + _line("us", "update", "leases"))
        more.write(_line("us", "create", "selfsubjectaccessreviews") + _line("them", "create", "events"))
        more.write('{"half": ')
    assert tail.read() == 1
    assert tail.writes == {"patch milvuscollections/status": 1}


def test_a_line_that_is_still_being_written_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.touch()
    tail, line = AuditTail(log, "us"), _line("us", "create", "events")
    log.write_text(line[:20])
    assert tail.read() == 0
    log.write_text(line)
    assert tail.read() == 1


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        pytest.param([], 50, None, id="nothing has no percentile"),
        pytest.param([3.0], 99, 3.0, id="one value is every percentile"),
        pytest.param([4.0, 1.0, 3.0, 2.0], 50, 2.0, id="half of four do not exceed the second"),
        pytest.param([float(n) for n in range(1, 31)], 99, 30.0, id="of thirty the p99 is the highest"),
    ],
)
def test_percentiles(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected


def test_a_ratio_to_nothing_is_left_out() -> None:
    assert (ratio(1, None), ratio(1, 0), ratio(1, 2)) == ("-", "-", "0.50")
