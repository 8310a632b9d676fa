"""docs/monitoring.md and the metrics are held together; what is exposed is what Prometheus reads, and names nobody."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from milvus_embedding.clients.observer import Service
from milvus_embedding.runtime.metrics import Metrics
from tests.unit.runtime.exposition import everything

DOCS = Path(__file__).resolve().parents[3] / "docs" / "monitoring.md"
ROW = re.compile(r"^\| `(milvus_embedding_\w+)` \| (\w+) \| ([\w, ]*)\| \S", re.MULTILINE)
OURS = "milvus_embedding_"


class Described(NamedTuple):
    type: str
    labels: frozenset[str]


def documented() -> dict[str, Described]:
    rows = ROW.findall(DOCS.read_text(encoding="utf-8"))
    assert len({name for name, _, _ in rows}) == len(rows), "a metric is documented twice"
    return {name: Described(type_, frozenset(labels.replace(",", " ").split())) for name, type_, labels in rows}


def exposed(text: str) -> dict[str, Described]:
    return {_name(f): Described(f.type, _labels(f)) for f in parse(text) if f.name.startswith(OURS)}


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric) -> frozenset[str]:
    assert family.samples, f"{family.name} has no sample"
    return frozenset(label for sample in family.samples for label in sample.labels if label != "le")


def test_every_metric_is_documented_with_its_type_and_labels_and_every_documented_one_exists() -> None:
    assert exposed(everything().render().decode()) == documented()


def test_prometheus_reads_all_of_it_also_as_openmetrics() -> None:
    metrics = everything()
    text = generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]
    strict = {family.name for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]
    assert strict == {family.name.removesuffix("_info") for family in parse(metrics.render().decode())}


def test_no_label_has_the_name_of_an_object() -> None:
    text = everything().render().decode()
    assert "secret-project" not in text
    assert 'lane="collections"' in text


def test_a_process_shows_its_memory_and_version() -> None:
    text = everything().render().decode()
    assert "process_resident_memory_bytes" in text
    assert 'milvus_embedding_build_info{version="' in text


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (Service.MILVUS, 'milvus_embedding_milvus_calls_total{method="m",result="Unfinished"} 1.0'),
        (Service.DASHSCOPE, 'milvus_embedding_dashscope_probes_total{result="Unfinished"} 1.0'),
    ],
)
def test_a_call_whose_caller_went_away_is_counted_as_unfinished(service: Service, expected: str) -> None:
    metrics = Metrics()
    with pytest.raises(KeyboardInterrupt), metrics.call(service, "m"):
        raise KeyboardInterrupt
    assert expected in metrics.render().decode()


def test_a_call_that_is_not_sent_is_counted_and_has_no_duration() -> None:
    metrics = Metrics()
    metrics.refused(Service.MILVUS, "DescribeCollection")
    text = metrics.render().decode()
    assert 'milvus_calls_total{method="DescribeCollection",result="BreakerOpen"} 1.0' in text
    assert "milvus_call_seconds_count" not in text
