"""Properties, partitions and load options."""

import re
from collections.abc import Iterator
from typing import Final

from milvus_embedding.api.collection import CollectionSpec
from milvus_embedding.api.model import Scalar
from milvus_embedding.domain.desired import DEFAULT_PARTITION
from milvus_embedding.domain.limits.breach import Breach, Grade, quoted

PARTITIONS_BY_DEFAULT: Final = 1024
"""rootCoord.maxPartitionNum, the default one included."""

_TTL: Final = "collection.ttl.seconds"
_MOST_SECONDS: Final = 3_155_760_000
_ISOLATION: Final = "partitionkey.isolation"
_TRUTHS: Final = frozenset(
    {
        "mmap.enabled", _ISOLATION, "allow_insert_auto_id", "collection.autocompaction.enabled",
        "disable_func_runtime_check", "collection.function.allowInsertNonBM25FunctionOutputs",
    }
)  # fmt: skip
_RATE: Final = re.compile(r"collection\.\w+Rate\.(?:max|min)\.\w+")
_COUNT: Final = "collection.replica.number"
_ZONE: Final = "timezone"
_ELSEWHERE: Final = {
    "consistency_level": "consistencyLevel",
    "collection.description": "description",
    "dynamicfield.enabled": "enableDynamicField",
}
_GO_TRUTHS: Final = frozenset({"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"})
_GO_YES: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})


def option_breaches(spec: CollectionSpec) -> Iterator[Breach]:
    for key, value in spec.properties.items():
        if problem := _property(key, value, spec):
            text = f"properties[{key}] {problem}"
            yield Breach(path=("properties", key), place="", message=text)
    partitions = {*spec.partitions, DEFAULT_PARTITION}
    if len(partitions) > PARTITIONS_BY_DEFAULT:
        text = (
            f"partitions has {len(partitions) - 1} names, and with {DEFAULT_PARTITION} Milvus takes "
            f"{PARTITIONS_BY_DEFAULT} unless rootCoord.maxPartitionNum is raised"
        )
        yield Breach(path=("partitions",), place="", message=text, grade=Grade.DOUBTFUL)
    for at, group in enumerate(spec.load.resource_groups):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", group):
            text = (
                f"resourceGroups has {quoted(group)}, but names of resource groups have letters, digits and _ only, "
                "and do not begin with a digit: correct it"
            )
            yield Breach(path=("load", "resourceGroups", at), place="load", message=text)


def _property(key: str, value: Scalar, spec: CollectionSpec) -> str:
    """What is wrong with it, empty if nothing is or the key is not known here."""
    text = _spelled(value)
    if key in _ELSEWHERE:
        return f"is no property of its own in Milvus: set spec.{_ELSEWHERE[key]} instead, and remove it here"
    if key == "max_field_id":
        return "belongs to the server: remove it"
    if key == _TTL and not (re.fullmatch(r"-?\d{1,12}", text) and -1 <= int(text) <= _MOST_SECONDS):
        return f"is {quoted(value)}, but it has to be whole seconds from -1 (for ever) to {_MOST_SECONDS}: correct it"
    if key in _TRUTHS and text not in _GO_TRUTHS:
        return f"is {quoted(value)}, but it has to be true or false: correct it"
    if key == _ISOLATION and text in _GO_YES and not any(f.partition_key for f in spec.fields):
        return "is true, but no field has partitionKey: add partitionKey: true to a field, or remove it"
    if key == _COUNT and not (re.fullmatch(r"\d{1,6}", text) and int(text) > 0):
        return f"is {quoted(value)}, but it has to be a number from 1 on: correct it"
    if _RATE.fullmatch(key) and not re.fullmatch(r"-?\d+(?:\.\d+)?", text):
        return f"is {quoted(value)}, but it has to be a number: correct it"
    if key == _ZONE and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", text):
        return f"is {quoted(value)}, but it has to be a time zone by name, as Asia/Shanghai: correct it"
    return ""


def _spelled(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
