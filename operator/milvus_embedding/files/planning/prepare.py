"""Manifests as a plan needs them: without what only a run can do, and with stand-ins for keys that are kept elsewhere.

A repository has no API keys, and none is needed to say what would change: which label a function names is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.files.manifests import Manifests, Opaque, Place, without
from milvus_embedding.validation.documents import SourcedDocument

STAND_IN: Final = "the-key-is-not-among-the-files"

_RUN_ONLY: Final = (
    ("spec", "embedding", "rollout"),
    ("spec", "embedding", "verify"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """`without_key`: credentials whose key is not among the files."""

    manifests: Manifests
    without_key: frozenset[Place]


def prepare(manifests: Manifests) -> Prepared:
    """Rolling and proving are the business of whoever runs Milvus; deciding what changes needs neither."""
    objects = [_stripped(document) for document in manifests.objects]
    secrets = dict(manifests.secrets)
    missing: set[Place] = set()
    for credential in _credentials(objects):
        ref = credential.spec.api_key_secret_ref
        if ref is None:
            continue
        place = (credential.namespace, ref.name)
        known = secrets.get(place)
        if known is None or place in missing:
            held = known.data if known is not None else {}
            secrets[place] = Opaque({**held, ref.key: STAND_IN.encode()}, {})
            missing.add(place)
    absent = {
        (c.namespace, c.name)
        for c in _credentials(objects)
        if c.spec.api_key_secret_ref is not None and (c.namespace, c.spec.api_key_secret_ref.name) in missing
    }
    return Prepared(manifests=replace(manifests, objects=objects, secrets=secrets), without_key=frozenset(absent))


def _stripped(document: SourcedDocument) -> SourcedDocument:
    for path in _RUN_ONLY:
        document = without(document, path)
    return document


def _credentials(documents: Sequence[SourcedDocument]) -> list[EmbeddingCredential]:
    return [EmbeddingCredential.parse(d.body) for d in documents if d.kind == EmbeddingCredential.KIND]
