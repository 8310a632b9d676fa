"""What a server's version tells. Unknown spellings promise nothing and forbid nothing: the read-back decides."""

import re
from typing import TypeAlias

Version: TypeAlias = tuple[int, int, int]

FUNCTIONS_SINCE = (2, 6, 0)


def parse(version: str | None) -> Version | None:
    """v2.6.9 -> (2, 6, 9); None for anything that is not a Milvus version (a development server, for instance)."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version or "")
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def lacks_functions(version: str | None) -> bool:
    """True only if the server is known to drop functions silently."""
    parsed = parse(version)
    return parsed is not None and parsed < FUNCTIONS_SINCE
