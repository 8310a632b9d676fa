"""`milvus-embedding apply`: the operator's work on manifests in files, once, without Kubernetes."""

import asyncio
import time
from pathlib import Path

import click

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.cli.inputs import (
    accept_owner_option,
    allow_endpoint_option,
    count,
    errors,
    examples,
    files_option,
    load,
    milvus_option,
    milvus_uri,
    timeout_option,
    verbose_option,
)
from milvus_embedding.cli.outputs import dump, output_option
from milvus_embedding.controllers.base import Note
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.directory import ConfigDirectory
from milvus_embedding.files.kube import OWNER, FileKube
from milvus_embedding.files.manifests import Manifests, Place, sort, with_provider_url, with_uri
from milvus_embedding.files.report import as_data, table
from milvus_embedding.files.session import Options, Session
from milvus_embedding.runtime.logs import configure
from milvus_embedding.validation import validate_documents
from milvus_embedding.validation.documents import SourcedDocument
from milvus_embedding.validation.problems import Check, Severity


@click.command(
    epilog=examples(
        "milvus-embedding apply -f manifests/ --milvus http://localhost:19530",
        "milvus-embedding apply -f manifests/ --write-config /etc/milvus/embedding",
    )
)
@files_option
@milvus_option
@click.option("--dashscope", metavar="URL", help="Endpoint of DashScope, in place of the connections'.")
@timeout_option(120.0)
@click.option(
    "--write-config",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the rendered configuration there, for a Milvus on this machine.",
)
@click.option("--owner", default=OWNER, show_default=True, help="Owner id stamped on collections.")
@accept_owner_option
@allow_endpoint_option
@output_option("text", "json", "yaml")
@verbose_option
@click.pass_context
def apply(
    ctx: click.Context,
    paths: tuple[str, ...],
    milvus: str | None,
    dashscope: str | None,
    timeout: float,
    write_config: Path | None,
    owner: str,
    accept_owner: tuple[str, ...],
    allow_endpoint: tuple[str, ...],
    output: str,
    verbose: bool,
) -> None:
    """Carry out manifests without Kubernetes: render the configuration, create and check collections.

    Ends when every object is Ready, or when none of the others can become so; exits with 1 if any is not Ready. See
    with plan what it would do.
    """
    scrubber = Scrubber()
    quieten(scrubber, verbose=verbose)
    manifests = manifests_of(paths, milvus, dashscope, verb="changed")
    directory = ConfigDirectory(write_config) if write_config is not None else None
    kube = FileKube(manifests, folder=folder(manifests, directory, option="--write-config"))
    options = Options(owner=owner, accept_owner=accept_owner, allow_endpoint=allow_endpoint)
    session = Session(kube, scrubber, options=options, report=_Progress())
    results = asyncio.run(session.run(timeout))
    click.echo(table(results) + "\n" if output == "text" else dump(as_data(results), output), nl=False)
    unready = [result for result in results if not result.is_ready]
    if unready:
        timed_out = "" if all(result.is_final for result in results) else f" within {timeout:g} s"
        click.echo(f"error: {len(unready)} of {count(len(results), 'object')} not Ready{timed_out}", err=True)
    ctx.exit(1 if unready else 0)


class _Progress:
    """Prints what changes, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, key: Key, note: Note) -> None:
        elapsed = time.monotonic() - self._start
        click.echo(f"{elapsed:6.1f} s  {key}: {note.reason}: {note.message}", err=True)


def manifests_of(paths: tuple[str, ...], milvus: str | None, dashscope: str | None, *, verb: str) -> Manifests:
    """What -f names, valid and with addresses of Milvus and DashScope replaced. `verb`: what is not done otherwise."""
    documents, problems = load(paths)
    documents = _at(documents, milvus)
    if dashscope is not None:
        documents = with_provider_url(documents, dashscope)
    manifests, wrong = sort(documents)
    problems = [*problems, *wrong, *validate_documents(documents)]
    for problem in problems:
        # What is not in the files is told by the results: there is no cluster that may have it.
        if problem.severity is Severity.ERROR or problem.check is not Check.REFERENCES:
            click.echo(str(problem), err=True)
    if found := errors(problems):
        raise click.ClickException(f"nothing was {verb}: the manifests have {count(len(found), 'error')}")
    if not manifests.objects:
        raise click.ClickException("nothing to do: no object of embedding.milvus.io is in the files")
    return manifests


def _at(documents: list[SourcedDocument], milvus: str | None) -> list[SourcedDocument]:
    if milvus is None:
        return documents
    try:
        return with_uri(documents, milvus_uri(milvus))
    except ValueError as error:
        raise click.UsageError(f"--milvus: {error}") from None


def folder(
    manifests: Manifests, directory: ConfigDirectory | None, *, option: str
) -> tuple[Place, str, ConfigDirectory] | None:
    """Which rendered Secret a folder stands for. `option`: what named the folder."""
    if directory is None:
        return None
    connections = [MilvusConnection.parse(d.body) for d in manifests.objects if d.kind == MilvusConnection.KIND]
    delivering = [c for c in connections if c.secret_name is not None]
    if len(delivering) != 1:
        raise click.UsageError(
            f"{option} is for one connection with spec.embedding, and the files have {len(delivering)}: "
            "name the files of one connection"
        )
    connection = delivering[0]
    return (connection.namespace, connection.secret_name or ""), connection.name, directory


def quieten(scrubber: Scrubber, *, verbose: bool) -> None:
    """Sets up the log. Without --verbose nothing is logged: what users need is in the results."""
    configure(as_json=False, level="debug" if verbose else "critical", scrubber=scrubber)
