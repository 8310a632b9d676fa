"""What Milvus remembers of a collection and Milvus Lite does not: kept as JSON inside the collection's own folder.

The record is what clients see of a collection; the engine below only holds rows. Because it lies in the engine's folder
it is renamed and dropped with the collection. A folder without a record (made by plain Milvus Lite) gets one at start.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from milvus_lite.adapter.grpc.translators.schema import milvus_lite_to_milvus_schema
from milvus_lite.schema.persistence import load_schema
from pymilvus.grpc_gen import common_pb2, schema_pb2

from milvus_embedding.devkit.milvus.proto import json_format
from milvus_embedding.devkit.milvus.stored import stand_in

RECORD_FILENAME = "embedded.json"
_SCHEMA_FILENAME = "schema.json"


@dataclass(slots=True)
class IndexRecord:
    """An index as it was asked for. `parameters` are those of the request, `params` (JSON) among them."""

    name: str
    field_name: str
    index_id: int
    parameters: dict[str, str]

    def same_as(self, other: "IndexRecord") -> bool:
        return self.field_name == other.field_name and self.flat() == other.flat()

    def flat(self) -> dict[str, str]:
        """All parameters on one level, the way Milvus reports them."""
        nested = json.loads(self.parameters.get("params") or "{}")
        flat = {key: value for key, value in self.parameters.items() if key != "params"}
        return {
            **flat,
            **{key: value if isinstance(value, str) else json.dumps(value) for key, value in nested.items()},
        }


@dataclass(slots=True)
class CollectionRecord:
    """One collection. `schema` is complete: ids, descriptions and functions as a client sees them."""

    database: str
    name: str
    collection_id: int
    created_timestamp: int
    schema: schema_pb2.CollectionSchema
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    shards: int = 1
    consistency_level: int = 0
    num_partitions: int = 0
    loaded: bool = False
    replicas: int = 1
    resource_groups: list[str] = dataclasses.field(default_factory=list)
    released_partitions: list[str] = dataclasses.field(default_factory=list)
    indexes: list[IndexRecord] = dataclasses.field(default_factory=list)

    def index_of(self, field_name: str) -> IndexRecord | None:
        return next((index for index in self.indexes if index.field_name == field_name), None)

    def field(self, name: str) -> schema_pb2.FieldSchema | None:
        return next((item for item in self.schema.fields if item.name == name), None)

    def primary_field(self) -> str:
        return next(str(item.name) for item in self.schema.fields if item.is_primary_key)

    def vector_fields(self) -> list[str]:
        return [item.name for item in self.schema.fields if item.data_type >= schema_pb2.DataType.BinaryVector]

    def to_json(self) -> str:
        document = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        document["schema"] = json_format.MessageToDict(self.schema, preserving_proto_field_name=True)
        document["indexes"] = [
            {"name": i.name, "field_name": i.field_name, "index_id": i.index_id, "parameters": i.parameters}
            for i in self.indexes
        ]
        return json.dumps(document, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, name: str) -> "CollectionRecord":
        """`name` is the folder's: a rename that died half-way is finished by it."""
        document = json.loads(text)
        schema = json_format.ParseDict(document.pop("schema"), schema_pb2.CollectionSchema())
        schema.name = name
        indexes = [IndexRecord(**index) for index in document.pop("indexes")]
        return cls(**{**document, "name": name}, schema=schema, indexes=indexes)


_PLAIN_FIELDS = (
    "database", "name", "collection_id", "created_timestamp", "properties", "shards", "consistency_level",
    "num_partitions", "loaded", "replicas", "resource_groups", "released_partitions",
)  # fmt: skip


