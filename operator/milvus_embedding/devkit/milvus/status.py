"""Milvus' error codes and literal texts, and how a refusal becomes the response of any RPC.

`RefusedError` is raised anywhere in a handler; the dispatcher turns it into the RPC's own response type.
"""

from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_embedding.devkit.milvus.proto import GetMessageClass, Message

UNCLASSIFIED = 65535
COLLECTION_NOT_FOUND = 100
COLLECTION_NOT_LOADED = 101
PARTITION_NOT_FOUND = 200
PARTITION_NOT_LOADED = 201
INDEX_NOT_FOUND = 700
DATABASE_NOT_FOUND = 800
DATABASE_INVALID_NAME = 802
INVALID_PARAMETER = 1100
ALIAS_NOT_FOUND = 1600
ALIAS_CONFLICTS_WITH_COLLECTION = 1601
ALIAS_ALREADY_EXISTS = 1602

# Old clients look at the legacy field first; these three they tell apart.
_LEGACY = {COLLECTION_NOT_FOUND: 4, INDEX_NOT_FOUND: 11}
_LEGACY_UNEXPECTED = 1

_SERVICE = milvus_pb2.DESCRIPTOR.services_by_name["MilvusService"]


class RefusedError(Exception):
    """Milvus says no: its code and its text."""

    def __init__(self, reason: str, code: int = UNCLASSIFIED) -> None:
        super().__init__(reason)
        self.code = code


def failure(code: int, reason: str) -> common_pb2.Status:
    return common_pb2.Status(error_code=_LEGACY.get(code, _LEGACY_UNEXPECTED), code=code, reason=reason)


def success() -> common_pb2.Status:
    return common_pb2.Status()


def refuse(rpc: str, error: RefusedError) -> Message:
    """The response of `rpc` that carries the refusal."""
    status = failure(error.code, str(error))
    response_type = GetMessageClass(_SERVICE.methods_by_name[rpc].output_type)
    if response_type is common_pb2.Status:
        return status
    field = "status" if "status" in response_type.DESCRIPTOR.fields_by_name else "alter_status"
    return response_type(**{field: status})


def collection_not_found(database: str, name: str) -> RefusedError:
    return RefusedError(
        f"can't find collection[database={database}][collection={name}]: collection not found", COLLECTION_NOT_FOUND
    )


def database_not_found(database: str) -> RefusedError:
    return RefusedError(f"database not found[database={database}]", DATABASE_NOT_FOUND)


def invalid_parameter(reason: str) -> RefusedError:
    return RefusedError(f"{reason}: invalid parameter", INVALID_PARAMETER)
