"""What a proxy with a stale cache answers: the description of a collection as it was before the last change of it.

Only what was there is remembered. Which changes count, and for how long, a fault says; without one nothing is kept.
"""

import threading
from collections.abc import Callable

import grpc
from pymilvus.grpc_gen import milvus_pb2

from milvus_embedding.devkit.milvus.proto import Message
from milvus_embedding.devkit.milvus.status import RefusedError

Describe = Callable[[milvus_pb2.DescribeCollectionRequest, grpc.ServicerContext], milvus_pb2.DescribeCollectionResponse]
Database = Callable[[Message, grpc.ServicerContext], str]

DESCRIBE = "DescribeCollection"
_CHANGES_WHAT_DESCRIBE_TELLS = frozenset(
    {
        "DropCollection", "RenameCollection", "AlterCollection", "AlterCollectionField", "AddCollectionField",
        "AddCollectionFunction", "AlterCollectionFunction", "DropCollectionFunction", "AlterCollectionSchema",
        "CreateAlias", "DropAlias", "AlterAlias",
    }
)  # fmt: skip
_NAMES = ("collection_name", "oldName", "newName", "alias")


class Memory:
    """Old answers by database and name, each until a moment of the server's clock."""

    def __init__(self, describe: Describe, database: Database, clock: Callable[[], float]) -> None:
        self._describe = describe
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._old: dict[tuple[str, str], tuple[float, milvus_pb2.DescribeCollectionResponse]] = {}

    def before(self, rpc: str, request: Message, context: grpc.ServicerContext, *, seconds: float) -> None:
        """A call is about to be made: what describe tells now is what it will tell for `seconds`."""
        if not seconds or rpc not in _CHANGES_WHAT_DESCRIBE_TELLS:
            return
        database = self._database(request, context)
        for name in filter(None, (str(getattr(request, field, "")) for field in _NAMES)):
            try:
                answer = self._describe(
                    milvus_pb2.DescribeCollectionRequest(db_name=database, collection_name=name), context
                )
            except RefusedError:
                continue
            with self._lock:
                self._old[(database, name)] = (self._clock() + seconds, answer)

    def recall(self, rpc: str, request: Message, context: grpc.ServicerContext) -> Message | None:
        """The old answer to this call, if it is a describe and there is one that still holds."""
        if rpc != DESCRIBE or not self._old:
            return None
        key = (self._database(request, context), str(request.collection_name))
        with self._lock:
            until, answer = self._old.get(key, (float("-inf"), None))
            if self._clock() < until:
                return answer
            self._old.pop(key, None)
        return None
