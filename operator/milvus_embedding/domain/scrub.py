"""Makes text from outside fit for the public: known secrets out, one line, at most 200 characters.

Every log line, exception, status and Event passes here. The scrubber learns each secret as it is read; it also removes
their base64 forms, whatever the alignment of the text around them.
"""

import base64
import re

LIMIT = 200
MASK = "***"
_SHORTEST = 6
# Everything that a reader could take for the end of a line, besides control characters.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BEARER = re.compile(r"(?i)\b(bearer|sk-)[\w.+/=~-]*[ \t]*[\w.+/=~-]*")


class Scrubber:
    """Remembers secrets for the life of the process and removes them from text."""

    def __init__(self) -> None:
        self._learned: set[str] = set()
        # By their first characters: a thousand keys must not make each status and log line slow.
        self._forms: dict[str, tuple[str, ...]] = {}

    def learn(self, *secrets: str) -> None:
        """Takes secrets that were just read. Values shorter than 6 characters are no secrets and are not kept."""
        for secret in map(str.strip, secrets):
            if secret in self._learned:
                continue
            self._learned.add(secret)
            for form in _forms(secret):
                known = {*self._forms.get(form[:_SHORTEST], ()), form}
                self._forms[form[:_SHORTEST]] = tuple(sorted(known, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text with all known secrets masked; length and lines are kept."""
        parts, start, at = list[str](), 0, 0
        while at <= len(text) - _SHORTEST:
            form = self._form_at(text, at)
            if not form:
                at += 1
                continue
            parts += (text[start:at], MASK)
            start = at = at + len(form)
        return "".join((*parts, text[start:]))

    def _form_at(self, text: str, at: int) -> str:
        """The longest known form that begins there, "" if none does."""
        forms = self._forms.get(text[at : at + _SHORTEST], ())
        return next((form for form in forms if text.startswith(form, at)), "")

    def quote(self, text: str) -> str:
        """One clean line of at most 200 characters, for conditions and Events."""
        line = _CONTROL.sub(" ", _BEARER.sub(MASK, self.clean(text))).strip()
        return line if len(line) <= LIMIT else line[: LIMIT - 1] + "…"


def _forms(secret: str) -> set[str]:
    if len(secret) < _SHORTEST:
        return set()
    return {secret} | {_aligned_base64(secret.encode(), offset) for offset in range(3)}


def _aligned_base64(value: bytes, offset: int) -> str:
    """The part of base64(prefix + value) that depends on value alone, for a prefix of `offset` bytes modulo 3."""
    encoded = base64.b64encode(b"\0" * offset + value).decode()
    start = {0: 0, 1: 2, 2: 3}[offset]
    end = len(encoded) - {0: 0, 1: 3, 2: 2}[(offset + len(value)) % 3]
    return encoded[start:end]
