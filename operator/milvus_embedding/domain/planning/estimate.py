"""What a rebuild costs, as far as it can be told without reading a row: upper limits, made from the number of rows.

How long texts are is not known; a text has no more tokens than its field has bytes or its model takes.
"""

from typing import Final

from milvus_embedding.api.collection import ChangeClass, PlanEstimate
from milvus_embedding.domain.catalogue import CATALOGUE
from milvus_embedding.domain.planning.functions import identity
from milvus_embedding.domain.planning.observed import Observed, field_named, function_named
from milvus_embedding.domain.planning.steps import Action, Plan
from milvus_embedding.domain.schema import Function, FunctionKind

_BATCH: Final = 25
_BATCHES: Final = {"text-embedding-v3": 6}
"""Texts that Milvus sends to DashScope in one request."""


def estimate(plan: Plan, have: Observed, *, rows: int | None) -> PlanEstimate | None:
    """Rows as the server's statistics have them, None if they are unknown; tokens are the most that it can be.

    None for a plan without a rebuild, and without rows.
    """
    if rows is None or plan.class_ is not ChangeClass.REBUILD:
        return None
    schema = plan.desired.schema
    embedding = [f for f in schema.functions if f.kind is FunctionKind.TEXT_EMBEDDING and _is_new(f, plan, have)]
    tokens = sum(rows * most for f in embedding if (most := _most_tokens(f, plan)) is not None)
    requests = sum(-(-rows // _BATCHES.get(f.params.get("model_name", ""), _BATCH)) for f in embedding)
    return PlanEstimate(rows=rows, tokens=tokens or None, requests=requests or None)


def dropped_partitions(plan: Plan) -> tuple[str, ...]:
    """Those whose rows the plan takes away."""
    return tuple(step.subject for step in plan.steps if step.action is Action.DROP_PARTITION)


def about(rows: int | None) -> str:
    """A number of statistics, or of nobody, in words."""
    if rows is None:
        return "an unknown number of rows"
    return f"about {rows:,} row{'' if rows == 1 else 's'}"


def _is_new(function: Function, plan: Plan, have: Observed) -> bool:
    """Whether its vectors are none that are there."""
    present = function_named(have.schema, function.name)
    if present is None or present.inputs != function.inputs or present.outputs != function.outputs:
        return True
    return identity(function, plan.desired.schema) != identity(present, have.schema)


def _most_tokens(function: Function, plan: Plan) -> int | None:
    listed = CATALOGUE.get(function.params.get("model_name", ""))
    text = field_named(plan.desired.schema, function.inputs[0])
    length = text.params.get("max_length", "") if text is not None else ""
    limits = [listed.max_tokens] if listed is not None else []
    limits += [int(length)] if length.isdigit() else []
    return min(limits, default=None)
