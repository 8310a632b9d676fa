"""The documents themselves: the two sections of milvus.yaml (the manual's Option 1), the two variables (Option 2), and
the hash over their meaning.

Every scalar is quoted, keys are sorted, the same input gives the same bytes, and the YAML is always valid: Milvus that
starts with a file it cannot parse starts without any configuration.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

FILE_KEY: Final = "embedding.yaml"
VARIABLES: Final = ("MILVUSAI_DASHSCOPE_API_KEY", "MILVUS_DASHSCOPE_API_KEY")
MASK: Final = "********"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The provider's section: its default label and its endpoint, both optional."""

    default_label: str | None = None
    url: str | None = None


def sections(keys: Mapping[str, str], provider: Provider) -> dict[str, object]:
    """The `credential` and `function` sections as plain data. `keys`: label -> API key."""
    document: dict[str, object] = {"credential": {label: {"apikey": key} for label, key in keys.items()}}
    entries = {"credential": provider.default_label, "url": provider.url}
    if any(entries.values()):
        dashscope = {name: value for name, value in entries.items() if value}
        document["function"] = {"textEmbedding": {"providers": {"dashscope": dashscope}}}
    return document


def to_yaml(document: Mapping[str, object]) -> str:
    """YAML with every scalar in double quotes and sorted keys."""
    dumped: str = yaml.dump(
        dict(document), Dumper=_Quoting, sort_keys=True, width=2**20, default_flow_style=False, allow_unicode=False
    )
    return dumped


def masked(document: Mapping[str, object]) -> dict[str, object]:
    """The same document with every API key replaced by a mask."""
    credentials = document.get("credential")
    labels = credentials if isinstance(credentials, Mapping) else {}
    return {**document, "credential": {label: {"apikey": MASK} for label in labels}}


def means(text: bytes, document: Mapping[str, object]) -> bool:
    """Whether a text, perhaps of another version or edited by hand, says the same as a document."""
    try:
        return bool(yaml.safe_load(text) == document)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False


def keys_of(text: bytes) -> Mapping[str, str]:
    """API keys by label, as far as a text, perhaps edited by hand, can be read."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    credentials = found.get("credential") if isinstance(found, dict) else None
    entries = credentials.items() if isinstance(credentials, dict) else ()
    return {
        label: entry["apikey"]
        for label, entry in entries
        if isinstance(label, str)
        and isinstance(entry, dict)
        and entry.get("apikey")
        and isinstance(entry["apikey"], str)
    }


def config_hash(keys: Mapping[str, str], provider: Provider, *, owner_id: str, connection: str) -> str:
    """HMAC over the meaning. The same in every version of the operator; tells nothing about the keys.

    connection: namespace/name.
    """
    meaning = json.dumps([sorted(keys.items()), provider.url or "", provider.default_label or ""])
    return hmac.new(f"{owner_id}\n{connection}".encode(), meaning.encode(), hashlib.sha256).hexdigest()[:32]


class _Quoting(yaml.SafeDumper):
    """Quotes strings, and only them: an empty map stays a map."""


def _quoted(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')


_Quoting.add_representer(str, _quoted)
