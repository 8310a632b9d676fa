"""Milvus' protobuf messages and service, as pymilvus ships them. The one place that imports pymilvus.

The import takes half a second and has side effects, so it happens at the first use, in a thread if `load` is used:
pymilvus installs a stderr handler of its own, logs every "not found" as an error with a traceback, and reads a .env
file of the working directory. None of this may happen to an operator.
"""

import asyncio
import functools
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

_NO_DOTENV = "PYTHON_DOTENV_DISABLED"


class Protocol(SimpleNamespace):
    """The generated modules, and Milvus' names of data types by number and back."""

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
    """Imports pymilvus at the first call. Blocks for about half a second then."""
    with _importing:
        modules, names = _import()
    return Protocol(**modules, type_names=names, type_numbers={name: number for number, name in names.items()})


async def load() -> Protocol:
    """The same without blocking the event loop."""
    if protocol.cache_info().currsize:
        return protocol()
    return await asyncio.to_thread(protocol)


def _import() -> tuple[dict[str, ModuleType], dict[int, str]]:
    with _without_dotenv():
        from pymilvus import DataType
        from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2
    _quieten(logging.getLogger("pymilvus"))
    modules = {"common": common_pb2, "milvus": milvus_pb2, "schema": schema_pb2, "service": milvus_pb2_grpc}
    return modules, {int(member.value): str(member.name).lstrip("_") for member in DataType}


def _quieten(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True
    logging.getLogger("pymilvus.decorators").setLevel(logging.CRITICAL)


@contextmanager
def _without_dotenv() -> Iterator[None]:
    before = os.environ.get(_NO_DOTENV)
    os.environ[_NO_DOTENV] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_DOTENV]
        else:
            os.environ[_NO_DOTENV] = before
