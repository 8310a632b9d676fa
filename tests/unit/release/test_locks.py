"""What the image installs is a part of what is tested: the same versions, the same files."""

import importlib.metadata
import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.unit.release.locks import ROOT, pins

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Requirements of pymilvus, of which only the generated code is loaded (clients/milvus/protocol.py).
LEFT_OUT = {"numpy", "pandas"}
# Nobody can install anything in the image, and `traces` is a setting like any other.
IN_IMAGE = "otel"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: list[str]) -> set[str]:
    """Names of everything that these need on this machine, themselves included, but for what only LEFT_OUT needs."""
    found: set[str] = set()
    ahead = [Requirement(text) for text in requirements]
    while ahead:
        requirement = ahead.pop()
        name = canonical(requirement.name)
        extras = [*requirement.extras, ""]
        if name in found | LEFT_OUT or (
            requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        ):
            continue
        found.add(name)
        for text in importlib.metadata.requires(name) or []:
            inner = Requirement(text)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                inner.marker = None
                ahead.append(inner)
    return found


@pytest.mark.parametrize("name", ["image.txt", "image-build.txt"])
def test_the_image_s_lock_files_are_parts_of_the_lock_file(name: str) -> None:
    whole = pins("lock.txt")
    part = {package: hashes for package, (_, hashes) in pins(name).items()}

    assert part
    assert part == {package: hashes for package, (_, hashes) in whole.items() if package in part}, "run make lock"


def test_the_image_s_lock_file_has_everything_that_the_program_needs() -> None:
    needed = closure([*PROJECT["dependencies"], *PROJECT["optional-dependencies"][IN_IMAGE]])

    assert needed - {name for name, _ in pins("image.txt")} == set(), "run make lock"


def test_the_image_has_nothing_of_the_other_extras() -> None:
    others = {name: texts for name, texts in PROJECT["optional-dependencies"].items() if name != IN_IMAGE}
    names = {canonical(Requirement(text).name) for texts in others.values() for text in texts}

    assert names & {name for name, _ in pins("image.txt")} == set()
    assert {name for name, _ in pins("image.txt")} & LEFT_OUT == set()
