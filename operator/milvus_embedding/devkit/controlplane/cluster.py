"""One control plane on loopback, from start to stop.

Synchronous, so that tests, the demo and the benchmark can use it from anywhere. Everything that it writes is in the
folder that it is given, which is the caller's to remove. The user's kubeconfig and current context are not touched.
"""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from milvus_embedding.devkit.controlplane import flags
from milvus_embedding.devkit.controlplane.binaries import Binaries, Binary
from milvus_embedding.devkit.controlplane.credentials import (
    kubeconfig,
    new_service_account_key,
    token_file,
    write_private,
)
from milvus_embedding.devkit.controlplane.errors import ControlPlaneFailed, KubectlFailed
from milvus_embedding.devkit.controlplane.processes import ManagedProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

READY_SECONDS: Final = 120.0
"""Ready takes 4 s on an idle machine; the rest is for one that compiles at the same time."""
KUBECTL_SECONDS: Final = 120.0
REQUEST_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a control plane consists of, besides etcd and kube-apiserver."""

    apiserver_flags: Sequence[str] = ()
    etcd_flags: Sequence[str] = ()
    controller_manager: bool = False
    controller_manager_flags: Sequence[str] = ()
    scheduler: bool = False
    scheduler_flags: Sequence[str] = ()
    audit: bool = False
    ready_seconds: float = READY_SECONDS


def free_ports() -> flags.Ports:
    """Ports of loopback that were free a moment ago; all are held until the last is known, so no two are the same."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(5)]
        for each in sockets:
            each.bind((flags.LOOPBACK, 0))
        numbers = [int(each.getsockname()[1]) for each in sockets]
    return flags.Ports(*numbers)


def port_was_taken(log: str) -> bool:
    """Whether a program's log says that somebody else has its port."""
    return "address already in use" in log


