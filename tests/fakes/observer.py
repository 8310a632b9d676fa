"""Remembers which calls were made and what became of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from milvus_embedding.clients.observer import CallObserver, Observed, Service


class Calls(CallObserver):
    """`ended` has service, method and result of each call, in order; `not_sent` the methods that a breaker refused."""

    def __init__(self) -> None:
        self.ended: list[tuple[Service, str, str]] = []
        self.not_sent: list[str] = []

    @contextmanager
    def call(self, service: Service, method: str) -> Iterator[Observed]:
        observed = Observed()
        try:
            yield observed
        finally:
            self.ended.append((service, method, observed.result))

    def refused(self, service: Service, method: str) -> None:
        self.not_sent.append(method)
