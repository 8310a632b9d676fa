"""A bench on which users, hands in Milvus, servers and time make moves in any order, and rules that hold after each."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast

from milvus_embedding.api.annotations import APPROVED_PLAN, FORCE_RELEASE, RELEASE_TO
from milvus_embedding.api.collection import AdoptionPolicy, ChangeMode, DeletionPolicy, MilvusCollection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Conflict, Stale
from milvus_embedding.domain.conditions import merge
from milvus_embedding.domain.ownership import OWNER
from milvus_embedding.domain.schema import LoadState
from tests.fakes.milvus import CHANGING, Call, FakeMilvus
from tests.fakes.outside import Killed
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.manifests import DOCS, collection, connection
from tests.unit.controllers.test_collection_crashes import Crash, Disturbance, DisturbedMilvus

TWIN = Key("MilvusCollection", "search", "twin")
NEWS = Key("MilvusCollection", "search", "news")
COLLECTIONS = (DOCS, TWIN, NEWS)
NAMES = {DOCS: "docs", TWIN: "docs", NEWS: "news"}
STRANGER = "other-cluster/search/docs"
HERE, THERE = "http://milvus.milvus.svc:19530", "http://elsewhere.milvus.svc:19530"
LOSING = frozenset({"drop_partition", "drop_field", "drop_function", "drop_function_field"})
INTERRUPTING = frozenset({"release", "release_partitions", "drop_index", "drop_alias"})
CALLS_IN_A_PASS = 400
BLIND = frozenset({"NotAllowed", "InvalidSpec"})
"""With these a pass never comes to look, and takes nothing back."""


class WalkedMilvus(DisturbedMilvus):
    """Asks a judge before each call that changes something."""

    def __init__(self, judge: Callable[["WalkedMilvus", Call], None], version: str) -> None:
        super().__init__()
        self.version = version
        self._judge = judge

    @asynccontextmanager
    async def _call(self, call: Call) -> AsyncIterator[None]:
        self._judge(self, call)
        async with super()._call(call):
            yield

    def owner(self, name: str) -> str | None:
        stored = self.databases["default"].collections.get(name)
        return stored.schema.properties.get(OWNER) if stored is not None else None


class Walk:
    """`specs` and `annotations` are what users declared of each collection."""

    def __init__(self, version: str = "v2.6.9") -> None:
        self.servers = {uri: WalkedMilvus(self.judge, version) for uri in (HERE, THERE)}
        self.bench = Bench(milvus=self.servers[HERE])
        self.current: MilvusCollection | None = None
        self.calls = 0
        self.lives: Counter[Key] = Counter()
        self.specs: dict[Key, dict[str, object]] = {DOCS: {}, TWIN: {"collectionName": "docs"}, NEWS: {}}
        self.annotations: dict[Key, dict[str, str]] = {key: {} for key in COLLECTIONS}
        self.connection: dict[str, object] = {"uri": HERE}
        self.lose_status = False
        self.intruder: Callable[[Walk], object] | None = None
        self.describes_left = 0
        self.bench.quickstart()
        self.bench.world.remove(DOCS)
        self._wire()
        self.bench.apply(connection(**self.connection))

    def _wire(self) -> None:
        async def get(key: Key, target: object) -> FakeMilvus:
            return self.servers[target.uri]  # type: ignore[attr-defined]

        self.bench.clients.get = get  # type: ignore[method-assign, assignment]

    @property
    def milvus(self) -> WalkedMilvus:
        return self.servers[cast("str", self.connection["uri"])]

    # users

    def declare(self, key: Key, **changes: object) -> None:
        self.specs[key] = {k: v for k, v in {**self.specs[key], **changes}.items() if v is not None}
        if key not in self.bench.world.bodies:
            self.lives[key] += 1
        self._apply(key)

    def annotate(self, key: Key, name: str, value: str | None) -> None:
        self.annotations[key].pop(name, None)
        if value is not None:
            self.annotations[key][name] = value
        if key in self.bench.world.bodies:
            self._apply(key)

    def approve(self, key: Key) -> None:
        if hash_ := self.plan_hash(key):
            self.annotate(key, APPROVED_PLAN, hash_)

    def plan_hash(self, key: Key) -> str | None:
        if key not in self.bench.world.bodies:
            return None
        plan = self.bench.world.status(key).get("plan")
        return cast("str", plan["hash"]) if isinstance(plan, dict) and "hash" in plan else None

    def delete(self, key: Key) -> None:
        if key in self.bench.world.bodies:
            self.bench.world.delete(key)

    def lose(self, key: Key) -> None:
        """The status alone, as a restore without it does."""
        if key in self.bench.world.bodies:
            self.bench.world.set_status(key, {})

    def connect(self, **changes: object) -> None:
        self.connection.update(changes)
        self.bench.apply(connection(**self.connection))

    def _apply(self, key: Key) -> None:
        body = collection(key, **self.specs[key])
        metadata = cast("dict[str, object]", body["metadata"])
        metadata["uid"] = f"uid-{key.name}-{self.lives[key]}"
        metadata["annotations"] = dict(self.annotations[key])
        self.bench.apply(body)

    # the operator

    def restart(self) -> None:
        self.bench.restart()
        self._wire()

    async def work(self, key: Key) -> bool:
        """One pass. Whether the status or Milvus was changed."""
        bench = self.bench
        resource = bench.world.resource(key)
        self.current = resource if isinstance(resource, MilvusCollection) else None
        self.calls, before = 0, self.changes
        try:
            outcome = await bench._pass(key)
        except (Crash, Killed):
            self.restart()
            return True
        except (Conflict, Stale):
            return True
        finally:
            self.current = None
        bench.told.append(outcome)
        self.soonest = min(self.soonest, outcome.requeue_after if outcome.requeue_after is not None else 600)
        wrote = False
        if outcome.status is not None and key in bench.world.bodies:
            status = merge(bench.world.status(key), outcome.status, bench.world.now)
            if status is not None:
                wrote = True
                if self.lose_status:
                    self.lose_status = False
                    self.restart()
                else:
                    bench.world.set_status(key, status)
        if wrote:
            self.writes += 1
        return wrote or self.changes > before

    soonest = 600.0
    writes = 0

    @property
    def changes(self) -> int:
        """Calls that change something, without what Milvus refused."""
        return sum(len(server.changing) for server in self.servers.values())

    async def round(self) -> bool:
        changed = False
        self.soonest = 600.0
        order = ("EmbeddingCredential", "MilvusConnection", "EmbeddingFunction", "MilvusCollection")
        for key in sorted(self.bench.world.bodies, key=lambda key: (order.index(key.kind), key)):
            if key in self.bench.world.bodies:
                changed = await self.work(key) or changed
        return changed

    async def settle(self) -> None:
        for server in self.servers.values():
            server.disturbance = Disturbance(-1)
            await server.settle()
        self.lose_status, self.intruder = False, None
        for wait in (1300, 3700, 3700, 0):
            quiet = 0
            for _ in range(120):
                quiet = 0 if await self.round() else quiet + 1
                if quiet == 4:
                    break
                self.bench.clock.advance(min(self.soonest, 15) if quiet < 3 else 130)
            else:
                raise AssertionError(f"never quiet: {self.told()}")
            self.bench.clock.advance(wait)
        bodies = {k: (v.get("status"), v["spec"]) for k, v in self.bench.world.bodies.items()}
        for number in range(10):
            before = len(self.milvus.calls)
            if await self.round():
                now = {k: (v.get("status"), v["spec"]) for k, v in self.bench.world.bodies.items()}
                differ = {k: (bodies.get(k), now.get(k)) for k in now if now[k] != bodies.get(k)}
                made = [c for c in self.milvus.calls[before:] if c.method in CHANGING]
                raise AssertionError(f"round {number} is not quiet: {differ} {made}; {self.told()}")
            self.bench.clock.advance(600)
        self.truthful()

    def told(self) -> dict[str, tuple[str, str, str]]:
        """Status, reason and message of Ready, for what fails."""
        kinds = ("MilvusCollection", "MilvusConnection")
        told = [key for key in self.bench.world.bodies if key.kind in kinds]
        return {key.name: (*self.bench.condition(key), self.bench.message(key)) for key in told}

    async def made_good(self) -> None:
        """Everything in the way is taken away, and all plans are approved: then it has to become Ready."""
        for server in self.servers.values():
            server.disturbance, server.unreachable = Disturbance(-1), False
            await server.settle()
        self.lose_status, self.intruder = False, None
        self.restart()
        self.connect(
            paused=None, allowedNamespaces={"from": "Names", "names": ["search"]}, allowedAdoption={"from": "All"}
        )
        for key in COLLECTIONS:
            if key in self.bench.world.bodies and (key != DOCS or self.bench.world.resource(key).is_deleted):
                self.annotate(key, FORCE_RELEASE, "true")
                self.delete(key)
        for _ in range(5):
            await self.round()
            self.bench.clock.advance(200)
        assert not [key for key in (TWIN, NEWS) if key in self.bench.world.bodies], self.told()
        database = self.milvus.databases["default"]
        database.aliases.pop("docs", None)
        if self.milvus.owner("docs") not in (None, owner(DOCS)):
            self.milvus.drop("docs")
        self.annotations[DOCS].clear()
        self.specs[DOCS] = {"changePolicy": {"destructive": "Manual"}}
        self.declare(DOCS)
        for _ in range(12):
            for _ in range(12):
                await self.round()
                self.bench.clock.advance(20)
            ready = self.bench.condition(DOCS)
            if ready[0] == "True" or ready[1] in ("RebuildNeeded", "UnsupportedServer"):
                return
            if ready[1] == "NotMatching":
                self.milvus.drop("docs")
            self.approve(DOCS)
            self.bench.clock.advance(3700)
        raise AssertionError(f"wedged: {self.told()}")

    # rules

    def truthful(self) -> None:
        for key in COLLECTIONS:
            if key not in self.bench.world.bodies:
                continue
            object_ = self.bench.world.resource(key)
            assert isinstance(object_, MilvusCollection)
            if object_.spec.paused or object_.is_deleted or self.connection.get("paused"):
                continue
            database = self.milvus.databases["default"]
            stored = database.collections.get(NAMES[key])
            if self.milvus.unreachable:
                assert self.bench.condition(key)[0] != "True", f"{key} {self.told()}"
                if self.bench.condition(key)[1] != "Unreachable":
                    continue
                assert self.bench.condition(key, "Available")[0] != "True", f"{key} {self.told()}"
                continue
            ready = self.bench.condition(key)
            available = self.bench.condition(key, "Available")
            about = f"{key}: {ready} {available} {self.bench.message(key)} {self.bench.world.status(key)}"
            if available[0] == "True" and ready[1] not in BLIND:
                assert stored is not None, about
                assert stored.load is LoadState.LOADED, about
                known = self.bench.world.status(key)["collection"]["id"]  # type: ignore[index]
                assert known == stored.id, about
            if ready == ("True", "Ready"):
                assert stored is not None, about
                assert self.milvus.owner(NAMES[key]) == owner(key), about
                spec = object_.spec
                assert (stored.load is LoadState.LOADED) == spec.load.enabled, about
                assert spec.description in (None, "", stored.schema.description), about
                assert set(stored.partitions) == {"_default", *spec.partitions}, about
                aliases = {a for a, t in database.aliases.items() if t == NAMES[key]}
                assert aliases == set(spec.aliases), about
                assert {f.name for f in stored.schema.fields} == {f.name for f in spec.fields}, about

    def judge(self, server: WalkedMilvus, call: Call) -> None:
        self.calls += 1
        assert self.calls < CALLS_IN_A_PASS, "a pass goes in circles"
        if call.method == "describe" and self.intruder is not None and self.current is not None:
            self.describes_left -= 1
            if self.describes_left <= 0:
                intruder, self.intruder = self.intruder, None
                intruder(self)
        if call.method not in CHANGING or self.current is None:
            return
        self._judge_change(server, call, self.bench.world.resource(self.current.key))  # type: ignore[arg-type]

    def _judge_change(self, server: WalkedMilvus, call: Call, o: MilvusCollection) -> None:
        about = f"{call} by {o.key}: {self.told()}"
        database = server.databases["default"]
        assert not o.spec.paused, about
        assert not self.connection.get("paused"), about
        assert o.spec.adoption_policy is not AdoptionPolicy.OBSERVE, about
        assert server is self.milvus, about
        if call.method in ("drop_alias", "alter_alias"):
            target = database.aliases.get(cast("str", call.argument))
            assert target is None or server.owner(target) == owner(o.key), about
        name = database.aliases.get(call.name, call.name)
        assert name == call.name, about
        stored = database.collections.get(name)
        status = self.bench.world.status(o.key)
        plan = cast("Mapping[str, object]", status.get("plan") or {})
        approvals = {o.metadata.annotations.get(APPROVED_PLAN), o.spec.change_policy.approved_plan} - {None, ""}
        approved = plan.get("hash") in approvals
        if call.method == "create_collection":
            if stored is None and status.get("collection"):
                assert approved, about
            return
        if stored is not None and call.method != "drop_alias":
            present = stored.schema.properties.get(OWNER)
            marks = call.argument if isinstance(call.argument, dict) else {}
            if present is None:
                assert call.method == "alter_properties", about
                assert marks.get(OWNER) == owner(o.key), about
                assert o.spec.adoption_policy is AdoptionPolicy.IF_MATCHING, about
                assert self.connection.get("allowedAdoption"), about
                assert RELEASE_TO not in o.metadata.annotations, about
                return
            assert present == owner(o.key), about
            if OWNER in marks and marks[OWNER] != present:
                assert marks[OWNER] == f"{OWNER_ID}/{o.metadata.annotations[RELEASE_TO]}", about
                return
        if call.method == "drop_collection":
            assert o.is_deleted, about
            assert o.spec.deletion_policy is not DeletionPolicy.RETAIN, about
            assert o.metadata.annotations.get(FORCE_RELEASE) != "true", about
            if stored is not None and o.spec.deletion_policy is DeletionPolicy.DELETE_IF_EMPTY:
                assert not sum(stored.rows.values()), about
            return
        if o.is_deleted:
            assert call.method in ("load", "drop_alias"), about
            return
        assert RELEASE_TO not in o.metadata.annotations, about
        if call.method in LOSING or (isinstance(call.argument, dict) and "collection.ttl.seconds" in call.argument):
            assert approved, f"destructive {about}"
        is_scalar = call.method == "drop_index" and call.argument != "dense"
        if call.method in INTERRUPTING and not (is_scalar and server.release_number >= (3, 0, 0)):
            assert approved or o.spec.change_policy.disruptive is ChangeMode.AUTOMATIC, f"disruptive {about}"

    def close(self) -> None:
        self.bench.close()


def owner(key: Key) -> str:
    return f"{OWNER_ID}/{key.namespace}/{key.name}"
