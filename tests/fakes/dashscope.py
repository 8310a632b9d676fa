"""A DashScope that knows which keys embed, without a network."""

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.clients.dashscope.port import KeyProbe, ProbeResult, Verdict

ACCEPTED = ProbeResult(Verdict.ACCEPTED, 200)
REJECTED = ProbeResult(Verdict.REJECTED, 401, "InvalidApiKey")
UNREACHABLE = ProbeResult(Verdict.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class ProbeCall:
    """One probe as it was asked for."""

    url: str
    key: str
    model: str


class FakeKeyProbe(KeyProbe):
    """Answers by `results`, which tests change as they like; a key that is not in there is rejected."""

    def __init__(self, results: Mapping[str, ProbeResult] | None = None) -> None:
        self.results = dict(results or {})
        self.calls: list[ProbeCall] = []

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        self.calls.append(ProbeCall(url, key, model))
        return self.results.get(key, REJECTED)
