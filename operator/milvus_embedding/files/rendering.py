"""What a connection's delivery would be, from manifests alone: no Milvus, no DashScope, no network.

The controllers' own rendering does the work, with a key probe that never asks and a Milvus that never answers. What
the operator tells on each credential is an error here: nothing else would tell it.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, cast

import yaml

from milvus_embedding.api.connection import Delivery, MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.clients.milvus.port import Milvus, Unreachable
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.controllers import signals
from milvus_embedding.controllers.base import SecretFound, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.connection.rendering.rendering import Rendering
from milvus_embedding.controllers.connection.usage import LabelUsage
from milvus_embedding.controllers.eligibility import candidates, connection_of, label_of, owner_of, winners
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.keys import read_key
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering import document
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.kube import OWNER, FileKube
from milvus_embedding.files.manifests import Manifests
from milvus_embedding.runtime.cache import Cache
from milvus_embedding.runtime.references import RefIndex
from milvus_embedding.runtime.world import ReconcileWorld

_PROVIDER: Final = ("function", "textEmbedding", "providers", "dashscope")
_ABSENT: Final = frozenset({Reason.SECRET_NOT_FOUND, Reason.SECRET_KEY_MISSING})


class RenderError(Exception):
    """Nothing is rendered; `problems` has one sentence each. `only_missing`: nothing is wrong but what is not there."""

    def __init__(self, *problems: str, only_missing: bool = False) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.only_missing = only_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """`sections` for delivery File, `variables` for Environment; the other one is empty.

    left_out: sentences about credentials without a Secret.
    """

    delivery: Delivery
    sections: Mapping[str, object] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    left_out: tuple[str, ...] = ()

    def masked(self) -> "Offline":
        """The same with every key replaced by a mask."""
        return Offline(
            delivery=self.delivery,
            sections=document.masked(self.sections) if self.sections else {},
            variables=dict.fromkeys(self.variables, document.MASK),
            left_out=self.left_out,
        )


async def render(manifests: Manifests, connection: Key | None, *, allow_missing: bool = False) -> Offline:
    """Renders for `connection`, None if the manifests have just one that delivers keys.

    Raises:
        RenderError: a credential has no usable key or label, or no connection can be told.
    """
    kube = FileKube(manifests)
    cache = Cache(signals.signal)
    for key, body in kube.objects().items():
        cache.put(key, body, watched=True)
    chosen = _choose(cache, connection)
    world = ReconcileWorld(
        reader=chosen.key,
        now=datetime.now(UTC),
        cache=cache,
        references=RefIndex(),
        used_by=lambda key: 0,
        kube=kube,
    )
    scrubber = Scrubber()
    left_out = await _check(chosen, world, scrubber, allow_missing=allow_missing)
    try:
        await _rendering(scrubber).deliver(chosen, world)
    except Blocked as blocked:
        raise RenderError(f"{chosen.key}: {blocked.message}") from None
    return _without_lost_default(await _read(chosen, world, left_out), chosen, world)


def _choose(cache: Cache, wanted: Key | None) -> MilvusConnection:
    entries = cache.of_kind(MilvusConnection.KIND)
    for entry in entries:
        if entry.resource is None:
            raise RenderError(entry.problem)
    connections = [e.resource for e in entries if isinstance(e.resource, MilvusConnection)]
    delivering = [c for c in connections if c.spec.embedding is not None]
    matching = [c for c in delivering if wanted is None or c.key == wanted]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(f"{c.namespace}/{c.name}" for c in delivering[:8])
    if wanted is not None:
        known = f"it is one of {names}" if names else "none of them has spec.embedding"
        raise RenderError(f"no MilvusConnection {wanted.namespace}/{wanted.name} that delivers keys: {known}")
    if matching:
        raise RenderError(f"several connections deliver keys: choose one with --connection ({names})")
    raise RenderError("no MilvusConnection with spec.embedding is in the files: name the file that declares it")


async def _check(
    connection: MilvusConnection, world: World, scrubber: Scrubber, *, allow_missing: bool
) -> tuple[str, ...]:
    """Sentences about the credentials that are left out. Raises RenderError about all others that are not rendered."""
    problems: list[str] = []
    missing = list(_default_not_there(connection, world))
    for credential in _credentials(connection, world):
        try:
            label_of(credential, connection_of(credential, world))
            if credential.spec.external is None:
                await read_key(credential, world, scrubber)
        except Blocked as blocked:
            absent = blocked.reason in _ABSENT
            (missing if absent else problems).append(f"{credential.key}: {blocked.message}")
    problems += _conflicts(connection, world)
    if problems or (missing and not allow_missing):
        raise RenderError(*missing, *problems, only_missing=not problems)
    return tuple(missing)


def _default_not_there(connection: MilvusConnection, world: World) -> Iterator[str]:
    ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
    if ref is not None and world.get(EmbeddingCredential, connection.namespace, ref.name) is None:
        path = "spec.embedding.dashscope.credentialRef"
        name = f"{EmbeddingCredential.KIND} {connection.namespace}/{ref.name}"
        yield f"{connection.key}: {path}: {name} is not in the files, and Milvus would have no default key"


def _credentials(connection: MilvusConnection, world: World) -> Iterator[EmbeddingCredential]:
    place = (connection.namespace, connection.name)
    for credential in world.list(EmbeddingCredential):
        if credential.spec.connection_ref.resolve(credential.namespace) == place:
            yield credential


def _conflicts(connection: MilvusConnection, world: World) -> list[str]:
    wanting = candidates(connection, world)
    getting = {owner_of(credential) for credential in winners(wanting, {}).values()}
    return [
        f"{credential.key}: spec.label: {label} is the same to Milvus as another credential's; choose another label"
        for owner, (label, credential) in wanting.items()
        if owner not in getting
    ]


def _rendering(scrubber: Scrubber) -> Rendering:
    probes = KeyProbes(_SilentProbe(), wake=lambda key: None, clock=time.monotonic, today=lambda: datetime.now(UTC))
    usage = LabelUsage(Gateway(_NoMilvus(), scrubber), clock=time.monotonic)
    return Rendering(probes=probes, usage=usage, scrubber=scrubber, owner_id=OWNER)


async def _read(connection: MilvusConnection, world: World, left_out: tuple[str, ...]) -> Offline:
    secret = await world.read_secret(connection.namespace, connection.secret_name or "")
    data = secret.data if isinstance(secret, SecretFound) else {}
    delivery = connection.spec.embedding.delivery if connection.spec.embedding else Delivery.FILE
    text = data.get(document.FILE_KEY)
    return Offline(
        delivery=delivery,
        # Our own document, just written.
        sections=cast("dict[str, object]", yaml.safe_load(text)) if text else {},
        variables={name: data[name].decode() for name in document.VARIABLES if name in data},
        left_out=left_out,
    )


def _without_lost_default(offline: Offline, connection: MilvusConnection, world: World) -> Offline:
    """Milvus that has a default label without a key takes the next key in line, which is somebody else's."""
    ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
    default = world.get(EmbeddingCredential, connection.namespace, ref.name) if ref is not None else None
    sections = offline.sections
    label = _default_label(sections)
    if label is None or (default is not None and default.spec.external is not None):
        return offline
    if label in cast("dict[str, object]", sections.get("credential") or {}):
        return offline
    path = "spec.embedding.dashscope.credentialRef"
    sentence = f"{connection.key}: {path}: the default goes with its key; functions without a credential have none"
    return replace(offline, sections=_without_default(sections), left_out=(*offline.left_out, sentence))


def _default_label(sections: Mapping[str, object]) -> str | None:
    node: object = sections
    for name in _PROVIDER:
        node = node.get(name) if isinstance(node, Mapping) else None
    label = node.get("credential") if isinstance(node, Mapping) else None
    return label if isinstance(label, str) else None


def _without_default(sections: Mapping[str, object], path: tuple[str, ...] = _PROVIDER) -> dict[str, object]:
    """A copy without the default label, and without the maps that would be empty then."""
    copied = dict(sections)
    if not path:
        copied.pop("credential", None)
        return copied
    inner = _without_default(cast("dict[str, object]", copied[path[0]]), path[1:])
    copied.pop(path[0])
    return {**copied, path[0]: inner} if inner else copied


class _SilentProbe:
    """A KeyProbe that knows nothing about any key."""

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        return ProbeResult(Verdict.UNREACHABLE)


class _NoMilvus:
    """MilvusClients without any: whatever is asked of Milvus stays unknown."""

    async def get(self, key: Key, target: Target) -> Milvus:
        raise Unreachable("rendering from files asks no Milvus")

    async def forget(self, key: Key) -> None:
        return None
