"""`milvus-embedding render`: what delivery says, from files: for a look, for a VM's milvus.yaml, for Docker Compose."""

import asyncio
from pathlib import Path

import click

from milvus_embedding.api.connection import Delivery
from milvus_embedding.api.references import Key
from milvus_embedding.cli.inputs import connection_key, count, errors, examples, files_option, load
from milvus_embedding.domain.rendering.document import to_yaml
from milvus_embedding.files.base_file import BaseFileError, merge
from milvus_embedding.files.directory import environment_file, write_private
from milvus_embedding.files.manifests import sort
from milvus_embedding.files.rendering import Offline, RenderError
from milvus_embedding.files.rendering import render as render_offline
from milvus_embedding.validation import validate_documents

_FORMATS = {Delivery.FILE: ("yaml",), Delivery.ENVIRONMENT: ("env", "compose")}


@click.command(
    epilog=examples(
        "milvus-embedding render -f manifests/",
        "milvus-embedding render -f manifests/ --base milvus.yaml --show-secrets --to /etc/milvus/milvus.yaml",
        "milvus-embedding render -f manifests/ -o compose",
    )
)
@files_option
@click.option(
    "--base",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A milvus.yaml to put the sections into; everything else of it stays.",
)
@click.option("--connection", metavar="NAMESPACE/NAME", help="Which connection, if there are several.")
@click.option("--show-secrets", is_flag=True, help="Print the API keys instead of a mask.")
@click.option(
    "--allow-missing", is_flag=True, help="Leave out credentials that are not in the files, or whose Secret is not."
)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["yaml", "env", "compose"]),
    help="yaml with delivery File; env (the default) or compose with Environment.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to a file with mode 0600.",
)
def render(
    paths: tuple[str, ...],
    base: Path | None,
    connection: str | None,
    show_secrets: bool,
    allow_missing: bool,
    form: str | None,
    target: Path | None,
) -> None:
    """Print what delivery says: the sections of milvus.yaml, or the environment variables. Keys are masked.

    Needs neither Milvus nor network: keys come from the Secrets in the files. Manifests that validate refuses are not
    rendered.
    """
    if base is not None and target is not None and base.resolve() == target.resolve():
        raise click.UsageError("--to is the --base file, which stays as it is: name another file")
    offline = _offline(paths, connection_key(connection), allow_missing=allow_missing)
    for sentence in offline.left_out:
        click.echo(f"left out: {sentence}", err=True)
    text = _text(offline if show_secrets else offline.masked(), form, base, mask=not show_secrets)
    if target is None:
        click.echo(text, nl=False)
        return
    try:
        write_private(target, text)
    except OSError as error:
        raise click.ClickException(f"--to {target} cannot be written: {error.strerror}") from None
    if not show_secrets:
        click.echo(f"{target} has masks in place of keys: add --show-secrets to write a file for Milvus", err=True)


def _offline(paths: tuple[str, ...], connection: Key | None, *, allow_missing: bool) -> Offline:
    documents, problems = load(paths)
    manifests, wrong = sort(documents)
    if found := errors([*problems, *wrong, *validate_documents(documents)]):
        told = "\n".join(map(str, found))
        raise click.ClickException(f"nothing was rendered: the manifests have {count(len(found), 'error')}\n{told}")
    try:
        return asyncio.run(render_offline(manifests, connection, allow_missing=allow_missing))
    except RenderError as error:
        hint = "\nleave them out with --allow-missing, or add the files that declare them" if error.only_missing else ""
        raise click.ClickException("\n".join(error.problems) + hint) from None


def _text(offline: Offline, form: str | None, base: Path | None, *, mask: bool) -> str:
    allowed = _FORMATS[offline.delivery]
    if form is not None and form not in allowed:
        raise click.UsageError(
            f"-o {form} does not go with delivery {offline.delivery}: "
            f"use {' or '.join(allowed)}, or set spec.embedding.delivery of the MilvusConnection"
        )
    if offline.delivery is Delivery.FILE:
        return to_yaml(offline.sections) if base is None else _merged(base, offline, mask=mask)
    if base is not None:
        raise click.UsageError("--base does not go with delivery Environment, which leaves milvus.yaml alone")
    if form != "compose":
        return environment_file(offline.variables)
    # Compose would take $ as the start of a variable.
    return to_yaml({"environment": {name: value.replace("$", "$$") for name, value in offline.variables.items()}})


def _merged(base: Path, offline: Offline, *, mask: bool) -> str:
    try:
        return merge(base.read_text(encoding="utf-8"), offline.sections, mask=mask)
    except (BaseFileError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, BaseFileError) else "it is not UTF-8"
        raise click.ClickException(f"--base {base}: {reason}") from None
