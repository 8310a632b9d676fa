"""How results are shown: a table for people, JSON for programs."""

from collections.abc import Iterator, Sequence
from typing import Final

from milvus_embedding.files.session import Result

_COLUMNS: Final = ("KIND", "NAME", "READY", "REASON", "MESSAGE")


def table(results: Sequence[Result]) -> str:
    """Aligned columns with a header; the message comes last and is not cut. Below them, what differs in Milvus."""
    rows = [_COLUMNS, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS) - 1)]
    lines = ([*(row[at].ljust(width) for at, width in enumerate(widths)), row[-1]] for row in rows)
    differing = (line for result in results if result.drift for line in _differences(result))
    return "\n".join([*("  ".join(line).rstrip() for line in lines), *differing])


def as_data(results: Sequence[Result]) -> list[dict[str, object]]:
    """A list of objects, in the order of the table."""
    return [
        {
            "kind": result.key.kind,
            "namespace": result.key.namespace,
            "name": result.key.name,
            "ready": result.is_ready,
            "reason": result.reason,
            "message": result.message,
            "drift": [{"path": d.path, "want": d.want, "have": d.have} for d in result.drift],
        }
        for result in results
    ]


def _differences(result: Result) -> Iterator[str]:
    yield f"\nstatus.drift of {result.key}:"
    for difference in result.drift:
        yield f"  {difference.path}: declared {difference.want or 'nothing'}, in Milvus {difference.have or 'nothing'}"


def _row(result: Result) -> tuple[str, str, str, str, str]:
    name = f"{result.key.namespace}/{result.key.name}"
    return result.key.kind, name, result.status, result.reason, result.message
