"""What the values of users' annotations have to be, for the kind that they are on.

Annotations have no schema: the API server takes any text, and one that means nothing would be passed over in silence.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Final

from milvus_embedding.api import annotations
from milvus_embedding.domain.conditions import parse_time

_COLLECTION, _CONNECTION = "MilvusCollection", "MilvusConnection"
_HEIR = re.compile(r"([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/([a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?)")
_PLAN_HASH, _CONFIG_HASH, _ID = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9]{1,20}")
_A_TIME: Final = "a time like 2026-01-31T12:00:00Z"


def released_to(value: str, *, place: tuple[str, str], observes: bool) -> tuple[str, str]:
    """Namespace and name in the value of release-to. Raises ValueError with what is wrong, and the fix.

    `place`: namespace and name of the object that bears it. `observes`: its adoptionPolicy is Observe.
    """
    found = _HEIR.fullmatch(value)
    if found is None:
        raise ValueError(f"{value[:80]!r} is not <namespace>/<name> of a MilvusCollection; correct or remove it")
    if found.groups() == place:
        raise ValueError("it names this object itself; name the one that takes the collection over, or remove it")
    if observes:
        raise ValueError("adoptionPolicy Observe changes nothing, not even the owner; set IfMatching, or remove it")
    return found[1], found[2]


def _heir(value: str) -> str:
    try:
        released_to(value, place=("", ""), observes=False)
    except ValueError as error:
        return str(error)
    return ""


def _plan(value: str) -> str:
    return "" if _PLAN_HASH.fullmatch(value) else "write the 16 hex digits of status.plan.hash"


def _rollout(value: str) -> str:
    return "" if _CONFIG_HASH.fullmatch(value) else "write the 32 hex digits of status.config.hash"


def _collection_id(value: str) -> str:
    return "" if _ID.fullmatch(value) else "write the number in status.collection.id"


def _true(value: str) -> str:
    return "" if value == "true" else 'write "true", or remove it: any other value does nothing'


def _true_or_time(value: str) -> str:
    return "" if value == "true" or parse_time(value) else f'write {_A_TIME}, or "true"'


def _time(value: str) -> str:
    return "" if parse_time(value, zone=UTC) else f"write {_A_TIME}"


_VALUES: Final[Mapping[str, tuple[str, Callable[[str], str]]]] = {
    annotations.RELEASE_TO: (_COLLECTION, _heir),
    annotations.APPROVED_PLAN: (_COLLECTION, _plan),
    annotations.WRITERS_PAUSED: (_COLLECTION, _plan),
    annotations.DELETE_ADOPTED: (_COLLECTION, _collection_id),
    annotations.FORCE_RELEASE: (_COLLECTION, _true),
    annotations.APPROVED_ROLLOUT: (_CONNECTION, _rollout),
    annotations.CONFIRM_DELETIONS: (_CONNECTION, _true_or_time),
    annotations.RECONCILE_REQUESTED_AT: ("", _time),
}
"""Name -> the kind that it is for, "" for all; and what is wrong with a value."""


def mistake(name: str, value: str, *, kind: str) -> str:
    """What is wrong with an annotation on an object of a kind, and the fix; empty if nothing is.

    An empty value counts as none, and annotations of others are not looked at.
    """
    if not name.startswith(annotations.PREFIX):
        return ""
    if name not in _VALUES:
        words = [known.removeprefix(annotations.PREFIX) for known in _VALUES]
        near = difflib.get_close_matches(name.removeprefix(annotations.PREFIX), words, n=1)
        hint = f"did you mean {annotations.PREFIX}{near[0]}?" if near else "remove it"
        return f"the operator knows no such annotation; {hint}"
    meant, wrong = _VALUES[name]
    if meant not in ("", kind):
        return f"it does nothing on a {kind}: it is for a {meant}"
    return wrong(value.strip()) if value.strip() else ""
