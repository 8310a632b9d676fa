"""Label selectors as text, as the API server takes them in a query."""

import re
from collections.abc import Mapping


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, as text, selects these labels."""
    terms = re.findall(r"(?:[^,(]|\([^)]*\))+", selector)
    return all(_selects(term.strip(), labels) for term in terms)


def _selects(term: str, labels: Mapping[str, str]) -> bool:
    if listed := re.fullmatch(r"(\S+) (in|notin) \((.*)\)", term):
        key, operation, values = listed.groups()
        among = labels.get(key) in {value.strip() for value in values.split(",")}
        return among if operation == "in" else not among
    if term.startswith("!"):
        return term[1:] not in labels
    if "!=" in term:
        key, value = term.split("!=")
        return labels.get(key) != value
    if "=" in term:
        key, value = re.split("==?", term)
        return labels.get(key) == value
    return term in labels
