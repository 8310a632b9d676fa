"""The option `-f`: manifests from files, folders and standard input, and how their problems are told."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.validation.documents import SourcedDocument, load_paths, load_text
from milvus_embedding.validation.problems import Problem, Severity

F = TypeVar("F", bound=Callable[..., Any])

_STDIN = "-"
_URI: Final = re.compile(r"https?://[^/?#\s@]+")


def examples(*lines: str) -> str:
    """The end of a command's help: command lines, each on a line of its own."""
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)])


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
