"""`milvus-embedding validate`: what the API server and the operator would refuse, found before either sees it."""

from collections.abc import Sequence

import click

from milvus_embedding.cli.inputs import count, errors, examples, files_option, load
from milvus_embedding.cli.outputs import dump, output_option
from milvus_embedding.validation import validate_documents
from milvus_embedding.validation.problems import Problem, Severity, dotted


@click.command(
    epilog=examples(
        "milvus-embedding validate -f manifests/", "kustomize build . | milvus-embedding validate -f - -o json"
    )
)
@files_option
@output_option("text", "json", "yaml")
@click.pass_context
def validate(ctx: click.Context, paths: tuple[str, ...], output: str) -> None:
    """Check manifests without a cluster: schemas, rules, and what several objects show together.

    Prints one line per problem (file:line: severity: object: field: message) and exits with 1 if any is an error.
    """
    documents, unreadable = load(paths)
    if not documents and not unreadable:
        # A gate that looks at nothing must not be green.
        raise click.ClickException("nothing to check: the files have no manifest")
    problems = sorted(
        [*unreadable, *validate_documents(documents)], key=lambda p: (p.file, p.line, dotted(p.path), p.message)
    )
    if output != "text":
        click.echo(dump([_plain(problem) for problem in problems], output), nl=False)
    else:
        for problem in problems:
            click.echo(str(problem))
        click.echo(_summary(len(documents), problems), err=True)
    ctx.exit(1 if errors(problems) else 0)


def _summary(documents: int, problems: Sequence[Problem]) -> str:
    wrong = len(errors(problems))
    warnings = sum(1 for problem in problems if problem.severity is Severity.WARNING)
    return f"{count(documents, 'document')}: {count(wrong, 'error')}, {count(warnings, 'warning')}"


def _plain(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "severity": str(problem.severity),
        "check": str(problem.check),
        "object": problem.subject,
        "field": dotted(problem.path),
        "message": problem.message,
    }
