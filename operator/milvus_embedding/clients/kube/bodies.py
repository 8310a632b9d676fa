"""Looks into objects as JSON without trusting their shape: what is not as expected counts as absent."""

import re
from collections.abc import Mapping
from datetime import datetime

from milvus_embedding.clients.kube.port import Body

_TOKEN = re.compile(r"[A-Za-z]{1,64}")


def mapping(value: object) -> Mapping[str, object]:
    """The map, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def inside(value: object, *path: str) -> Mapping[str, object]:
    """The map at a path of maps, or an empty one."""
    for name in path:
        value = mapping(value).get(name)
    return mapping(value)


def bodies(value: object) -> list[Body]:
    """The maps of a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text(value: object) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> dict[str, str]:
    """A map of texts: labels, annotations."""
    return {name: item for name, item in mapping(value).items() if isinstance(item, str)}


def integer(value: object) -> int:
    """The number, or 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def token(value: object) -> str:
    """A reason as Kubernetes words them. Foreign text that is none is dropped: it goes into statuses and logs."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else ""


def moment(value: object) -> datetime:
    """A timestamp of the API server, aware. Raises ValueError."""
    return datetime.fromisoformat(text(value))
