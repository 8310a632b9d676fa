"""docs/compatibility.md says what the planner plans by: every cell, at the first and the last version of it."""

from collections.abc import Callable
from pathlib import Path

from milvus_embedding.domain.planning.capabilities import Capabilities, capabilities

PAGE = Path(__file__).resolve().parents[4] / "docs" / "compatibility.md"
COLUMNS = {
    "2.3 to 2.5": ("v2.3.5", "v2.5.99"),
    "2.6.0 to 2.6.6": ("v2.6.0", "v2.6.6"),
    "2.6.7, 2.6.8": ("v2.6.7", "v2.6.8"),
    "2.6.9 and later 2.6": ("v2.6.9", "v2.6.99"),
    "3.0 and later": ("v3.0.0", "v3.4.1"),
}
ROWS: dict[str, Callable[[Capabilities], bool]] = {
    "have embedding functions": lambda able: able.functions,
    "change the credential of a function": lambda able: able.alters_param("credential"),
    "change a function's model or dimension parameter": lambda able: able.alters_param("model_name"),
    "change a function's description or spelling": lambda able: able.alters_function_text,
    "add and drop a function of a collection that exists": lambda able: able.adds_and_drops_functions,
    "change a function while another one of the collection is broken": lambda able: able.checks_target_only,
    "add a nullable scalar field, raise max_length": lambda able: able.alters_fields,
    "add a vector field": lambda able: able.adds_vector_fields,
    "add a BM25 function with its output field": lambda able: able.adds_function_fields,
    "drop a field": lambda able: able.drops_fields,
    "switch the dynamic field off": lambda able: able.disables_dynamic_field,
    "drop a scalar index while the collection is loaded": lambda able: able.drops_scalar_index_loaded,
    "change replicas and resource groups while loaded": lambda able: able.changes_replicas_loaded,
}


def table() -> dict[str, list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| a Milvus can |"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:] if line.startswith("|")]
    end = next(index for index, row in enumerate(rows) if row[0].startswith("|") or len(row) != len(rows[0]))
    return {row[0]: row[1:] for row in [rows[0], *rows[2:end]]}


def test_the_table_has_every_row_and_column() -> None:
    told = table()

    assert told.pop("a Milvus can") == list(COLUMNS)
    assert list(told) == list(ROWS)


def test_every_cell_is_what_the_planner_plans_by() -> None:
    expected = {
        row: [{ask(capabilities(first)), ask(capabilities(last))} for first, last in COLUMNS.values()]
        for row, ask in ROWS.items()
    }
    told = {row: [{cell == "yes"} for cell in cells] for row, cells in table().items() if row in ROWS}

    assert told == expected


def test_every_capability_is_in_the_table() -> None:
    asked: set[str] = set()

    class Asked:
        def __getattr__(self, name: str) -> object:
            asked.add("alterable_params" if name == "alters_param" else name)
            return lambda _: True

    for ask in ROWS.values():
        ask(Asked())  # type: ignore[arg-type]

    assert asked | {"version", "alters_functions"} == set(Capabilities.__slots__)
