"""What controllers need of DashScope: does this key embed? One call with one short text, nothing else is ever sent."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

NATIVE_ENDPOINT = "https://dashscope.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
NATIVE_ENDPOINT_INTL = "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"


class Verdict(StrEnum):
    """ACCEPTED: it embedded. REJECTED: 401, and only 401. REFUSED: the key may be good, the service said no (403,
    arrears, 429, 5xx …). UNREACHABLE: no answer (no egress, DNS, time-out, TLS).
    """

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`code` is DashScope's error code if it looks like one ([A-Za-z.]{1,64}), else ""; never a body. `status` is the
    HTTP status, 0 without an answer.
    """

    verdict: Verdict
    status: int = 0
    code: str = ""


class KeyProbe(Protocol):
    """Asks DashScope once. Never raises; never follows redirects; refuses link-local addresses."""

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        """`url` is the native endpoint ("" for the default one). Takes at most 10 s."""
