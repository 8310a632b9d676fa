"""Recognises, in Milvus' texts, that an embedding function's live check failed, and says why in our own sentence.

The texts are those of 2.6 and 3.x. What the provider answered is in them verbatim: of it only the HTTP status and
DashScope's `code` go on, never the rest.
"""

import re

from milvus_embedding.clients.milvus.port import ProviderCause, ProviderFailed
from milvus_embedding.domain.scrub import Scrubber

_CHECK = re.compile(r"check function \[(?P<name>[A-Za-z_]\w{0,254}):\w+\] failed, the err is:?\s*", re.IGNORECASE)
_ANSWER = re.compile(r"call service failed\W+(?:errs?|code)?\W*(?P<status>[1-5]\d\d)?", re.IGNORECASE)
_CODE = re.compile(r'"code"\s*:\s*"(?P<code>[A-Za-z.]{1,64})"')
_LABEL = re.compile(r"can not find key: (?P<label>[a-z0-9][a-z0-9_-]{0,62})\.apikey")
_BODY = re.compile(r"call service failed.*|[{<].*", re.IGNORECASE | re.DOTALL)

_KEY = re.compile(
    r"can not find key|missing credentials config|is not an? api ?key credential|apikey crediential", re.I
)
_DISABLED = re.compile(r"text embedding model provider \[[^\]]*\] is disabled", re.IGNORECASE)
_DIMENSION = re.compile(
    r"required embedding dim is|does not match the dimension|is not a valid int|output and field type mismatch", re.I
)
_COUNT = re.compile(r"number of texts and embeddings does not match", re.IGNORECASE)

_BY_STATUS = {
    401: (ProviderCause.KEY_REJECTED, "the embedding service refused the API key"),
    404: (ProviderCause.MODEL, "the embedding service does not know the model or the address"),
    429: (ProviderCause.RATE_LIMITED, "the embedding service is over its rate limit"),
}
_ARREARS = "Arrearage"


def recognise(text: str, scrubber: Scrubber) -> ProviderFailed | None:
    """The failure that `text` (a reason of Milvus) tells of, None if it is about something else."""
    check = _CHECK.search(text)
    where = f"The check of function {check['name']} failed" if check else "The check of an embedding function failed"
    found = _service_answer(text) or _configuration(text)
    if found is None:
        if check is None:
            return None
        rest = scrubber.quote(without_bodies(text[check.end() :]))
        found = ProviderCause.OTHER, f'Milvus says "{rest}"' if rest else "Milvus does not say why"
    cause, sentence = found
    return ProviderFailed(f"{where}: {sentence}.", cause)


def without_bodies(text: str) -> str:
    """`text` up to where a provider's answer may begin."""
    return _BODY.sub("", text).strip(" ,;:[")


def _configuration(text: str) -> tuple[ProviderCause, str] | None:
    if _KEY.search(text):
        label = _LABEL.search(text)
        which = f"of the label {label['label']}" if label else "that this function could use"
        return ProviderCause.KEY_NOT_FOUND, f"Milvus has no API key {which}"
    if _DISABLED.search(text):
        return ProviderCause.DISABLED, "the provider is disabled in milvus.yaml"
    if _DIMENSION.search(text):
        return (
            ProviderCause.DIMENSION,
            f'the dimensions do not fit, Milvus says "{without_bodies(text)[-120:].strip()}"',
        )
    if _COUNT.search(text):
        return ProviderCause.OTHER, "the embedding service answered without embeddings"
    return None


def _service_answer(text: str) -> tuple[ProviderCause, str] | None:
    answer = _ANSWER.search(text)
    if answer is None:
        return None
    if answer["status"] is None:
        return ProviderCause.OTHER, "Milvus could not call the embedding service"
    status = int(answer["status"])
    found = _CODE.search(text, answer.end())
    code = found["code"] if found else ""
    cause, sentence = _judge(status, code)
    return cause, f"{sentence} (HTTP {status}{', ' + code if code else ''})"


def _judge(status: int, code: str) -> tuple[ProviderCause, str]:
    if code.startswith("Throttling"):
        return _BY_STATUS[429]
    if status == 400 and code != _ARREARS:
        return ProviderCause.MODEL, "the embedding service refused the model or a parameter"
    return _BY_STATUS.get(status, (ProviderCause.OTHER, "the embedding service failed or refused"))
