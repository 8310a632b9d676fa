"""Every relative link of the documentation leads somewhere, headings included, and every test that it names exists."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^ *```.*?^ *```", flags=re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_TEST = re.compile(r"`(tests/[\w/-]+\.py)(?:::(\w+))?`")


def pages() -> list[Path]:
    """All Markdown files of the checkout but what is installed or generated into it."""
    skipped = {".venv", "node_modules", ".git", ".pytest_cache"}
    return [path for path in sorted(ROOT.rglob("*.md")) if not skipped & set(path.relative_to(ROOT).parts)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """What GitHub makes of the headings of a page."""
    found: dict[str, int] = {}
    names = []
    for heading in re.findall(r"^ {0,3}#{1,6} +(.+?) *#* *$", _FENCE.sub("", page.read_text()), flags=re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        names.append(f"{slug}-{count}" if count else slug)
    return frozenset(names)


def dead(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / unquote(name)).resolve() if name else page
        if not file.exists() or not file.is_relative_to(ROOT):
            found.append(target)
        elif anchor and (file.suffix != ".md" or anchor not in anchors(file)):
            found.append(target)
    return found


def _label(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=_label)
def test_links_lead_somewhere(page: Path) -> None:
    assert dead(page) == []


@pytest.mark.parametrize("page", pages(), ids=_label)
def test_tests_that_are_named_exist(page: Path) -> None:
    missing = []
    for file, name in _TEST.findall(page.read_text()):
        path = ROOT / file
        if not path.exists() or (name and not re.search(rf"^(?:async )?def {name}\(", path.read_text(), re.MULTILINE)):
            missing.append(f"{file}::{name}")
    assert missing == []


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in _LINK.findall(index.read_text())}
    pages_of_docs = set((ROOT / "docs").rglob("*.md")) - {index} - set((ROOT / "docs" / "adr").iterdir())

    assert {_label(page) for page in pages_of_docs - linked} == set()
    assert (ROOT / "docs" / "adr") in linked


def test_a_dead_link_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` [c](d): e\n[fine](#a-b-c-e) [gone](gone.md) [no heading](page.md#f) [out](../x)\n"
        "```\n[in a block](nowhere.md)\n```\n[elsewhere](https://example.com)\n"
    )

    assert dead(page) == ["d", "gone.md", "page.md#f", "../x"]


@pytest.mark.parametrize("page", pages(), ids=_label)
def test_nothing_of_one_machine_is_in_the_documentation(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|home|root)/\S*", page.read_text()) == []
