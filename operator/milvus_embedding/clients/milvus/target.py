"""Where a Milvus is and as whom to talk to it. Values only: nothing is resolved, opened or written to disk here.

Certificates are the bytes of PEM files, taken from Secrets as they are: gRPC accepts them from memory.
"""

import dataclasses
from dataclasses import dataclass
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 19530, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The contents of PEM files. Without `ca` the system's roots are trusted; `certificate` and `key` go together.
    `server_name` is the name that the server's certificate must bear, "" for the host of the uri.
    """

    ca: bytes | None = dataclasses.field(default=None, repr=False)
    certificate: bytes | None = dataclasses.field(default=None, repr=False)
    key: bytes | None = dataclasses.field(default=None, repr=False)
    server_name: str = ""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("A client certificate needs both tls.crt and tls.key; add the missing one to the Secret.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One Milvus as one user. `token`, or `user` and `password`, or neither. `tls` counts with https only.
    `timeout_seconds` bounds every single call. `database` is the one meant by calls that name none.
    """

    uri: str
    user: str = dataclasses.field(default="", repr=False)
    password: str = dataclasses.field(default="", repr=False)
    token: str = dataclasses.field(default="", repr=False)
    tls: TlsFiles | None = None
    timeout_seconds: int = 60
    database: str = "default"

    def __post_init__(self) -> None:
        parts = urlsplit(self.uri)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("uri must be http://host:port or https://host:port.")
        if "@" in parts.netloc or parts.query or parts.path not in ("", "/"):
            raise ValueError("uri must hold no user info, path or query; put user and password into the auth Secret.")
        if bool(self.user) != bool(self.password):
            raise ValueError("A user needs a password and a password a user; add the missing key to the auth Secret.")

    @property
    def secure(self) -> bool:
        """True for https."""
        return urlsplit(self.uri).scheme == "https"

    @property
    def host(self) -> str:
        """The host without brackets."""
        return urlsplit(self.uri).hostname or ""

    @property
    def port(self) -> int:
        """The port, or what Milvus' clients assume without one: 443 for https, 19530 for http."""
        parts = urlsplit(self.uri)
        return parts.port or _DEFAULT_PORTS[parts.scheme]

    @property
    def address(self) -> str:
        """host:port as gRPC takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def credentials(self) -> str:
        """What Milvus expects in the authorization header before base64; "" without authentication."""
        return self.token or (f"{self.user}:{self.password}" if self.user else "")
