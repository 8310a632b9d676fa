"""The command lines of the control plane's programs, as pure functions of where things are.

Everything listens on loopback. Extra flags come last: of a flag given twice the last one counts, so callers can
override.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOOPBACK: Final = "127.0.0.1"

AUDIT_POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""
"""Who did what to which object, never what was in it: bodies would hold Secrets."""


@dataclass(frozen=True)
class Ports:
    """Where each program listens on loopback."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int


@dataclass(frozen=True)
class Layout:
    """Where the files of one control plane are."""

    directory: Path

    @property
    def etcd_data(self) -> Path:
        return self.directory / "etcd"

    @property
    def certificates(self) -> Path:
        return self.directory / "certificates"

    @property
    def ca(self) -> Path:
        """The API server's own certificate, followed by that of the authority it made up to sign it."""
        return self.certificates / "apiserver.crt"

    @property
    def service_account_key(self) -> Path:
        return self.directory / "service-account.key"

    @property
    def tokens(self) -> Path:
        return self.directory / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def audit_policy(self) -> Path:
        return self.directory / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        return self.directory / "audit.log"

    @property
    def kubectl_cache(self) -> Path:
        return self.directory / "kubectl-cache"

    def log(self, program: str) -> Path:
        return self.directory / f"{program}.log"


def etcd_flags(layout: Layout, ports: Ports, extra: Sequence[str] = ()) -> list[str]:
    """Flags of etcd: one member, and no waiting for the disk, since nothing here outlives the test."""
    client, peer = f"http://{LOOPBACK}:{ports.etcd}", f"http://{LOOPBACK}:{ports.etcd_peer}"
    return [
        f"--data-dir={layout.etcd_data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
        *extra,
    ]


def apiserver_flags(layout: Layout, ports: Ports, extra: Sequence[str] = (), *, audit: bool = False) -> list[str]:
    """Flags of kube-apiserver: RBAC, service account tokens, a serving certificate that it makes itself."""
    audit_flags = [
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=1000",
    ]
    return [
        f"--etcd-servers=http://{LOOPBACK}:{ports.etcd}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",
        f"--secure-port={ports.apiserver}",
        f"--cert-dir={layout.certificates}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={layout.tokens}",
        f"--service-account-key-file={layout.service_account_key}",
        f"--service-account-signing-key-file={layout.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        # Without it a stop waits for every open watch, until we kill it.
        "--shutdown-watch-termination-grace-period=1s",
        *(audit_flags if audit else ()),
        *extra,
    ]


def controller_manager_flags(layout: Layout, ports: Ports, extra: Sequence[str] = ()) -> list[str]:
    """Flags of kube-controller-manager: every controller, alone, with the key that signs service account tokens."""
    return [
        f"--kubeconfig={layout.kubeconfig}",
        f"--service-account-private-key-file={layout.service_account_key}",
        f"--root-ca-file={layout.ca}",
        "--use-service-account-credentials",
        *_alone(layout, "controller-manager", ports.controller_manager),
        *extra,
    ]


def scheduler_flags(layout: Layout, ports: Ports, extra: Sequence[str] = ()) -> list[str]:
    """Flags of kube-scheduler."""
    return [f"--kubeconfig={layout.kubeconfig}", *_alone(layout, "scheduler", ports.scheduler), *extra]


def _alone(layout: Layout, name: str, port: int) -> list[str]:
    return [
        "--leader-elect=false",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--cert-dir={layout.directory / f'{name}-certificates'}",
        f"--authentication-kubeconfig={layout.kubeconfig}",
        f"--authorization-kubeconfig={layout.kubeconfig}",
    ]
