"""`milvus-embedding status`: how things stand in a cluster, with the permissions of whoever asks."""

import asyncio
from typing import Final

import click

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.cli.inputs import examples
from milvus_embedding.cli.outputs import dump, output_option
from milvus_embedding.clients.kube.adapter import KubeAdapter
from milvus_embedding.clients.kube.connect import NoClusterError, connect, namespace_of
from milvus_embedding.clients.kube.port import KubeError, Unauthorized
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.overview.listing import Listing, ListingError, listed
from milvus_embedding.overview.report import as_data, as_text
from milvus_embedding.overview.tree import Tree, tree

_SHORT: Final = {
    "mconn": "MilvusConnection",
    "ecred": "EmbeddingCredential",
    "efn": "EmbeddingFunction",
    "mcol": "MilvusCollection",
}
_KINDS: Final = {
    **_SHORT,
    **{name.lower(): name for name in KINDS},
    **{kind.PLURAL: name for name, kind in KINDS.items()},
}


@click.command(epilog=examples("milvus-embedding status -A", "milvus-embedding status -n search mcol/docs"))
@click.argument("objects", nargs=-1, metavar="[KIND/NAME]...")
@click.option("-n", "--namespace", metavar="NS", help="Namespace; default: that of the kubeconfig's context.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("--kubeconfig", metavar="PATH", default="", help="Default: KUBECONFIG, else ~/.kube/config.")
@click.option("--context", metavar="NAME", default="", help="Context of the kubeconfig; default: its current one.")
@output_option("text", "json", "yaml")
@click.pass_context
def status(
    ctx: click.Context,
    objects: tuple[str, ...],
    namespace: str | None,
    all_namespaces: bool,
    kubeconfig: str,
    context: str,
    output: str,
) -> None:
    """Show connections, labels, credentials and collections with what each waits for, and the command that approves.

    Reads the four kinds with your own permissions, and nothing else. Exits with 0 if everything is Ready, 2 if
    something is not, and 1 if that cannot be found out.
    """
    if namespace is not None and all_namespaces:
        raise click.UsageError("-n and -A do not go together")
    wanted = [_wanted(text) for text in objects]
    try:
        where = None if all_namespaces else namespace or namespace_of(kubeconfig, context)
        found = asyncio.run(_listed(kubeconfig, context, where))
    except (NoClusterError, ListingError) as error:
        raise click.ClickException(str(error)) from None
    except Unauthorized:
        raise click.ClickException("the API server does not accept the credentials of the kubeconfig") from None
    except KubeError as error:
        raise click.ClickException(f"the API server: {error}") from None
    for sentence in found.unseen:
        click.echo(f"note: {sentence}", err=True)
    shown = tree(_chosen(found, wanted) if wanted else found)
    click.echo(_text(shown, output), nl=False)
    ctx.exit(0 if shown.is_ready else 2)


def _text(shown: Tree, output: str) -> str:
    if output != "text":
        return dump(as_data(shown), output)
    return as_text(shown, lambda text, colour: click.style(text, fg=colour)) + "\n"


async def _listed(kubeconfig: str, context: str, namespace: str | None) -> Listing:
    api = await connect(kubeconfig, context)
    kube = KubeAdapter(api, Scrubber())
    try:
        return await listed(kube, namespace)
    finally:
        await kube.close()


def _wanted(text: str) -> tuple[str, str]:
    kind, slash, name = text.partition("/")
    known = _KINDS.get(kind.lower())
    if known is None or not slash or not name:
        raise click.UsageError(f"{text[:80]!r} is no object: write kind/name, with {', '.join(_SHORT)} for a kind")
    return known, name


def _chosen(found: Listing, wanted: list[tuple[str, str]]) -> Listing:
    there = {(resource.KIND, resource.name) for resource in found.all()}
    for kind, name in wanted:
        if (kind, name) not in there:
            where = f" in namespace {found.namespace}" if found.namespace is not None else ""
            raise click.ClickException(f"there is no {kind} {name}{where}")
    return Listing(
        namespace=found.namespace,
        connections=tuple(r for r in found.connections if (r.KIND, r.name) in wanted),
        credentials=tuple(r for r in found.credentials if (r.KIND, r.name) in wanted),
        functions=tuple(r for r in found.functions if (r.KIND, r.name) in wanted),
        collections=tuple(r for r in found.collections if (r.KIND, r.name) in wanted),
        unseen=found.unseen,
    )
