"""Renders docs/cli.md from the commands themselves, so that the page cannot differ from what they take.

`python tools/cli.py` writes it; with --check it exits 1 if the file is not what it would write.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from milvus_embedding.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "cli.md"
SUMMARIES = """\
| command | needs | exit status |
|---|---|---|
| `run` | a cluster | see [monitoring](monitoring.md) |
| `validate` | files | 0 no error, 1 errors |
| `render` | files | 0, 1 error |
| `plan` | files, a Milvus to look at | 0 nothing to do, 2 changes, 3 something waits for an approval, 1 error |
| `apply` | files, a Milvus | 0 all Ready, 1 not |
| `import` | a Milvus to look at | 0, 1 error |
| `status` | a cluster | 0 all Ready, 2 not all Ready, 1 error |
| `dev` | the extra `devkit` | |

A command line that cannot be understood ends with 2 and one sentence on standard error, before anything is done.

`-o`, `--output` is the form of the output in every command: `text` for people, `json` and `yaml` for programs
(`render`: `yaml`, `env`, `compose`). Files are named with `--to`. Results go to standard output, remarks to standard
error; colours only to a terminal. No command prints an API key, but `render --show-secrets`.

Completion: `eval "$(_MILVUS_EMBEDDING_COMPLETE=bash_source milvus-embedding)"` in `~/.bashrc`
(`zsh_source` for zsh; for fish `_MILVUS_EMBEDDING_COMPLETE=fish_source milvus-embedding | source`).
"""


def main() -> int:
    text = "\n".join(page()) + "\n"
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("docs/cli.md is not what the commands say: run make docs", file=sys.stderr)
    return 1


def page() -> Iterator[str]:
    yield "# The command line\n"
    yield "Made from the commands by `make docs`; do not edit.\n"
    yield SUMMARIES
    context = click.Context(cli, info_name="milvus-embedding", **cli.context_settings)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None and name != "run":
            yield from section(command, context, name)
    yield "The options of `run` are the [settings](reference.md)."


def section(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    yield f"## {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from section(found, context, inner)


if __name__ == "__main__":
    sys.exit(main())
