"""Finding keys and passwords in text, in every spelling in which they could have got there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.lab import Lab

# What Go writes for these signs inside a JSON string.
GO_ESCAPES = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


def forms(secret: str) -> set[str]:
    """How a secret may be spelled: as it is, in JSON, and in base64 at each of the three alignments."""
    quoted = json.dumps(secret)[1:-1]
    return {secret, quoted, quoted.translate(GO_ESCAPES), *(_within_base64(secret.encode(), n) for n in range(3))}


def _within_base64(secret: bytes, offset: int) -> str:
    """The part of base64(something + secret + something) that depends on the secret alone."""
    encoded = base64.b64encode(bytes(offset) + secret + bytes(-(offset + len(secret)) % 3)).decode()
    first = -(-offset * 8 // 6)
    last = (offset + len(secret)) * 8 // 6
    return encoded[first:last]


def leaks(text: str, secrets: set[str]) -> list[str]:
    """Which secrets are in a text, told so that the report is no leak itself."""
    return [f"{secret[:10]}…" for secret in sorted(secrets) if any(form in text for form in forms(secret))]


def files(lab: Lab) -> Iterator[Path]:
    """What operators and commands left behind: logs, metrics, and evidence that tests kept."""
    yield from lab.directory.glob("*.log")
    yield from lab.directory.glob("*.metrics")
    yield from (lab.directory / "evidence").glob("*.txt")


def leaking_files(lab: Lab) -> dict[str, list[str]]:
    """The files with a secret in them, and which."""
    found = {file.name: leaks(file.read_text(errors="replace"), lab.known_secrets) for file in files(lab)}
    return {name: secrets for name, secrets in found.items() if secrets}