class Catalog:
    """All records, in memory and on disk. Not thread-safe for writers: the server's lock is around every change."""

    def __init__(self, data_dir: Path, clock: Callable[[], float]) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._records: dict[tuple[str, str], CollectionRecord] = {}
        self._last_id = 0
        for database, folder in self._folders():
            record = self._load(database, folder)
            self._records[(database, record.name)] = record
            self._last_id = max(self._last_id, record.collection_id, *(i.index_id for i in record.indexes), 0)

    def next_id(self) -> int:
        """A hybrid timestamp: milliseconds since the epoch shifted by 18 bits, never the same twice."""
        self._last_id = max(self._last_id + 1, int(self._clock() * 1000) << 18)
        return self._last_id

    def get(self, database: str, name: str) -> CollectionRecord | None:
        return self._records.get((database, name))

    def by_id(self, collection_id: int) -> CollectionRecord | None:
        return next((record for record in tuple(self._records.values()) if record.collection_id == collection_id), None)

    def names(self, database: str) -> list[str]:
        return sorted(name for owner, name in tuple(self._records) if owner == database)

    def save(self, record: CollectionRecord) -> None:
        """Adds or replaces the record, on disk first. The engine's folder must exist."""
        path = self._folder(record.database, record.name) / RECORD_FILENAME
        temporary = path.with_suffix(".tmp")
        temporary.write_text(record.to_json(), encoding="utf-8")
        os.replace(temporary, path)
        self._records[(record.database, record.name)] = record

    def forget(self, database: str, name: str) -> None:
        self._records.pop((database, name), None)

    def _folder(self, database: str, name: str) -> Path:
        root = self._data_dir if database == "default" else self._data_dir / "databases" / database
        return root / "collections" / name

    def _folders(self) -> Iterator[tuple[str, Path]]:
        databases = self._data_dir / "databases"
        names = [path.name for path in databases.iterdir()] if databases.is_dir() else []
        for database in ("default", *names):
            root = self._folder(database, "x").parent
            if root.is_dir():
                yield from ((database, path) for path in root.iterdir() if (path / _SCHEMA_FILENAME).exists())

    def _load(self, database: str, folder: Path) -> CollectionRecord:
        path = folder / RECORD_FILENAME
        if path.exists():
            return CollectionRecord.from_json(path.read_text(encoding="utf-8"), folder.name)
        _, engine_schema = load_schema(str(folder / _SCHEMA_FILENAME))
        schema = milvus_lite_to_milvus_schema(folder.name, engine_schema)
        identifier = self.next_id()
        complete(schema)
        record = CollectionRecord(database, folder.name, identifier, identifier, schema)
        record.properties = {str(key): str(value) for key, value in engine_schema.properties.items()}
        self.save(record)
        return record


def complete(schema: schema_pb2.CollectionSchema) -> None:
    """Gives fields and functions what a server adds: ids from 100 on, output marks, the primary key's autoID."""
    ids = {field.name: field.fieldID for field in schema.fields if field.fieldID}
    following = max([99, *ids.values()]) + 1
    outputs = {name for function in schema.functions for name in function.output_field_names}
    for field in schema.fields:
        if field.name not in ids:
            ids[field.name] = field.fieldID = following
            following += 1
        field.is_function_output = field.name in outputs
        field.state = schema_pb2.FieldState.FieldCreated
        field.autoID = field.autoID or (field.is_primary_key and schema.autoID)
    used = max([99, *(function.id for function in schema.functions)])
    for number, function in enumerate(item for item in schema.functions if not item.id):
        function.id = used + 1 + number
    for function in schema.functions:
        function.input_field_ids[:] = [ids[name] for name in function.input_field_names]
        function.output_field_ids[:] = [ids[name] for name in function.output_field_names]


def key_values(values: Mapping[str, str]) -> list[common_pb2.KeyValuePair]:
    return [common_pb2.KeyValuePair(key=key, value=value) for key, value in values.items()]


def engine_schema(schema: schema_pb2.CollectionSchema) -> schema_pb2.CollectionSchema:
    """The schema for the engine: text embedding happens above it, so their outputs are plain vector fields there."""
    plain = schema_pb2.CollectionSchema()
    plain.CopyFrom(schema)
    del plain.functions[:]
    kept = [function for function in schema.functions if function.type != schema_pb2.FunctionType.TextEmbedding]
    plain.functions.extend(kept)
    outputs = {name for function in kept for name in function.output_field_names}
    for field in plain.fields:
        field.is_function_output = field.name in outputs
        stand_in(field)
    plain.autoID = any(field.autoID for field in plain.fields)
    return plain
