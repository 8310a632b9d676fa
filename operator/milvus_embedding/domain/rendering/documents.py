"""What the Secret held, and when: from that, and from when a pod was started, follows what Milvus in it may have.

Pure. Knows keys only as digests. A pod reads the Secret when it starts and never again, so that what it has is what the
Secret held then; everything that it may have counts, and what cannot be known is never taken for good.
"""

import dataclasses
import hashlib
import hmac
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from milvus_embedding.domain.conditions import timestamp
from milvus_embedding.domain.delivery.running import Running
from milvus_embedding.domain.delivery.workload import Pod

REMEMBERED: Final = 4
MOST: Final = 16
"""While nothing is seen of the pods."""
_DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One content of the Secret, from `written` until `replaced` (None: it is there now). digests: label -> digest.

    url and default are "" where they are not set. alias: another hash for it, "" for none: see `renamed`.
    """

    hash: str
    written: datetime
    digests: Mapping[str, str]
    url: str = ""
    default: str = ""
    replaced: datetime | None = None
    alias: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What pods that were rolled to it bear."""
        return (self.hash, self.alias) if self.alias else (self.hash,)

    def has_all_of(self, other: "Document") -> bool:
        """Whether it differs from `other` at most by more labels."""
        return (self.url, self.default) == (other.url, other.default) and all(
            self.digests.get(label) == digest for label, digest in other.digests.items()
        )


Documents = Sequence[Document]
"""The oldest first. The last one is what is there now; between others some may have been forgotten."""


def digest(value: str, *, owner_id: str, connection: str) -> str:
    """Tells values of keys apart without telling anything about them. connection: namespace/name."""
    key = f"digest\n{owner_id}\n{connection}".encode()
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:_DIGEST_LENGTH]


def agree(contents: Iterable[Document], label: str, digest: str) -> bool:
    """Whether all of these have this value of the label."""
    return all(content.digests.get(label) == digest for content in contents)


def possible(pod: Pod, documents: Documents, settle: timedelta) -> tuple[Document, ...] | None:
    """The contents of which the pod has one; None if it may have something that is not remembered.

    settle: how much later than written a content may still be mounted, and how long after its creation a pod may read.
    A pod without our annotation may be one that does not mount the Secret at all.
    """
    if not pod.config_hash:
        return None
    borne = tuple(document for document in documents if pod.config_hash in document.names)
    if not borne:
        return None
    start, end = pod.created - settle, max(pod.created, pod.started or pod.created) + settle
    found = tuple(d for d in documents if d.written <= end and (d.replaced is None or d.replaced > start))
    for before, after in itertools.pairwise(documents):
        forgotten_from = before.replaced or after.written
        if forgotten_from < after.written and forgotten_from <= end and after.written > start:
            return None
    # What was there before all that is remembered is what it bears: the memory was lost.
    return found if start >= documents[0].written else (borne[0], *found)


def followed_by(documents: Documents, present: Document, running: Running | None, settle: timedelta) -> Documents:
    """With `present` as the last one, and without those that tell nothing about any pod any more."""
    if documents and documents[-1].hash == present.hash:
        return forgetting(documents, running, settle)
    former = (*documents[:-1], dataclasses.replace(documents[-1], replaced=present.written)) if documents else ()
    return forgetting((*former, present), running, settle)


def forgetting(documents: Documents, running: Running | None, settle: timedelta) -> Documents:
    """The last four, those that pods and workloads bear, and those that were there when a pod was started."""
    if running is None:
        return documents[-MOST:]
    pods = tuple(running.present)
    borne = {pod.config_hash for pod in pods} | running.annotated
    of_pods = [content for pod in pods for content in possible(pod, documents, settle) or ()]
    kept = [d for d in documents[:-REMEMBERED] if not borne.isdisjoint(d.names) or d in of_pods]
    return (*kept, *documents[-REMEMBERED:])


def target(
    documents: Documents,
    present: Document,
    running: Running | None,
    former_target: str | None,
    former_rendered: str | None,
) -> str:
    """The hash that pods should bear: that of the content, unless what they bear already differs by more labels only.

    former_rendered: the hash of the content at the last pass, as the status has it; it outlives the Secret.
    """
    if present.alias:
        return present.alias
    if former_target and former_rendered == present.hash:
        return former_target
    borne = running.annotated if running is not None else {former_target}
    suiting = [name for d in documents if d.has_all_of(present) for name in d.names if name in borne]
    if not suiting or present.hash in borne:
        return present.hash
    return former_target if former_target in suiting else suiting[-1]


def strays(
    documents: Documents, present: Document, hash_: str, pods: Iterable[Pod], settle: timedelta
) -> Iterator[str]:
    """Names of pods that bear the hash and may have something else: no roll replaces them."""
    for pod in pods:
        if pod.config_hash != hash_:
            continue
        contents = possible(pod, documents, settle)
        if contents is None or not all(content.has_all_of(present) for content in contents):
            yield pod.name


def renamed(documents: Documents, hash_: str, running: Running | None, settle: timedelta) -> Documents:
    """With another hash for what is there now, if pods that bear the present one may have something else, and no roll
    would replace them as all workloads bear it. Once for each content that is written.

    hash_: what pods should bear.
    """
    present = documents[-1]
    if running is None or present.alias or running.annotated != {hash_}:
        return documents
    if not any(True for _ in strays(documents, present, hash_, running.serving, settle)):
        return documents
    alias = hashlib.sha256(f"{present.hash}\n{timestamp(present.written)}".encode()).hexdigest()[: len(present.hash)]
    return (*documents[:-1], dataclasses.replace(present, alias=alias))
