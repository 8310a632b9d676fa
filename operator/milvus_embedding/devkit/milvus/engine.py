"""Milvus Lite below the servicer: it stores rows and indexes, one writer at a time, and loads as records say.

Everything private of Milvus Lite that the devkit relies on is used in this module and named in PRIVATE_NAMES, so that
one test can tell when another version of it would break us.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
from milvus_lite.adapter.grpc.translators.index import kv_pairs_to_index_params_dict
from milvus_lite.adapter.grpc.translators.schema import milvus_to_milvus_lite_schema
from milvus_lite.db import SCHEMA_FILENAME, MilvusLite
from milvus_lite.engine.collection import Collection
from milvus_lite.exceptions import IndexNotFoundError
from milvus_lite.schema.arrow_builder import build_data_schema
from milvus_lite.schema.persistence import save_schema
from pymilvus.grpc_gen import schema_pb2

from milvus_embedding.devkit.milvus.stored import engine_index

PINNED_VERSION = "3.2.2"
PRIVATE_NAMES: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {MilvusLite: ("_collections", "_aliases"), Collection: ("_load_state", "_data_dir", "_schema", "_pk_name")}
)


class Rows(Protocol):
    """An open collection of Milvus Lite, as far as the devkit calls it."""

    _load_state: str
    _data_dir: str
    _pk_name: str
    num_entities: int

    def load(self) -> None: ...

    def release(self) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def create_index(self, field_name: str, index_params: Mapping[str, object]) -> None: ...

    def drop_index(self, field_name: str) -> None: ...

    def list_partitions(self) -> list[str]: ...

    def delete(self, pks: list[object], partition_name: str | None = None) -> int: ...

    def query(
        self, expr: str | None, *, output_fields: list[str], partition_names: list[str] | None
    ) -> list[Mapping[str, object]]: ...


class Engine(MilvusLite):  # type: ignore[misc]  # Milvus Lite has no type information
    """One data folder. `lock` is held for every change and while a collection is opened; reads go without it."""

    def __init__(self, data_dir: str, is_loaded: Callable[[str, str], bool]) -> None:
        super().__init__(data_dir)
        self.lock = threading.RLock()
        self._is_loaded = is_loaded

    def get_collection(self, name: str, database_name: str = "default") -> Rows:
        """The open collection; opening it restores its load state, which Milvus Lite does not keep."""
        with self.lock:
            opened = (database_name, self.resolve_collection_name(name, database_name=database_name))
            known = opened in self._collections
            rows: Rows = super().get_collection(name, database_name=database_name)
            if not known:
                set_loaded(rows, self._is_loaded(*opened))
            return rows

    def create(self, database: str, schema: schema_pb2.CollectionSchema) -> Rows:
        """A new, released collection with the engine's schema. Raises MilvusLiteError if the engine cannot hold it."""
        translated = milvus_to_milvus_lite_schema(schema)
        rows: Rows = self.create_collection(schema.name, translated, database_name=database)
        set_loaded(rows, False)
        return rows

    def aliases(self, database: str) -> dict[str, str]:
        """Alias to collection name."""
        return dict(self._aliases(database))

    def change_schema(self, database: str, schema: schema_pb2.CollectionSchema) -> None:
        """Opens the collection anew with another schema; older rows get the default, or null, in new columns."""
        rows = self.get_collection(schema.name, database)
        rows.flush()
        folder = Path(rows._data_dir)
        self._collections.pop((database, schema.name)).close()
        translated = milvus_to_milvus_lite_schema(schema)
        columns = build_data_schema(translated)
        defaults = {field.name: field.default_value for field in translated.fields}
        for path in folder.glob("partitions/*/data/*.parquet"):
            _set_columns(path, columns, defaults)
        save_schema(translated, schema.name, str(folder / SCHEMA_FILENAME))
        self.get_collection(schema.name, database)


def _set_columns(path: Path, columns: pyarrow.Schema, defaults: Mapping[str, object]) -> None:
    """The engine reads added columns of rows in memory as null, but fails on files that lack them or have others."""
    table = pyarrow.parquet.read_table(path)
    missing = [column for column in columns if column.name not in table.column_names]
    if not missing and len(columns.names) == len(table.column_names):
        return
    for column in missing:
        values = [defaults.get(column.name)] * table.num_rows
        table = table.append_column(column, pyarrow.array(values, type=column.type))
    temporary = path.with_suffix(".tmp")
    pyarrow.parquet.write_table(table.select(columns.names), temporary)
    os.replace(temporary, path)


def set_loaded(rows: Rows, loaded: bool) -> None:
    """Milvus Lite calls a collection without an index loaded; Milvus does not, so the state is set past its rules."""
    rows.release()
    rows._load_state = "released"
    if loaded:
        rows.load()


def create_index(rows: Rows, field: schema_pb2.FieldSchema, parameters: Iterable[object]) -> None:
    """Raises MilvusLiteError for parameters that the engine refuses."""
    translated = engine_index(field, kv_pairs_to_index_params_dict(parameters))
    if translated is not None:
        rows.create_index(field.name, translated)


def drop_index(rows: Rows, field_name: str) -> None:
    with contextlib.suppress(IndexNotFoundError):
        rows.drop_index(field_name)
    # Dropping the last index makes Milvus Lite load the collection.
    rows._load_state = "released"


def count(rows: Rows, expression: str, partitions: Iterable[str]) -> int:
    """Live rows. Raises CollectionNotLoadedError unless the collection is loaded."""
    return len(rows.query(expression or None, output_fields=[rows._pk_name], partition_names=list(partitions) or None))
