"""Values in messages, where no value can be a secret: an API key that was pasted into the wrong field stays unsaid."""

import json
import re
from collections.abc import Mapping
from typing import Final

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.validation.problems import Path, dotted

_OPEN: Final = (MilvusCollection.KIND, EmbeddingFunction.KIND)
"""Kinds whose texts are shown. Connections and credentials are about keys, passwords and addresses that carry them."""

_NAMES: Final = ("name", "field")
_KEY: Final = re.compile(r"sk-", re.IGNORECASE)
_LONGEST: Final = 80


class Quoting:
    """Shows values of one document."""

    def __init__(self, kind: str, body: Mapping[str, object]) -> None:
        self._kind = kind
        self._body = body

    def value(self, path: Path, value: object) -> str:
        """Return a value as JSON, empty if it is too long, too deep, or may be secret."""
        if isinstance(value, list):
            parts = [self.value(path, part) for part in value]
            text = f"[{', '.join(parts)}]" if all(parts) else ""
        elif isinstance(value, str):
            text = json.dumps(value, ensure_ascii=False) if self._is_open(path, value) else ""
        else:
            text = json.dumps(value) if isinstance(value, bool | int | float) else ""
        return text if len(text) <= _LONGEST else ""

    def told(self, path: Path, *, beside: Path | None = None) -> str:
        """Return the entry of the list, the value at the path, and the entry that it collides with, in parentheses."""
        parts = []
        entry = next((path[:end] for end in range(len(path), 0, -1) if isinstance(path[end - 1], int)), ())
        if entry and (name := self._name(entry)) and path != (*entry, name.partition(":")[0]):
            parts.append(name)
        if (text := self.value(path, self._at(path))) and not isinstance(path[-1], int):
            parts.append(f"{path[-1]}: {text}")
        elif text:
            parts.append(text)
        if beside is not None:
            parts.append(f"beside {dotted(beside[-2:])}{self._bracketed(beside)}")
        return f" ({', '.join(parts)})" if parts else ""

    def _bracketed(self, entry: Path) -> str:
        name = self._name(entry).partition(": ")[2]
        return f" {name}" if name else ""

    def _name(self, entry: Path) -> str:
        body = self._at(entry)
        if isinstance(body, Mapping):
            for key in _NAMES:
                if text := self.value((*entry, key), body.get(key)):
                    return f"{key}: {text}"
        return ""

    def _is_open(self, path: Path, text: str) -> bool:
        refers = any(str(part).endswith("Ref") for part in path)
        return self._kind in _OPEN and not refers and not _KEY.search(text)

    def _at(self, path: Path) -> object:
        value: object = self._body
        for part in path:
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value
