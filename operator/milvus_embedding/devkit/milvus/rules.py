"""What Milvus refuses about names, functions, fields and properties before anything is stored. Pure.

Only rules that a declarative client can trip over are here; the storage engine has its own checks for the rest.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from pymilvus.grpc_gen import schema_pb2

from milvus_embedding.devkit.milvus.provider import Target
from milvus_embedding.devkit.milvus.status import (
    DATABASE_INVALID_NAME,
    INVALID_PARAMETER,
    RefusedError,
    invalid_parameter,
)

TEXT_EMBEDDING = schema_pb2.FunctionType.TextEmbedding
BM25 = schema_pb2.FunctionType.BM25
_TEXT_TYPES = (schema_pb2.DataType.VarChar, schema_pb2.DataType.Text)
_DENSE_TYPES = (schema_pb2.DataType.FloatVector, schema_pb2.DataType.Int8Vector)
_RESERVED_FIELDS = ("RowID", "Timestamp", "$meta", "$namespace_id")
_MAX_NAME_BYTES = 255
MAX_TTL_SECONDS = 3_155_760_000

Pairs = Mapping[str, str]


def pairs(items: Iterable[object]) -> dict[str, str]:
    """KeyValuePairs as a dict; of a repeated key the last value counts."""
    return {str(item.key): str(item.value) for item in items}  # type: ignore[attr-defined]


def check_name(entity: str, name: str, *, code: int = INVALID_PARAMETER) -> None:
    """`entity` is what Milvus calls it, for instance `collection name`. Raises RefusedError with Milvus' sentence."""
    if not name:
        raise RefusedError(f"{entity} should not be empty: invalid parameter", code)
    invalid = f"Invalid {entity}: {name[:_MAX_NAME_BYTES]}."
    if len(name.encode()) > _MAX_NAME_BYTES:
        problem = f"the length of {entity} must be less than {_MAX_NAME_BYTES} characters"
    elif not re.match(r"[A-Za-z_]", name):
        problem = f"the first character of a {entity} must be an underscore or letter"
    elif not re.fullmatch(r"[A-Za-z0-9_]+", name):
        problem = f"{entity} can only contain numbers, letters and underscores"
    else:
        return
    raise RefusedError(f"{invalid} {problem}: invalid parameter", code)


def check_database_name(name: str) -> None:
    check_name("database name", name, code=DATABASE_INVALID_NAME)


def check_partition_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name) or len(name.encode()) > _MAX_NAME_BYTES:
        raise invalid_parameter(
            f"Invalid partition name: {name[:_MAX_NAME_BYTES]}. Partition name can only contain numbers, letters and "
            "underscores."
        )


def check_fields(schema: schema_pb2.CollectionSchema) -> None:
    """Names and the parameters that a field of its type must have."""
    seen: set[str] = set()
    for field in schema.fields:
        if field.name in _RESERVED_FIELDS:
            raise invalid_parameter(f"field name: {field.name} is reserved")
        check_name("field name", field.name)
        if field.name in seen:
            raise RefusedError(f"duplicated field name: {field.name}")
        seen.add(field.name)
        _check_length(field)
    if not any(field.data_type >= schema_pb2.DataType.BinaryVector for field in schema.fields):
        raise RefusedError("schema does not contain vector field")


def _check_length(field: schema_pb2.FieldSchema) -> None:
    if field.data_type != schema_pb2.DataType.VarChar:
        return
    text = pairs(field.type_params).get("max_length")
    if text is None:
        raise invalid_parameter(f"type param(max_length) should be specified for the field({field.name}) of collection")
    if not re.fullmatch(r"[0-9]{1,12}", text) or not 0 < int(text) <= 65535:
        raise invalid_parameter(
            f"the maximum length specified for the field({field.name}) should be in (0, 65535], but got {text} instead"
        )


def check_functions(schema: schema_pb2.CollectionSchema) -> None:
    """The structure of all functions of a schema. Raises RefusedError."""
    fields = {field.name: field for field in schema.fields}
    names: set[str] = set()
    outputs: set[str] = set()
    for function in schema.functions:
        if not function.name:
            raise RefusedError("function name cannot be empty")
        if function.name in names:
            raise RefusedError(f"duplicate function name: {function.name}")
        names.add(function.name)
        _check_inputs(function, fields)
        _check_outputs(function, fields, outputs)
        outputs.update(function.output_field_names)


