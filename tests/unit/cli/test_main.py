"""The entry: help, versions, and how failures look."""

import importlib.util
import subprocess
import sys

import click
import pytest

from milvus_embedding import __version__
from milvus_embedding.cli import main as entry
from tests.unit.cli.process import Command

COMMANDS = ("run", "validate", "render", "plan", "apply", "import", "status", "dev")


def test_help_names_every_command_and_no_other(command: Command) -> None:
    ended = command("--help")
    listed = ended.out.partition("Commands:")[2].split("\n")
    assert ended.status == 0
    assert tuple(line.split()[0] for line in listed if line.strip()) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(command: Command, name: str) -> None:
    ended = command(name, "--help")
    assert ended.status == 0
    assert f"milvus-embedding {name}" in ended.out


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out == f"milvus-embedding, version {__version__}\n"


def test_help_imports_none_of_the_heavy_parts() -> None:
    program = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from milvus_embedding.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pymilvus', 'kopf', 'kubernetes', 'pydantic', 'httpx', 'milvus_lite'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["destroy"], "No such command 'destroy'", id="a command that does not exist"),
        pytest.param(["validate"], "Missing option '-f'", id="an option that is missing"),
        pytest.param(["validate", "--fast", "-f", "x"], "--fast", id="an option that does not exist"),
        pytest.param(["run", "--workers", "many"], "--workers", id="a value of the wrong type"),
    ],
)
def test_a_command_line_that_cannot_be_understood_ends_with_2(
    command: Command, arguments: list[str], told: str
) -> None:
    ended = command(*arguments)
    assert ended.status == 2
    assert ended.err.startswith("error: ")
    assert told in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("arguments", [[], ["dev"]], ids=["no command", "no command of a group"])
def test_without_a_command_there_is_help_and_no_word_of_an_error(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert ended.status == 2
    assert ended.err.startswith("Usage: milvus-embedding")
    assert "error" not in ended.err


def test_what_nobody_foresaw_is_one_sentence_without_the_text_of_the_exception(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("sk-secret")

    monkeypatch.setattr(entry.cli, "main", fail)
    ended = command("validate")
    assert ended.status == 1
    assert ended.err == "error: internal error (RuntimeError); please report it with the command that you ran\n"


def test_an_interruption_ends_with_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise click.exceptions.Abort

    monkeypatch.setattr(entry.cli, "main", interrupt)
    assert command("validate").status == 130


@pytest.mark.parametrize("arguments", [["dev"], ["dev", "up"], ["dev", "up", "--milvus-port", "1"], ["dev", "--help"]])
def test_without_the_extra_dev_tells_how_to_install_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ended = command(*arguments)
    assert ended.status == 1
    assert ended.err == "error: dev needs the extra devkit; in a checkout: pip install '.[devkit]'\n"
