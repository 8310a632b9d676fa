"""What the end-to-end tests work with: an API server, operators as processes, Milvus servers; and waiting."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Self

from pymilvus import MilvusClient

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.devkit.projection import Projection, Watch
from tests.e2e import chart
from tests.e2e.api import Api, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from milvus_embedding.devkit.controlplane import ControlPlane

Body = dict[str, Any]

API = "/apis/embedding.milvus.io/v1alpha1"
PLURALS = {
    "MilvusConnection": "milvusconnections",
    "EmbeddingCredential": "embeddingcredentials",
    "EmbeddingFunction": "embeddingfunctions",
    "MilvusCollection": "milvuscollections",
}
SYSTEM_NAMESPACE = chart.NAMESPACE
SERVICE_ACCOUNT = chart.RELEASE
_OTHERS = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Milvus": ("/apis/milvus.io/v1beta1", "milvuses"),
}
_POLL = 0.05


def eventually(what: str, check: Callable[[], Any], *, within: float = 30.0) -> Any:
    """The first true answer of `check`; fails with `what` and the last answer if there is none in time."""
    pause, deadline, last = threading.Event(), time.monotonic() + within, None
    while True:
        last = check()
        if last:
            return last
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within:g} s; last seen: {last!r}")
        pause.wait(_POLL)


class Lab:
    """An API server in use. Whatever it opens it closes."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self.plane = plane
        self.directory = directory
        self.api = Api(plane.kubeconfig)
        self.known_secrets: set[str] = set()
        """Every key and password in use: none of them may be found anywhere but in a Secret."""
        self._numbers = itertools.count(1)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.api.close()

    # objects

    def apply(self, *bodies: Body) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)})
        self.plane.kubectl("apply", "-f", "-", input=text)

    def get(self, kind: str, namespace: str, name: str) -> Body | None:
        try:
            return self.api.get(path_of(kind, namespace, name))
        except Refused as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "") -> list[Body]:
        items: list[Body] = self.api.get(path_of(kind, namespace))["items"]
        return items

    def patch(self, kind: str, namespace: str, name: str, patch: Body) -> None:
        """A JSON merge patch."""
        self.api.patch(path_of(kind, namespace, name), patch)

    def request_reconcile(self, kind: str, namespace: str, name: str) -> None:
        """What a user does who does not want to wait for the resync."""
        requested = f"{time.time_ns()}"
        annotations = {"embedding.milvus.io/reconcile-requested-at": requested}
        self.patch(kind, namespace, name, {"metadata": {"annotations": annotations}})

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.plane.kubectl("delete", kind.lower(), name, f"--namespace={namespace}", "--ignore-not-found")

    def condition(self, kind: str, namespace: str, name: str, type_: str = "Ready") -> Body:
        body = self.get(kind, namespace, name) or {}
        listed = body.get("status", {}).get("conditions", [])
        return next((c for c in listed if c["type"] == type_), {})

    def wait_condition(
        self, kind: str, namespace: str, name: str, *, reason: str, type_: str = "Ready", within: float = 30.0
    ) -> Body:
        """The condition as soon as it has this reason for the present generation."""

        def holds() -> Body | None:
            body = self.get(kind, namespace, name) or {"metadata": {}}
            found = self.condition(kind, namespace, name, type_)
            current = found.get("observedGeneration") == body["metadata"].get("generation")
            return found if found.get("reason") == reason and current else None

        try:
            condition: Body = eventually("", holds, within=within)
        except AssertionError:
            present = (self.get(kind, namespace, name) or {}).get("status")
            raise AssertionError(
                f"{kind} {namespace}/{name}: no {type_} with reason {reason} within {within:g} s; status: {present}"
            ) from None
        return condition

    def wait_ready(self, kind: str, namespace: str, name: str, *, within: float = 30.0) -> Body:
        condition = self.wait_condition(kind, namespace, name, reason="Ready", within=within)
        assert condition["status"] == "True"
        return condition

    def namespace(self, prefix: str = "team") -> str:
        """A new one."""
        name = f"{prefix}-{next(self._numbers)}"
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def secret_data(self, namespace: str, name: str) -> dict[str, bytes] | None:
        body = self.get("Secret", namespace, name)
        if body is None:
            return None
        return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}

    # secrets and evidence

    def new_key(self, purpose: str = "dev") -> str:
        """An API key that looks like one and is recognised wherever it turns up."""
        return self.register(f"sk-test-{purpose}-{secrets.token_hex(16)}")

    def register(self, secret: str) -> str:
        self.known_secrets.add(secret)
        return secret

    def keep_evidence(self, name: str, text: str) -> None:
        """Text that users can see, for the test that looks for secrets in all of it."""
        folder = self.directory / "evidence"
        folder.mkdir(exist_ok=True)
        (folder / f"{next(self._numbers)}-{name}.txt").write_text(text)

    # processes

    def operator(self, *options: str, environment: Mapping[str, str] | None = None) -> OperatorProcess:
        """Not started yet: use it in a with statement."""
        number = next(self._numbers)
        path = self.directory / f"operator-{number}.kubeconfig"
        self.plane.service_account_kubeconfig(SYSTEM_NAMESPACE, SERVICE_ACCOUNT, path)
        return OperatorProcess(path, self.directory / f"operator-{number}.log", options, environment or {})

    def milvus(self, namespace: str, *, secret: str = "milvus-embedding-config", keys: tuple[str, ...] = ()) -> Site:
        """A running Milvus that mounts the rendered Secret as a live directory, and its DashScope stand-in."""
        return self._stack.enter_context(self.site(namespace, secret=secret, keys=keys))

    def site(
        self,
        namespace: str,
        *,
        secret: str = "milvus-embedding-config",
        keys: tuple[str, ...] = (),
        users: Mapping[str, str] | None = None,
        is_live: bool = True,
    ) -> Site:
        """The same, not started yet: use it in a with statement."""
        self.known_secrets.update(keys, (users or {}).values())
        directory = self.directory / f"milvus-{next(self._numbers)}"
        return Site(self, namespace, secret, directory, keys, users, is_live=is_live)