def _check_inputs(function: schema_pb2.FunctionSchema, fields: Mapping[str, schema_pb2.FieldSchema]) -> None:
    for name in function.input_field_names:
        if name not in fields:
            raise RefusedError(f"function input field not found: {name}")
        if fields[name].nullable:
            raise RefusedError(f"function input field cannot be nullable: function {function.name}, field {name}")
    if function.type != TEXT_EMBEDDING:
        return
    if len(function.input_field_names) != 1:
        raise RefusedError(
            f"TextEmbedding function accepts exactly one input field, but got {len(function.input_field_names)}"
        )
    if fields[function.input_field_names[0]].data_type not in _TEXT_TYPES:
        raise RefusedError("TextEmbedding function input field must be a VARCHAR/TEXT field")


def _check_outputs(
    function: schema_pb2.FunctionSchema, fields: Mapping[str, schema_pb2.FieldSchema], taken: Collection[str]
) -> None:
    if function.type == TEXT_EMBEDDING and len(function.output_field_names) != 1:
        raise RefusedError(
            f"TextEmbedding function accepts exactly one output field, but got {len(function.output_field_names)}"
        )
    for name in function.output_field_names:
        if name not in fields:
            raise RefusedError(f"function output field not found: {name}")
        if name in function.input_field_names:
            raise RefusedError(f"a single field cannot be both input and output of one function: {name}")
        if name in taken:
            raise RefusedError(f"duplicate function output field: {name}")
        output = fields[name]
        if output.nullable:
            raise RefusedError(f"function output field cannot be nullable: function {function.name}, field {name}")
        if output.is_primary_key or output.is_partition_key or output.is_clustering_key:
            raise RefusedError(
                f"function output field cannot be primary, partition or clustering key: function {function.name}, "
                f"field {name}"
            )
        if function.type == TEXT_EMBEDDING and output.data_type not in _DENSE_TYPES:
            raise RefusedError("TextEmbedding function output field must be a FloatVector or Int8Vector field")


def embedding_targets(schema: schema_pb2.CollectionSchema) -> list[tuple[schema_pb2.FunctionSchema, Target]]:
    """The text embedding functions of a schema that passed `check_functions`, with what a provider needs of each."""
    dimensions = {field.name: int(pairs(field.type_params).get("dim", "0")) for field in schema.fields}
    return [
        (
            function,
            Target(
                function=function.name,
                output_field=function.output_field_names[0],
                dimension=dimensions[function.output_field_names[0]],
                parameters=_parameters(function),
            ),
        )
        for function in schema.functions
        if function.type == TEXT_EMBEDDING
    ]


def _parameters(function: schema_pb2.FunctionSchema) -> dict[str, str]:
    """Keys lower-cased; of a repeated key the last value counts, but of `provider` the first."""
    parameters = {key.lower(): value for key, value in pairs(function.params).items()}
    first = next((item.value for item in function.params if item.key.lower() == "provider"), None)
    return parameters if first is None else {**parameters, "provider": first}


def check_properties(properties: Pairs, *, removed: Iterable[str] = (), loaded: bool, vector_indexed: bool) -> None:
    """Values and states that Milvus asks for when collection properties are set or removed."""
    touched = {*properties, *removed}
    ttl = properties.get("collection.ttl.seconds")
    if ttl is not None and not (re.fullmatch(r"-?[0-9]{1,12}", ttl) and -1 <= int(ttl) <= MAX_TTL_SECONDS):
        raise invalid_parameter(f"collection TTL is out of range, expect [-1, {MAX_TTL_SECONDS}], got {ttl}")
    if loaded and any(key == "mmap.enabled" or key.startswith("warmup") for key in touched):
        raise RefusedError("can not alter mmap properties if collection loaded")
    if vector_indexed and "partitionkey.isolation" in touched:
        raise RefusedError("can not alter partition key isolation mode if the collection already has a vector index")


def parse_bool(name: str, value: str) -> bool:
    """As Go's ParseBool. Raises RefusedError."""
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise invalid_parameter(f"{name} is not a valid bool value: {value[:50]}")
