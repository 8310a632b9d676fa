"""Another endpoint, or another default key, is first tried: what would break what works is not rendered.

The former url with the former values, or the former default, stays until the new one is known not to be refused. Only
an answer that speaks against it holds it up; that DashScope cannot be asked from here does not.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.connection.rendering.composition import provider_url
from milvus_embedding.controllers.connection.rendering.sources import Found
from milvus_embedding.controllers.connection.usage import BY_DEFAULT, LabelUsage
from milvus_embedding.controllers.eligibility import credential_key
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.conditions import Assertion, false
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.rendering.document import Provider
from milvus_embedding.domain.rendering.documents import Document
from milvus_embedding.domain.rendering.state import Memory

AGAIN_SECONDS = 5.0
BROKEN_AGAIN_SECONDS = 30.0
INTERVAL_SECONDS = 86400.0
_NO_SUCH_ADDRESS = (404, 405)
_CONDITION = "ConfigRendered"
_URL = "spec.embedding.dashscope.url"
_DEFAULT = "spec.embedding.dashscope.credentialRef"


@dataclass(frozen=True, slots=True)
class Change:
    """What may be rendered. `against`: why it is not what the spec says. `keeps_values`: no label gets another value,
    and none is added.
    """

    provider: Provider
    against: Assertion | None = None
    keeps_values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The spec's provider, and what there is for it. `external`: labels that milvus.yaml is said to have."""

    provider: Provider
    found: Mapping[str, Found]
    external: Collection[str]
    released: Collection[str]


class ProviderChange:
    """Asks DashScope about keys at another endpoint, and Milvus whether anything uses the default key."""

    def __init__(self, probes: KeyProbes, usage: LabelUsage) -> None:
        self._probes = probes
        self._usage = usage

    async def judge(
        self, connection: MilvusConnection, world: World, former: Document | None, memory: Memory, wish: Wish
    ) -> Change:
        """`former` is what the Secret has now; if it is the first, there is nothing to break."""
        if former is None:
            return Change(wish.provider)
        if former.url != (wish.provider.url or "") and former.digests:
            against = await self._against_url(connection, world, former, memory, wish)
            if against is not None:
                kept = Provider(default_label=former.default or None, url=former.url or None)
                return Change(kept, against, keeps_values=True)
        if former.default and former.default != wish.provider.default_label:
            against = await self._against_default(connection, world, former, memory, wish)
            if against is not None:
                return Change(Provider(default_label=former.default, url=wish.provider.url), against)
        return Change(wish.provider)

    async def _against_url(
        self, connection: MilvusConnection, world: World, former: Document, memory: Memory, wish: Wish
    ) -> Assertion | None:
        used = await self._in_use(connection, world, former, memory, wish.released)
        answers: dict[str, ProbeResult | None] = {}
        for label in used:
            known, result = await self._answer(connection, label, memory, wish)
            if known:
                answers[label] = result
        results = [result for result in answers.values() if result is not None]
        rejected = [label for label, r in answers.items() if r is not None and r.verdict is Verdict.REJECTED]
        back = f"set it back to {former.url}" if former.url else "remove it again"
        if rejected:
            text = (
                f"{_URL}: there DashScope rejects the keys of {', '.join(rejected[:8])}, which collections use; the "
                f"former address and keys stay: {back}, or put keys of the new region into their Secrets"
            )
            return false(_CONDITION, Reason.WOULD_BREAK, text)
        if results and len(results) == len(answers) and all(r.status in _NO_SUCH_ADDRESS for r in results):
            text = f"{_URL}: nothing at that address takes such requests (HTTP {results[0].status}); {back}"
            return false(_CONDITION, Reason.WOULD_BREAK, text)
        if len(results) < len(answers):
            return false(_CONDITION, Reason.PROBING, f"{_URL}: asking there about the keys in use")
        return None

    async def _answer(
        self, connection: MilvusConnection, label: str, memory: Memory, wish: Wish
    ) -> tuple[bool, ProbeResult | None]:
        """Whether anything can be said about the label's value, and what; None: it is under way."""
        found, entry = wish.found.get(label), memory[label]
        if found is not None and found.value is not None:
            if found.value == entry.value or found.result is None or found.result.verdict is not Verdict.REJECTED:
                return found.is_asked or found.result is not None, found.result
            return False, None
        key = credential_key(entry.owner)
        answer = await self._probes.ask(
            key, entry.value or "", provider_url(connection), interval=INTERVAL_SECONDS, wake=(connection.key,)
        )
        return True, answer.result if answer is not None else None

    async def _in_use(
        self, connection: MilvusConnection, world: World, former: Document, memory: Memory, released: Collection[str]
    ) -> list[str]:
        """Labels whose value embeds today, and that something uses, or may."""
        look = await self._usage.look(connection, world)
        return [
            label
            for label, entry in sorted(memory.items())
            if entry.proven is not None
            and entry.proven == entry.value
            and label in former.digests
            and label not in released
            and (
                look is None
                or label == former.default
                or look.count(label) > 0
                or world.used_by(credential_key(entry.owner)) > 0
            )
        ]

    async def _against_default(
        self, connection: MilvusConnection, world: World, former: Document, memory: Memory, wish: Wish
    ) -> Assertion | None:
        label, present = wish.provider.default_label, former.default
        if present in wish.released or present not in memory:
            return None
        found, entry = wish.found.get(label or ""), memory.get(label or "")
        is_refused = found is not None and found.source.refused
        has_value = entry is not None and entry.value is not None
        if label in wish.external or (
            has_value and not (found and is_refused and entry and found.value == entry.value)
        ):
            return None
        if found is not None and found.source.value is not None and not is_refused:
            return None
        if not await self._is_default_used(connection, world):
            return None
        if found is not None and found.is_asked:
            return false(_CONDITION, Reason.PROBING, f"{_DEFAULT}: asking DashScope about the key of {label}")
        return false(_CONDITION, Reason.WOULD_BREAK, _default_text(connection, label, present, found))

    async def _is_default_used(self, connection: MilvusConnection, world: World) -> bool:
        look = await self._usage.look(connection, world)
        if look is not None and look.remembered and look.count(BY_DEFAULT) == 0:
            # What is remembered may keep the default and not drop it.
            look = await self._usage.look(connection, world, now=True)
        return look is None or look.count(BY_DEFAULT) > 0


def _default_text(connection: MilvusConnection, label: str | None, present: str, found: Found | None) -> str:
    ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
    if found is not None and found.source.refused:
        what = f"DashScope rejects the key of {label}"
    elif ref is not None:
        what = f"EmbeddingCredential {ref.name} has no key"
    else:
        what = "it was removed"
    return (
        f"{_DEFAULT}: {what}, and collections that name no credential use the default key, or may; label {present} "
        f"stays the default: set it back to the credential of {present}, or add that label to releaseLabels"
    )
