"""What all parts of the servicer share: the engine, the records, and how a request finds its collection."""

import re
from collections.abc import Callable

import grpc
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_embedding.devkit.milvus.catalog import Catalog, CollectionRecord
from milvus_embedding.devkit.milvus.engine import Engine, Rows
from milvus_embedding.devkit.milvus.proto import Message
from milvus_embedding.devkit.milvus.provider import Providers
from milvus_embedding.devkit.milvus.status import collection_not_found, database_not_found, success

# The suffix says what it is: a Milvus Lite that follows the rules of that release as far as they are known here.
DEFAULT_VERSION = "v2.6.9-embedded"

_WITHOUT_DATABASE = frozenset(
    {"Connect", "GetVersion", "CheckHealth", "AllocTimestamp", "CreateDatabase", "DropDatabase", "ListDatabases"}
)
_WITHOUT_COLLECTION = _WITHOUT_DATABASE | {
    "CreateCollection", "DropCollection", "HasCollection", "ShowCollections", "GetLoadState", "RenameCollection",
    "DescribeDatabase", "AlterDatabase", "DropAlias", "DescribeAlias", "Flush",
}  # fmt: skip


class Base(MilvusServicer):  # type: ignore[misc]  # Milvus Lite has no type information
    """Look-ups raise RefusedError, which the dispatcher turns into a response."""

    def __init__(
        self, engine: Engine, catalog: Catalog, providers: Providers, *, version: str, clock: Callable[[], float]
    ) -> None:
        super().__init__(engine)
        self.engine = engine
        self.catalog = catalog
        self.providers = providers
        self.version_text = version
        self.version = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
        self.clock = clock

    def precheck(self, rpc: str, request: Message, context: grpc.ServicerContext) -> None:
        """Refuses a request for a database or a collection that is not there."""
        if rpc in _WITHOUT_DATABASE:
            return
        database = self.database(request, context)
        if not self.engine.has_database(database):
            raise database_not_found(database)
        if rpc not in _WITHOUT_COLLECTION and getattr(request, "collection_name", None):
            self.record(request, context)

    def database(self, request: Message, context: grpc.ServicerContext) -> str:
        return str(self._database_name(request, context))

    def find(self, database: str, name: str) -> CollectionRecord | None:
        """The collection of that name or alias."""
        return self.catalog.get(database, self.engine.resolve_collection_name(name, database_name=database))

    def record(self, request: Message, context: grpc.ServicerContext) -> CollectionRecord:
        database, name = self.database(request, context), str(getattr(request, "collection_name", ""))
        record = self.find(database, name) if name else self.catalog.by_id(int(getattr(request, "collectionID", 0)))
        if record is None:
            raise collection_not_found(database, name)
        return record

    def rows(self, record: CollectionRecord) -> Rows:
        return self.engine.get_collection(record.name, record.database)

    def timestamp(self) -> int:
        return int(self.clock() * 1000) << 18

    def Connect(self, request: milvus_pb2.ConnectRequest, context: grpc.ServicerContext) -> milvus_pb2.ConnectResponse:
        return milvus_pb2.ConnectResponse(
            status=success(),
            server_info=common_pb2.ServerInfo(build_tags=self.version_text, deploy_mode="EMBEDDED"),
            identifier=self.timestamp(),
        )

    def GetVersion(
        self, request: milvus_pb2.GetVersionRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.GetVersionResponse:
        return milvus_pb2.GetVersionResponse(status=success(), version=self.version_text)

    def AllocTimestamp(
        self, request: milvus_pb2.AllocTimestampRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.AllocTimestampResponse:
        return milvus_pb2.AllocTimestampResponse(status=success(), timestamp=self.timestamp())
