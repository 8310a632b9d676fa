"""The option `-o`: what the output is for, people or programs. The same letter and words in every command."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click
import yaml

F = TypeVar("F", bound=Callable[..., Any])


def output_option(*forms: str) -> Callable[[F], F]:
    """Adds `-o FORM` as the argument `output`; the first form is the default."""
    return click.option("-o", "--output", type=click.Choice(forms), default=forms[0], show_default=True)


def dump(data: object, form: str) -> str:
    """As JSON or YAML, ending in a line break. Keys stay in the order given."""
    if form == "json":
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=2**20)
    return text
