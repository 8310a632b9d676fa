"""Lock files as data: name -> version -> (marker, hashes)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
Pins = dict[tuple[str, str], tuple[str, frozenset[str]]]


def pins(name: str) -> Pins:
    """What requirements/<name> pins. Fails on a line that is none."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    lines = [
        line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    found: Pins = {}
    for line in lines:
        matched = re.fullmatch(r"([a-z0-9.-]+)==(\S+)\s*(?:;\s*([^#]*?))?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        assert matched is not None, f"requirements/{name}: {line[:80]}"
        hashes = frozenset(matched[4].split())
        found[matched[1], matched[2]] = ((matched[3] or "").strip(), hashes)
    return found
