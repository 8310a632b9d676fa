"""`make bench`: the product beside a plain kopf operator, in turns, on one API server.

No number is judged: a machine that is busy gives other ones. What holds is the ratio of two runs next to each other.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from milvus_embedding.devkit.controlplane import ControlPlane, prepare
from tests.bench.api import Api
from tests.bench.candidates import Candidate, PlainKopf, Product
from tests.bench.measure import Bench, Plan, Run
from tests.bench.report import against_the_design, table
from tests.e2e.conftest import install
from tests.e2e.lab import Lab


@click.command()
@click.option("--objects", default=500, show_default=True, type=click.IntRange(1, 9999), help="Collections at once.")
@click.option("--singles", default=30, show_default=True, type=click.IntRange(1, 99), help="Collections one by one.")
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1), help="Runs of each operator.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all numbers there.")
def main(objects: int, singles: int, rounds: int, json_file: Path | None) -> None:
    """Measure the operator beside a plain kopf operator."""
    console = Console()
    # Ended by whoever runs it, it must not leave operators behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="milvus-embedding-bench-") as folder:
        runs = _rounds(Path(folder), Plan(objects=objects, singles=singles), rounds, console)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", encoding="utf-8")
    ours, plain = ([run for run in runs if run.candidate == each.name] for each in (Product, PlainKopf))
    console.print(table(ours, plain))
    for line in against_the_design(ours):
        console.print(f"- {line}", highlight=False)


def _rounds(directory: Path, plan: Plan, rounds: int, console: Console) -> list[Run]:
    runs: list[Run] = []
    with ControlPlane.start(binaries=prepare(), directory=directory / "plane", audit=True) as plane:
        install(plane)
        with Lab(plane, directory / "lab") as lab:
            bench = Bench(lab, Api(plane), plan, say=lambda text: console.print(text, highlight=False))
            candidates: list[Candidate] = [Product(lab), PlainKopf(lab)]
            for number in range(rounds):
                # The order alternates: whoever is second finds a warmer and fuller API server.
                runs.extend(map(bench.measure, candidates if number % 2 == 0 else reversed(candidates)))
    return runs


if __name__ == "__main__":
    main()
