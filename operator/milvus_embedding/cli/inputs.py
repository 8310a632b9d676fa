"""What several commands take: manifests from files, folders and standard input, and options of one meaning."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.domain.endpoints import check_pattern
from milvus_embedding.validation.documents import SourcedDocument, load_paths, load_text
from milvus_embedding.validation.problems import Problem, Severity

F = TypeVar("F", bound=Callable[..., Any])

_STDIN = "-"
_URI: Final = re.compile(r"https?://[^/?#\s@]+")


def examples(*lines: str) -> str:
    """The end of a command's help: command lines, each on a line of its own."""
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)])


def milvus_option(command: F) -> F:
    """`milvus`: where to ask or apply, whatever the connections say."""
    return click.option("--milvus", metavar="URI", help="Address of Milvus, in place of the connection's.")(command)


def accept_owner_option(command: F) -> F:
    """`accept_owner`, may be given several times."""
    text = "A former owner id that is taken for ours."
    return click.option("--accept-owner", multiple=True, metavar="ID", help=text)(command)


def allow_endpoint_option(command: F) -> F:
    """`allow_endpoint`, may be given several times; ends the command if one is no pattern."""
    text = "Addresses that may be used; default: all."
    return click.option("--allow-endpoint", multiple=True, metavar="PATTERN", help=text, callback=_patterns)(command)


def timeout_option(default: float) -> Callable[[F], F]:
    """`timeout` in seconds, above 0."""
    above_zero = click.FloatRange(min=0, min_open=True)
    return click.option("--timeout", type=above_zero, default=default, show_default=True, help="Seconds.")


def verbose_option(command: F) -> F:
    """`verbose`: whether the log is written too."""
    return click.option("--verbose", is_flag=True, help="Also write the log, to standard error.")(command)


def _patterns(_: click.Context, __: click.Parameter, patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        if (problem := check_pattern(pattern)) is not None:
            raise click.ClickException(problem)
    return patterns


def files_option(command: F) -> F:
    """Adds `-f PATH…` as the argument `paths`."""
    return click.option(
        "-f",
        "--filename",
        "paths",
        multiple=True,
        required=True,
        metavar="PATH",
        help="File or folder with manifests, - for standard input; may be given several times.",
    )(command)


def load(paths: Sequence[str]) -> tuple[list[SourcedDocument], list[Problem]]:
    """All documents, and what could not be read."""
    documents: list[SourcedDocument] = []
    problems: list[Problem] = []
    for path in paths:
        if path == _STDIN:
            text = sys.stdin.read()
            found, wrong = load_text(text, "<stdin>")
        else:
            found, wrong = load_paths([Path(path)])
        documents += found
        problems += wrong
    return documents, problems


def milvus_uri(text: str) -> str:
    """The value of --milvus; never quoted back, as it may have a password."""
    if not _URI.fullmatch(text):
        raise click.UsageError("--milvus has to be http://host:port or https://host:port, without user and password")
    return text


def connection_key(text: str | None) -> Key | None:
    """The value of --connection."""
    if text is None:
        return None
    namespace, slash, name = text.partition("/")
    if not slash or not namespace or not name:
        raise click.UsageError(f"--connection is {text[:80]!r}; write it as namespace/name")
    return Key(MilvusConnection.KIND, namespace, name)


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that make the manifests unusable."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
