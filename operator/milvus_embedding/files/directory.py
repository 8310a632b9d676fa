"""The rendered configuration of a Milvus that is not in Kubernetes: a folder on its machine.

It holds what the rendered Secret holds, memory included, so that the next run keeps the labels that are in use. Each
file is replaced as a whole and readable by its owner only.
"""

import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from milvus_embedding.domain.rendering import document, state

ENVIRONMENT_FILE: Final = "embedding.env"

_BARE: Final = re.compile(r"[A-Za-z0-9@%+=:,./*_-]+")
"""What means itself wherever such a file is read."""


class ConfigDirectory:
    """One folder for one connection. Raises OSError where the file system does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, bytes] | None:
        """What an earlier run left, as the data of the rendered Secret; None if there is nothing."""
        data: dict[str, bytes] = {}
        for name in (document.FILE_KEY, state.KEY):
            file = self.path / name
            if file.is_file():
                data[name] = file.read_bytes()
        variables = self.path / ENVIRONMENT_FILE
        if variables.is_file():
            lines = variables.read_text(encoding="utf-8").splitlines()
            pairs = (line.partition("=") for line in lines)
            data |= {name: _unquoted(value).encode() for name, _, value in pairs if value}
        return data or None

    def write(self, data: Mapping[str, bytes]) -> None:
        """Memory first: a file whose labels nobody remembers could lose one that is in use."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = {name: data[name] for name in (state.KEY, document.FILE_KEY) if name in data}
        variables = {name: data[name].decode() for name in document.VARIABLES if name in data}
        if variables:
            files[ENVIRONMENT_FILE] = environment_file(variables).encode()
        for name, content in files.items():
            _replace(self.path / name, content)
        for name in {document.FILE_KEY, ENVIRONMENT_FILE} - files.keys():
            (self.path / name).unlink(missing_ok=True)


class KeptDirectory(ConfigDirectory):
    """The same, looked at only: what would be written is dropped."""

    def write(self, data: Mapping[str, bytes]) -> None:
        return None


def environment_file(variables: Mapping[str, str]) -> str:
    """Lines as a shell and systemd's EnvironmentFile take them.

    So does `docker run --env-file`, which knows no quotes, where none are needed: keys of DashScope need none.
    """
    return "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    inside = value.replace("'", "'\"'\"'")
    return f"'{inside}'"


def _unquoted(text: str) -> str:
    return "".join(shlex.split(text)) if text.startswith("'") else text


def write_private(path: Path, content: str) -> None:
    """Replaces a file as a whole; only its owner may read it."""
    _replace(path, content.encode())


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
