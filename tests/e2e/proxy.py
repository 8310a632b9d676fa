"""A TCP proxy on loopback that can be cut: what an interrupted network is to those on both sides."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65536


class Proxy:
    """Passes connections on to a port of loopback. `cut` ends them and refuses new ones, `stall` takes new ones and
    passes nothing on: both until `mend`. `delay`: seconds by which whatever passes is late, in either direction.
    """

    def __init__(self, target: int) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._whole = True
        self._flowing = threading.Event()
        self._flowing.set()
        self.delay = 0.0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._pass(self.request, target)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.cut()
        self._server.server_close()
        self._thread.join()

    def cut(self) -> None:
        self._flowing.set()
        with self._lock:
            self._whole = False
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def stall(self) -> None:
        self._flowing.clear()

    def mend(self) -> None:
        with self._lock:
            self._whole = True
        self._flowing.set()

    def kubeconfig(self, original: Path, path: Path) -> Path:
        """The same kubeconfig with the proxy's address; certificates are for the host, whatever the port."""
        lines = original.read_text().splitlines()
        path.touch(mode=0o600)
        path.write_text("\n".join(self._through(line) for line in lines))
        return path

    def _through(self, line: str) -> str:
        address, found, port = line.rpartition(":")
        return f"{address}:{self.port}" if found and port.isdigit() and "server:" in address else line

    def _pass(self, near: socket.socket, target: int) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", target)) as far:
            with self._lock:
                if not self._whole:
                    return
                self._open |= {near, far}
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()
            with self._lock:
                self._open -= {near, far}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Until the source ends; then the sink is told so."""
        late = threading.Event()
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                late.wait(self.delay)
                self._flowing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
