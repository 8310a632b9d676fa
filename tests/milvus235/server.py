"""One Milvus 2.3.5 as a process: with passwords and privileges on, and with or without TLS.

Its user root has the password `Milvus`. Data live in the folder that is given, and are gone with it.
"""

import contextlib
import os
import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from milvus_embedding.devkit.controlplane.processes import ManagedProcess
from tests.milvus235.binary import NoServer, prepare
from tests.milvus235.namespace import NO_NAMESPACE, SCRATCH

ROOT, ROOT_PASSWORD = "root", "Milvus"
START_SECONDS = 120.0
_INNER_PORT, _HEALTH_PORT = 19530, 9091
_VARIABLE = re.compile(r"\{\{\s*(\w+)(?:\(\w+\))?(?::\s*(.*?))?\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files of the server. With `client_ca` it asks clients for a certificate."""

    key: Path
    certificate: Path
    client_ca: Path | None = None


class RealMilvus:
    """Starts with `start` or as a context manager; `started_in` is how many seconds that took."""

    def __init__(self, directory: Path, *, tls: Tls | None = None) -> None:
        self.directory = directory
        self.tls = tls
        self.started_in = 0.0
        self._port = 0
        self._process: ManagedProcess | None = None

    @property
    def uri(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Raises NoServer, with the end of the log, if it does not come up."""
        programs = prepare()
        self._configure(programs)
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        launcher = Path(__file__).with_name("namespace.py")
        command = [
            sys.executable,
            "-I",
            str(launcher),
            str(self.directory / "run"),
            str(port_file),
            str(_INNER_PORT),
            str(_HEALTH_PORT),
        ]
        command += ["/usr/bin/env", "-C", str(self.directory), str(programs / "bin" / "milvus"), "run", "standalone"]
        begun = time.monotonic()
        self._process = ManagedProcess(
            f"Milvus of {self.directory.name}",
            command,
            log=self.directory / "milvus.log",
            environment=self._variables(programs),
        )
        try:
            self._port = self._wait_for(port_file, begun + START_SECONDS)
        except BaseException:
            self.stop()
            raise
        self.started_in = time.monotonic() - begun
        return self

    def stop(self) -> None:
        """At once: asked politely it may take half an hour. Data and its own logs (200 MB) go; milvus.log stays."""
        if self._process is not None:
            self._process.stop()
            self._process = None
            for folder in ("data", "logs"):
                shutil.rmtree(self.directory / folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                SCRATCH.rmdir()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _configure(self, programs: Path) -> None:
        configs = self.directory / "configs"
        for folder in (configs, self.directory / "logs", self.directory / "run"):
            folder.mkdir(parents=True, exist_ok=True)
        (configs / "glog.conf").write_bytes((programs / "glog.conf").read_bytes())
        values = {
            "etcd_log_path": f"{self.directory}/logs/etcd.log",
            "etcd_data_dir": f"{self.directory}/data/etcd",
            "local_storage_dir": f"{self.directory}/data",
            "rocksmq_data_dir": f"{self.directory}/data/rocksmq",
            "system_log_path": f"{self.directory}/logs",
            "authorization_enabled": "true",
        }
        if self.tls is not None:
            values["tls_mode"] = "2" if self.tls.client_ca else "1"
            values["server_pem_path"] = str(self.tls.certificate)
            values["server_key_path"] = str(self.tls.key)
            values["ca_pem_path"] = str(self.tls.client_ca or "")
        template = (programs / "config.yaml.template").read_text()
        rendered = _VARIABLE.sub(lambda found: values.get(found[1], found[2] or ""), template)
        document: dict[str, Any] = yaml.safe_load(rendered)
        # Else the first change after an unclean stop waits half a minute for the session of the former process.
        document["common"]["session"]["ttl"] = 3
        (configs / "milvus.yaml").write_text(yaml.safe_dump(document))

    def _variables(self, programs: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.directory),
            "LD_LIBRARY_PATH": str(programs / "bin"),
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(_HEALTH_PORT),
            "MILVUS_RUN_DIR": str(self.directory / "run"),
        }

    def _wait_for(self, port_file: Path, deadline: float) -> int:
        assert self._process is not None
        pause = threading.Event()
        while not port_file.exists():
            status = self._process.wait(0)
            if status == NO_NAMESPACE:
                raise NoServer(
                    "Milvus 2.3.5 listens on all interfaces, so it is run in a network namespace only, and here none "
                    "can be made: run these tests as root, or allow namespaces to users "
                    "(sysctl kernel.apparmor_restrict_unprivileged_userns=0)."
                )
            if status is not None or time.monotonic() > deadline:
                raise NoServer(f"Milvus did not come up ({status}): {self._process.log_tail()[-1000:]}")
            pause.wait(0.05)
        return int(port_file.read_text())
