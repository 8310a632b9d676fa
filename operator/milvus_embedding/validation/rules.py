"""The CRDs' own CEL rules, evaluated without an API server.

Rules about a change (oldSelf) are left out: a manifest has no former state. Of Kubernetes' extensions to CEL only what
the rules use is there; a test holds that nothing else is used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

import cel

from milvus_embedding.validation.crds import Schema, children, schemas
from milvus_embedding.validation.problems import Check, Path, Problem

RULES = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule; `field` is where below its object its problem is shown."""

    program: cel.Program
    message: str
    field: Path


def rule_problems(kind: str, body: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the broken rules of a document that its schema admits and whose defaults are set."""
    yield from _walk(schemas()[kind], body, ())


def _walk(schema: Schema, value: object, path: Path) -> Iterator[Problem]:
    for rule in _rules(schema):
        yield from _evaluate(rule, value, path)
    for key, part_schema, part in children(schema, value):
        yield from _walk(part_schema, part, (*path, key))


@cache
def _compiled(rule: str) -> cel.Program:
    return cel.compile(rule)


def _rules(schema: Schema) -> Iterator[Rule]:
    for rule in cast("list[dict[str, str]]", schema.get(RULES, [])):
        program = _compiled(rule["rule"])
        if "oldSelf" not in program.variables():
            field = tuple(part for part in rule.get("fieldPath", "").split(".") if part)
            yield Rule(program, rule["message"], field)


def _evaluate(rule: Rule, value: object, path: Path) -> Iterator[Problem]:
    context = cel.Context()
    context.add_function("replace", lambda text, old, new: text.replace(old, new))
    context.add_variable("self", value)
    try:
        holds = rule.program.execute(context)
    except (KeyError, TypeError, ValueError, RuntimeError):
        # As the API server has it: a rule that cannot be evaluated is a broken one.
        holds = False
    if holds is not True:
        yield Problem(check=Check.RULE, path=(*path, *rule.field), message=rule.message)
