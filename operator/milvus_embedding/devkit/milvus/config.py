"""milvus.yaml as Milvus reads it: layers of files, folded keys, environment variables, and live re-reading.

The rules are Milvus' own, odd ones included, because a rendered file has to survive them: a key is stored lower-cased
with dots and also *folded* (without `/`, `_` and `.`), groups are scanned by the former and valued by the latter, so
two labels that fold together share one value. Only reading: it does not know what any key means but `credential` and
the DashScope provider. Milvus' third source, etcd, is left out.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

# In Milvus' order: a later file wins.
FILE_NAMES = ("milvus.yaml", "_test.yaml", "default.yaml", "user.yaml")
_ENVIRONMENT_PREFIX = "milvus_conf_"
_PROVIDERS = "function.textembedding.providers."


def fold(key: str) -> str:
    """Milvus' identity of a key: lower case without `/`, `_` and `.`."""
    return key.lower().translate({ord(sign): None for sign in "/_."})


def flatten(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of a YAML document as (dotted lower-case key, value as Milvus stringifies it)."""
    if isinstance(node, dict):
        for key, value in node.items():
            name = _text(key).lower()
            yield from flatten(value, f"{path}.{name}" if path else name)
    else:
        yield path, _text(node)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return str(value)


@dataclass(slots=True)
class _Layer:
    """One file. `values` stay as they were when the file cannot be read or parsed."""

    path: Path
    stamp: tuple[int, int, int] | None = None
    values: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def refresh(self) -> None:
        stamp = self._stat()
        if stamp is None or stamp == self.stamp:
            return
        self.stamp = stamp
        try:
            document = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return
        if isinstance(document, dict) or document is None:
            self.values = tuple(flatten(document)) if document else ()

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_ino, status.st_size)


class MilvusYaml:
    """The configuration of one Milvus process. A new process is a new object.

    Files that do not exist when it is made are never looked at again. The environment is read once. Files are looked at
    for each read (Milvus does so every five seconds); symbolic links are followed.
    """

    def __init__(self, config_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self._layers = tuple(_Layer(config_dir / name) for name in FILE_NAMES if (config_dir / name).exists())
        self._environment = dict(environment or {})
        self._lock = threading.Lock()

    def credential(self, label: str, kind: str = "apikey") -> str | None:
        """The value under `credential.<label>.<kind>`; None if no file declares it. The label is taken verbatim, so one
        with an upper-case letter is never found.
        """
        return self._group("credential.").get(f"{label}.{kind}")

    def provider(self, name: str) -> Mapping[str, str]:
        """The section `function.textEmbedding.providers.<name>`: `enable`, `credential`, `url`."""
        return self._group(f"{_PROVIDERS}{name}.")

    def batch_factor(self) -> int:
        """`function.batch_factor`: rows of a request in multiples of the provider's batch; 5 by default, at least 1."""
        value = self._values()[1].get(fold("function.batch_factor"), "5")
        try:
            return max(1, int(value))
        except ValueError:
            return 5

    def environment(self, name: str) -> str:
        """A variable of the process, "" if unset."""
        return self._environment.get(name, "")

    def _group(self, prefix: str) -> dict[str, str]:
        dotted, folded = self._values()
        return {key.removeprefix(prefix): folded[fold(key)] for key in dotted if key.startswith(prefix)}

    def _values(self) -> tuple[set[str], dict[str, str]]:
        """All dotted keys, and the values by folded key: environment over files, later files over earlier ones."""
        dotted: set[str] = set()
        folded: dict[str, str] = {}
        with self._lock:
            for layer in self._layers:
                layer.refresh()
                for key, value in layer.values:
                    dotted.add(key)
                    folded[fold(key)] = value
        for name, value in self._environment.items():
            key = name.lower().removeprefix(_ENVIRONMENT_PREFIX)
            dotted.add(key)
            folded[fold(key)] = value
        return dotted, folded
