"""Names of objects for things of Milvus: what Kubernetes allows, and no name twice."""

import hashlib
import re
from collections.abc import Container
from typing import Final

_LONGEST: Final = 63
_OTHERS: Final = re.compile(r"[^a-z0-9-]+")


def object_name(wanted: str, taken: Container[str] = ()) -> str:
    """A DNS label close to `wanted`; of two that would be the same, the later has a mark of its own."""
    name = _OTHERS.sub("-", wanted.lower()).strip("-") or "unnamed"
    if len(name) <= _LONGEST and name not in taken:
        return name
    mark = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9].rstrip('-')}-{mark}"
