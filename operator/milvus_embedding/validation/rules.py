"""The CRDs' own CEL rules, evaluated without an API server.

Rules about a change (oldSelf) are left out: a manifest has no former state. Of Kubernetes' extensions to CEL only what
the rules use is there; a test holds that nothing else is used. The API server shows a broken rule at its object; here
it is shown at the field that its message begins with and, of a list, at the entry.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, cast

import cel

from milvus_embedding.validation.crds import Schema, children, items, properties, schemas
from milvus_embedding.validation.entries import offending
from milvus_embedding.validation.problems import Check, Path, Problem
from milvus_embedding.validation.quoting import Quoting

RULES = "x-kubernetes-validations"

_FIRST: Final = re.compile(r"[A-Za-z][A-Za-z.]*[A-Za-z]")
_NAMED: Final = re.compile(r"[A-Za-z][A-Za-z.]*[A-Za-z](?=[\s:,.]|$)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule; `field` is where below its object its problem is shown."""

    program: cel.Program
    text: str
    message: str
    field: Path

    @property
    def subject(self) -> Path:
        """The field that the message begins with, if it begins with one."""
        first = _FIRST.match(self.message)
        return tuple(first[0].split(".")) if first else ()

    def judges_entries_of(self, path: Path) -> bool:
        """Whether it looks at each entry of the list, and not at its length only."""
        name = r"self\." + r"\.".join(re.escape(str(part)) for part in path)
        return bool(re.search(rf"{name}\.(all|exists|exists_one|filter)\(|in {name}\b", self.text))


def rule_problems(kind: str, body: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the broken rules of a document that its schema admits and whose defaults are set."""
    yield from _walk(schemas()[kind], body, (), Quoting(kind, body))


def _walk(schema: Schema, value: object, path: Path, quoting: Quoting) -> Iterator[Problem]:
    for rule in rules(schema):
        if not _holds(rule, value):
            yield from _problems(rule, schema, value, path, quoting)
    for key, part_schema, part in children(schema, value):
        yield from _walk(part_schema, part, (*path, key), quoting)


@cache
def _compiled(rule: str) -> cel.Program:
    return cel.compile(rule)


def rules(schema: Schema) -> Iterator[Rule]:
    """Yield the rules of this very schema, without those about changes."""
    for rule in cast("list[dict[str, str]]", schema.get(RULES, [])):
        program = _compiled(rule["rule"])
        if "oldSelf" not in program.variables():
            field = tuple(part for part in rule.get("fieldPath", "").split(".") if part)
            yield Rule(program, rule["rule"], rule["message"], field)


def _holds(rule: Rule, value: object) -> bool:
    context = cel.Context()
    context.add_function("replace", lambda text, old, new: text.replace(old, new))
    context.add_variable("self", value)
    try:
        return rule.program.execute(context) is True
    except (KeyError, TypeError, ValueError, RuntimeError):
        # As the API server has it: a rule that cannot be evaluated is a broken one.
        return False


def _problems(rule: Rule, schema: Schema, value: object, path: Path, quoting: Quoting) -> Iterator[Problem]:
    field = shown_at(rule, schema)
    entries = _at(value, field)
    found = []
    if isinstance(entries, list) and rule.judges_entries_of(field):
        found = list(offending(lambda some: _holds(rule, _replaced(value, field, some)), entries))
    for position, other in found:
        below = _declared(items(_below(schema, field)), rule.subject)
        place = (*path, *field, position, *below)
        beside = (*path, *field, other) if other is not None else None
        message = f"{rule.message}{quoting.told(place, beside=beside)}"
        yield Problem(check=Check.RULE, path=place, message=message)
    if not found:
        place = (*path, *field)
        message = f"{rule.message}{quoting.told(place)}"
        yield Problem(check=Check.RULE, path=place, message=message, instead=_instead(rule, value, path))


def shown_at(rule: Rule, schema: Schema) -> Path:
    """Return the field below the rule's object: that of its message, or its fieldPath."""
    return _declared(schema, rule.subject) or rule.field


def _declared(schema: Schema, field: Path) -> Path:
    """Return the field if the schema declares it, else nothing."""
    for part in field:
        declared = properties(schema)
        if part not in declared:
            return ()
        schema = declared[str(part)]
    return field


def _below(schema: Schema, field: Path) -> Schema:
    for part in field:
        schema = properties(schema)[str(part)]
    return schema


def _at(value: object, field: Path) -> object:
    for part in field:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _replaced(value: object, field: Path, entries: Sequence[object]) -> object:
    if not field:
        return list(entries)
    holder = cast("Mapping[str | int, object]", value)
    head, *rest = field
    return {**holder, head: _replaced(holder.get(head), tuple(rest), entries)}


def _instead(rule: Rule, value: object, path: Path) -> tuple[Path, ...]:
    """Return the other fields that the message names and the object has: a field that is missing has no line."""
    words = (tuple(word.split(".")) for word in _NAMED.findall(rule.message))
    return tuple((*path, *word) for word in words if _at(value, word) is not None)
