"""The DashScope models of Milvus' manual page, and what a declared model comes to.

Anything outside the table needs `allowUnlisted: true` and an explicit `dim`: the live check is then the only proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

PROVIDER: Final = "dashscope"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A row of the manual's table. `reducible`: Milvus may send a dimension; the others have just one."""

    name: str
    default_dim: int
    dims: tuple[int, ...]
    max_tokens: int
    reducible: bool


@dataclass(frozen=True, slots=True)
class EffectiveModel:
    """What a function embeds with. `sent_dim` is the dimension to send, None to leave it to the model."""

    name: str
    dim: int
    sent_dim: int | None
    max_tokens: int | None

    @property
    def identity(self) -> Mapping[str, str | int]:
        """Two outputs with equal identities share a vector space."""
        return {"provider": PROVIDER, "model": self.name, "dim": self.dim}


class ModelError(ValueError):
    """The declared model cannot be used; the message names field, value and fix."""


CATALOGUE: Final[Mapping[str, ListedModel]] = MappingProxyType(
    {
        model.name: model
        for model in (
            ListedModel("text-embedding-v3", 1024, (1024, 768, 512), 8192, reducible=True),
            ListedModel("text-embedding-v2", 1536, (1536,), 2048, reducible=False),
            ListedModel("text-embedding-v1", 1536, (1536,), 2048, reducible=False),
        )
    }
)


def resolve(name: str, dim: int | None, *, allow_unlisted: bool = False) -> EffectiveModel:
    """The effective model. Raises ModelError."""
    listed = CATALOGUE.get(name)
    if listed is not None and (dim is None or dim in listed.dims):
        return EffectiveModel(name, dim or listed.default_dim, dim if listed.reducible else None, listed.max_tokens)
    if not allow_unlisted:
        raise ModelError(_unlisted(name, dim, listed))
    if dim is None:
        raise ModelError(f"dim is not set: model {name!r} is not in the catalogue, so its dimension has to be given")
    return EffectiveModel(name, dim, dim, listed.max_tokens if listed else None)


def _unlisted(name: str, dim: int | None, listed: ListedModel | None) -> str:
    if listed is None:
        known = ", ".join(CATALOGUE)
        return f"model {name!r} is not in the catalogue ({known}); set allowUnlisted: true and dim to use it"
    dims = ", ".join(map(str, listed.dims))
    return f"dim {dim} is not listed for {name} (listed: {dims}); set allowUnlisted: true if your region offers it"
