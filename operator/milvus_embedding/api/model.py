"""The base of every API type: frozen, tolerant of what it does not know, and for which unset and empty are the same.

The types parse objects that the API server (or the offline validator) admitted already. They therefore repeat none of
the schema's checks: ranges, patterns and rules between fields live in crds/ alone.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    JsonValue,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticUseDefault

Scalar: TypeAlias = str | int | float | bool
"""What a user may write where Milvus takes a string: `true`, `1`, `0.5` or `"1"`."""

V = TypeVar("V")


class ReadOnlyMap(Mapping[str, V]):
    """A map that nobody can change, hence hashable (if its values are) and its own copy."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self


FrozenMap = Annotated[Mapping[str, V], AfterValidator(ReadOnlyMap), PlainSerializer(dict)]
"""A read-only map; equal to a dict of the same content."""

EMPTY_MAP: Mapping[str, str] = ReadOnlyMap()

_IRREGULAR = {"auto_id": "autoID"}


def yaml_name(attribute: str) -> str:
    """Return the YAML name of an attribute: `from_` is `from`, `api_key_secret_ref` is `apiKeySecretRef`."""
    return _IRREGULAR.get(attribute) or to_camel(attribute.rstrip("_"))


class InvalidObjectError(ValueError):
    """An object that the types cannot hold; the message names the fields and never quotes a value."""


class Model(BaseModel):
    """Frozen; camelCase outside, snake_case inside; null and "" are the same as leaving the field out."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=yaml_name,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    KEEP_EMPTY: ClassVar[frozenset[str]] = frozenset()
    """YAML names of the fields in which "" is a value of its own."""

    @model_validator(mode="before")
    @classmethod
    def _unset_what_is_empty(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {k: v for k, v in value.items() if v is not None and (v != "" or k in cls.KEEP_EMPTY)}

    def to_yaml(self) -> dict[str, JsonValue]:
        """Return the object as the API server takes it: YAML names, JSON values, without what equals the default."""
        dumped: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return dumped


class StatusModel(Model):
    """A part of a status: all optional, and a value that this version does not know counts as absent.

    A newer operator may have written it; failing here would stop this one for good.
    """

    @field_validator("*", mode="wrap")
    @classmethod
    def _forget_what_is_unknown(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticUseDefault from error


def describe_validation_error(error: ValidationError) -> str:
    """Return one sentence per wrong field, at most five, without the values."""
    problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:5]]
    return "; ".join(problems)
