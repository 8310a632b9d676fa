"""The temporary collection that proves an API key: its name, its schema, and how to know that one is ours.

CreateCollection asks the provider for one vector before it makes anything, so that it succeeds is the proof. Nothing is
ever inserted, indexed or loaded.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from milvus_embedding.domain import ownership
from milvus_embedding.domain.catalogue import PROVIDER, resolve
from milvus_embedding.domain.ownership import Owner, Standing
from milvus_embedding.domain.schema import Description, Field, Function, FunctionKind, Schema

DATABASE: Final = "default"
NAME_PREFIX: Final = "embedding_canary_"
MARK: Final = ownership.PREFIX + "canary"
MODEL: Final = "text-embedding-v3"
FUNCTION: Final = "canary"
_MARKED: Final = "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporary:
    """The one temporary collection of a connection. `owner` bears the connection's namespace and name."""

    owner: Owner
    uid: str
    accepted_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The same in every life of the operator: what one leaves behind, the next one finds."""
        text = f"{self.owner.namespace}/{self.owner.name}"
        return f"{NAME_PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def schema(self, label: str | None) -> Schema:
        """Of a function that names `label`; without one it takes whatever key is Milvus' default."""
        model = resolve(MODEL, None)
        params = {"provider": PROVIDER, "model_name": model.name}
        if label is not None:
            params["credential"] = label
        stamp = ownership.stamp(self.owner, uid=self.uid, identities={"vector": model.identity})
        return Schema(
            fields=(
                Field(name="id", type="INT64", primary_key=True, auto_id=True),
                Field(name="text", type="VARCHAR", params={"max_length": "64"}),
                Field(name="vector", type="FLOAT_VECTOR", params={"dim": str(model.dim)}),
            ),
            functions=(
                Function(
                    name=FUNCTION,
                    kind=FunctionKind.TEXT_EMBEDDING,
                    inputs=("text",),
                    outputs=("vector",),
                    params=params,
                ),
            ),
            description="Temporary: proves that an API key embeds, and is dropped at once.",
            properties={**stamp, MARK: _MARKED},
        )

    def objection(self, found: Description) -> str | None:
        """Why what stands under the name must not be touched, None if it is ours to drop."""
        if found.name != self.name:
            return f"{self.name} is an alias of another collection in Milvus' database {DATABASE}; drop the alias"
        properties = found.schema.properties
        is_ours = ownership.standing(properties, self.owner, accepted_ids=self.accepted_ids) is Standing.OURS
        if not is_ours or properties.get(MARK) != _MARKED:
            return (
                f"collection {self.name} of Milvus' database {DATABASE} was not made by this operator for proving "
                "keys, so it is not touched; rename or drop it"
            )
        if found.aliases:
            return f"collection {self.name} has the alias {found.aliases[0]}; drop that, then it can be dropped too"
        return None


def is_marked(properties: Collection[str]) -> bool:
    """Whether properties are those of a temporary collection, which uses its label for a moment only."""
    return MARK in properties
