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
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, *secrets: str) -> None:
        """Takes secrets that were just read. Values shorter than 6 characters are no secrets and are not kept."""
        for secret in secrets:
            for form in _forms(secret.strip()):
                if form not in self._known:
                    self._known.add(form)
                    self._pattern = None

    def clean(self, text: str) -> str:
        """The text with all known secrets masked; length and lines are kept."""
        if not self._known:
            return text
        if self._pattern is None:
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(MASK, text)

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
