"""Turns what the client library raises or answers into the port's errors; the only reader of Status bodies.

A Status may quote what was sent. Of answers about Secrets nothing but the names of fields is taken.
"""

import json
from collections.abc import Mapping

from milvus_embedding.clients.kube.port import (
    Expired,
    Forbidden,
    KubeError,
    NotFound,
    Refused,
    Unauthorized,
    Unavailable,
)
from milvus_embedding.clients.kube.secrets import Conflict
from milvus_embedding.domain.scrub import Scrubber

_BY_STATUS: Mapping[int, type[KubeError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    410: Expired,
    429: Unavailable,
}


def translate(*, status: int, body: bytes, what: str, secret: bool, scrubber: Scrubber) -> KubeError | Conflict:
    """The error for an answer that is not a success. `what` is the request without query, e.g. `GET /api/v1/…`."""
    detail = _detail(body, secret=secret and status != 403)
    text = scrubber.quote(f"{what}: HTTP {status}{detail}")
    if status == 409:
        return Conflict(text)
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Refused)
    return kind(text, status)


def no_answer(error: BaseException, what: str) -> Unavailable:
    """The error for a request without answer. The type tells enough; texts of network errors carry addresses."""
    reason = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return Unavailable(f"{what}: {reason}")


def _detail(body: bytes, *, secret: bool) -> str:
    try:
        status = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(status, dict):
        return ""
    if not secret:
        return f": {status.get('message', '')}"
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    fields = [str(c.get("field", "")) for c in causes or () if isinstance(c, dict)]
    return f": {status.get('reason', '')} {', '.join(fields)}".rstrip()
