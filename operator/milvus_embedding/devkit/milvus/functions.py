"""Embedding functions of collections: the live check at CreateCollection, and the RPCs that alter functions.

Which alterations exist depends on the version that the server reports: none before 2.6.7, all from there on, and from
3.0 only connection parameters of an existing function. As in Milvus no alteration touches rows that are there.
"""

from collections.abc import Mapping

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.catalog import CollectionRecord, complete
from milvus_embedding.devkit.milvus.provider import ProviderError
from milvus_embedding.devkit.milvus.rules import (
    BM25,
    check_functions,
    embedding_targets,
    pairs,
    parse_bool,
)
from milvus_embedding.devkit.milvus.status import RefusedError, invalid_parameter, success

SKIP_CHECK_PROPERTY = "disable_func_runtime_check"
CHECK_TEXT = "check"
_FUNCTIONS_SINCE, _ALTERATION_SINCE, _SKIPPABLE_SINCE, _BOUND_SINCE = (2, 6), (2, 6, 7), (2, 6, 7), (3,)
# Before, one broken function of a collection kept all others from being altered.
_CHECKS_ONLY_THE_ALTERED_SINCE = (2, 6, 9)
_ALTERABLE = frozenset(
    {"url", "credential", "timeout_ms", "max_client_batch_size", "region", "location", "projectid", "user"}
)


class Functions(Base):
    """See the module."""

    def forget_unsupported(self, schema: schema_pb2.CollectionSchema) -> None:
        """A server older than 2.6 does not know functions: it drops them without a word."""
        if self.version < _FUNCTIONS_SINCE:
            del schema.functions[:]

    def check_functions(self, schema: schema_pb2.CollectionSchema, properties: Mapping[str, str]) -> None:
        """Structure, then one real call per text embedding function unless a property turns it off."""
        check_functions(schema)
        skippable = self.version >= _SKIPPABLE_SINCE and SKIP_CHECK_PROPERTY in properties
        if skippable and parse_bool(SKIP_CHECK_PROPERTY, properties[SKIP_CHECK_PROPERTY]):
            return
        self._check_live(schema)

    def _check_live(self, schema: schema_pb2.CollectionSchema, only: str | None = None) -> None:
        for function, target in embedding_targets(schema):
            if only is not None and function.name != only:
                continue
            provider = self.providers.open(target)
            try:
                provider.embed([CHECK_TEXT], text_type="document")
            except ProviderError as error:
                name = f"{function.name}:TextEmbedding"
                raise RefusedError(f"Check function [{name}] failed, the err is: {error}") from None

    def AlterCollectionFunction(
        self, request: milvus_pb2.AlterCollectionFunctionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        self._require(_ALTERATION_SINCE)
        record = self.record(request, context)
        new = request.functionSchema
        if request.function_name != new.name:
            raise invalid_parameter("Invalid function config, name not match")
        old = next((function for function in record.schema.functions if function.name == new.name), None)
        if old is None:
            raise RefusedError(f"Function {new.name} not found")
        if BM25 in (old.type, new.type):
            raise invalid_parameter("Currently, does not support alter BM25 function")
        if self.version >= _BOUND_SINCE:
            _check_bound(old, new)
        others = [function for function in record.schema.functions if function.name != new.name]
        changed = schema_pb2.FunctionSchema()
        changed.CopyFrom(new)
        changed.id = old.id
        # The altered function moves to the end and keeps its id.
        return self._replace_functions(record, [*others, changed], check=new.name)

    def AddCollectionFunction(
        self, request: milvus_pb2.AddCollectionFunctionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        self._require(_ALTERATION_SINCE)
        if self.version >= _BOUND_SINCE:
            raise invalid_parameter("AddCollectionFunction is no longer supported")
        record = self.record(request, context)
        if request.functionSchema.type == BM25:
            raise invalid_parameter("Currently, does not support adding BM25 function")
        return self._replace_functions(
            record, [*record.schema.functions, request.functionSchema], check=request.functionSchema.name
        )

    def DropCollectionFunction(
        self, request: milvus_pb2.DropCollectionFunctionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        self._require(_ALTERATION_SINCE)
        if self.version >= _BOUND_SINCE:
            raise invalid_parameter("DropCollectionFunction is not supported")
        record = self.record(request, context)
        dropped = [function for function in record.schema.functions if function.name == request.function_name]
        if any(function.type == BM25 for function in dropped):
            raise invalid_parameter("Currently, does not support droping BM25 function")
        kept = [function for function in record.schema.functions if function.name != request.function_name]
        return self._replace_functions(record, kept, check=None)

    def _require(self, since: tuple[int, ...]) -> None:
        if self.version < since:
            # As a servicer does of a method that it does not have: the client gets UNIMPLEMENTED.
            raise NotImplementedError

    def _replace_functions(
        self, record: CollectionRecord, functions: list[schema_pb2.FunctionSchema], *, check: str | None
    ) -> common_pb2.Status:
        """The live check runs without the lock: it may take half a minute."""
        schema = schema_pb2.CollectionSchema()
        schema.CopyFrom(record.schema)
        del schema.functions[:]
        schema.functions.extend(functions)
        check_functions(schema)
        if check is not None:
            alone = self.version >= _CHECKS_ONLY_THE_ALTERED_SINCE
            self._check_live(schema, only=check if alone else None)
        complete(schema)
        with self.engine.lock:
            record.schema = schema
            self.catalog.save(record)
        return success()


def _check_bound(old: schema_pb2.FunctionSchema, new: schema_pb2.FunctionSchema) -> None:
    """From 3.0 a function is bound to its fields and model; values are compared as exact strings."""
    for name in ("type", "input_field_names", "output_field_names"):
        if getattr(old, name) != getattr(new, name):
            raise invalid_parameter(f"function {name} cannot be altered for function {old.name}")
    keys = [str(item.key).lower() for item in new.params]
    if len(set(keys)) < len(keys):
        raise invalid_parameter(f"duplicate function param for function {old.name}")
    had = {key.lower(): value for key, value in pairs(old.params).items()}
    wanted = {key.lower(): value for key, value in pairs(new.params).items()}
    for key in sorted(had.keys() | wanted.keys()):
        if key not in _ALTERABLE and had.get(key) != wanted.get(key):
            raise invalid_parameter(
                f'function param "{key}" cannot be altered for function {old.name}; only connection/runtime params may '
                "be changed"
            )
