"""The part of validation that JSON Schema does, in the API server's words so that both say the same.

Unlike the API server, which drops them unless kubectl asks, unknown fields are always errors.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from milvus_embedding.validation.crds import Schema, properties, schemas
from milvus_embedding.validation.problems import Check, Path, Problem, dotted
from milvus_embedding.validation.quoting import Quoting
from milvus_embedding.validation.spelling import nearest, suggestion

_FREE: Final = "x-kubernetes-preserve-unknown-fields"
_KEYWORDS: Final = (
    "type",
    "required",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
)
_METADATA_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def structural_problems(kind: str, body: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what the schema of `kind` refuses in a document whose defaults are set."""
    yield from _name_problems(body)
    for error in sorted(_validator(kind).iter_errors(body), key=lambda e: [str(part) for part in e.absolute_path]):
        yield from _problems(error, Quoting(kind, body))


def _name_problems(body: Mapping[str, object]) -> Iterator[Problem]:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        yield Problem(check=Check.SCHEMA, path=("metadata", "name"), message="Required value: name is required")
    elif not _METADATA_NAME.fullmatch(name):
        message = "Invalid value: a name has lower-case letters, digits, - and . only, - and . not at its ends"
        yield Problem(check=Check.SCHEMA, path=("metadata", "name"), message=message)


@lru_cache(maxsize=8)
def _validator(kind: str) -> Draft202012Validator:
    # The library's own factory is not typed.
    extended = extend(Draft202012Validator, {"pattern": _pattern, "listType": _list_type})  # type: ignore[no-untyped-call]
    return cast("Draft202012Validator", extended(_plain(schemas()[kind])))


def _plain(schema: Schema) -> dict[str, object]:
    """Translate a structural schema into JSON Schema that knows no fields but the declared ones."""
    plain: dict[str, object] = {key: schema[key] for key in _KEYWORDS if key in schema}
    if "x-kubernetes-list-type" in schema:
        plain["listType"] = [schema["x-kubernetes-list-type"], *_keys(schema)]
    if isinstance(inner := schema.get("items"), Mapping):
        plain["items"] = _plain(inner)
    if isinstance(inner := schema.get("additionalProperties"), Mapping):
        plain["additionalProperties"] = _plain(inner)
    elif schema.get("type") == "object" and not schema.get(_FREE):
        declared = properties(schema)
        plain["properties"] = {name: _plain(part) for name, part in declared.items()}
        # metadata is the only object of the API server's own, an empty block such as bm25 is one of ours
        plain["additionalProperties"] = not declared and "description" not in schema
    return plain


def _keys(schema: Schema) -> list[object]:
    keys = schema.get("x-kubernetes-list-map-keys")
    return list(keys) if isinstance(keys, list) else []


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    # As RE2 has it: $ is the end of the text only, \s is ASCII.
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value, re.ASCII):
        yield ValidationError("")


def _list_type(_: object, list_type: list[str], value: object, __: object) -> Iterator[ValidationError]:
    kind, *keys = list_type
    if kind == "atomic" or not isinstance(value, list):
        return
    seen: list[object] = []
    for position, item in enumerate(value):
        identity = [item.get(key) for key in keys] if isinstance(item, Mapping) else item
        if identity in seen:
            yield ValidationError("", path=[position])
        seen.append(identity)


def _problems(error: ValidationError, quoting: Quoting) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    if error.validator == "required":
        instance = cast("Mapping[str, object]", error.instance)
        for name in cast("list[str]", error.validator_value):
            if name not in instance:
                yield _problem((*path, name), "Required value")
    elif error.validator == "additionalProperties":
        declared = list(cast("Mapping[str, Mapping[str, object]]", error.schema).get("properties", {}))
        for name in cast("Mapping[str, object]", error.instance):
            if name not in declared:
                yield _problem((*path, name), f'unknown field "{dotted((*path, name))}"{suggestion(name, declared)}')
    else:
        head, colon, rest = _SENTENCES[str(error.validator)](error).partition(": ")
        shown = "" if error.validator in _WITHOUT_VALUE else quoting.value(path, _told(error))
        # As the API server has it: what is wrong, the value, why.
        yield _problem(path, f"{head}: {shown}: {rest}" if shown else f"{head}{colon}{rest}")


def _told(error: ValidationError) -> object:
    """Return the value, or of an entry that is there twice what it is the same by."""
    if error.validator == "listType" and isinstance(error.instance, list) and error.path:
        value = error.instance[int(error.path[-1])]
        keys = list(cast("list[str]", error.validator_value))[1:]
        return value.get(keys[0]) if keys and isinstance(value, Mapping) else value
    return error.instance


def _problem(path: Path, message: str) -> Problem:
    return Problem(check=Check.SCHEMA, path=path, message=message)


def _not_a_type(error: ValidationError) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    found = names.get(type(error.instance), "null")
    return f'Invalid value: must be of type {error.validator_value}: "{found}"'


def _unsupported(error: ValidationError) -> str:
    supported = cast("list[str]", error.validator_value)
    near = nearest(str(error.instance), supported)
    values = ", ".join(f'"{value}"' for value in supported)
    return f"Unsupported value: supported values: {values}" + (f"; did you mean {near}?" if near else "")


_WITHOUT_VALUE: Final = ("type", "maxLength", "minItems", "maxItems", "maxProperties")

_SENTENCES: Final[Mapping[str, Callable[[ValidationError], str]]] = {
    "type": _not_a_type,
    "enum": _unsupported,
    "pattern": lambda e: f"Invalid value: should match '{e.validator_value}'",
    "minimum": lambda e: f"Invalid value: should be greater than or equal to {e.validator_value}",
    "maximum": lambda e: f"Invalid value: should be less than or equal to {e.validator_value}",
    "minLength": lambda e: f"Invalid value: should be at least {e.validator_value} characters long",
    "maxLength": lambda e: f"Too long: may not be more than {e.validator_value} characters",
    "minItems": lambda e: f"Invalid value: should have at least {e.validator_value} items",
    "maxItems": lambda e: f"Too many: must have at most {e.validator_value} items",
    "maxProperties": lambda e: f"Too many: must have at most {e.validator_value} items",
    "listType": lambda _: "Duplicate value: remove one of the two",
}
