"""Runs as a table, and beside the numbers that the design wants held."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tests.bench.measure import Run

_NOTHING = "-"
_BACKLOG = "as many waiting, from its start to all Ready"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what, in which unit, from where, with how many decimals."""

    title: str
    unit: str
    value: Callable[[Run], float | None]
    decimals: int = 1


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that `percent` of all do not exceed; None of nothing."""
    if not values:
        return None
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(0, int(rank) - 1)]


def status_writes(run: Run) -> float:
    return run.writes.get("patch milvuscollections/status", 0) / run.objects


def events(run: Run) -> float:
    return sum(number for name, number in run.writes.items() if name.split()[1] == "events") / run.objects


def writes(run: Run) -> float:
    return sum(run.writes.values()) / run.objects


def milvus_calls(run: Run) -> float:
    return sum(run.milvus_calls.values()) / run.objects


ROWS: tuple[Row, ...] = (
    Row("all Ready after the first create", "s", lambda run: run.all_ready),
    Row("  creating them took", "s", lambda run: run.created),
    Row(_BACKLOG, "s", lambda run: run.backlog),
    Row("CPU of the operator", "s", lambda run: run.cpu),
    Row("  of Milvus meanwhile", "s", lambda run: run.milvus_cpu),
    Row("  of the API server meanwhile", "s", lambda run: run.apiserver_cpu),
    Row("API writes per object", "", writes, 2),
    Row("  of these: of a status", "", status_writes, 2),
    Row("  of these: of Events", "", events, 2),
    Row("Milvus calls per object", "", milvus_calls, 2),
    Row("RSS after it", "MiB", lambda run: run.rss, 0),
    Row("RSS at its highest", "MiB", lambda run: run.peak, 0),
    Row("a single collection, create to Ready, p50", "ms", lambda run: percentile(run.single_latencies, 50), 0),
    Row("a single collection, create to Ready, p99", "ms", lambda run: percentile(run.single_latencies, 99), 0),
    Row("restart until all were looked at again", "s", lambda run: run.restart_seconds),
    Row("API writes on a restart without change", "", lambda run: sum(run.restart_writes.values()), 0),
    Row("changing Milvus calls on that restart", "", lambda run: run.restart_changing_calls, 0),
    Row("a changed object while all resync, p50", "ms", lambda run: percentile(run.changed_latencies, 50), 0),
    Row("a changed object while all resync, p99", "ms", lambda run: percentile(run.changed_latencies, 99), 0),
    Row("API writes by resyncs", "", lambda run: run.resync_writes, 0),
)


def median(runs: Iterable[Run], row: Row) -> float | None:
    """Of the runs that have the number."""
    values = [value for run in runs if (value := row.value(run)) is not None]
    return statistics.median(values) if values else None


def table(ours: Sequence[Run], plain: Sequence[Run]) -> Table:
    """Medians over the rounds, and ours divided by plain kopf's."""
    objects, rounds = ours[0].objects, len(ours)
    drawn = Table(title=f"{objects} collections, {rounds} round(s), medians", title_justify="left")
    drawn.add_column("")
    drawn.add_column("unit")
    for heading in ("ours", "plain kopf", "ratio"):
        drawn.add_column(heading, justify="right")
    for row in ROWS:
        mine, other = median(ours, row), median(plain, row)
        drawn.add_row(
            row.title, row.unit, _number(mine, row.decimals), _number(other, row.decimals), ratio(mine, other)
        )
    return drawn


def ratio(mine: float | None, other: float | None) -> str:
    return _NOTHING if mine is None or not other else f"{mine / other:.2f}"


def against_the_design(ours: Sequence[Run]) -> Iterator[str]:
    """A sentence per number of the design that a run of this kind touches."""
    objects, start = ours[0].objects, {row.title: median(ours, row) for row in ROWS}
    yield (
        f"1 status write and at most 1 Event per object: {_number(start['  of these: of a status'], 2)} and "
        f"{_number(start['  of these: of Events'], 2)}."
    )
    restart, resync = start["API writes on a restart without change"], start["API writes by resyncs"]
    yield f"0 writes on restart and on resync: {_number(restart, 0)} and {_number(resync, 0)}."
    changed, looks = start["a changed object while all resync, p99"], [r.resync_looks for r in ours if r.resync_looks]
    yield (
        f"a changed object reconciled within 1 s at p99 while 10,000 resync: {_number(changed, 0)} ms at "
        f"{_number(statistics.median(looks) if looks else None, 0)} looks/s "
        f"(10,000 objects make 17/s at the default of 600 s; here {objects} are looked at more often instead)."
    )
    yield f"RSS at most 256 MiB at 1,000: {_number(start['RSS at its highest'], 0)} MiB at {objects}."
    p50, p99 = (start[f"a single collection, create to Ready, p{percent}"] for percent in (50, 99))
    yield (
        f"apply-to-Ready overhead p50 at most 150 ms, p99 at most 500 ms: {_number(p50, 0)} and {_number(p99, 0)} ms, "
        "Milvus' own time included."
    )
    yield (
        f"2,000 Ready no slower than a tuned controller-runtime operator: not measured here; "
        f"{_number(start[_BACKLOG], 1)} s for {objects} that wait, with the embedded Milvus doing its work."
    )


def _number(value: float | None, decimals: int) -> str:
    return _NOTHING if value is None else f"{value:,.{decimals}f}"
