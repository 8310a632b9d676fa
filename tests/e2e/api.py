"""Plain requests to the API server as the user who may do everything, over connections that stay open: hundreds of
changes within a second or two, which kubectl cannot do.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

Body = dict[str, Any]

IDLE_SECONDS = 5.0


class Refused(Exception):
    """The API server answered with an error; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """One connection per thread, opened when it is needed and again when the server was restarted."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._token = config["users"][0]["user"]["token"]
        self._host = config["clusters"][0]["cluster"]["server"].removeprefix("https://")
        self._context = ssl.create_default_context(cafile=None)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[http.client.HTTPSConnection] = []

    def close(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def get(self, path: str) -> Body:
        return self._request("GET", path)

    def create(self, path: str, body: Body) -> Body:
        return self._request("POST", path, body)

    def patch(self, path: str, patch: Body) -> Body:
        """A JSON merge patch."""
        return self._request("PATCH", path, patch, kind="application/merge-patch+json")

    def delete(self, path: str) -> Body:
        """One object, or all of a collection of them."""
        return self._request("DELETE", path)

    def _request(self, method: str, path: str, body: Body | None = None, *, kind: str = "application/json") -> Body:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Connection": "keep-alive"}
        text = json.dumps(body) if body is not None else None
        for again in (method == "GET", False):
            connection = self._connection()
            try:
                connection.request(method, path, body=text, headers=headers)
                answer = connection.getresponse()
                data = answer.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                if not again:
                    raise
        content: Body = json.loads(data) if data else {}
        if answer.status >= 400:
            raise Refused(answer.status, str(content.get("message", "")))
        return content

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=20)
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        if time.monotonic() - getattr(self._local, "used", 0.0) > IDLE_SECONDS:
            # The server may have closed it; only a GET could be tried again.
            connection.close()
        self._local.used = time.monotonic()
        return connection
