"""The plan: steps with a class, a path in the spec, an old and a new value; and its hash.

A step says what differs and how grave the change is, not when it is made: deciding.py and acting.py do that.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final

from milvus_embedding.api.collection import ChangeClass
from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.planning.capabilities import Capabilities

ABSENT: Final = "absent"
PRESENT: Final = "present"
SHOWN: Final = 200
"""Characters of a value that a status has room for."""

RANK: Final[Mapping[ChangeClass, int]] = MappingProxyType({item: rank for rank, item in enumerate(ChangeClass)})


class Action(StrEnum):
    """What a step comes to; the values are what users see."""

    CREATE_COLLECTION = "CreateCollection"
    RECREATE_COLLECTION = "RecreateCollection"
    ACCEPT_COLLECTION = "AcceptCollection"
    SET_PROPERTY = "SetProperty"
    DROP_PROPERTY = "DropProperty"
    SET_DESCRIPTION = "SetDescription"
    SET_CONSISTENCY = "SetConsistency"
    ENABLE_DYNAMIC_FIELD = "EnableDynamicField"
    DISABLE_DYNAMIC_FIELD = "DisableDynamicField"
    ADD_FIELD = "AddField"
    ALTER_FIELD = "AlterField"
    DROP_FIELD = "DropField"
    ADD_FUNCTION = "AddFunction"
    ADD_FUNCTION_FIELD = "AddFunctionField"
    ALTER_FUNCTION = "AlterFunction"
    DROP_FUNCTION = "DropFunction"
    DROP_FUNCTION_FIELD = "DropFunctionField"
    CREATE_INDEX = "CreateIndex"
    REPLACE_INDEX = "ReplaceIndex"
    ALTER_INDEX = "AlterIndex"
    DROP_INDEX = "DropIndex"
    CREATE_PARTITION = "CreatePartition"
    DROP_PARTITION = "DropPartition"
    CREATE_ALIAS = "CreateAlias"
    MOVE_ALIAS = "MoveAlias"
    DROP_ALIAS = "DropAlias"
    LOAD = "Load"
    RELEASE = "Release"
    SET_REPLICAS = "SetReplicas"
    SET_RESOURCE_GROUPS = "SetResourceGroups"
    RENAME_COLLECTION = "RenameCollection"
    REBUILD = "Rebuild"


class Needs(Enum):
    """What the server asks for before it makes the change."""

    NOTHING = auto()
    RELEASED = auto()
    BARE = auto()
    """Released, and no vector field has an index."""
    CARRIED = auto()
    """No call of its own: it comes with another step, or with the new generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`subject` names the field, function, index, partition, alias or property in Milvus, `detail` the parameter of it.
    `unsupported` is why this server cannot do it, and which version could; empty: it can.
    """

    action: Action
    path: str
    class_: ChangeClass
    before: str
    after: str
    subject: str = ""
    detail: str = ""
    needs: Needs = Needs.NOTHING
    unsupported: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The step as a status holds it."""
        return (self.path, shown(self.before), shown(self.after))


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """What the CR knows of its collections: the id in its status (None: it never had one) and the number of the
    generation that serves.
    """

    known_id: str | None = None
    serving: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in the order of their classes, then paths. `hash` is empty without steps."""

    collection_id: str
    steps: tuple[Step, ...]
    class_: ChangeClass | None
    hash: str
    desired: Desired = dataclasses.field(compare=False, repr=False)
    capabilities: Capabilities = dataclasses.field(compare=False, repr=False)
    generations: Generations = dataclasses.field(compare=False, repr=False)


def rebuild(path: str, *, before: str, after: str, subject: str = "") -> Step:
    """A change that only a new generation can have."""
    return Step(
        action=Action.REBUILD,
        path=path,
        class_=ChangeClass.REBUILD,
        before=before,
        after=after,
        subject=subject,
        needs=Needs.CARRIED,
    )


def ordered(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda s: (RANK[s.class_], s.path, s.action)))


def digest(steps: Iterable[Step], *, collection_id: str, applied: str = "") -> str:
    """16 hex digits over the collection's id, each step's class, path, old and new value, and the hash of the plan that
    was carried out on it before.
    """
    content: list[object] = [collection_id, [[s.class_, s.path, s.before, s.after] for s in steps]]
    content += [applied] if applied else []
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def text(value: object) -> str:
    """A value as steps show it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ABSENT if value is None else str(value)


def shown(value: str) -> str:
    """At most SHOWN characters that still tell two long values apart."""
    if len(value) <= SHOWN:
        return value
    mark = hashlib.sha256(value.encode()).hexdigest()[:16]
    return f"{value[: SHOWN - 18]}… {mark}"


def spelled(value: str) -> str:
    """Milvus' scalars are strings: True, TRUE and true are one value."""
    trimmed = value.strip()
    return trimmed.lower() if trimmed.lower() in ("true", "false") else trimmed


def needs_version(what: str, version: str, capabilities: Capabilities) -> str:
    """Why a step is unsupported."""
    return f"Milvus {capabilities.version} cannot {what}: upgrade Milvus to {version} or newer, or take the change back"
