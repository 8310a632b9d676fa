"""The Dockerfile, as far as that can be judged without building it; tools/image_check.py runs its steps."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.release.locks import ROOT

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines()]


def of(name: str, among: list[Instruction]) -> list[str]:
    return [argument for kind, argument in among if kind == name]


@pytest.fixture(scope="module")
def everything() -> list[Instruction]:
    return instructions()


@pytest.fixture(scope="module")
def final(everything: list[Instruction]) -> list[Instruction]:
    """The last stage."""
    start = max(index for index, (kind, _) in enumerate(everything) if kind == "FROM")
    return everything[start:]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_check", ROOT / "tools" / "image_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_stage_is_from_an_image_that_a_release_names_by_digest(everything: list[Instruction]) -> None:
    assert everything[0][0] == "ARG"
    assert {argument.split()[0] for argument in of("FROM", everything)} == {"${PYTHON}"}


def test_it_runs_as_a_user_with_a_number_that_is_not_root(final: list[Instruction]) -> None:
    [user] = of("USER", final)
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user)
    after = final[final.index(("USER", user)) + 1 :]
    assert not of("RUN", after)
    assert not of("COPY", after)


def test_it_starts_the_operator_and_stops_it_by_the_signal_that_it_handles(final: list[Instruction]) -> None:
    assert of("ENTRYPOINT", final) == ['["milvus-embedding"]']
    assert of("CMD", final) == ['["run"]']
    assert of("STOPSIGNAL", final) == ["SIGTERM"]


def test_nothing_is_fetched_but_by_the_locked_installation(everything: list[Instruction]) -> None:
    assert of("ADD", everything) == []
    runs = " ".join(of("RUN", everything))
    assert not re.search(r"curl|wget|apt-get|https?:|git clone", runs)
    script = (ROOT / "tools" / "image_root.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in script.splitlines() if re.match(r"\s*(install |\"\$python\" -m pip)", line)]
    assert len(lines) == 4
    for line in lines:
        wrapper = line.endswith('"$@"')
        assert wrapper or "--require-hashes" in line or "--no-index" in line, line


def test_the_final_stage_takes_the_environment_alone_and_removes_the_installer(final: list[Instruction]) -> None:
    assert of("COPY", final) == ["--from=build /opt/venv /opt/venv"]
    [run] = of("RUN", final)
    assert {"uninstall", "pip", "setuptools"} <= set(shlex.split(run))


def test_no_setting_holds_a_secret(everything: list[Instruction]) -> None:
    told = " ".join(of("ENV", everything) + of("ARG", everything))
    assert not re.search(r"(?i)key|token|password|secret", told)


def test_what_is_copied_is_in_the_context_and_the_context_has_nothing_else(
    everything: list[Instruction], check: ModuleType, tmp_path: Path
) -> None:
    check.copy_context(tmp_path)
    sent = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    copied = [source for line in of("COPY", everything) if "--from" not in line for source in line.split()[:-1]]

    assert [source for source in copied if not (tmp_path / source).exists()] == []
    assert [name for name in sent if not any(name == one or name.startswith(f"{one}/") for one in copied)] == []


def test_the_devkit_is_not_in_the_context(check: ModuleType, tmp_path: Path) -> None:
    check.copy_context(tmp_path)
    package = tmp_path / "operator" / "milvus_embedding"

    assert (package / "cli" / "main.py").exists()
    assert not (package / "devkit").exists()
    assert list(tmp_path.rglob("__pycache__")) == []
