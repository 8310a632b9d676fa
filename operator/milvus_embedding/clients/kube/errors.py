"""Turns what the client library raises or answers into the port's errors; the only reader of Status bodies.

A Status may quote what was sent. Of answers about Secrets nothing but the names of fields is taken.
"""

import json
import re
from collections.abc import Mapping

from milvus_embedding.clients.kube.bodies import bodies, inside, mapping, text
from milvus_embedding.clients.kube.port import (
    Body,
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
    sentence = scrubber.quote(f"{what}: HTTP {status}{detail}")
    if status == 409 or _is_of_another_uid(body):
        owned = _owned_by_others(body)
        return Refused(f"{what}: {scrubber.quote(owned)}", status) if owned else Conflict(sentence)
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Refused)
    return kind(sentence, status)


def no_answer(error: BaseException, what: str) -> Unavailable:
    """The error for a request without answer. The type tells enough; texts of network errors carry addresses."""
    reason = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return Unavailable(f"{what}: {reason}")


def _detail(body: bytes, *, secret: bool) -> str:
    status = _status(body)
    if not status:
        return ""
    if not secret:
        return f": {status.get('message', '')}"
    fields = [text(cause.get("field")) for cause in _causes(status)]
    return f": {status.get('reason', '')} {', '.join(fields)}".rstrip()


def _owned_by_others(body: bytes) -> str:
    """What a server-side apply would have taken from another field manager; "" for any other conflict."""
    taken = [cause for cause in _causes(_status(body)) if cause.get("reason") == "FieldManagerConflict"]
    if not taken:
        return ""
    manager = re.search(r'conflict with "([^"]+)"', text(taken[0].get("message")))
    who = f"field manager {manager[1]}" if manager else "another field manager"
    return f"{text(taken[0].get('field')).lstrip('.')} is owned by {who}; remove it from what that one applies"


def _is_of_another_uid(body: bytes) -> bool:
    """How the API server refuses a change of an object that was made anew in the meantime."""
    fields = {cause.get("field") for cause in _causes(_status(body))}
    return fields == {"metadata.uid"}


def _status(body: bytes) -> Mapping[str, object]:
    try:
        return mapping(json.loads(body))
    except ValueError:
        return {}


def _causes(status: Mapping[str, object]) -> list[Body]:
    return bodies(inside(status, "details").get("causes"))
