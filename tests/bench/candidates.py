"""The two operators that are compared, each as its users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from milvus_embedding.devkit.projection import Projection
from tests.bench import manifests
from tests.bench.site import CONFIG_FILE, Site
from tests.e2e.lab import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, Lab, OperatorProcess, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = Path(__file__).with_name("plain_kopf.py")
_PLAIN_NAMESPACE, _PLAIN_ACCOUNT = "plain-kopf-system", "plain-kopf"
_START_SECONDS, _STOP_SECONDS = 60.0, 30.0
_LOG_TAIL = 2000

# The product's defaults: the tests' are so short that a busy machine loses the lease.
_LEASE = ("--lease-duration=15", "--lease-renew-deadline=10", "--lease-retry-period=2")


class Candidate(Protocol):
    """An operator that can be started and stopped.

    name: how it is called in tables. user: who it is in the audit log. resyncs: whether it looks again by itself.
    """

    name: str
    user: str
    resyncs: bool

    def prepare(self, namespace: str, site: Site) -> None:
        """Makes whatever collections of this namespace need; called while the operator runs."""

    def start(self, site: Site, options: Sequence[str] = ()) -> None:
        """Returns when it is serving."""

    def stop(self) -> None:
        """SIGTERM, and waits for its end."""

    @property
    def pid(self) -> int: ...

    def require_running(self) -> None:
        """Raises RuntimeError, with the end of its log, if it has ended by itself."""


class Product:
    """`milvus-embedding run` under what the chart grants."""

    name = "ours"
    user = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{SERVICE_ACCOUNT}"
    resyncs = True

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._process: OperatorProcess | None = None

    def prepare(self, namespace: str, site: Site) -> None:
        self._lab.apply(*manifests.references(namespace, uri=site.uri, url=site.url))
        self._lab.wait_ready("EmbeddingCredential", namespace, "apikey-dev")
        self._lab.wait_ready("MilvusConnection", namespace, manifests.CONNECTION)
        projection = Projection(
            lambda: self._lab.secret_data(namespace, manifests.RENDERED_SECRET),
            site.config,
            "directory",
            items={"embedding.yaml": CONFIG_FILE},
        )
        (site.config / CONFIG_FILE).unlink()
        projection.on_restart()

    def start(self, site: Site, options: Sequence[str] = ()) -> None:
        self._process = self._lab.operator(*_LEASE, *options, environment=_environment(self._lab))
        self._process.start()
        self._process.wait_ready(_START_SECONDS)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def require_running(self) -> None:
        if self._process is not None and self._process.exit_code() is not None:
            raise _ended(self.name, self._process.exit_code(), self._process.logs())


class PlainKopf:
    """`kopf run plain_kopf.py`."""

    name = "plain kopf"
    user = f"system:serviceaccount:{_PLAIN_NAMESPACE}:{_PLAIN_ACCOUNT}"
    resyncs = False

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._process: subprocess.Popen[bytes] | None = None
        self._kubeconfig = lab.directory / "plain-kopf.kubeconfig"
        self._log = lab.directory / "plain-kopf.log"
        lab.apply(*manifests.plain_account(_PLAIN_NAMESPACE, _PLAIN_ACCOUNT))
        lab.plane.service_account_kubeconfig(_PLAIN_NAMESPACE, _PLAIN_ACCOUNT, self._kubeconfig)

    def prepare(self, namespace: str, site: Site) -> None:
        text = manifests.STATIC_CONFIG.format(url=site.url)
        (site.config / CONFIG_FILE).write_text(text, encoding="utf-8")

    def start(self, site: Site, options: Sequence[str] = ()) -> None:
        health = f"http://127.0.0.1:{free_port()}/healthz"
        command = [sys.executable, "-m", "kopf", "run", "--all-namespaces", f"--liveness={health}", str(_PLAIN)]
        own = {"KUBECONFIG": str(self._kubeconfig), "MILVUS_URI": site.uri}
        environment = {**os.environ, **_environment(self._lab), **own}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )
        eventually("plain kopf operator ready", lambda: _answers(health), within=_START_SECONDS)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def require_running(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise _ended(self.name, self._process.returncode, self._log.read_text(errors="replace"))


def _environment(lab: Lab) -> dict[str, str]:
    """Compiled modules are kept, as in an image, whatever the caller's environment says about that."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(lab.directory / "pycache")}


def _ended(name: str, code: int | None, log: str) -> RuntimeError:
    return RuntimeError(f"the operator {name} ended by itself with code {code}; its log ends with:\n{log[-_LOG_TAIL:]}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
