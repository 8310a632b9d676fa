"""Aliases by Milvus' rules: one name space with collections, idempotent creation, atomic re-pointing."""

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.rules import check_name
from milvus_embedding.devkit.milvus.status import (
    ALIAS_ALREADY_EXISTS,
    ALIAS_CONFLICTS_WITH_COLLECTION,
    ALIAS_NOT_FOUND,
    RefusedError,
    success,
)


class Aliases(Base):
    """See the module."""

    def CreateAlias(self, request: milvus_pb2.CreateAliasRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        with self.engine.lock:
            database, target = self._checked(request, context)
            present = self.engine.aliases(database).get(request.alias)
            if present is None:
                self.engine.create_alias(target, request.alias, database_name=database)
            elif present != target:
                raise RefusedError(
                    f"{request.alias} is alias to another collection: {present}: alias already exist"
                    f"[database={database}][alias={request.alias}]",
                    ALIAS_ALREADY_EXISTS,
                )
        return success()

    def AlterAlias(self, request: milvus_pb2.AlterAliasRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        with self.engine.lock:
            database, target = self._checked(request, context)
            if request.alias not in self.engine.aliases(database):
                raise _not_found(database, request.alias)
            self.engine.alter_alias(target, request.alias, database_name=database)
        return success()

    def _checked(
        self, request: milvus_pb2.CreateAliasRequest | milvus_pb2.AlterAliasRequest, context: grpc.ServicerContext
    ) -> tuple[str, str]:
        """The database and the real name of the collection."""
        check_name("collection alias", request.alias)
        record = self.record(request, context)
        if self.catalog.get(record.database, request.alias) is not None:
            raise RefusedError(
                f"alias and collection name conflict[database={record.database}][alias={request.alias}]",
                ALIAS_CONFLICTS_WITH_COLLECTION,
            )
        return record.database, record.name

    def DropAlias(self, request: milvus_pb2.DropAliasRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        with self.engine.lock:
            self.engine.drop_alias(request.alias, database_name=self.database(request, context))
        return success()

    def DescribeAlias(
        self, request: milvus_pb2.DescribeAliasRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.DescribeAliasResponse:
        database = self.database(request, context)
        target = self.engine.aliases(database).get(request.alias)
        if target is None:
            raise _not_found(database, request.alias)
        return milvus_pb2.DescribeAliasResponse(
            status=success(), db_name=database, alias=request.alias, collection=target
        )

    def ListAliases(
        self, request: milvus_pb2.ListAliasesRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.ListAliasesResponse:
        database = self.database(request, context)
        name = self.record(request, context).name if request.collection_name else ""
        aliases = self.engine.aliases(database)
        return milvus_pb2.ListAliasesResponse(
            status=success(),
            db_name=database,
            collection_name=name,
            aliases=sorted(alias for alias, target in aliases.items() if name in ("", target)),
        )


def _not_found(database: str, alias: str) -> RefusedError:
    return RefusedError(f"alias not found[database={database}][alias={alias}]", ALIAS_NOT_FOUND)
