"""How many rows go with the partitions that a plan drops: told to who approves it, and evidence of nothing."""

from collections.abc import Mapping

from milvus_embedding.clients.milvus.port import Milvus, MilvusError
from milvus_embedding.controllers.collection.changing import Case, Result
from milvus_embedding.domain.planning.estimate import dropped_partitions
from milvus_embedding.domain.planning.steps import Plan


async def rows_by_partition(milvus: Milvus, plan: Plan, name: str) -> Mapping[str, int | None]:
    """By the statistics of collection `name`; None where Milvus does not tell."""
    found: dict[str, int | None] = {}
    for partition in dropped_partitions(plan):
        try:
            found[partition] = await milvus.estimate_rows(plan.desired.database, name, partition=partition)
        except MilvusError:
            found[partition] = None
    return found


async def rows_lost(case: Case, result: Result) -> int | None:
    """Of all partitions that the plan drops, asked once per hash. None: there are none, or it is not known."""
    plan, shown, written = result.decision.plan, result.decision.status, case.collection.status.plan
    if shown is None or not dropped_partitions(plan):
        return None
    if written is not None and written.hash == shown.hash and written.estimate is not None:
        return written.estimate.rows
    rows = (await rows_by_partition(case.subject.milvus, plan, result.have.name)).values()
    known = [number for number in rows if number is not None]
    return sum(known) if len(known) == len(rows) else None
