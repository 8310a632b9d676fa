"""README.md maps the page's sentences to tests: none is missing, none is invented."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_map_names_every_test_of_this_folder_and_no_other() -> None:
    written = "\n".join(
        path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py") if path.stem != "test_readme"
    )
    tests = set(re.findall(r"^(?:async )?def (test_\w+)", written, flags=re.MULTILINE))
    mapped = set(re.findall(r"`(test_\w+)`", (HERE / "README.md").read_text(encoding="utf-8")))

    assert mapped == tests
