"""Traces: a span per reconcile with its calls, nothing in them but names and results; off, and absent, by default."""

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from milvus_embedding.api.references import Key
from milvus_embedding.clients.observer import Service
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.metrics import Measured, Metrics
from milvus_embedding.runtime.run import EXIT_CONFIGURATION, Services, Wiring, run
from milvus_embedding.runtime.settings import SettingError, Settings
from milvus_embedding.runtime.tracing import NO_SPANS, Calls, OtelSpans, open_spans

KEY = Key("MilvusCollection", "search", "docs")
SECRET = "sk-0123456789abcdef"


class Traced:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = OtelSpans(provider)
        self.calls = Calls(Metrics(), self.spans)

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


async def test_a_reconcile_is_a_span_with_its_calls_in_it() -> None:
    traced, measured = Traced(), Measured()
    with traced.spans.reconcile(KEY, measured):
        with traced.calls.call(Service.MILVUS, "CreateCollection") as observed:
            observed.result = "ok"
        measured.outcome = "success"
    call, reconcile = traced.ended
    assert (reconcile.name, call.name) == ("reconcile MilvusCollection", "milvus CreateCollection")
    assert dict(reconcile.attributes or {}) == {
        "milvus_embedding.kind": "MilvusCollection",
        "k8s.namespace.name": "search",
        "milvus_embedding.name": "docs",
        "milvus_embedding.outcome": "success",
    }
    assert call.parent is not None
    assert reconcile.context is not None
    assert call.parent.span_id == reconcile.context.span_id
    assert (call.attributes or {})["milvus_embedding.result"] == "ok"
    assert call.status.is_ok


async def test_what_was_started_by_a_reconcile_and_goes_on_after_it_belongs_to_none() -> None:
    traced = Traced()

    async def heartbeat() -> None:
        await asyncio.sleep(0)
        with traced.calls.call(Service.MILVUS, "GetVersion"):
            pass

    with traced.spans.reconcile(KEY, Measured()):
        task = asyncio.create_task(heartbeat())
    await task
    assert [span.name for span in traced.ended] == ["reconcile MilvusCollection"]


def fail(traced: Traced) -> None:
    with traced.calls.call(Service.MILVUS, "CreateCollection") as observed:
        observed.result = "ProviderFailed"
        raise RuntimeError(SECRET)


async def test_an_error_leaves_its_name_and_nothing_of_its_text() -> None:
    traced = Traced()
    with pytest.raises(RuntimeError), traced.spans.reconcile(KEY, Measured()):
        fail(traced)
    assert [span.status.is_ok for span in traced.ended] == [False, False]
    assert SECRET not in "".join(span.to_json() for span in traced.ended)
    assert not any(span.events for span in traced.ended)


async def test_an_answer_that_something_is_not_there_is_no_error() -> None:
    traced = Traced()
    with (
        traced.spans.reconcile(KEY, Measured("success")),
        traced.calls.call(Service.MILVUS, "DescribeCollection") as observed,
    ):
        observed.result = "NotFound"
    assert all(span.status.is_ok for span in traced.ended)


async def test_calls_are_counted_whether_they_are_traced_or_not() -> None:
    metrics = Metrics()
    with Calls(metrics, NO_SPANS).call(Service.DASHSCOPE, "probe") as observed:
        observed.result = "Accepted"
    Calls(metrics, NO_SPANS).refused(Service.MILVUS, "ListDatabases")
    text = metrics.render().decode()
    assert 'dashscope_probes_total{result="Accepted"} 1.0' in text
    assert 'milvus_calls_total{method="ListDatabases",result="BreakerOpen"} 1.0' in text


def test_by_default_nothing_is_traced() -> None:
    assert open_spans(traces=False, instance="pod") is NO_SPANS


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    program = (
        "import sys, milvus_embedding.wiring, milvus_embedding.runtime.run as run;"
        "from milvus_embedding.runtime.tracing import open_spans;"
        "open_spans(traces=False, instance='pod');"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


async def test_asked_for_it_sends_over_otlp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    spans = open_spans(traces=True, instance="pod")
    assert isinstance(spans, OtelSpans)
    with spans.reconcile(KEY, Measured()):
        pass
    await spans.close()


def test_asked_for_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingError, match=r"traces is true.*install milvus-embedding-operator\[otel\]"):
        open_spans(traces=True, instance="pod")


async def test_asked_for_without_the_extra_the_operator_ends_as_with_any_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    async def build(services: Services) -> Wiring:
        raise AssertionError("it is not built")

    assert await run(Settings(traces=True), build, scrubber=Scrubber()) == EXIT_CONFIGURATION
    assert "milvus-embedding-operator[otel]" in caplog.text
