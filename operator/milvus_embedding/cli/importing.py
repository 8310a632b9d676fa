"""`milvus-embedding import`: manifests from the collections of a Milvus that exists."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.cli.apply import quieten
from milvus_embedding.cli.inputs import (
    connection_key,
    count,
    examples,
    milvus_uri,
    verbose_option,
)
from milvus_embedding.clients.milvus.port import MilvusError
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.milvus.target import Target, TlsFiles
from milvus_embedding.domain.importing.collections import ImportedCollection
from milvus_embedding.domain.importing.manifests import Manifest, Site, manifests
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.importing.gathering import gathered
from milvus_embedding.files.importing.writing import TakenError, as_text, write

_STDOUT = "-"


@click.command(
    name="import",
    epilog=examples(
        "milvus-embedding import --milvus http://localhost:19530 -n search --to manifests/",
        "milvus-embedding import --milvus http://localhost:19530 --collection 'docs*' --connection milvus/milvus",
    ),
)
@click.option(
    "--milvus", metavar="URI", required=True, help="Address of Milvus: http://host:port or https://host:port."
)
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Authority for https.")
@click.option("--database", "databases", multiple=True, metavar="NAME", help="Only this one; default: all.")
@click.option("--collection", "patterns", multiple=True, metavar="NAME", help="Only these; * and ? stand for others.")
@click.option("--connection", metavar="NAMESPACE/NAME", help="A MilvusConnection that exists; default: one is written.")
@click.option("-n", "--namespace", metavar="NS", default="default", show_default=True, help="Where the objects go.")
@click.option(
    "--to", "target", metavar="DIR", default=_STDOUT, show_default=True, help="Folder for the files, - for one stream."
)
@verbose_option
def import_(
    milvus: str,
    ca_file: Path | None,
    databases: tuple[str, ...],
    patterns: tuple[str, ...],
    connection: str | None,
    namespace: str,
    target: str,
    verbose: bool,
) -> None:
    """Write manifests that equal the collections of a Milvus; nothing is changed there.

    User and password are taken from MILVUS_USERNAME and MILVUS_PASSWORD, or MILVUS_TOKEN. What cannot be declared is
    told in comments; no API key is ever printed. Check the result with validate and plan before you apply it.
    """
    uri = milvus_uri(milvus)
    scrubber = Scrubber()
    quieten(scrubber, verbose=verbose)
    reached = _target(uri, ca_file)
    key = connection_key(connection) or Key(MilvusConnection.KIND, namespace, "milvus")
    site = Site(
        connection=(key.namespace, key.name),
        namespace=namespace,
        uri="" if connection else uri,
        auth=bool(reached.token or reached.user),
        tls=uri.startswith("https:"),
    )
    try:
        found = asyncio.run(_gathered(reached, scrubber, databases, patterns, site))
    except MilvusError as error:
        raise click.ClickException(f"Milvus at {uri}: {error}") from None
    if not found:
        raise click.ClickException("nothing to import: there is no such collection in Milvus")
    written = manifests(found, site)
    _write(written, target)
    _tell(written, site)


def _target(uri: str, ca_file: Path | None) -> Target:
    names = ("MILVUS_USERNAME", "MILVUS_PASSWORD", "MILVUS_TOKEN")
    user, password, token = (os.environ.get(name, "") for name in names)
    if bool(user) != bool(password):
        raise click.UsageError("MILVUS_USERNAME and MILVUS_PASSWORD go together: set both, or MILVUS_TOKEN")
    ca = ca_file.read_bytes() if ca_file is not None else None
    tls = TlsFiles(ca=ca, certificate=None, key=None, server_name="") if ca is not None else None
    try:
        return Target(uri=uri, user=user, password=password, token=token, tls=tls, timeout_seconds=30)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


async def _gathered(
    target: Target, scrubber: Scrubber, databases: Sequence[str], patterns: Sequence[str], site: Site
) -> Sequence[ImportedCollection]:
    clients: MilvusRegistry[str] = MilvusRegistry(scrubber=scrubber, read_only=True)
    try:
        await clients.prepare()
        client = await clients.get("import", target)
        return await gathered(client, databases=databases, patterns=patterns, connection=site.connection_ref)
    finally:
        await clients.close()


def _write(written: Sequence[Manifest], target: str) -> None:
    if target == _STDOUT:
        click.echo(as_text(written), nl=False)
        return
    try:
        for path in write(Path(target), written):
            click.echo(f"wrote {path}", err=True)
    except TakenError as error:
        text = f"nothing was written: {error} exist and differ; remove them or name another folder"
        raise click.ClickException(text) from None
    except OSError as error:
        raise click.ClickException(f"--to {target} cannot be written: {error.strerror}") from None


def _tell(written: Sequence[Manifest], site: Site) -> None:
    lost = [manifest for manifest in written if manifest.body is None]
    for manifest in lost:
        click.echo(f"not written: {manifest.title}: {'; '.join(manifest.remarks)}", err=True)
    if site.is_shared and not site.uri:
        click.echo(
            f"note: MilvusConnection {'/'.join(site.connection)} has to admit namespace {site.namespace} in "
            "spec.allowedNamespaces and spec.allowedAdoption",
            err=True,
        )
    click.echo(f"{count(len(written) - len(lost), 'object')} written", err=True)