class OperatorProcess:
    """`milvus-embedding run` with the arguments and variables of the chart's Deployment, but on loopback, with a
    quicker Lease, and with what a test sets beside them.
    """

    def __init__(self, kubeconfig: Path, log: Path, options: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.log = log
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {**os.environ, **chart.environment(chart.defaults()), **environment}
        self._command = [
            *(sys.executable, "-m", "milvus_embedding", *chart.container(chart.defaults())["args"]),
            f"--kubeconfig={kubeconfig}",
            f"--health-address=127.0.0.1:{self.port}",
            *("--lease-duration=6", "--lease-renew-deadline=4.5", "--lease-retry-period=0.5"),
            *options,
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env=self._environment, start_new_session=True
            )

    def stop(self) -> int | None:
        """SIGTERM, as the kubelet does; returns the exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self.keep_metrics()
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("the operator did not end within 20 s of SIGTERM") from None
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @contextlib.contextmanager
    def keeps_running(self) -> Iterator[None]:
        """What is done inside must neither end nor replace it."""
        pid = self.pid
        yield
        assert self.exit_code() is None, f"the operator ended; see {self.log}"
        assert self.pid == pid

    def ask(self, path: str) -> tuple[int, str]:
        """A GET of its health address: status (0 without an answer) and text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_ready(self, within: float = 30.0) -> None:
        eventually(f"operator ready ({self.log.name})", lambda: self.ask("/readyz")[0] == 200, within=within)

    def keep_metrics(self) -> None:
        """What it counts and says of itself now, beside its log."""
        with self.log.with_suffix(".metrics").open("a") as file:
            for path in ("/metrics", "/healthz", "/readyz"):
                file.write(self.ask(path)[1])

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name with these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = self.ask("/metrics")[1].splitlines()
        samples = [line for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(line.rpartition(" ")[2]) for line in samples if all(part in line for part in wanted))

    def wait_quiet(self, seconds: float = 3.0, *, within: float = 30.0) -> None:
        """Until no status was written for that long: counts of users come some seconds after the users."""
        seen, since = -1.0, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            written = self.metric("milvus_embedding_status_writes_total")
            if written != seen:
                seen, since = written, time.monotonic()
            return time.monotonic() - since >= seconds

        eventually("no more statuses are written", quiet, within=within)

    def logs(self) -> str:
        return self.log.read_text(errors="replace")


class Site:
    """One Milvus with its configuration and its provider. Unless it is live, what it has is given to it."""

    def __init__(
        self,
        lab: Lab,
        namespace: str,
        secret: str,
        directory: Path,
        keys: tuple[str, ...],
        users: Mapping[str, str] | None = None,
        *,
        is_live: bool = True,
    ) -> None:
        self.dashscope = DashScopeStandIn(keys)
        config = directory / "configs"
        config.mkdir(parents=True)
        self.base = config / "milvus.yaml"
        """The file that Milvus came with, for what others than the operator put there."""
        self.base.write_text("{}\n")
        self.mounted = config / ("user.yaml" if is_live else "_test.yaml")
        """The rendered section as Milvus has it now."""
        # What is not there when Milvus starts is never looked for again: before the Secret comes the file is empty.
        projection = Projection(
            lambda: lab.secret_data(namespace, secret) or {"embedding.yaml": b"{}\n"},
            config,
            "directory",
            items={"embedding.yaml": "user.yaml"},
        )
        self._watch: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if is_live:
            projection.refresh()
            self._watch = Watch(projection, interval=0.2)
        else:
            self.mounted.write_text("{}\n")
        self.milvus = EmbeddedMilvus(directory / "data", config, users=users, retry_backoff_seconds=0.05)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.dashscope)
            stack.enter_context(self.milvus)
            stack.enter_context(self._watch)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def give(self, file: bytes, variables: Mapping[str, str]) -> None:
        """What a process of Milvus has that starts now. Only other variables need another process here."""
        fresh = self.mounted.with_suffix(".new")
        fresh.write_bytes(file)
        fresh.replace(self.mounted)
        if self.milvus.environment != variables:
            self.milvus.environment = dict(variables)
            self.milvus.restart()

    @contextlib.contextmanager
    def client(self, **arguments: Any) -> Iterator[MilvusClient]:
        """What an application uses: pymilvus, on a connection of its own."""
        # pymilvus logs every refused call with a traceback.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        options = {"grpc.use_local_subchannel_pool": 1}
        client = MilvusClient(uri=self.milvus.uri, dedicated=True, timeout=20, grpc_options=options, **arguments)
        try:
            yield client
        finally:
            client.close()


def path_of(kind: str, namespace: str = "", name: str = "") -> str:
    """Where an object is, or without a name all of its kind."""
    core = ("/api/v1", f"{kind.lower()}s")
    root, plural = (API, PLURALS[kind]) if kind in PLURALS else _OTHERS.get(kind, core)
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{plural}" + (f"/{name}" if name else "")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
