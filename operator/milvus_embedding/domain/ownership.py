"""The stamp that says whose a collection is. It lives in the collection's properties in Milvus, so it survives the loss
of every status.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "embedding.milvus.io/"
OWNER: Final = PREFIX + "owner"
UID: Final = PREFIX + "uid"
IDENTITY: Final = PREFIX + "identity"
ADOPTED: Final = PREFIX + "adopted"
"""Set on a collection that was there before its object: deleting the object drops it only if that is asked for."""

_OBJECT: Final = re.compile(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?")


class Standing(StrEnum):
    """Whose a collection is."""

    OURS = "Ours"
    OTHERS = "Others"
    UNSTAMPED = "Unstamped"


@dataclass(frozen=True, slots=True)
class Owner:
    """`owner_id` names the installation, `namespace` and `name` the MilvusCollection."""

    owner_id: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner_id}/{self.namespace}/{self.name}"


def stamp(owner: Owner, *, uid: str, identities: Mapping[str, Mapping[str, str | int]]) -> dict[str, str]:
    """The properties to create a collection with. `identities`: output field -> provider, model and dim."""
    identity = json.dumps({field: dict(value) for field, value in identities.items()}, sort_keys=True)
    return {OWNER: str(owner), UID: uid, IDENTITY: identity}


def standing(properties: Mapping[str, str], owner: Owner, *, accepted_ids: Collection[str] = ()) -> Standing:
    """Whose the collection with these properties is; `accepted_ids` are former ids of this installation."""
    stamped = properties.get(OWNER)
    if not stamped:
        return Standing.UNSTAMPED
    ids = (owner.owner_id, *accepted_ids)
    ours = {str(Owner(owner_id, owner.namespace, owner.name)) for owner_id in ids}
    return Standing.OURS if stamped in ours else Standing.OTHERS


def neighbour(properties: Mapping[str, str], owner: Owner, *, accepted_ids: Collection[str] = ()) -> str | None:
    """The name of the owning object if it is of the same installation and namespace: what its reader may know. Anybody
    may write a stamp: what is no name of an object is none.
    """
    head, _, name = properties.get(OWNER, "").rpartition("/")
    ids = (owner.owner_id, *accepted_ids)
    is_near = head in {f"{owner_id}/{owner.namespace}" for owner_id in ids}
    return name if is_near and _OBJECT.fullmatch(name) else None


def is_namesake(properties: Mapping[str, str], owner: Owner) -> bool:
    """Whether an object of this namespace and name is the owner, under whatever owner id: perhaps a former one."""
    return properties.get(OWNER, "").endswith(f"/{owner.namespace}/{owner.name}")


def identities(properties: Mapping[str, str]) -> Mapping[str, Mapping[str, str | int]]:
    """The stamped identities by output field; empty if there are none or they cannot be read."""
    try:
        stamped = json.loads(properties.get(IDENTITY, "{}"))
    except ValueError:
        return {}
    return {str(k): v for k, v in stamped.items() if isinstance(v, dict)} if isinstance(stamped, dict) else {}
