"""The controllers with everything around them in memory, and a stand-in for the runtime.

It applies statuses and follows requeues on a clock of its own. Everything that the controllers tell is kept, so that no
key can slip out unnoticed.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import yaml

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusClients
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.controllers.base import Outcome
from milvus_embedding.controllers.collection.absence import Absences
from milvus_embedding.controllers.collection.changing import Changes
from milvus_embedding.controllers.collection.contests import Contests
from milvus_embedding.controllers.collection.controller import CollectionController
from milvus_embedding.controllers.collection.converge import Converge
from milvus_embedding.controllers.collection.deletion.deletions import Deletions
from milvus_embedding.controllers.collection.losses import Losses
from milvus_embedding.controllers.collection.ownership import Ownership
from milvus_embedding.controllers.collection.patience import Patience
from milvus_embedding.controllers.collection.pending import Pending
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.controllers.connection.controller import ConnectionController
from milvus_embedding.controllers.connection.proving.canary import Canary
from milvus_embedding.controllers.connection.rendering.rendering import Rendering
from milvus_embedding.controllers.connection.rolling.shadowing import Shadowing
from milvus_embedding.controllers.connection.usage import LabelUsage
from milvus_embedding.controllers.credential import CredentialController
from milvus_embedding.controllers.function import FunctionController
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.heartbeat import Heartbeat
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.conditions import find, merge
from milvus_embedding.domain.scrub import Scrubber
from tests.fakes.dashscope import ACCEPTED, FakeKeyProbe
from tests.fakes.milvus import FakeMilvus
from tests.fakes.world import Clock, FakeWorld
from tests.unit.controllers import manifests

OWNER_ID = "cluster-1"
SOON = 10.0
ORDER = ("EmbeddingCredential", "MilvusConnection", "EmbeddingFunction", "MilvusCollection")


class OneMilvus(MilvusClients):
    """Gives the same fake to everybody, and remembers who was sent where."""

    def __init__(self, milvus: Milvus) -> None:
        self.milvus = milvus
        self.targets: dict[Key, Target] = {}
        self.forgotten: list[Key] = []

    async def get(self, connection: Key, target: Target) -> Milvus:
        self.targets[connection] = target
        return self.milvus

    async def forget(self, connection: Key) -> None:
        self.forgotten.append(connection)


@dataclass
class Bench:
    """`told` is all that controllers gave back. `restart` forgets what a process holds in memory."""

    milvus: FakeMilvus = field(default_factory=FakeMilvus)
    key_probe: FakeKeyProbe = field(
        default_factory=lambda: FakeKeyProbe({manifests.DEV_KEY: ACCEPTED, manifests.PROD_KEY: ACCEPTED})
    )
    allowed_endpoints: tuple[str, ...] = ()
    accepted_ids: tuple[str, ...] = ()
    patience: float = 1.0
    read_only: bool = False
    owner_id: str = OWNER_ID

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.world = FakeWorld(self.clock)
        self.woken: list[Key] = []
        self.told: list[Outcome] = []
        self.changed = False
        self.secret_values: set[str] = set()
        self._heartbeats: list[Heartbeat] = []
        self._canaries: list[Canary] = []
        self.restart()

    def restart(self) -> None:
        """A new process: everything in memory is gone, the world and Milvus are as they were."""
        self.scrubber = Scrubber()
        self.clients = OneMilvus(self.milvus)
        self.gateway = Gateway(self.clients, self.scrubber, allowed_endpoints=self.allowed_endpoints)
        self.probes = KeyProbes(
            self.key_probe,
            wake=self.woken.append,
            clock=self.clock,
            today=self.clock.today,
            patience=self.patience,
        )
        self.heartbeat = Heartbeat(wake=self.woken.append)
        self._heartbeats.append(self.heartbeat)
        self.usage = LabelUsage(self.gateway, clock=self.clock)
        self.rendering = Rendering(probes=self.probes, usage=self.usage, scrubber=self.scrubber, owner_id=self.owner_id)
        self.gate = ProviderGate(self.clock)
        self.pending = Pending(self.clock)
        self.absences = Absences(self.clock)
        self.canary = Canary(
            self.gateway, owner_id=self.owner_id, clock=self.clock, today=self.clock.today, wake=self.woken.append
        )
        self._canaries.append(self.canary)
        self.connections = ConnectionController(
            gateway=self.gateway,
            heartbeat=self.heartbeat,
            rendering=self.rendering,
            usage=self.usage,
            canary=self.canary,
            shadowing=Shadowing(self.clock),
        )
        self.credentials = CredentialController(probes=self.probes, scrubber=self.scrubber, canary=self.canary)
        self.functions = FunctionController()
        converge = Converge(gate=self.gate, pending=self.pending, sleep=self.sleep)
        self.contests = Contests(self.clock)
        self.deletions = Deletions(
            gateway=self.gateway,
            pending=self.pending,
            clock=self.clock,
            owner_id=self.owner_id,
            accepted_ids=self.accepted_ids,
            read_only=self.read_only,
        )
        self.collections = CollectionController(
            gateway=self.gateway,
            converge=converge,
            changes=Changes(
                converge=converge,
                gate=self.gate,
                pending=Pending(self.clock),
                contests=self.contests,
                read_only=self.read_only,
                sleep=self.sleep,
            ),
            pending=self.pending,
            gate=self.gate,
            absences=self.absences,
            losses=Losses(self.clock),
            ownership=Ownership(owner_id=self.owner_id, accepted_ids=self.accepted_ids, clock=self.clock),
            patience=Patience(self.clock),
            deletions=self.deletions,
        )

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def secret(self, name: str, *, namespace: str = "milvus", **data: str) -> None:
        """A user's Secret; none of its values may ever be told."""
        self.secret_values.update(value.strip() for value in data.values() if len(value.strip()) >= 6)
        self.world.put_secret(namespace, name, data)

    def apply(self, *bodies: Mapping[str, object]) -> None:
        self.world.put(*bodies)

    def quickstart(self, **spec: object) -> None:
        """The manual's page: a connection, two credentials, and the collection."""
        self.secret("apikey-dev", apikey=manifests.DEV_KEY)
        self.secret("apikey-prod", apikey=manifests.PROD_KEY)
        self.apply(manifests.connection(), manifests.credential(), manifests.credential(manifests.PROD))
        self.apply(manifests.collection(**spec))

    async def reconcile(self, key: Key) -> Outcome:
        """One pass, and its status applied as the runtime does."""
        outcome = await self._pass(key)
        self.told.append(outcome)
        self.changed = False
        if outcome.status is not None:
            status = merge(self.world.status(key), outcome.status, self.world.now)
            if status is not None:
                self.changed = True
                self.world.set_status(key, status)
        return outcome

    async def settle(self, *keys: Key, passes: int = 60) -> None:
        """Reconciles all objects, or these, in rounds until three in a row change nothing.

        Between rounds the clock jumps to where the first pass wants to be repeated, if that is within ten seconds.
        """
        quiet = 0
        for _ in range(passes):
            if quiet == 3:
                return
            changed, soonest = await self._round(keys)
            quiet = 0 if changed else quiet + 1
            if soonest < SOON:
                self.clock.advance(soonest)
        raise AssertionError(f"not quiet after {passes} rounds: {[self.reasons(key) for key in self.world.bodies]}")

    async def settle_ready(self, key: Key, *, rounds: int = 200) -> None:
        """Reconciles all objects in rounds until this one is Ready."""
        for _ in range(rounds):
            _, soonest = await self._round(())
            if self.condition(key)[0] == "True":
                return
            self.clock.advance(min(soonest, SOON))
        raise AssertionError(f"{key} is not Ready after {rounds} rounds: {self.message(key)}")

    async def _round(self, keys: tuple[Key, ...]) -> tuple[bool, float]:
        """Whether anything changed, and the least requeue in seconds."""
        changed, soonest = False, float("inf")
        for key in keys or sorted(self.world.bodies, key=lambda key: (ORDER.index(key.kind), key)):
            outcome = await self.reconcile(key)
            changed = changed or self.changed
            soonest = min(soonest, soonest if outcome.requeue_after is None else outcome.requeue_after)
        return changed, soonest

    def condition(self, key: Key, type_: str = "Ready") -> tuple[str, str]:
        """Status and reason; ("absent", "") if there is none."""
        found = find(self.world.status(key), type_)
        return (str(found["status"]), str(found["reason"])) if found else ("absent", "")

    def message(self, key: Key, type_: str = "Ready") -> str:
        return str((find(self.world.status(key), type_) or {}).get("message", ""))

    def reasons(self, key: Key) -> dict[str, str]:
        """All conditions, as type -> "Status Reason"."""
        listed = self.world.status(key).get("conditions")
        assert isinstance(listed, list)
        return {c["type"]: f"{c['status']} {c['reason']}" for c in listed}

    def config(self) -> dict[str, str]:
        """The rendered Secret as text."""
        return {name: data.decode() for name, data in self.world.secrets[manifests.CONFIG].data.items()}

    def rendered_keys(self) -> dict[str, str]:
        """label -> API key in the rendered embedding.yaml."""
        credentials = yaml.safe_load(self.config()["embedding.yaml"])["credential"]
        return {label: entry["apikey"] for label, entry in credentials.items()}

    def close(self) -> None:
        """Ends the heartbeats."""
        for heartbeat in self._heartbeats:
            for key in [key for key in self.world.bodies if key.kind == "MilvusConnection"] + [manifests.CONNECTION]:
                heartbeat.forget(key)
        for canary in self._canaries:
            canary.close()

    def assert_no_secret_in(self, log: str) -> None:
        """Nothing that was told, kept in a status or logged holds a value of a Secret."""
        statuses = [body.get("status") for body in self.world.bodies.values()]
        text = f"{self.told!r}\n{statuses!r}\n{log}"
        leaked = [value for value in self.secret_values if value in text]
        assert not leaked, "a secret was told"

    async def _pass(self, key: Key) -> Outcome:
        match self.world.resource(key):
            case MilvusConnection() as resource:
                return await self.connections.reconcile(resource, self.world)
            case EmbeddingCredential() as resource:
                return await self.credentials.reconcile(resource, self.world)
            case EmbeddingFunction() as resource:
                return await self.functions.reconcile(resource, self.world)
            case MilvusCollection() as resource:
                return await self.collections.reconcile(resource, self.world)


@asynccontextmanager
async def over_servers() -> AsyncIterator[Bench]:
    """A bench whose connections lead to servers, by the real client. It begins with them as it finds them."""
    bench = Bench()
    registry = MilvusRegistry[Key](scrubber=bench.scrubber)
    bench.clients.get = registry.get  # type: ignore[method-assign, assignment]
    bench.clients.forget = registry.forget  # type: ignore[method-assign, assignment]
    yield bench
    bench.close()
    await registry.close()
