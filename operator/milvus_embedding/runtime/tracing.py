"""Traces of reconciles, by OpenTelemetry: off by default, and nothing of it is imported unless they are asked for.

A span per reconcile says which object it was and how it ended; its children are the calls to Milvus and DashScope.
No span has a value, a key, a message or a stack trace: what a call said is in conditions, where it is scrubbed. Where
spans go is told by OpenTelemetry's own environment variables (OTEL_EXPORTER_OTLP_ENDPOINT …).
"""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from milvus_embedding import __version__
from milvus_embedding.api.references import Key
from milvus_embedding.clients.observer import OK, CallObserver, Observed, Service
from milvus_embedding.runtime.metrics import Measured, Metrics
from milvus_embedding.runtime.settings import SettingError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

NAME: Final = "milvus-embedding-operator"
_FAILED: Final = frozenset({"error", "api_error"})
_ANSWERS: Final = frozenset({OK, "NotFound", "Accepted"})
_CLOSE_SECONDS: Final = 2.0
_MISSING: Final = (
    "traces is true, but OpenTelemetry is not installed; install milvus-embedding-operator[otel], or leave traces out"
)


class Spans(Protocol):
    """What is traced. Each is around the work, and reads at its end what became of it."""

    def reconcile(self, key: Key, measured: Measured) -> AbstractContextManager[None]: ...

    def call(self, service: Service, method: str, observed: Observed) -> AbstractContextManager[None]: ...

    async def close(self) -> None:
        """Sends what was not sent yet, for two seconds at most."""


class NoSpans(Spans):
    """Traces nothing."""

    def reconcile(self, key: Key, measured: Measured) -> AbstractContextManager[None]:
        return nullcontext()

    def call(self, service: Service, method: str, observed: Observed) -> AbstractContextManager[None]:
        return nullcontext()

    async def close(self) -> None:
        """There is nothing to send."""


NO_SPANS: Final[Spans] = NoSpans()


class OtelSpans(Spans):
    """Spans of a provider."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer(NAME, __version__)

    @contextmanager
    def reconcile(self, key: Key, measured: Measured) -> Iterator[None]:
        attributes = {
            "milvus_embedding.kind": key.kind,
            "k8s.namespace.name": key.namespace,
            "milvus_embedding.name": key.name,
        }
        with self._tracer.start_as_current_span(
            f"reconcile {key.kind}",
            context=self._trace.set_span_in_context(self._trace.INVALID_SPAN),
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                self._end(span, "milvus_embedding.outcome", measured.outcome, failed=measured.outcome in _FAILED)

    @contextmanager
    def call(self, service: Service, method: str, observed: Observed) -> Iterator[None]:
        # Heartbeats and proofs were started by a reconcile that ended long ago; they belong to none.
        if not self._trace.get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(
            f"{service} {method}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={"peer.service": str(service), "rpc.method": method},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                failed = observed.result not in _ANSWERS
                self._end(span, "milvus_embedding.result", observed.result, failed=failed)

    async def close(self) -> None:
        """In a thread: an exporter without an answer must not hold the end up."""
        await asyncio.wait({asyncio.create_task(asyncio.to_thread(self._provider.shutdown))}, timeout=_CLOSE_SECONDS)

    def _end(self, span: "Span", name: str, value: str, *, failed: bool) -> None:
        span.set_attribute(name, value)
        if failed:
            span.set_status(self._trace.StatusCode.ERROR, value)


class Calls(CallObserver):
    """Every call to Milvus and DashScope, into metrics and traces."""

    def __init__(self, metrics: Metrics, spans: Spans) -> None:
        self._metrics = metrics
        self._spans = spans

    @contextmanager
    def call(self, service: Service, method: str) -> Iterator[Observed]:
        with self._metrics.call(service, method) as observed, self._spans.call(service, method, observed):
            yield observed

    def refused(self, service: Service, method: str) -> None:
        self._metrics.refused(service, method)


def open_spans(*, traces: bool, instance: str) -> Spans:
    """Spans to where the environment says, or none. Raises SettingError if they are asked for and cannot be had."""
    if not traces:
        return NO_SPANS
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingError(_MISSING) from None
    resource = Resource.create({"service.name": NAME, "service.version": __version__, "service.instance.id": instance})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OtelSpans(provider)
