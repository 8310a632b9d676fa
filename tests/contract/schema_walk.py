"""The CRDs, and every node of their schemas with its path."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]


@cache
def crds() -> dict[str, Schema]:
    found = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((ROOT / "crds").glob("*.yaml"))]
    return {crd["spec"]["names"]["kind"]: crd for crd in found}


def schema_of(kind: str) -> Schema:
    schema: Schema = crds()[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@dataclass(frozen=True)
class Node:
    path: str
    schema: Schema
    in_list: bool


def nodes(kind: str) -> Iterator[Node]:
    yield from _nodes("", schema_of(kind), in_list=False)


def _nodes(path: str, schema: Schema, *, in_list: bool) -> Iterator[Node]:
    yield Node(path, schema, in_list)
    for name, part in schema.get("properties", {}).items():
        if path or name in {"spec", "status"}:
            yield from _nodes(f"{path}.{name}".lstrip("."), part, in_list=in_list)
    if "items" in schema:
        yield from _nodes(f"{path}[]", schema["items"], in_list=True)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _nodes(f"{path}{{}}", schema["additionalProperties"], in_list=in_list)
