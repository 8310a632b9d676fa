"""`milvus-embedding plan`: what apply would do, found out without changing anything."""

import asyncio
from pathlib import Path

import click

from milvus_embedding.cli.apply import folder, manifests_of, quieten
from milvus_embedding.cli.inputs import (
    accept_owner_option,
    allow_endpoint_option,
    examples,
    files_option,
    milvus_option,
    timeout_option,
    verbose_option,
)
from milvus_embedding.cli.outputs import dump, output_option
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.directory import KeptDirectory
from milvus_embedding.files.kube import OWNER
from milvus_embedding.files.planning.planning import plan as make_plan
from milvus_embedding.files.planning.report import as_data, as_text
from milvus_embedding.files.session import Options


@click.command(
    epilog=examples(
        "milvus-embedding plan -f manifests/ --milvus http://localhost:19530",
        "kustomize build . | milvus-embedding plan -f - --owner my-cluster -o json",
    )
)
@files_option
@milvus_option
@click.option(
    "--config",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="DIR",
    help="The folder of apply --write-config: what Milvus has now, to compare the configuration with.",
)
@click.option(
    "--owner",
    default=OWNER,
    show_default=True,
    help="Owner id whose collections are ours. For those of an operator: its setting owner, or the uid of the "
    "namespace kube-system if it has none. Hashes do not depend on it.",
)
@accept_owner_option
@allow_endpoint_option
@timeout_option(60.0)
@output_option("text", "json", "yaml")
@verbose_option
@click.pass_context
def plan(
    ctx: click.Context,
    paths: tuple[str, ...],
    milvus: str | None,
    config: Path | None,
    owner: str,
    accept_owner: tuple[str, ...],
    allow_endpoint: tuple[str, ...],
    timeout: float,
    output: str,
    verbose: bool,
) -> None:
    """Show what apply would do, step by step; nothing is changed anywhere.

    Milvus is only asked, DashScope not at all, and no API key is needed: Secrets may be missing from the files.
    Exits with 0 if there is nothing to do, 2 if there are changes, 3 if some of them wait for an approval, and 1 if
    something cannot be done or found out.
    """
    scrubber = Scrubber()
    quieten(scrubber, verbose=verbose)
    manifests = manifests_of(paths, milvus, None, verb="planned")
    options = Options(owner=owner, accept_owner=accept_owner, allow_endpoint=allow_endpoint, read_only=True)
    kept = folder(manifests, KeptDirectory(config) if config is not None else None, option="--config")
    planned = asyncio.run(make_plan(manifests, scrubber, options=options, kept=kept, seconds=timeout))
    if output == "text":
        click.echo(as_text(planned, lambda text, colour: click.style(text, fg=colour or None)))
    else:
        click.echo(dump(as_data(planned), output), nl=False)
    ctx.exit(planned.status)