class ControlPlane:
    """A running kube-apiserver with its etcd. Use `ControlPlane.start`, and `stop` or a with statement."""

    def __init__(
        self, *, binaries: Binaries, directory: Path, ports: flags.Ports, options: Options | None = None
    ) -> None:
        self._binaries = binaries
        self._layout = flags.Layout(directory)
        self._options = options or Options()
        self._ports = ports
        self._token = secrets.token_urlsafe(32)
        self._processes: dict[str, ManagedProcess] = {}

    @classmethod
    def start(
        cls,
        *,
        binaries: Binaries,
        directory: Path,
        apiserver_flags: Sequence[str] = (),
        etcd_flags: Sequence[str] = (),
        controller_manager: bool = False,
        controller_manager_flags: Sequence[str] = (),
        scheduler: bool = False,
        scheduler_flags: Sequence[str] = (),
        audit: bool = False,
        ready_seconds: float = READY_SECONDS,
    ) -> Self:
        """Start everything and wait until the API server is ready.

        Args:
            binaries: from `prepare`, with every program that is to run.
            directory: an empty folder of the caller's, for data, logs and the kubeconfig.
            apiserver_flags: more flags for kube-apiserver; of one given twice the last counts.
            etcd_flags: the same for etcd.
            controller_manager: run it too. Without it no namespace is ever fully deleted, no garbage is collected,
                and no namespace gets its `default` service account.
            controller_manager_flags: more flags for it.
            scheduler: run kube-scheduler too.
            scheduler_flags: more flags for it.
            audit: write who did what to `audit_log`, without bodies.
            ready_seconds: how long to wait.

        Raises:
            ControlPlaneFailed: a program ended, or was not ready in time; the end of its log is in the error.
            ControlPlaneUnavailable: `binaries` lacks a program.
        """
        options = Options(
            apiserver_flags=tuple(apiserver_flags),
            etcd_flags=tuple(etcd_flags),
            controller_manager=controller_manager,
            controller_manager_flags=tuple(controller_manager_flags),
            scheduler=scheduler,
            scheduler_flags=tuple(scheduler_flags),
            audit=audit,
            ready_seconds=ready_seconds,
        )
        directory.mkdir(parents=True, exist_ok=True)
        for last_attempt in (False, True):
            plane = cls(binaries=binaries, directory=directory.absolute(), options=options, ports=free_ports())
            try:
                plane._start_all()
            except ControlPlaneFailed as error:
                plane.stop()
                if last_attempt or not port_was_taken(error.log):
                    raise
                shutil.rmtree(plane._layout.etcd_data, ignore_errors=True)
            except BaseException:
                plane.stop()
                raise
            else:
                return plane
        raise AssertionError("unreachable: the last attempt returns or raises")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the API server."""
        return f"https://{flags.LOOPBACK}:{self._ports.apiserver}"

    @property
    def ca(self) -> Path:
        """PEM file that the API server's certificate is checked against."""
        return self._layout.ca

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of a user who may do everything; no other context is in it."""
        return self._layout.kubeconfig

    @property
    def directory(self) -> Path:
        """Where data, logs and the kubeconfig are."""
        return self._layout.directory

    @property
    def audit_log(self) -> Path:
        """One JSON object per request that was answered; only with `audit`."""
        return self._layout.audit_log

    @property
    def pids(self) -> Mapping[str, int]:
        """The running programs' process ids by name."""
        return {name: process.pid for name, process in self._processes.items() if process.running}

    def stop(self) -> None:
        """End all programs, those started last first; calling this again does nothing."""
        for name in reversed(list(self._processes)):
            self._processes.pop(name).stop()

    def stop_apiserver(self) -> None:
        """End kube-apiserver only: clients see an API server that is down, and etcd keeps everything."""
        process = self._processes.pop(Binary.KUBE_APISERVER, None)
        if process is not None:
            process.stop()

    def start_apiserver(self) -> None:
        """Start kube-apiserver again with its old port, certificates and keys, and wait until it is ready."""
        if Binary.KUBE_APISERVER not in self.pids:
            command_flags = flags.apiserver_flags(
                self._layout, self._ports, self._options.apiserver_flags, audit=self._options.audit
            )
            self._run(Binary.KUBE_APISERVER, command_flags)
        self._await(Binary.KUBE_APISERVER, "/readyz")

    def restart_apiserver(self) -> None:
        """End kube-apiserver and start it again: every watch breaks, nothing is lost."""
        self.stop_apiserver()
        self.start_apiserver()

    def start_process(self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Path:
        """Run another program beside the control plane, ended with it; returns its log file.

        Args:
            name: what it is called, in errors and as the log's name; unique.
            command: the program and its arguments.
            environment: all of its environment; default is `environment()`.
        """
        if name in self._processes:
            raise ValueError(f"a process {name!r} is running already: stop it first, or choose another name")
        log = self._layout.log(name)
        self._processes[name] = ManagedProcess(name, command, log=log, environment=environment or self.environment())
        return log

    def stop_process(self, name: str) -> None:
        """End a program that `start_process` started; nothing happens if there is none."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.stop()

    def environment(self) -> dict[str, str]:
        """Our environment, but with `KUBECONFIG` naming this control plane and the user's kubectl settings left out."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBERC": "off"}

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True, timeout: float = KUBECTL_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against this control plane, whatever the user's current context is.

        Args:
            arguments: as on the command line.
            input: text for standard input, for `-f -`.
            check: raise when it ends with an error.
            timeout: seconds that it may take.

        Raises:
            KubectlFailed: it ended with an error, and `check` is set; or it took too long.
        """
        program = str(self._binaries.path(Binary.KUBECTL))
        connection = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self._layout.kubectl_cache}"]
        environment = {name: value for name, value in self.environment().items() if name != "KUBECONFIG"}
        verb = arguments[0] if arguments else ""
        try:
            result = subprocess.run(
                [program, *connection, *arguments],
                env=environment,
                input=input or "",
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise KubectlFailed(verb=verb, returncode=-1, stderr=f"no result within {timeout:g} s") from None
        if check and result.returncode != 0:
            raise KubectlFailed(verb=verb, returncode=result.returncode, stderr=result.stderr)
        return result

    def service_account_kubeconfig(self, namespace: str, name: str, path: Path) -> Path:
        """Write a kubeconfig of an existing service account, to run a program under exactly its permissions."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", "--duration=24h").stdout.strip()
        write_private(path, kubeconfig(url=self.url, ca=self.ca.read_bytes(), token=token, namespace=namespace))
        return path

    def metrics(self) -> str:
        """What the API server counts, in Prometheus' text format."""
        return self.get("/metrics")

    def get(self, path: str) -> str:
        """GET a path of the API server as the user who may do everything.

        Raises:
            ControlPlaneFailed: the answer was not 200.
            OSError: there was no answer.
        """
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection(
            flags.LOOPBACK, self._ports.apiserver, context=context, timeout=REQUEST_SECONDS
        )
        with closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
        if answer.status != http.HTTPStatus.OK:
            raise ControlPlaneFailed(f"GET {path} was answered with {answer.status}", log=body)
        return body

    def _start_all(self) -> None:
        self._write_files()
        self._run(Binary.ETCD, flags.etcd_flags(self._layout, self._ports, self._options.etcd_flags))
        self.start_apiserver()
        admin = kubeconfig(url=self.url, ca=self.ca.read_bytes(), token=self._token)
        write_private(self.kubeconfig, admin)
        if self._options.controller_manager:
            extra = self._options.controller_manager_flags
            command_flags = flags.controller_manager_flags(self._layout, self._ports, extra)
            self._run(Binary.KUBE_CONTROLLER_MANAGER, command_flags)
            # Its first visible act, without which no pod can be created.
            self._await(Binary.KUBE_CONTROLLER_MANAGER, "/api/v1/namespaces/default/serviceaccounts/default")
        if self._options.scheduler:
            extra = self._options.scheduler_flags
            self._run(Binary.KUBE_SCHEDULER, flags.scheduler_flags(self._layout, self._ports, extra))

    def _write_files(self) -> None:
        layout = self._layout
        write_private(layout.service_account_key, new_service_account_key())
        write_private(layout.tokens, token_file(self._token))
        if self._options.audit:
            layout.audit_policy.write_text(flags.AUDIT_POLICY, encoding="utf-8")

    def _run(self, binary: Binary, command_flags: Sequence[str]) -> None:
        self.start_process(binary, [str(self._binaries.path(binary)), *command_flags])

    def _await(self, name: str, path: str) -> None:
        """Poll a path until it is answered with 200; `name` is the program that brings that about."""
        pause = threading.Event()
        seconds = self._options.ready_seconds
        deadline = time.monotonic() + seconds
        awaited = self._processes[name]
        while not self._answers(path):
            for process in self._processes.values():
                process.require_running()
            if time.monotonic() > deadline:
                raise ControlPlaneFailed(
                    f"{name} was not ready within {seconds:g} s, its log is {awaited.log}", log=awaited.log_tail()
                )
            pause.wait(_POLL_SECONDS)

    def _answers(self, path: str) -> bool:
        try:
            self.get(path)
        except (OSError, http.client.HTTPException, ControlPlaneFailed):
            return False
        return True
