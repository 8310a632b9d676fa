"""The CRDs as the validator needs them. They are the product's own: package data of a wheel, crds/ of a checkout."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import TypeAlias, cast

import yaml

Schema: TypeAlias = Mapping[str, object]
"""A structural OpenAPI schema, as in openAPIV3Schema."""


def crd_files() -> list[FilePath]:
    """Return the CRD manifests.

    Raises:
        FileNotFoundError: the installation is damaged.
    """
    package = FilePath(__file__).resolve().parent.parent
    for folder in (package / "_crds", package.parent.parent / "crds"):
        files = sorted(folder.glob("*.yaml"))
        if files:
            return files
    raise FileNotFoundError("the CRDs are missing from this installation: install milvus-embedding-operator again")


@lru_cache(maxsize=1)
def schemas() -> Mapping[str, Schema]:
    """Return the schema of each kind."""
    found: dict[str, Schema] = {}
    for file in crd_files():
        # The product's own file: its shape is held by tests, not checked here.
        spec = cast("dict[str, dict[str, str]]", yaml.safe_load(file.read_text(encoding="utf-8"))["spec"])
        versions = cast("list[dict[str, dict[str, Schema]]]", spec["versions"])
        found[spec["names"]["kind"]] = versions[0]["schema"]["openAPIV3Schema"]
    return MappingProxyType(found)


def properties(schema: Schema) -> Mapping[str, Schema]:
    """Return the declared fields of an object's schema."""
    return cast("Mapping[str, Schema]", schema.get("properties", {}))


def items(schema: Schema) -> Schema:
    """Return the schema of a list's items."""
    return cast("Schema", schema.get("items", {}))


def values(schema: Schema) -> Schema | None:
    """Return the schema of a map's values, None for what is not a map."""
    return cast("Schema | None", schema.get("additionalProperties"))


def children(schema: Schema, value: object) -> Iterator[tuple[str | int, Schema, object]]:
    """Return the parts of a value that the schema knows: their key, schema and value."""
    if isinstance(value, Mapping):
        declared = properties(schema)
        of_map = values(schema)
        for key, part in value.items():
            known = declared.get(key, of_map)
            if known is not None:
                yield key, known, part
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield position, items(schema), part
