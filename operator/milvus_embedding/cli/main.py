"""`milvus-embedding`: the command line's entry. Commands are imported when they are used, so that help is fast.

Every failure is one sentence on standard error and an exit status: 1 for what was found or went wrong, 2 for a command
line that cannot be understood. There are no tracebacks, and no text that was not written for users.
"""

import importlib
import importlib.util
import os
import sys
from typing import Final

import click

from milvus_embedding import __version__

_COMMANDS: Final = {
    "run": ("milvus_embedding.cli.run", "run", "Run the operator."),
    "validate": ("milvus_embedding.cli.validate", "validate", "Check manifests without a cluster."),
    "render": ("milvus_embedding.cli.render", "render", "Print the configuration that Milvus would get."),
    "plan": ("milvus_embedding.cli.plan", "plan", "Show what apply would do; nothing is changed."),
    "apply": ("milvus_embedding.cli.apply", "apply", "Carry out manifests without Kubernetes."),
    "import": ("milvus_embedding.cli.importing", "import_", "Write manifests from existing collections."),
    "status": ("milvus_embedding.cli.status", "status", "Show how things stand in a cluster."),
    "dev": ("milvus_embedding.devkit.dev", "dev", "Tools for developers."),
}
_PROGRAM: Final = "milvus-embedding"
_DEVKIT_MODULE: Final = "milvus_lite"


class _Lazy(click.Group):
    """Knows its commands' names and summaries; imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name == "dev" and importlib.util.find_spec(_DEVKIT_MODULE) is None:
            return _without_devkit()
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in _COMMANDS.items()])


def _without_devkit() -> click.Command:
    def refuse() -> None:
        raise click.ClickException("dev needs the extra devkit; in a checkout: pip install '.[devkit]'")

    settings = {"ignore_unknown_options": True, "help_option_names": []}
    rest = click.Argument(["rest"], nargs=-1, expose_value=False, type=click.UNPROCESSED)
    return click.Command("dev", callback=refuse, params=[rest], context_settings=settings)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=_PROGRAM)
def cli() -> None:
    """Embedding-enabled Milvus collections, declared.

    `run` is the operator in a cluster, and `status` looks at one; the other commands work from files.
    """


def main() -> None:
    """Runs the command line and ends the process."""
    # gRPC reads it when it is imported, and would remark on every connection that Milvus ends.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        status = cli.main(prog_name=_PROGRAM, standalone_mode=False)
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        _fail(f"{error.format_message()} (see {error.ctx.command_path if error.ctx else _PROGRAM} --help)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:
        # Whoever read the output has enough of it. What is still buffered must not fail at exit again.
        sys.stdout = None
        sys.exit(0)
    except Exception as error:
        # The text of an unexpected exception may quote anything; its type tells where to look.
        _fail(f"internal error ({type(error).__name__}); please report it with the command that you ran", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(sentence: str, status: int) -> None:
    click.echo(f"error: {sentence}", err=True)
    sys.exit(status)
