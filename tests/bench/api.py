"""A thin client of the API server: what kubectl spends on starting and on its rate limit must not be in the numbers."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import yaml

from tests.e2e.lab import API

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milvus_embedding.devkit.controlplane import ControlPlane
    from tests.e2e.lab import Body

_CREATORS = 4
_REQUEST_SECONDS = 30.0
_CHECK_SECONDS = 1.0
_IDLE_SECONDS = 10.0


class Api:
    """Requests as the user who may do everything; a connection per thread, kept open."""

    def __init__(self, plane: ControlPlane) -> None:
        config = yaml.safe_load(plane.kubeconfig.read_text(encoding="utf-8"))
        self._token = config["users"][0]["user"]["token"]
        self._context = ssl.create_default_context(cafile=str(plane.ca))
        self._address = urlsplit(plane.url)
        self._local = threading.local()

    def connect(self, timeout: float | None = _REQUEST_SECONDS) -> http.client.HTTPSConnection:
        address, port = self._address.hostname or "", self._address.port
        return http.client.HTTPSConnection(address, port, context=self._context, timeout=timeout)

    def headers(self, content_type: str = "application/json") -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}

    def request(self, method: str, path: str, body: object = None, *, content_type: str = "application/json") -> Body:
        """Raises RuntimeError with the beginning of the answer if it is not a success."""
        connection = self._present()
        text = None if body is None else json.dumps(body)
        connection.request(method, path, body=text, headers=self.headers(content_type))
        answer = connection.getresponse()
        content = answer.read()
        self._local.used = time.monotonic()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {content[:200]!r}")
        parsed: Body = json.loads(content)
        return parsed

    def create_namespace(self, name: str) -> None:
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def create_collections(self, namespace: str, bodies: Sequence[Body]) -> dict[str, float]:
        """Creates all, a few at a time; returns when the request of each was sent, by name."""

        def create(body: Body) -> tuple[str, float]:
            sent = time.monotonic()
            self.request("POST", f"{API}/namespaces/{namespace}/milvuscollections", body)
            return body["metadata"]["name"], sent

        with ThreadPoolExecutor(_CREATORS) as pool:
            return dict(pool.map(create, bodies))

    def change_collection(self, namespace: str, name: str, spec: Body) -> int:
        """Merges into the spec; returns the new generation."""
        path = f"{API}/namespaces/{namespace}/milvuscollections/{name}"
        body = self.request("PATCH", path, {"spec": spec}, content_type="application/merge-patch+json")
        generation: int = body["metadata"]["generation"]
        return generation

    def delete_all(self, namespace: str, plurals: Iterable[str]) -> None:
        for plural in plurals:
            self.request("DELETE", f"{API}/namespaces/{namespace}/{plural}")

    def _present(self) -> http.client.HTTPSConnection:
        """This thread's connection; a new one after a pause, in which the server may have closed it."""
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is not None and time.monotonic() - self._local.used < _IDLE_SECONDS:
            return connection
        if connection is not None:
            connection.close()
        connection = self._local.connection = self.connect()
        return connection


class ReadyWatch:
    """Notes when each generation of each collection of a namespace was first seen Ready. Use it in a with statement."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._path = f"{API}/namespaces/{namespace}/milvuscollections"
        self._seen: dict[tuple[str, int], float] = {}
        self._changed = threading.Condition()
        self._connection = api.connect(timeout=None)
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="ready-watch", daemon=True)
        self._closed = False
        self._problem = ""

    def __enter__(self) -> Self:
        version = self._api.request("GET", f"{self._path}?limit=1")["metadata"]["resourceVersion"]
        path = f"{self._path}?watch=true&resourceVersion={version}"
        self._connection.request("GET", path, headers=self._api.headers())
        self._socket = self._connection.sock
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        # Only this wakes a thread that reads; to close the connection would wait for it instead.
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def wait(self, wanted: Iterable[tuple[str, int]], *, within: float, check: Callable[[], None]) -> dict[str, float]:
        """When each (name, generation) was Ready, by name. Raises RuntimeError if one is not in time.

        `check` is called now and then, to raise what makes waiting vain.
        """
        remaining, deadline = set(wanted), time.monotonic() + within
        asked = set(remaining)
        with self._changed:
            while remaining := {key for key in remaining if key not in self._seen}:
                left = deadline - time.monotonic()
                if left <= 0 or self._problem:
                    some = ", ".join(sorted(name for name, _ in remaining)[:3])
                    raise RuntimeError(f"{len(remaining)} not Ready in {within:g} s ({some}) {self._problem}")
                self._changed.wait(min(left, _CHECK_SECONDS))
                check()
            return {name: self._seen[name, generation] for name, generation in asked}

    def _run(self) -> None:
        try:
            answer = self._connection.getresponse()
            while line := answer.readline():
                self._take(json.loads(line), time.monotonic())
            self._problem = "the watch ended"
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            self._problem = "" if self._closed else f"the watch failed: {error}"
        with self._changed:
            self._changed.notify_all()

    def _take(self, event: dict[str, Any], now: float) -> None:
        body = event["object"]
        status, generation = body.get("status") or {}, body["metadata"].get("generation", 0)
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ()))
        if not ready or status.get("observedGeneration") != generation:
            return
        with self._changed:
            self._seen.setdefault((body["metadata"]["name"], generation), now)
            self._changed.notify_all()
