"""What the Secret would hold: the two documents and the memory as bytes, and which newcomers there is no room for."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from milvus_embedding.api.connection import MilvusConnection, RolloutStrategy, Verify
from milvus_embedding.api.credential import EmbeddingCredential, RotationStatus
from milvus_embedding.controllers.eligibility import is_environment
from milvus_embedding.domain.delivery.running import Running
from milvus_embedding.domain.rendering import document, rotation, state
from milvus_embedding.domain.rendering.documents import Document, Documents, digest, followed_by, renamed, target
from milvus_embedding.domain.rendering.render import Rendered
from milvus_embedding.domain.rendering.rotation import Sight

LONG_AGO = datetime.fromtimestamp(0, UTC)
UNSEEN_EDIT: timedelta = timedelta(seconds=60)
"""As long the Secret may have held what somebody else wrote before it was noticed."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How values and contents of one connection are told apart without telling them."""

    owner_id: str
    connection: str

    def of_value(self, value: str) -> str:
        return digest(value, owner_id=self.owner_id, connection=self.connection)

    def of_config(self, keys: Mapping[str, str], provider: document.Provider) -> str:
        return document.config_hash(keys, provider, owner_id=self.owner_id, connection=self.connection)


@dataclass(frozen=True, slots=True)
class Composed:
    """The Secret's data. `present` is the content of it, with `documents` before it; `sight` None: no pods are seen."""

    rendered: Rendered
    provider: document.Provider
    state: state.State
    data: Mapping[str, bytes] = dataclasses.field(repr=False)
    sight: Sight | None

    @property
    def size(self) -> int:
        return sum(map(len, self.data.values()))

    @property
    def present(self) -> Document:
        return self.state.documents[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What is the same for all that may be composed in one pass. `found`: the Secret's data, None if it is not there.

    running: None if nothing is seen of the pods, or says nothing of what they have.
    """

    connection: MilvusConnection
    marks: Marks
    documents: Documents
    found: Mapping[str, bytes] | None = dataclasses.field(repr=False)
    running: Running | None
    settle: timedelta
    now: datetime


def compose(basis: Basis, rendered: Rendered, provider: document.Provider) -> Composed:
    """What the Secret would hold with these keys and this provider, and what it would remember. Writes nothing."""
    data, keys = _contents(basis.connection, rendered, provider)
    content = _document(basis, rendered, provider, basis.marks.of_config(keys, provider))
    is_known = _is_of_now(basis.documents, basis.connection)
    former = _disturbed(basis, rendered, provider, content, data) if is_known else _lost(basis, content)
    documents = followed_by(former, content, basis.running, basis.settle)
    documents = tuple(renamed(documents, hash_of_pods(basis, documents), basis.running, basis.settle))
    sight = Sight.of(basis.running, documents, basis.settle) if basis.running is not None else None
    memory = {
        label: dataclasses.replace(
            entry,
            rotation=_rotation(basis, label, entry, documents[-1], sight, is_proven=label not in rendered.unproven),
        )
        for label, entry in rendered.memory.items()
    }
    kept = state.State(memory, documents)
    return Composed(rendered, provider, kept, {**data, state.KEY: state.dump(kept)}, sight)


def _contents(
    connection: MilvusConnection, rendered: Rendered, provider: document.Provider
) -> tuple[Mapping[str, bytes], Mapping[str, str]]:
    """The bytes for Milvus, and the keys that it gets by them."""
    if is_environment(connection):
        default = rendered.keys.get(provider.default_label or "")
        keys = dict.fromkeys(document.VARIABLES, default) if default else {}
        return {name: value.encode() for name, value in keys.items()}, keys
    text = document.to_yaml(document.sections(rendered.keys, provider))
    return {document.FILE_KEY: text.encode()}, rendered.keys


def _document(basis: Basis, rendered: Rendered, provider: document.Provider, hash_: str) -> Document:
    shown = rendered.keys
    if is_environment(basis.connection):
        shown = {label: value for label, value in shown.items() if label == provider.default_label}
    return Document(
        hash=hash_,
        written=basis.now.replace(microsecond=0),
        digests={label: basis.marks.of_value(value) for label, value in shown.items()},
        url=provider.url or "",
        default=provider.default_label or "",
    )


def _disturbed(
    basis: Basis, rendered: Rendered, provider: document.Provider, content: Document, data: Mapping[str, bytes]
) -> Documents:
    """With what somebody else wrote into the Secret meanwhile, whatever that was."""
    documents = basis.documents
    if basis.found is None or documents[-1].hash != content.hash:
        return documents
    text = basis.found.get(document.FILE_KEY)
    if all(basis.found.get(name) == told for name, told in data.items()):
        return documents
    if text is not None and document.means(text, document.sections(rendered.keys, provider)):
        return documents
    since = max(documents[-1].written, content.written - UNSEEN_EDIT)
    unknown = Document(hash="", written=since, digests={}, replaced=content.written)
    return (*documents[:-1], dataclasses.replace(documents[-1], replaced=since), unknown)


def _is_of_now(documents: Documents, connection: MilvusConnection) -> bool:
    """Whether they go up to the last pass: an old Secret that was restored knows nothing of what was there since."""
    told = connection.status.config
    content = told.rendered_hash or told.hash
    return bool(documents) and (content is None or any(document.hash == content for document in documents))


def _lost(basis: Basis, content: Document) -> Documents:
    """What the status still tells of a Secret that was lost: the pods' content, if it has labels more than this one, or
    that there was another one, which pods started since the last delivery may have.
    """
    told = basis.connection.status.config
    if told.hash is None or told.hash == content.hash:
        return ()
    if told.rendered_hash == content.hash:
        return (dataclasses.replace(content, hash=told.hash, replaced=content.written),)
    if told.hash == told.delivered_hash and not told.rendered_hash:
        return ()  # What pods bear is what the Secret held until it was lost.
    delivered = told.delivered_time or basis.connection.status.rollout.start_time
    # A pod reads for so long after it was started, and all had read then.
    since = delivered + basis.settle if delivered is not None else LONG_AGO
    return (Document(hash="", digests={}, written=min(since, content.written), replaced=content.written),)


def hash_of_pods(basis: Basis, documents: Documents) -> str:
    """What pods should bear. Where nothing is rolled, what is told is the hash of the content."""
    if basis.connection.spec.effective_strategy is not RolloutStrategy.RESTART:
        return documents[-1].hash
    told = basis.connection.status.config
    return target(documents, documents[-1], basis.running, told.hash, told.rendered_hash or told.hash)


def _rotation(
    basis: Basis,
    label: str,
    entry: state.LabelMemory,
    present: Document,
    sight: Sight | None,
    *,
    is_proven: bool,
) -> rotation.Rotation:
    known, told = entry.rotation, _told(basis.connection, label, entry)
    if told is not None and (not basis.documents or (told.generation or 0) > known.generation):
        # The Secret was lost, or an old one was restored.
        hashes = (basis.connection.status.config.hash, basis.connection.status.config.rendered_hash)
        known = rotation.restored(told, is_same=present.hash in hashes, now=basis.now)
    value = present.digests.get(label)
    if _is_back(basis.documents, label, value):
        known = rotation.back(known)
    if sight is None or not value:
        return known
    embedding = basis.connection.spec.embedding
    if embedding is not None and embedding.verify is Verify.CANARY:
        is_proven = known.is_effective
    return rotation.seen(known, label, value, sight, basis.now, is_proven=is_proven)


def _is_back(documents: Documents, label: str, value: str | None) -> bool:
    """Whether the value is new against what the Secret held last, and was there before."""
    if value is None or not documents or documents[-1].digests.get(label) in (None, value):
        return False
    return any(document.digests.get(label) == value for document in documents)


def _told(connection: MilvusConnection, label: str, entry: state.LabelMemory) -> RotationStatus | None:
    """What the status has of this label."""
    for shown in connection.status.labels:
        owner = f"{shown.credential.namespace}/{shown.credential.name}" if shown.credential else ""
        if shown.label == label and owner == entry.owner and shown.rotation.generation is not None:
            return shown.rotation
    return None


def provider_url(connection: MilvusConnection) -> str:
    """The endpoint that keys of this connection are used at; "" is DashScope's default."""
    return (connection.spec.embedding.dashscope.url if connection.spec.embedding else None) or ""


def without_room(
    composed: Composed, delivered: Mapping[str, EmbeddingCredential], former: Collection[str], *, limit: int
) -> tuple[str, ...]:
    """The newest of the labels that were not there before, as many as are too many; what is rendered stays."""
    over = composed.size - limit
    labels = composed.state.labels
    sizes = {label: _size(label, entry, composed.present) for label, entry in labels.items() if label not in former}
    newcomers = [label for label in sizes if label in delivered]
    refused: list[str] = []
    for label in sorted(newcomers, key=lambda label: delivered[label].seniority, reverse=True):
        if over <= 0:
            break
        refused.append(label)
        over -= sizes[label]
    return tuple(sorted(refused))


def _size(label: str, entry: state.LabelMemory, present: Document) -> int:
    """Bytes in the document and in the memory beside it."""
    with_it, without = ({"": entry, label: entry}, {"": entry})
    return _bytes(with_it, present) - _bytes(without, present)


def _bytes(memory: state.Memory, present: Document) -> int:
    keys = {label: entry.value or "" for label, entry in memory.items()}
    digests = {label: present.digests.get(label, "") for label in memory}
    kept = state.State(memory, (dataclasses.replace(present, digests=digests),))
    return len(document.to_yaml(document.sections(keys, document.Provider()))) + len(state.dump(kept))


def missing_labels(
    connection: MilvusConnection, labels: tuple[str, ...], provider: document.Provider
) -> tuple[str, ...]:
    """Those of them that Milvus would get if they had a value."""
    if not is_environment(connection):
        return labels
    return tuple(label for label in labels if label == provider.default_label)
