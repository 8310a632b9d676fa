"""The embedded Milvus as a server on loopback, in threads of this process; `restart` acts as a new process."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from pymilvus.grpc_gen import milvus_pb2_grpc

from milvus_embedding.devkit.milvus.aliases import Aliases
from milvus_embedding.devkit.milvus.alteration import Alteration
from milvus_embedding.devkit.milvus.base import DEFAULT_VERSION
from milvus_embedding.devkit.milvus.catalog import Catalog
from milvus_embedding.devkit.milvus.collections import Collections
from milvus_embedding.devkit.milvus.config import MilvusYaml
from milvus_embedding.devkit.milvus.databases import Databases
from milvus_embedding.devkit.milvus.dispatch import Authentication, Dispatch
from milvus_embedding.devkit.milvus.engine import Engine
from milvus_embedding.devkit.milvus.faults import Calls, Change, Faults
from milvus_embedding.devkit.milvus.indexes import Indexes
from milvus_embedding.devkit.milvus.loading import Loading
from milvus_embedding.devkit.milvus.memory import Memory
from milvus_embedding.devkit.milvus.provider import Providers
from milvus_embedding.devkit.milvus.rows import RowOperations

_MAX_MESSAGE_BYTES = 256 * 1024 * 1024
_WORKERS = 32


class Servicer(Collections, Alteration, Aliases, Databases, Indexes, Loading, RowOperations):
    """All RPCs of the embedded Milvus."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM contents. With `ca` clients must present a certificate of it."""

    key: bytes = field(repr=False)
    certificate: bytes
    ca: bytes | None = None


class PortTakenError(OSError):
    """The port that was asked for is in use."""


class EmbeddedMilvus:
    """A Milvus on 127.0.0.1 whose data are in `data_dir` and whose configuration is the files in `config_dir`.

    `calls`, `faults` and the port outlive a restart. `environment` holds the process' variables, read at each
    start. Without a `url` in the configuration the real DashScope is asked. The engine's own log is off.
    """

    def __init__(
        self,
        data_dir: Path,
        config_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        tls: TlsFiles | None = None,
        version: str = DEFAULT_VERSION,
        provider_timeout_seconds: float = 30.0,
        retry_backoff_seconds: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.data_dir = data_dir
        self.config_dir = config_dir
        self.environment = dict(env or {})
        self.users = users
        self.tls = tls
        self.version = version
        self.port = port
        self.faults = Faults()
        self._calls = Calls()
        self._provider_timeout_seconds = provider_timeout_seconds
        self._retry_backoff_seconds = retry_backoff_seconds
        self._clock = clock
        self._engine: Engine | None = None
        self._providers: Providers | None = None
        self._server: grpc.Server | None = None

    def __repr__(self) -> str:
        return f"EmbeddedMilvus(uri={self.uri!r}, running={self.running})"

    @property
    def uri(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._server is not None

    @property
    def calls(self) -> Counter[str]:
        """How often each RPC was called; clear it as you like."""
        return self._calls.by_rpc

    @property
    def changing_calls(self) -> int:
        """Calls so far that change something, rows included."""
        return self._calls.changing()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The last of those calls, oldest first: when and from where they came."""
        return self._calls.changes()

    def start(self) -> Self:
        """Serves. With port 0 a free one is chosen and kept over restarts. Raises PortTakenError."""
        config = MilvusYaml(self.config_dir, self.environment)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        catalog = Catalog(self.data_dir, self._clock)
        self._engine = Engine(str(self.data_dir), lambda database, name: _is_loaded(catalog, database, name))
        self._providers = Providers(
            config,
            timeout_seconds=self._provider_timeout_seconds,
            retry_backoff_seconds=self._retry_backoff_seconds,
            gates=self.faults.embedding_gates,
        )
        servicer = Servicer(self._engine, catalog, self._providers, version=self.version, clock=self._clock)
        self._server = self._serve(servicer)
        return self

    def _serve(self, servicer: Servicer) -> grpc.Server:
        memory = Memory(servicer.DescribeCollection, servicer.database, self._clock)
        dispatch = Dispatch(self._calls, self.faults, servicer.precheck, clock=self._clock, memory=memory)
        guards = () if self.users is None else (Authentication(self.users),)
        server = grpc.server(
            futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix="embedded-milvus"),
            interceptors=[*guards, dispatch],
            options=[
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),
            ],
        )
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(servicer, server)
        try:
            self.port = self._listen(server)
        except RuntimeError as error:
            self._close_engine()
            raise PortTakenError(f"port {self.port} on 127.0.0.1 is in use; choose another one or 0") from error
        server.start()
        return server

    def _listen(self, server: grpc.Server) -> int:
        address = f"127.0.0.1:{self.port}"
        if self.tls is None:
            return server.add_insecure_port(address)
        credentials = grpc.ssl_server_credentials(
            [(self.tls.key, self.tls.certificate)],
            root_certificates=self.tls.ca,
            require_client_auth=self.tls.ca is not None,
        )
        return server.add_secure_port(address, credentials)

    def stop(self) -> None:
        """Ends every call, held ones included. Does nothing if it is not running."""
        self.faults.clear()
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None
        self._close_engine()

    def _close_engine(self) -> None:
        if self._providers is not None:
            self._providers.close()
            self._providers = None
        if self._engine is not None:
            with self._engine.lock:
                self._engine.close()
            self._engine = None

    def restart(self) -> None:
        """A new process on the same port and data: it reads files and variables anew and restores load states."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _is_loaded(catalog: Catalog, database: str, name: str) -> bool:
    record = catalog.get(database, name)
    return record is not None and record.loaded


# The engine logs every refused request with a traceback, and its texts quote what clients sent.
logging.getLogger("milvus_lite").setLevel(logging.CRITICAL)
