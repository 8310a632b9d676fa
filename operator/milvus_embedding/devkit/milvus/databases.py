"""Databases by Milvus' rules and codes. The default one cannot be dropped, and none that holds a collection."""

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_embedding.devkit.milvus.base import Base
from milvus_embedding.devkit.milvus.rules import check_database_name
from milvus_embedding.devkit.milvus.status import RefusedError, success


class Databases(Base):
    """See the module; describing and altering are the engine's, with the existence check of the dispatcher."""

    def CreateDatabase(
        self, request: milvus_pb2.CreateDatabaseRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        check_database_name(request.db_name)
        with self.engine.lock:
            if self.engine.has_database(request.db_name):
                raise RefusedError(f"database already exist: {request.db_name}")
            return super().CreateDatabase(request, context)

    def DropDatabase(self, request: milvus_pb2.DropDatabaseRequest, context: grpc.ServicerContext) -> common_pb2.Status:
        name = request.db_name
        if name in ("", "default"):
            raise RefusedError("can not drop default database")
        with self.engine.lock:
            if not self.engine.has_database(name):
                return success()
            if self.catalog.names(name):
                raise RefusedError(f"database:{name} not empty, must drop all collections before drop database")
            return super().DropDatabase(request, context)
