"""Steps that would make Milvus take what no Milvus takes are refused, each with the sentence of the limit; the others
go on. What a collection has already Milvus has taken: a limit that this version is the first to know stops no repair.
"""

import dataclasses
from collections.abc import Iterable

from milvus_embedding.domain.limits.breach import Breach
from milvus_embedding.domain.planning.steps import Plan


def limited(plan: Plan, breaches: Iterable[Breach]) -> Plan:
    """The same plan, with what `breaches` are against as unsupported."""
    against = [(_path(breach), str(breach)) for breach in breaches]
    steps = []
    for step in plan.steps:
        texts = [text for path, text in against if _is_within(step.path, path)]
        steps.append(dataclasses.replace(step, unsupported="; ".join(texts)) if texts else step)
    return dataclasses.replace(plan, steps=tuple(steps))


def _path(breach: Breach) -> str:
    """As steps name it."""
    if breach.place:
        return f"spec.{breach.place}"
    first, *rest = breach.path
    return f"spec.{first}[{rest[0]}]" if first == "properties" and rest else f"spec.{first}"


def _is_within(path: str, whole: str) -> bool:
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))
