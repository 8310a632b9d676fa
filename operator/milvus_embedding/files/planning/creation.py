"""What a collection that would be created has, in words: one line for each of its parts."""

from collections.abc import Iterator

from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.schema import Field, Function, Index


def creation(want: Desired) -> tuple[str, ...]:
    return tuple(_lines(want))


def _lines(want: Desired) -> Iterator[str]:
    schema = want.schema
    yield from (f"field {_field(field)}" for field in schema.fields)
    yield from (f"function {_function(function)}" for function in schema.functions)
    yield from (f"index on {_index(index)}" for index in want.indexes)
    if schema.dynamic:
        yield "dynamic field"
    if schema.partitions_count is not None:
        yield f"{schema.partitions_count} partitions by key"
    yield from (f"partition {name}" for name in want.partitions)
    yield from (f"property {name} = {value}" for name, value in sorted(schema.properties.items()))
    yield from (f"alias {name}" for name in want.aliases)
    if want.loaded:
        yield f"loaded with {want.replicas} replica{'' if want.replicas == 1 else 's'}"


def _field(field: Field) -> str:
    sizes = [f"{name} {field.params[name]}" for name in ("dim", "max_length", "max_capacity") if name in field.params]
    kind = f"{field.type} of {field.element_type}" if field.element_type else field.type
    marks = {
        "primary key": field.primary_key,
        "auto id": field.auto_id,
        "nullable": field.nullable,
        "partition key": field.partition_key,
        "clustering key": field.clustering_key,
    }
    return ", ".join([f"{field.name} {kind}", *sizes, *(mark for mark, is_set in marks.items() if is_set)])


def _function(function: Function) -> str:
    ends = f"{function.name}: {', '.join(function.inputs)} -> {', '.join(function.outputs)}"
    model = function.params.get("model_name")
    if model is None:
        return f"{ends} by {function.kind}"
    label = function.params.get("credential")
    return f"{ends} by {model}, " + (f"key of label {label}" if label else "the provider's default key")


def _index(index: Index) -> str:
    params = ", ".join(f"{name} {value}" for name, value in sorted(index.params.items()))
    return " ".join(part for part in (index.field, index.type, index.metric, params) if part)
