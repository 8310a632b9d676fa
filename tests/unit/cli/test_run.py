"""`run`: every setting is an option and a variable, and what is wrong with one is a sentence."""

import os
from typing import NoReturn

import pytest

from milvus_embedding import wiring
from milvus_embedding.runtime import run as runtime
from milvus_embedding.runtime.settings import Setting, Settings, documentation, from_environment
from tests.unit.cli.process import Command


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the operator would have been started with."""
    seen: list[Settings] = []

    def start(settings: Settings, build: object) -> NoReturn:
        assert build is wiring.operator
        seen.append(settings)
        raise SystemExit(0)

    monkeypatch.setattr(runtime, "main", start)
    for name in list(os.environ):
        if name.startswith("MILVUS_EMBEDDING_"):
            monkeypatch.delenv(name)
    return seen


def test_every_setting_has_its_option_variable_and_default_in_the_help(command: Command) -> None:
    text = " ".join(command("run", "--help").out.split())
    for name, variable, _, _ in documentation():
        assert f"--{name.replace('_', '-')} " in text
        assert variable in text


def test_changing_nothing_has_to_be_asked_for() -> None:
    assert Settings().read_only is False
    assert from_environment({"MILVUS_EMBEDDING_READ_ONLY": "true"}).read_only is True


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        pytest.param(["--workers", "3"], "workers", 3, id="a number"),
        pytest.param(["--resync-seconds", "1.5"], "resync_seconds", 1.5, id="a duration"),
        pytest.param(["--no-leader-election"], "leader_election", False, id="a switch"),
        pytest.param(["--health-address", ""], "health_address", "", id="an empty text is not the default"),
        pytest.param(
            ["--owner", "us", "--namespaces", "a, b"], "namespaces", ("a", "b"), id="a list separated by commas"
        ),
        pytest.param(
            ["--accept-owner", "a", "--accept-owner", "b"], "accept_owner", ("a", "b"), id="an option given twice"
        ),
        pytest.param([], "workers", 8, id="the default"),
    ],
)
def test_an_option_becomes_a_setting(
    command: Command, started: list[Settings], arguments: list[str], name: str, value: Setting
) -> None:
    assert command("run", *arguments).status == 0
    assert getattr(started[0], name) == value


def test_a_variable_counts_where_no_option_is_given(
    command: Command, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILVUS_EMBEDDING_WORKERS", "5")
    monkeypatch.setenv("MILVUS_EMBEDDING_LEASE_NAME", "from-the-variable")
    command("run", "--workers", "3")
    assert (started[0].workers, started[0].lease_name) == (3, "from-the-variable")


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        pytest.param(["--workers", "0"], {}, "workers is 0; it has to be more than 0", id="a number out of range"),
        pytest.param([], {"MILVUS_EMBEDDING_WORKERS": "x"}, "WORKERS is 'x'; it has to be a number", id="a variable"),
        pytest.param(["--namespaces", "a"], {}, "owner is not set", id="settings that do not go together"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_starts(
    command: Command,
    started: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    told: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = command("run", *arguments)
    assert ended.status == 1
    assert told in ended.err
    assert not started
