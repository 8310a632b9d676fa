"""Milvus' protobuf messages and service, as pymilvus ships them. The one place that touches pymilvus.

Only its folder of generated code is loaded, under a name of our own. Importing pymilvus itself brings pandas and numpy
(about 95 MiB and three seconds of start that hold every other thread up), installs a log handler, and reads a .env file
of the working directory: none of this may happen to an operator. Protobuf keeps one class per message and process, so
the two may be used side by side.
"""

import asyncio
import functools
import importlib
import importlib.util
import re
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

_GENERATED: Final = "milvus_embedding_grpc_gen"
_MODULES: Final = {"common": "common_pb2", "milvus": "milvus_pb2", "schema": "schema_pb2", "service": "milvus_pb2_grpc"}
_IRREGULAR: Final = {"VarChar": "VARCHAR"}


class Protocol(SimpleNamespace):
    """The generated modules, and Milvus' names of data types (INT64, FLOAT_VECTOR …) by number and back."""

    if TYPE_CHECKING:
        common = common_pb2
        milvus = milvus_pb2
        schema = schema_pb2
        service = milvus_pb2_grpc

    type_names: dict[int, str]
    type_numbers: dict[str, int]


_importing = threading.Lock()


@functools.cache
def protocol() -> Protocol:
    """Loads the generated code at the first call, which takes a few tenths of a second."""
    with _importing:
        _generated_package()
        modules = {short: importlib.import_module(f"{_GENERATED}.{name}") for short, name in _MODULES.items()}
    names = {number: _type_name(name) for name, number in modules["schema"].DataType.items()}
    return Protocol(**modules, type_names=names, type_numbers={name: number for number, name in names.items()})


async def load() -> Protocol:
    """The same without blocking the event loop."""
    if protocol.cache_info().currsize:
        return protocol()
    return await asyncio.to_thread(protocol)


def _generated_package() -> ModuleType:
    """The folder `grpc_gen` of pymilvus as a package of its own; its modules refer to each other only relatively."""
    if _GENERATED in sys.modules:
        return sys.modules[_GENERATED]
    found = importlib.util.find_spec("pymilvus")
    if found is None or not found.submodule_search_locations:
        raise ImportError("pymilvus is not installed; install milvus-embedding-operator with its dependencies")
    folder = Path(found.submodule_search_locations[0]) / "grpc_gen"
    spec = importlib.util.spec_from_file_location(
        _GENERATED, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"pymilvus has no generated code in {folder.name}; install the version of the lock file")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_GENERATED] = package
    spec.loader.exec_module(package)
    return package


def _type_name(generated: str) -> str:
    """Int64 -> INT64, FloatVector -> FLOAT_VECTOR: the names that users and pymilvus write."""
    return _IRREGULAR.get(generated) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", generated).upper()
