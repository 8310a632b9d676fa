"""The real controllers and the real client of Milvus over a contract server, with a MilvusCollection per case."""

import math
from collections.abc import Mapping

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.devkit.milvus.faults import Call
from milvus_embedding.devkit.milvus.proto import Message
from milvus_embedding.domain.labels import derived
from milvus_embedding.domain.planning.record import APPLIED, RECORD
from milvus_embedding.domain.planning.settings import DYNAMIC, TTL
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DEV, DEV_KEY, DOCS, Body
from tests.unit.domain.planning.scenes import MODELS, over_base

CREDENTIALS = (DEV, *(Key("EmbeddingCredential", "milvus", name) for name in ("a", "b", "c")))
OWN = Key("EmbeddingCredential", "search", "c")
"""In the collection's namespace, so that it may not choose its label."""
LABELS = ("apikey_dev", "a", "b", "c", derived(OWN.namespace, OWN.name))
POLICY: Body = {"changePolicy": {"destructive": "Manual"}}
LOSING = frozenset(
    {"DropCollection", "TruncateCollection", "DropPartition", "DropCollectionFunction", "DropDatabase", "Delete"}
)
INTERRUPTING = frozenset({"ReleaseCollection", "ReleasePartitions", "RenameCollection", "DropAlias", "AlterAlias"})


def is_record(call: Call) -> bool:
    """Whether it only keeps our own record of what is declared and carried out."""
    properties = set(_properties(call.request)) if call.rpc == "AlterCollection" else set[str]()
    return bool(properties) and properties <= {RECORD, APPLIED}


def loses(call: Call, *, ttl: float = math.inf) -> bool:
    """Whether a collection, partition, function, field or row may go by it. `ttl`: the time to live of before."""
    if call.rpc == "AlterCollection":
        properties = _properties(call.request)
        return 0 <= int(properties.get(TTL, "-1")) < ttl or properties.get(DYNAMIC) == "false"
    if call.rpc == "AlterCollectionSchema":
        assert call.request is not None
        return str(call.request.action.WhichOneof("op")) == "drop_request"
    return call.rpc in LOSING


def interrupts(call: Call) -> bool:
    return call.rpc in INTERRUPTING


def _properties(request: Message | None) -> dict[str, str]:
    assert request is not None
    return {item.key: item.value for item in request.properties}


def manifest(changes: Mapping[str, object]) -> Body:
    """The table's base with changes, under a policy that lets everything be approved."""
    connection = {"connectionRef": {"name": "milvus", "namespace": "milvus"}}
    return manifests.manifest(DOCS, {**connection, **POLICY, **over_base(changes)})


class Stage:
    """`docs` is the collection's object. `log` holds the changing calls since `forget`."""

    def __init__(self, server: EmbeddedMilvus) -> None:
        self.server = server
        self.bench = Bench()
        self._registry = MilvusRegistry[Key](scrubber=self.bench.scrubber)
        self.forget()
        self.reconnect()

    def reconnect(self) -> None:
        """After a restart of the bench, which makes clients of its own."""
        self.bench.clients.get = self._registry.get  # type: ignore[method-assign, assignment]
        self.bench.clients.forget = self._registry.forget  # type: ignore[method-assign, assignment]

    def surroundings(self, models: Mapping[str, Mapping[str, object]] = MODELS, **connection: object) -> None:
        """Connection, credentials and EmbeddingFunctions."""
        for key in (*CREDENTIALS, OWN):
            label = None if key == OWN else key.name.replace("-", "_")
            self.bench.secret(key.name, namespace=key.namespace, apikey=DEV_KEY)
            self.bench.apply(manifests.credential(key, label=label))
        embedding = {"dashscope": {"credentialRef": {"name": DEV.name}}, "allowedNamespaces": manifests.TO_SEARCH}
        self.bench.apply(manifests.connection(uri=self.server.uri, embedding=embedding, **connection))
        for namespace in ("search", "shared"):
            for name, dashscope in models.items():
                spec = {"dashscope": dict(dashscope), "allowedNamespaces": manifests.TO_SEARCH}
                self.bench.apply(manifests.manifest(Key("EmbeddingFunction", namespace, name), spec))

    def declare(self, changes: Mapping[str, object]) -> None:
        """The table's base with changes, under a policy that lets everything be approved."""
        self.bench.apply(manifest(changes))

    def approve(self, hash_: str | None = None) -> None:
        self.bench.world.annotate(DOCS, approved_plan=hash_ or str(self.plan["hash"]))

    async def stand(self, changes: Mapping[str, object]) -> None:
        """The collection, made and Ready; what was called by then is forgotten."""
        self.declare(changes)
        await self.bench.settle_ready(DOCS)
        self.forget()

    async def settle(self) -> None:
        """The collection, until nothing changes any more."""
        await self.bench.settle(DOCS)

    async def settle_all(self) -> None:
        """All objects, until nothing changes any more."""
        await self.bench.settle()

    def forget(self) -> None:
        self.server.forget_calls()

    @property
    def log(self) -> list[Call]:
        """Without those that keep our own record."""
        return [call for call in self.server.log if not is_record(call)]

    @property
    def rpcs(self) -> list[str]:
        return [call.rpc for call in self.log]

    @property
    def ready(self) -> tuple[str, str]:
        return self.bench.condition(DOCS)

    @property
    def message(self) -> str:
        return self.bench.message(DOCS)

    @property
    def plan(self) -> Mapping[str, object]:
        plan = self.bench.world.status(DOCS).get("plan")
        return plan if isinstance(plan, dict) else {}

    @property
    def steps(self) -> dict[str, str]:
        """Path -> class."""
        steps = self.plan.get("steps") or []
        assert isinstance(steps, list)
        return {step["path"]: step["class"] for step in steps}

    async def resync(self, times: int = 10) -> int:
        """Changing calls in so many passes, our own record included."""
        before = self.server.changing_calls
        for _ in range(times):
            await self.bench.reconcile(DOCS)
            assert not self.bench.changed
            self.bench.clock.advance(600)
        return self.server.changing_calls - before

    async def close(self) -> None:
        """Drops what the case made."""
        if CONNECTION in self.bench.world.bodies:
            self.server.faults.clear()
            await self._clean()
        self.bench.close()
        await self._registry.close()

    async def _clean(self) -> None:
        connection = self.bench.world.resource(CONNECTION)
        milvus = await self.bench.gateway.client(connection, self.bench.world)  # type: ignore[arg-type]
        for name in await milvus.list_collections("default"):
            for alias in await milvus.list_aliases("default", name):
                await milvus.drop_alias("default", alias)
            await milvus.drop_collection("default", name)
