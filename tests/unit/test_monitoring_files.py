"""Alerts and dashboard: queries parse and name only metrics, labels and values that exist; each alert has a runbook."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.api.connection import RolloutPhase
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.clients.dashscope.port import Verdict
from milvus_embedding.clients.milvus.port import MilvusError, ProviderCause
from milvus_embedding.domain.reasons import Reason, ReasonClass
from tests.unit.runtime.test_metrics import documented

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "charts" / "milvus-embedding-operator" / "files"
RUNBOOKS = ROOT / "docs" / "runbooks.md"

TARGET = {"namespace", "job", "pod", "instance"}
"""Labels that Prometheus puts on every sample of a target."""

SUFFIXES = {"histogram": {"_bucket": {"le"}, "_sum": set[str](), "_count": set[str]()}}
PROCESS = {
    name: set[str]()
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds")
}


def errors(base: type[MilvusError] = MilvusError) -> Iterator[str]:
    yield base.__name__
    for child in base.__subclasses__():
        yield from errors(child)


VALUES: Mapping[str, frozenset[str]] = {
    "kind": frozenset(KINDS) | {"Secret", "Namespace"},
    "reason": frozenset(map(str, Reason)) | {"New", "Other"},
    "class": frozenset(map(str, (*ReasonClass, *ChangeClass))),
    "status": frozenset({"True", "False", "Unknown"}),
    "phase": frozenset(map(str, RolloutPhase)),
    "breaker": frozenset({"open", "closed"}),
    "outcome": frozenset({"success", "requeue_after", "backoff", "conflict", "api_error", "error"}),
    "found": frozenset({"ok", "failed", "gone", "new", "behind"}),
    "result": frozenset({"ok", "NotFound", "BreakerOpen", "Unfinished", "RateLimited", "ServerError"})
    | frozenset(errors())
    | frozenset(f"Provider{cause}" for cause in ProviderCause)
    | frozenset(map(str, Verdict)),
}


class Query(NamedTuple):
    where: str
    expr: str


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FILES / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def dashboard_queries() -> list[Query]:
    """`$__rate_interval` is Grafana's."""
    return [
        Query(f"panel {panel['title']}", target["expr"].replace("$__rate_interval", "5m"))
        for panel in panels()
        for target in panel["targets"]
    ]


QUERIES = [Query(f"alert {rule['alert']}", rule["expr"]) for rule in alerts()] + dashboard_queries()


def nodes(expr: str) -> list[object]:
    found: list[object] = []

    def visit(node: object) -> bool:
        found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    listed = nodes(expr)
    ranges = [node.vector_selector for node in listed if isinstance(node, promql_parser.MatrixSelector)]
    # A walk may or may not go into a range; twice the same does no harm.
    return [*ranges, *(node for node in listed if isinstance(node, promql_parser.VectorSelector))]


def labels_of(name: str) -> set[str] | None:
    """The labels of the samples of that name; None if there are none."""
    if name in PROCESS:
        return PROCESS[name]
    metrics = documented()
    if name in metrics and metrics[name].type != "histogram":
        return set(metrics[name].labels)
    for suffix, more in SUFFIXES["histogram"].items():
        base = metrics.get(name.removesuffix(suffix))
        if name.endswith(suffix) and base is not None and base.type == "histogram":
            return set(base.labels) | more
    return None


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_each_query_names_metrics_and_labels_that_exist_and_values_that_can_be(query: Query) -> None:
    found = selectors(query.expr)
    assert found, "the query selects nothing"
    labels: set[str] = set()
    for selector in found:
        assert selector.name is not None
        own = labels_of(selector.name)
        assert own is not None, f"there is no metric {selector.name}"
        labels |= own
        for matcher in selector.matchers.matchers:
            assert matcher.name in own | TARGET, f"{selector.name} has no label {matcher.name}"
            if matcher.name not in TARGET:
                assert set(matcher.value.split("|")) <= VALUES[matcher.name], f"{matcher.name} {matcher.value}"
    for node in nodes(query.expr):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= labels | TARGET


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_counters_are_asked_for_their_growth_and_nothing_else_is(query: Query) -> None:
    grows = {
        node.args[0].vector_selector.name
        for node in nodes(query.expr)
        if isinstance(node, promql_parser.Call)
        and node.func.name in ("rate", "increase")
        and isinstance(node.args[0], promql_parser.MatrixSelector)
    }
    counters = {s.name for s in selectors(query.expr) if str(s.name).endswith(("_total", "_bucket", "_sum", "_count"))}
    assert grows == counters


def test_every_metric_is_looked_at_by_an_alert_or_a_panel() -> None:
    seen = {str(s.name).removesuffix("_bucket") for query in QUERIES for s in selectors(query.expr)}
    explained_by_others = {
        "milvus_embedding_objects_unobserved",
        "milvus_embedding_queue_scheduled",
        "milvus_embedding_reconciles_running",
        "milvus_embedding_watch_event_age_seconds",
    }
    assert set(documented()) - seen == explained_by_others


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_waits_has_a_severity_and_tells_what_it_is_about(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert promql_parser.parse_duration(rule["for"]).total_seconds() >= 60
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook_url"}
    kept = {
        label
        for node in nodes(rule["expr"])
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None
        for label in node.modifier.labels
    }
    assert set(re.findall(r"\$labels\.(\w+)", " ".join(told.values()))) <= kept


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    text = RUNBOOKS.read_text(encoding="utf-8")
    names = [rule["alert"] for rule in alerts()]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == names
    assert [rule["annotations"]["runbook_url"] for rule in alerts()] == [
        f"docs/runbooks.md#{name.lower()}" for name in names
    ]
    for section in text.split("\n## ")[1:]:
        assert all(f"**{part}.**" in section for part in ("Means", "Look", "Do")), section.partition("\n")[0]


def test_the_dashboard_has_no_two_panels_in_one_place_and_each_says_what_it_shows() -> None:
    board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["description"] for panel in panels())
