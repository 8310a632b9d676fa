"""What the Secret would hold: the two documents and the memory as bytes, and which newcomers there is no room for."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.controllers.eligibility import default_label, is_environment, owner_of
from milvus_embedding.domain.rendering import document, state
from milvus_embedding.domain.rendering.render import Rendered


@dataclass(frozen=True, slots=True)
class Composed:
    """The Secret's data, and the keys that Milvus gets by it."""

    rendered: Rendered
    provider: document.Provider
    data: Mapping[str, bytes] = dataclasses.field(repr=False)
    keys: Mapping[str, str] = dataclasses.field(repr=False)

    @property
    def size(self) -> int:
        return sum(map(len, self.data.values()))


def compose(connection: MilvusConnection, rendered: Rendered, owners: Iterable[tuple[str, str]]) -> Composed:
    """owners: (label, owner) of the living credentials."""
    # What lives comes before what is remembered: a credential created anew may have another label.
    remembered = ((label, entry.owner) for label, entry in rendered.memory.items())
    provider = document.Provider(
        default_label=default_label(connection, [*owners, *remembered]), url=provider_url(connection) or None
    )
    keys = rendered.keys
    if is_environment(connection):
        default = keys.get(provider.default_label or "")
        keys = dict.fromkeys(document.VARIABLES, default) if default else {}
        data = {name: value.encode() for name, value in keys.items()}
    else:
        data = {document.FILE_KEY: document.to_yaml(document.sections(keys, provider)).encode()}
    return Composed(rendered, provider, data | {state.KEY: state.dump(rendered.memory)}, keys)


def provider_url(connection: MilvusConnection) -> str:
    """The endpoint that keys of this connection are used at; "" is DashScope's default."""
    return (connection.spec.embedding.dashscope.url if connection.spec.embedding else None) or ""


def without_room(
    composed: Composed, delivered: Mapping[str, EmbeddingCredential], memory: state.Memory, *, limit: int
) -> tuple[str, ...]:
    """The newest of the labels that were not there before, as many as are too many; what is rendered stays."""
    over = composed.size - limit
    sizes = {label: _size(label, entry) for label, entry in composed.rendered.memory.items() if label not in memory}
    newcomers = [label for label in sizes if label in delivered]
    refused: list[str] = []
    for label in sorted(newcomers, key=lambda label: _age(delivered[label]), reverse=True):
        if over <= 0:
            break
        refused.append(label)
        over -= sizes[label]
    return tuple(sorted(refused))


def _size(label: str, entry: state.LabelMemory) -> int:
    """Bytes in the document and in the memory beside it."""
    text = document.to_yaml(document.sections({label: entry.value or ""}, document.Provider()))
    return len(text) + len(state.dump({label: entry}))


def _age(credential: EmbeddingCredential) -> tuple[bool, str, str]:
    created = credential.metadata.creation_timestamp
    return (created is None, created.isoformat() if created else "", owner_of(credential))


def missing_labels(connection: MilvusConnection, rendered: Rendered, provider: document.Provider) -> tuple[str, ...]:
    if not is_environment(connection):
        return rendered.missing
    return tuple(label for label in rendered.missing if label == provider.default_label)
