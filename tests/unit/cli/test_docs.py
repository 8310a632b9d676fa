"""docs/cli.md is made from the commands, and says what they take."""

import importlib.util
import re
import sys
from types import ModuleType

import click
import pytest

from milvus_embedding.cli.main import cli
from tests.unit.cli.process import ROOT


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_page", ROOT / "tools" / "cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_commands_say(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cli.py", "--check"])
    assert tool.main() == 0, "run make docs"


def test_every_command_has_a_line_in_the_table(tool: ModuleType) -> None:
    named = re.findall(r"^\| `(\w+)` \|", tool.SUMMARIES, re.MULTILINE)
    assert named == cli.list_commands(click.Context(cli))
