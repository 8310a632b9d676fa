"""What a server's version tells."""

import pytest

from milvus_embedding.domain.versions import lacks_functions, parse


@pytest.mark.parametrize(
    ("version", "parsed", "lacks"),
    [
        ("v2.6.9", (2, 6, 9), False),
        ("2.6.0", (2, 6, 0), False),
        ("v2.6.0-rc1", (2, 6, 0), False),
        ("v2.5.27", (2, 5, 27), True),
        ("3.0.1", (3, 0, 1), False),
        ("v2.10.0", (2, 10, 0), False),
        ("2.6-20260101-abcdef", None, False),
        ("milvus_lite-3.2.2", None, False),
        ("", None, False),
        (None, None, False),
    ],
)
def test_versions(version: str | None, parsed: tuple[int, int, int] | None, *, lacks: bool) -> None:
    assert parse(version) == parsed
    assert lacks_functions(version) is lacks
