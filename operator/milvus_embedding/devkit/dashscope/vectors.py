"""Text vectors without a model: feature hashing of words, parts of words and, for CJK, single and paired characters.

Similar texts are near each other and unrelated ones are not, which is all that a search by text needs in a test. The
vectors carry no meaning beyond spelling: synonyms and translations are as far apart as strangers.
"""

import itertools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator

_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_GRAMS = (3, 4)
# A whole word tells more than its parts, and there are few whole words.
_WORD_WEIGHT, _GRAM_WEIGHT, _CJK_PAIR_WEIGHT, _CJK_SINGLE_WEIGHT = 2.0, 1.0, 2.0, 1.0


def embed_text(text: str, dimension: int) -> list[float]:
    """A unit vector of `dimension` floats; equal for equal texts, in every process.

    Letters count after Unicode NFKC and case folding; punctuation and white space only separate words.
    """
    vector = [0.0] * dimension
    for (feature, weight), count in Counter(_features(text)).items():
        _add(vector, feature, weight * math.sqrt(count))
    if not any(vector):
        _add(vector, f"raw:{text}", 1.0)
    norm = math.sqrt(math.fsum(x * x for x in vector))
    return [x / norm for x in vector]


def _features(text: str) -> Iterator[tuple[str, float]]:
    for run in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        for word in _CJK.sub(" ", run).split():
            yield f"word:{word}", _WORD_WEIGHT
            edged = f"<{word}>"
            for size in _GRAMS:
                for start in range(len(edged) - size + 1):
                    yield f"gram:{edged[start : start + size]}", _GRAM_WEIGHT
        signs = _CJK.findall(run)
        for sign in signs:
            yield f"cjk:{sign}", _CJK_SINGLE_WEIGHT
        for first, second in itertools.pairwise(signs):
            yield f"cjk:{first}{second}", _CJK_PAIR_WEIGHT


def _add(vector: list[float], feature: str, weight: float) -> None:
    # The sign comes from a bit that does not choose the place, so that collisions cancel on average.
    digest = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
    vector[(digest >> 1) % len(vector)] += weight if digest & 1 else -weight
