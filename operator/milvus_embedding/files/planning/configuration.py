"""What would change in the configuration that a connection delivers. Keys are compared and never shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import yaml

from milvus_embedding.domain.rendering.document import FILE_KEY, VARIABLES, keys_of


class LabelChange(StrEnum):
    ADD = "Add"
    REMOVE = "Remove"
    KEY = "Key"
    NONE = "None"
    UNKNOWN = "Unknown"


_CHANGES: Final = (LabelChange.ADD, LabelChange.REMOVE, LabelChange.KEY)


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """`credential` is namespace/name, empty where nobody is known to own the label."""

    label: str
    credential: str
    change: LabelChange


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationPlan:
    """`compared` False: what was delivered before is not known, and nothing counts as a change. `settings`: default key
    and endpoint as (name, before, after), those that change.
    """

    connection: str
    compared: bool
    labels: tuple[LabelPlan, ...]
    settings: tuple[tuple[str, str, str], ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.settings) or any(label.change in _CHANGES for label in self.labels)


def configuration(
    connection: str,
    *,
    before: Mapping[str, bytes] | None,
    after: Mapping[str, bytes],
    owners: Mapping[str, str],
    without_key: frozenset[str],
) -> ConfigurationPlan:
    """`before` None: not known. `owners`: label -> credential. `without_key`: credentials whose key is a stand-in."""
    old, new = _keys(before or {}), _keys(after)
    labels = []
    for label in sorted({*old, *new}):
        owner = owners.get(label, "")
        unknown = before is None or (label in old and label in new and owner in without_key)
        change = LabelChange.UNKNOWN if unknown else _change(old.get(label), new.get(label))
        labels.append(LabelPlan(label, owner, change))
    settings = () if before is None else _settings(_provider(before), _provider(after))
    return ConfigurationPlan(
        connection=connection, compared=before is not None, labels=tuple(labels), settings=settings
    )


def _change(before: str | None, after: str | None) -> LabelChange:
    if before is None:
        return LabelChange.ADD
    if after is None:
        return LabelChange.REMOVE
    return LabelChange.NONE if before == after else LabelChange.KEY


def _keys(data: Mapping[str, bytes]) -> dict[str, str]:
    """By label; of delivery Environment by variable."""
    variables = {name: data[name].decode(errors="replace") for name in VARIABLES if data.get(name)}
    return {**keys_of(data.get(FILE_KEY, b"")), **variables}


def _settings(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in ("credential", "url"))
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def _provider(data: Mapping[str, bytes]) -> dict[str, str]:
    try:
        node: object = yaml.safe_load(data.get(FILE_KEY, b""))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    for name in ("function", "textEmbedding", "providers", "dashscope"):
        node = node.get(name) if isinstance(node, Mapping) else None
    return {str(k): str(v) for k, v in node.items()} if isinstance(node, Mapping) else {}
