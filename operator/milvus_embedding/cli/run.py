"""`milvus-embedding run`: the operator, as the container starts it. Its options are the settings, one for one."""

import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, get_args, get_type_hints

import click

from milvus_embedding.runtime.settings import Setting, SettingError, Settings, documentation, from_environment

F = TypeVar("F", bound=Callable[..., Any])


def _setting_options(command: F) -> F:
    """Adds one option per setting. An option that is not given is None: the environment and the default come next."""
    hints = get_type_hints(Settings)
    for name, variable, default, meaning in reversed(documentation()):
        command = _option(name, variable, default, meaning, hints[name])(command)
    return command


def _option(name: str, variable: str, default: Setting, meaning: str, hint: object) -> Callable[[F], F]:
    flag = "--" + name.replace("_", "-")
    shown = _shown(default)
    text = f"{meaning[0].upper()}{meaning[1:]}. [{variable}{f'; default: {shown}' if shown else ''}]"
    if isinstance(default, bool):
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if isinstance(default, tuple):
        return click.option(flag, name, multiple=True, metavar="ID" if name == "accept_owner" else "TEXT", help=text)
    choices = [str(choice) for choice in get_args(hint)]
    kind: Any = click.Choice(choices) if choices else type(default)
    return click.option(flag, name, type=kind, default=None, help=text)


def _shown(default: Setting) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


@click.command()
@_setting_options
def run(**options: Setting) -> None:
    """Run the operator until SIGTERM.

    Each option can also be set by its environment variable.
    """
    settings = _settings(options)
    # Imported only now: kopf and the clients take a second.
    from milvus_embedding.runtime.run import main
    from milvus_embedding.wiring import operator

    main(settings, operator)


def _settings(options: dict[str, Setting]) -> Settings:
    given: dict[str, Setting] = {}
    for entry in fields(Settings):
        value = options.get(entry.name)
        if isinstance(value, tuple):
            parts = tuple(part.strip() for text in value for part in text.split(",") if part.strip())
            given[entry.name] = parts or None
        else:
            given[entry.name] = value
    try:
        return from_environment(os.environ, given)
    except SettingError as error:
        raise click.ClickException(str(error)) from None
