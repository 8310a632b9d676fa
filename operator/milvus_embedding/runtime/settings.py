"""Every setting of the operator: its name, environment variable, default and meaning, in one place.

A setting is given by option (`--resync-seconds`), else by environment variable (`MILVUS_EMBEDDING_RESYNC_SECONDS`),
else it has its default. The command line itself is in cli/.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final, Literal

from milvus_embedding.domain.endpoints import check_pattern

ACT_SECONDS: Final = 3.0
"""How long an act that was confirmed may take, and what has to be left of the lease before it."""
PREFIX: Final = "MILVUS_EMBEDDING_"

Setting = str | int | float | bool | tuple[str, ...] | None


class SettingError(ValueError):
    """A setting has a value that it cannot have; the text names setting, value and fix."""


def _setting(default: Setting, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Durations are in seconds, addresses are host:port."""

    kubeconfig: str = _setting("", "kubeconfig file; empty: KUBECONFIG, else the pod's service account")
    namespaces: tuple[str, ...] = _setting((), "namespaces to serve, separated by commas; empty: all")
    secret_selector: str = _setting("", "label selector of the Secrets to watch; empty: all")
    owner: str = _setting("", "owner id stamped on collections; empty: the uid of kube-system")
    accept_owner: tuple[str, ...] = _setting((), "former owner ids that are taken for ours")
    allow_endpoint: tuple[str, ...] = _setting(
        (), "addresses that uri and dashscope.url may have: host or host:port, with * for any characters; empty: all"
    )
    read_only: bool = _setting(False, "change nothing in Milvus and Kubernetes but statuses, Events and the Lease")
    leader_election: bool = _setting(True, "elect a leader by Lease; without it run one replica only")
    lease_namespace: str = _setting("", "namespace of the Lease; empty: the pod's own, else default")
    lease_name: str = _setting("milvus-embedding-operator", "name of the Lease")
    lease_duration: float = _setting(15.0, "others take over after that time without renewal")
    lease_renew_deadline: float = _setting(10.0, "a leader that cannot renew for that time exits")
    lease_retry_period: float = _setting(2.0, "between two tries to acquire or renew")
    identity: str = _setting("", "name of this replica in the Lease; empty: host name and process")
    health_address: str = _setting(
        "127.0.0.1:8080", "address of /healthz, /readyz and /metrics; :8080 is all interfaces; empty: none"
    )
    resync_seconds: float = _setting(600.0, "between two looks at an object that nothing woke")
    audit_seconds: float = _setting(600.0, "between two comparisons of the cache with a list")
    count_seconds: float = _setting(10.0, "between two comparisons of how many objects are known and how many exist")
    permission_seconds: float = _setting(20.0, "between two checks of the operator's permissions")
    reconcile_timeout: float = _setting(600.0, "longest time of one reconcile")
    request_timeout: float = _setting(15.0, "deadline of a request to the API server")
    shutdown_grace: float = _setting(2.5, "how long running reconciles may go on after SIGTERM")
    workers: int = _setting(8, "reconciles at the same time on one connection")
    traces: bool = _setting(False, "send traces by OTLP; where to, OTEL_EXPORTER_OTLP_ENDPOINT tells")
    log_format: Literal["json", "console"] = _setting("json", "json or console")
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "debug, info, warning or error")

    def __post_init__(self) -> None:
        _check(self)

    @property
    def clusterwide(self) -> bool:
        """Whether all namespaces are served."""
        return not self.namespaces

    @property
    def scopes(self) -> tuple[str | None, ...]:
        """The namespaces to list and watch; (None,) is all at once."""
        return tuple(sorted(set(self.namespaces))) or (None,)

    @property
    def effective_identity(self) -> str:
        return self.identity or f"{socket.gethostname()}_{os.getpid()}"

    @property
    def effective_lease_namespace(self) -> str:
        return self.lease_namespace or _own_namespace()


def from_environment(environment: Mapping[str, str], options: Mapping[str, Setting] | None = None) -> Settings:
    """Settings from options (None: not given), else from the environment, else by default.

    Raises:
        SettingError: a value cannot be read.
    """
    values: dict[str, Setting] = {}
    for entry in fields(Settings):
        option = (options or {}).get(entry.name)
        text = environment.get(variable(entry.name))
        if option is not None:
            values[entry.name] = option
        elif text is not None:
            values[entry.name] = _parse(entry, text)
    return Settings(**values)  # type: ignore[arg-type]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def documentation() -> tuple[tuple[str, str, Setting, str], ...]:
    """Name, environment variable, default and meaning of every setting, in order."""
    defaults = Settings()
    return tuple(
        (f.name, variable(f.name), getattr(defaults, f.name), str(f.metadata["doc"])) for f in fields(Settings)
    )


def _parse(entry: Field[Setting], text: str) -> Setting:
    default = entry.default
    try:
        if isinstance(default, bool):
            return _BOOLEANS[text.strip().lower()]
        if isinstance(default, tuple):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return type(default)(text) if isinstance(default, (int, float)) else text
    except (ValueError, KeyError):
        kind = "true or false" if isinstance(default, bool) else "a number"
        raise SettingError(f"{variable(entry.name)} is {text[:80]!r}; it has to be {kind}") from None


_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def _check(settings: Settings) -> None:
    for entry in fields(Settings):
        value = getattr(settings, entry.name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
            raise SettingError(f"{entry.name} is {value}; it has to be more than 0")
    if not settings.lease_retry_period < settings.lease_renew_deadline < settings.lease_duration:
        raise SettingError(
            f"lease_retry_period ({settings.lease_retry_period}) has to be less than lease_renew_deadline "
            f"({settings.lease_renew_deadline}), and that less than lease_duration ({settings.lease_duration})"
        )
    if settings.lease_duration - settings.lease_retry_period <= ACT_SECONDS:
        raise SettingError(
            f"lease_duration ({settings.lease_duration}) has to be more than lease_retry_period "
            f"({settings.lease_retry_period}) plus {ACT_SECONDS:g}: so much is left of it before a drop or a roll"
        )
    if settings.log_format not in ("json", "console"):
        raise SettingError(f"log_format is {settings.log_format!r}; it has to be json or console")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise SettingError(f"log_level is {settings.log_level!r}; it has to be debug, info, warning or error")
    for pattern in settings.allow_endpoint:
        if (problem := check_pattern(pattern)) is not None:
            raise SettingError(problem)
    if settings.namespaces and not settings.owner:
        raise SettingError("owner is not set; with namespaces given it has to be, as kube-system cannot be read")


def _own_namespace() -> str:
    try:
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "default"
