"""What DashScope answers to a request, as a function of the request: models, limits, error bodies, token counts.

Pure but for the rate limit's window, whose clock is an argument. It knows nothing of HTTP connections or faults; those
are the server's. Texts are never kept.
"""

import json
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from milvus_embedding.devkit.dashscope.vectors import embed_text


@dataclass(frozen=True, slots=True)
class Model:
    """`dimensions`: allowed values, the default first; one alone means that the request's `dimension` is ignored."""

    dimensions: tuple[int, ...]
    batch: int
    max_tokens: int


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "text-embedding-v1": Model((1536,), batch=25, max_tokens=2048),
        "text-embedding-v2": Model((1536,), batch=25, max_tokens=2048),
        "text-embedding-v3": Model((1024, 768, 512, 256, 128, 64), batch=10, max_tokens=8192),
        "text-embedding-v4": Model((1024, 2048, 1536, 768, 512, 256, 128, 64), batch=10, max_tokens=8192),
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer: HTTP status and JSON body (without request_id)."""

    status: int
    body: Mapping[str, object]
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """The native request body, as far as the service reads it."""

    model: str
    texts: tuple[str, ...] = field(repr=False)
    text_type: str = "document"
    dimension: int = 0


class MalformedRequestError(Exception):
    """The body is no embedding request; `str()` is the service's message."""


def failure(status: int, code: str, message: str) -> Outcome:
    return Outcome(status, {"code": code, "message": message})


def parse(body: bytes) -> EmbeddingRequest:
    """Raises MalformedRequestError if the body is not JSON or lacks `model` or `input.texts`."""
    try:
        document = json.loads(body)
        texts = document["input"]["texts"]
        parameters = document.get("parameters") or {}
        request = EmbeddingRequest(
            model=document["model"],
            texts=tuple(texts),
            text_type=parameters.get("text_type", "document"),
            dimension=int(parameters.get("dimension") or 0),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRequestError("Required body invalid, please check the request body format.") from error
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise MalformedRequestError("Input should be a valid list of strings: input.texts")
    return request


def refuse_key(key: str, keys: Collection[str]) -> Outcome | None:
    """The 401 for a missing or unknown key, None for a good one."""
    if not key:
        return failure(401, "InvalidApiKey", "No API-key provided.")
    return None if key in keys else failure(401, "InvalidApiKey", "Invalid API-key provided.")


def answer(request: EmbeddingRequest) -> Outcome:
    """The service's answer to a request whose key is good."""
    model = MODELS.get(request.model)
    if model is None:
        return failure(400, "InvalidParameter", "Model not exist.")
    if problem := _problem(request, model):
        return failure(400, "InvalidParameter", problem)
    dimension = request.dimension if len(model.dimensions) > 1 and request.dimension else model.dimensions[0]
    tokens = sum(map(count_tokens, request.texts))
    embeddings = [
        {"text_index": index, "embedding": embed_text(text, dimension)} for index, text in enumerate(request.texts)
    ]
    # The service does not promise an order; whoever relies on one shall notice here.
    embeddings.reverse()
    return Outcome(200, {"output": {"embeddings": embeddings}, "usage": {"total_tokens": tokens}}, tokens)


def count_tokens(text: str) -> int:
    """A rough count, for usage and limits: a token per CJK sign, one per four other characters, at least one."""
    wide = sum(1 for sign in text if sign > "\u2e7f")
    return max(1, wide + (len(text) - wide + 3) // 4)


def _problem(request: EmbeddingRequest, model: Model) -> str:
    if not request.texts:
        return "The input texts must not be empty: input.texts"
    if len(request.texts) > model.batch:
        return f"Value error, batch size is invalid, it should not be larger than {model.batch}.: input.contents"
    if len(model.dimensions) > 1 and request.dimension not in (0, *model.dimensions):
        return f"Value error, dimension is invalid, it should be in {sorted(model.dimensions)}.: parameters.dimension"
    if request.text_type not in ("document", "query"):
        return "Value error, text_type should be document or query: parameters.text_type"
    if any(not text or count_tokens(text) > model.max_tokens for text in request.texts):
        return f"Range of input length should be [1, {model.max_tokens}]"
    return ""


@dataclass(slots=True)
class RateLimit:
    """At most `requests` calls of one model in any `seconds`: the service counts per model and account, not per key."""

    requests: int
    seconds: float = 60.0
    _windows: dict[str, deque[float]] = field(default_factory=dict, repr=False)

    def refuse(self, model: str, now: float) -> Outcome | None:
        """The 429 if the model's window is full at `now` (seconds of any monotonic clock); else counts the call."""
        window = self._windows.setdefault(model, deque())
        while window and window[0] <= now - self.seconds:
            window.popleft()
        if len(window) >= self.requests:
            return failure(429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")
        window.append(now)
        return None
