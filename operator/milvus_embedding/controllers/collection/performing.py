"""One act of a plan as the one call of the port that it comes to, and its name for people.

Creating, accepting and renaming a collection are not here: those who decide on them make them.
"""

from milvus_embedding.clients.milvus.port import Milvus
from milvus_embedding.domain.planning import acts
from milvus_embedding.domain.planning.acts import Act
from milvus_embedding.domain.planning.record import APPLIED, RECORD


async def perform(act: Act, milvus: Milvus, database: str, name: str) -> None:
    """Raises MilvusError."""
    match act:
        case acts.AlterProperties(properties):
            await milvus.alter_properties(database, name, properties)
        case acts.DropProperties(keys):
            await milvus.drop_properties(database, name, keys)
        case acts.CreatePartition(partition):
            await milvus.create_partition(database, name, partition)
        case acts.DropPartition(partition):
            await milvus.drop_partition(database, name, partition)
        case acts.ReleasePartitions(partitions):
            await milvus.release_partitions(database, name, partitions)
        case acts.Load(replicas, groups):
            await milvus.load(database, name, replicas=replicas, resource_groups=groups)
        case acts.Release():
            await milvus.release(database, name)
        case acts.CreateAlias(alias):
            await milvus.create_alias(database, name, alias)
        case acts.AlterAlias(alias):
            await milvus.alter_alias(database, name, alias)
        case acts.DropAlias(alias):
            await milvus.drop_alias(database, alias)
        case _:
            await _perform_on_schema(act, milvus, database, name)


async def _perform_on_schema(act: Act, milvus: Milvus, database: str, name: str) -> None:
    match act:
        case acts.AddField(field):
            await milvus.add_field(database, name, field)
        case acts.AlterField(field_name, params):
            await milvus.alter_field(database, name, field_name, params)
        case acts.DropFieldProperties(field_name, keys):
            await milvus.drop_field_params(database, name, field_name, keys)
        case acts.DropField(field_name):
            await milvus.drop_field(database, name, field_name)
        case acts.CreateIndex(index):
            await milvus.create_index(database, name, index)
        case acts.AlterIndex(index_name, params):
            await milvus.alter_index(database, name, index_name, params)
        case acts.DropIndex(_, index_name):
            await milvus.drop_index(database, name, index_name)
        case _:
            await _perform_on_functions(act, milvus, database, name)


async def _perform_on_functions(act: Act, milvus: Milvus, database: str, name: str) -> None:
    match act:
        case acts.AddFunction(function):
            await milvus.add_function(database, name, function)
        case acts.AddFunctionField(function, field, index):
            await milvus.add_function_field(database, name, function, field=field, index=index)
        case acts.AlterFunction(function):
            await milvus.alter_function(database, name, function)
        case acts.DropFunction(function_name):
            await milvus.drop_function(database, name, function_name)
        case acts.DropFunctionField(function_name):
            await milvus.drop_function_field(database, name, function_name)
        case _:
            raise AssertionError(f"{type(act).__name__} is not made here")


def doing(act: Act, name: str) -> str:
    """A verb phrase, for instance "dropping partition news"."""
    match act:
        case acts.AlterProperties(properties):
            return f"setting {', '.join(sorted(properties))}"
        case acts.DropProperties(keys):
            return f"dropping {', '.join(sorted(keys))}"
        case acts.CreatePartition(partition):
            return f"creating partition {partition}"
        case acts.DropPartition(partition):
            return f"dropping partition {partition}"
        case acts.ReleasePartitions(partitions):
            return f"releasing partition {', '.join(partitions)}"
        case acts.Load():
            return f"loading {name}"
        case acts.Release():
            return f"releasing {name}"
        case acts.CreateAlias(alias):
            return f"creating alias {alias}"
        case acts.AlterAlias(alias):
            return f"moving alias {alias}"
        case acts.DropAlias(alias):
            return f"dropping alias {alias}"
        case _:
            return _doing_to_schema(act)


def _doing_to_schema(act: Act) -> str:
    match act:
        case acts.AddField(field):
            return f"adding field {field.name}"
        case acts.AlterField(field_name, _) | acts.DropFieldProperties(field_name, _):
            return f"altering field {field_name}"
        case acts.DropField(field_name):
            return f"dropping field {field_name}"
        case acts.AddFunction(function):
            return f"adding function {function.name}"
        case acts.AddFunctionField(function, field, _):
            return f"adding function {function.name} with field {field.name}"
        case acts.AlterFunction(function):
            return f"altering function {function.name}"
        case acts.DropFunction(function_name) | acts.DropFunctionField(function_name):
            return f"dropping function {function_name}"
        case acts.CreateIndex(index):
            return f"creating the index on {index.field}"
        case acts.AlterIndex(index_name, _):
            return f"altering index {index_name}"
        case acts.DropIndex(field_name, _):
            return f"dropping the index on {field_name}"
        case _:
            return type(act).__name__


def is_record(act: Act) -> bool:
    """Whether it only keeps our own record of what is declared and what was carried out."""
    return isinstance(act, acts.AlterProperties) and set(act.properties) <= {RECORD, APPLIED}


def asks_provider(act: Act) -> bool:
    """Whether Milvus embeds a text to check it, which somebody pays for."""
    return isinstance(act, acts.AddFunction | acts.AlterFunction)
