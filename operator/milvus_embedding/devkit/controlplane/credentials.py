"""What authenticates users to a test control plane: a token file, a service account key and kubeconfigs.

Made anew for every control plane, readable by the owner only, and of no value once it has stopped.
"""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

# An ECPrivateKey of RFC 5915 without its public half, which the reader computes: version 1, 32 octets, curve P-256.
_EC_KEY_HEAD: Final = bytes.fromhex("30310201010420")
_EC_KEY_CURVE: Final = bytes.fromhex("a00a06082a8648ce3d030107")
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def new_service_account_key() -> str:
    """A fresh ECDSA P-256 private key as PEM; such a key is a random number, so no cryptography package is needed."""
    number = secrets.randbelow(_P256_ORDER - 1) + 1
    der = _EC_KEY_HEAD + number.to_bytes(32, "big") + _EC_KEY_CURVE
    lines = base64.encodebytes(der).decode().replace("\n", "")
    wrapped = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    return f"-----BEGIN EC PRIVATE KEY-----\n{wrapped}\n-----END EC PRIVATE KEY-----\n"


def token_file(token: str) -> str:
    """The content of `--token-auth-file`: one user, who may do everything."""
    return f'{token},admin,admin,"system:masters"\n'


def kubeconfig(*, url: str, ca: bytes, token: str, namespace: str = "default") -> str:
    """A kubeconfig that needs no other file.

    Args:
        url: address of the API server.
        ca: the certificates that its own is checked against, as PEM.
        token: bearer token of the user.
        namespace: where commands without a namespace go.
    """
    name = "milvus-embedding-devkit"
    authority = base64.b64encode(ca).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
            "current-context": name,
        },
        sort_keys=False,
    )
